"""Lists that Graph gives in pages, and the links that lead on: what its services have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from liberate_microsoft import pace
from liberate_microsoft.client import Client
from liberate_microsoft.problems import Failure

IMMUTABLE = 'IdType="ImmutableId"'
"""What the header `Prefer` asks of Exchange: ids that stay when an item is moved. It has to go with every call."""
EXPIRED = frozenset({"resyncrequired", "syncstatenotfound", "syncstateinvalid"})
"""Codes by which Exchange says that a delta's token is worth nothing any more; in lower case."""


def values(
    client: Client, path: str, params: Mapping[str, str] | None = None, *, missing: bool = False
) -> Iterator[Mapping[str, Any]]:
    """The members of a list, page by page. `missing`: a list that is not there (404) has none."""
    where: str | None = path
    while where:
        answer = client.call(where, pace.REQUEST, params, expect=(404,) if missing else ())
        if isinstance(answer, Failure):
            return
        for one in answer.get("value") or ():
            if isinstance(one, Mapping):
                yield one
        where, params = answer.get("@odata.nextLink"), None


def shortened(link: str, ending: str) -> str:
    """A nextLink or deltaLink as a cursor: its query, where its path ends as the one asked for; else the whole link."""
    parts = urlsplit(link)
    return parts.query if parts.query and parts.path.endswith(ending) else link


def lengthened(text: str, path: str) -> tuple[str, dict[str, str]]:
    """What `shortened` made, as an address or a path, with its parameters."""
    if text.startswith("https://"):
        return text, {}
    return path, dict(parse_qsl(text, keep_blank_values=True))


def expired(found: Failure) -> bool:
    """Whether the failure says that a delta's token cannot be gone on from, so that all is to be listed anew."""
    return found.status in (400, 410) or found.code in EXPIRED
