"""A file object of Slack's as what hangs on a message, and whether its bytes can be had. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from liberate.chat import File
from liberate_slack.letters import clean, token_in, without_token

CANVASES = frozenset({"quip", "canvas", "docs", "space", "post", "list"})  # what Slack keeps as no file: it renders one
_CHANGE = CANVASES | {"snippet"}  # what its owner may edit
_WHY = {
    "tombstone": "It was deleted in Slack.",
    "hidden_by_limit": "Slack hides it, as the workspace's plan does not reach back so far.",
    "access_denied": "Slack did not let it be exported: access denied.",
    "check_file_info": "It belongs to another organisation, and Slack does not export it.",
    "file_not_found": "Slack no longer has it.",
}
NO_ADDRESS = "Slack gives no address for it."
NO_TOKEN = "The export's link to it holds no token."  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a file's bytes are."""

    id: str  # Slack's
    name: str
    media_type: str
    size: int | None
    version: str
    url: str = ""  # with the export's token: it must not leave this process
    rendered: bool = False  # Slack makes a page of it when it is asked: no size is known, and HTML is what it is


def file_id(room: str, id_: str) -> str:
    """The id of a file's item in a room."""
    return f"{room}/file:{id_}"


def why_not(raw: dict[str, Any], *, token: bool = False, local: bool = False) -> str:
    """Why the bytes are not to be had, a sentence; "" if they are.

    `token`: there is one besides those in links. `local`: the bytes lie in the export itself.
    """
    mode = clean(raw.get("mode"))
    access = clean(raw.get("file_access"))
    for word in (mode, access):
        if word in _WHY:
            return _WHY[word]
    if raw.get("is_external") is True or mode == "external" or local:
        return ""
    url = address(raw)
    if not url or not clean(raw.get("id")):
        return NO_ADDRESS
    return "" if token or token_in(url) else NO_TOKEN


def address(raw: dict[str, Any]) -> str:
    """Where Slack serves the file, with the token that the export put there."""
    list_csv = clean(raw.get("list_csv_download_url")) if clean(raw.get("mode")) == "list" else ""
    return list_csv or clean(raw.get("url_private_download")) or clean(raw.get("url_private"))


def external(raw: dict[str, Any]) -> str:
    """The address of what is kept with another service; "" for what Slack keeps."""
    if raw.get("is_external") is True or clean(raw.get("mode")) == "external":
        url = clean(raw.get("external_url")) or clean(raw.get("url_private")) or clean(raw.get("permalink"))
        return without_token(url)
    return ""


def hung(room: str, raw: dict[str, Any], why: str) -> File:
    """The file as its message names it. `why`: what why_not() says."""
    name = _name(raw)
    kind = clean(raw.get("mimetype"))
    size = _size(raw)
    if link := external(raw):
        return File("", name, kind, size, link)
    return File("" if why else file_id(room, clean(raw.get("id"))), name, kind, size, why=why)


def stored(raw: dict[str, Any]) -> Stored:
    """Where the bytes of a file are that hung() gave an id."""
    mode = clean(raw.get("mode"))
    rendered = mode in CANVASES
    changed = raw.get("edit_timestamp") or raw.get("updated")
    return Stored(
        clean(raw.get("id")),
        _name(raw),
        clean(raw.get("mimetype")),
        None if rendered else _size(raw),
        str(changed) if mode in _CHANGE and isinstance(changed, int) else "",
        address(raw),
        rendered,
    )


def _name(raw: dict[str, Any]) -> str:
    name = clean(raw.get("name")) or clean(raw.get("title"))
    if not name:
        try:
            name = urlsplit(address(raw)).path.rpartition("/")[2]
        except ValueError:
            name = ""
    return name or clean(raw.get("id")) or "file"


def _size(raw: dict[str, Any]) -> int | None:
    size = raw.get("size")
    return size if isinstance(size, int) and not isinstance(size, bool) and 0 < size < 1 << 53 else None
