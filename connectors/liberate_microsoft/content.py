"""The bytes of one file: from the address that Graph hands out for a few minutes, renewed when it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from liberate.connector import Item
from liberate.errors import IntegrityError, ItemError, TransientError
from liberate_microsoft import convert
from liberate_microsoft.client import Client, segment
from liberate_microsoft.convert import QUICKXOR
from liberate_microsoft.problems import Failure, error, item_error
from liberate_microsoft.quickxor import QuickXor

CHUNK = 1 << 18
_VERSION_MARK = "@"  # between a file's id and a version's in the id of an earlier version; an item's id has none
_ENDED = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 410})  # an address of which the time is up


@dataclass(frozen=True, slots=True)
class Served:
    """What a file's bytes came to when they were read to their end."""

    size: int
    quickxor: str


class WrongDigest(IntegrityError):
    """The bytes are others than Graph's digest says."""

    def __init__(self, served: Served) -> None:
        super().__init__("Microsoft gave other bytes than its own digest says.")
        self.served = served


def version_of(item: Item, told: Mapping[str, Any]) -> Item:
    """An earlier version of the file as an item that `read` takes.

    Without a size: SharePoint counts what it keeps beside the bytes among them, and a version has no digest that
    would tell. A body that was cut is noticed by the length that its server announces.
    """
    key = str(told["id"])
    return replace(
        item,
        id=f"{item.id}{_VERSION_MARK}{key}",
        version=f"version:{key}",
        size=None,
        modified=convert.moment(told.get("lastModifiedDateTime")),
        digests={},
    )


def read(client: Client, drive: str, item: Item, offset: int = 0) -> Iterator[bytes]:
    """The file's bytes from `offset` on. Raises IntegrityError at the end if the digest is another.

    The digest is of the whole file, so bytes read from an offset on go without it.
    """
    told = expected(item)
    digest = QuickXor() if told and not offset else None
    at = offset
    for piece in _pieces(client, drive, item.id, offset):
        at += len(piece)
        if digest is not None:
            digest.update(piece)
        yield piece
    if digest is not None and digest.base64() != told:
        raise WrongDigest(Served(at, digest.base64()))


def expected(item: Item) -> str | None:
    """The quickXorHash that the bytes must have; None: Graph gave none, or one that does not hold.

    It stands in the version too, from which an item that comes back out of a ledger has it.
    """
    if QUICKXOR in item.digests:
        return item.digests[QUICKXOR]
    name, _, rest = item.version.partition(":")
    digest, _, size = rest.rpartition(":")
    return digest if name == QUICKXOR and item.size is not None and size == str(item.size) else None


def measure(client: Client, drive: str, key: str) -> Served:
    """Read the file to its end just to see what it comes to."""
    digest = QuickXor()
    size = 0
    for piece in _pieces(client, drive, key, 0):
        digest.update(piece)
        size += len(piece)
    return Served(size, digest.base64())


def served_size(client: Client, drive: str, key: str) -> int | None:
    """How many bytes would be served, without reading them; None: the server does not say."""
    response = _open(client, drive, key, 0)
    try:
        if response.status_code != 200:
            raise _refused(client, response.status_code)
        return _length(response)
    finally:
        response.close()


def _pieces(client: Client, drive: str, key: str, offset: int) -> Iterator[bytes]:
    at = offset
    whole: int | None = None  # bytes of the whole file, as the first response says
    renewed = -1  # where an address was last asked for anew
    while True:
        response = _open(client, drive, key, at)
        try:
            if response.status_code in _ENDED:
                if renewed == at:
                    raise _refused(client, response.status_code)
                renewed = at
                continue
            if response.status_code == 416:
                if at == offset == 0 or at == (whole or _total(response)):
                    return  # nothing stands behind the end
                raise IntegrityError("The file became shorter while it was read.")
            skip, total = _begins(client, response, at)
            if whole is None:
                whole = total
            elif total is not None and total != whole:
                raise IntegrityError("The file changed while it was read.")
            for piece in _body(client, response):
                if skip >= len(piece):
                    skip -= len(piece)
                    continue
                part = piece[skip:] if skip else piece
                skip = 0
                at += len(part)
                yield part
            if whole is not None and at < whole:
                raise TransientError(f"The line to Microsoft broke while reading for {client.who}.")
            return
        finally:
            response.close()


def _open(client: Client, drive: str, key: str, at: int) -> Any:
    """The open response for the file's bytes from `at` on. Raises what Graph says of the file."""
    item, _, version = key.partition(_VERSION_MARK)
    path = f"/drives/{segment(drive)}/items/{segment(item)}"
    address = client.content_address(f"{path}/versions/{segment(version)}/content" if version else f"{path}/content")
    if isinstance(address, Failure):
        raise item_error(address) or error(address, client.who)
    return client.fetch(address, at)


def _begins(client: Client, response: Any, at: int) -> tuple[int, int | None]:
    """How many bytes of this response we have already, and how many the whole file has."""
    status = response.status_code
    if status == 200:  # the whole file, whether a part was asked for or not: a server may ignore Range
        return at, _length(response)
    if status == 206:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) > at:
            raise TransientError(f"Microsoft gave another part of a file than {client.who} asked for.")
        return at - int(found[1]), None if found[3] == "*" else int(found[3])
    raise _refused(client, status)


def _body(client: Client, response: Any) -> Iterator[bytes]:
    import requests  # noqa: PLC0415

    try:
        yield from response.iter_content(CHUNK)
    except requests.exceptions.RequestException as broken:
        raise client.broken(broken) from None


def _length(response: Any) -> int | None:
    told = response.headers.get("Content-Length", "")
    return int(told) if told.isdigit() and not response.headers.get("Content-Encoding") else None


def _total(response: Any) -> int | None:
    found = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _refused(client: Client, status: int) -> Exception:
    """What it means that Microsoft's storage does not serve an address that Graph has just given."""
    if status in (408, 429) or status >= 500 or status < 400:
        return TransientError(f"Microsoft's storage cannot answer for {client.who} at the moment (HTTP {status}).")
    return ItemError(
        "no-content",
        f"Microsoft describes the file and does not hand over its content (HTTP {status}).",
        "Let its owner see whether it opens, and run: liberate retry",
    )
