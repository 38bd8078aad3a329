"""Files: each uploaded to an address that is noted in the room first, so that no attempt makes a second one."""

from __future__ import annotations

import mimetypes
import tempfile
from collections.abc import Iterator
from typing import Any, Protocol

from liberate.connector import Body, Receipt, Slot
from liberate.errors import TransientError
from liberate_matrix import refusals
from liberate_matrix.client import Client
from liberate_matrix.contents import key_of, version_of
from liberate_matrix.convert import clean

_NOTE = "org.liberate.file."  # account data of liberate's own account for the room: gone when the room is purged
_CHUNK = 256 << 10
_MEMORY = 1 << 20


class Media:
    """Files of rooms."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, slot: Slot) -> Receipt | None:
        """What an earlier attempt has uploaded."""
        mxc = self._noted(slot)
        return Receipt(mxc, slot.place) if mxc and self._client.has_media(mxc) else None

    def write(self, slot: Slot, body: Body) -> Receipt:
        """Upload the bytes, unless they are there. More than the server takes is refused before any of it is sent."""
        limit = self._client.upload_limit()
        if limit is not None and body.size is not None and body.size > limit:
            raise refusals.too_large(limit)
        mxc = self._noted(slot)
        if mxc and self._client.has_media(mxc):
            while body.read(_CHUNK):  # whoever sent it counts and hashes it
                pass
            return Receipt(mxc, slot.place)
        with tempfile.SpooledTemporaryFile(_MEMORY) as spool:
            data, size = (body, body.size) if body.size is not None else (spool, _spooled(body, spool))
            if limit is not None and size > limit:
                raise refusals.too_large(limit)
            mxc = mxc or self._note(slot)
            name = clean(slot.item.name)
            media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            if self._client.upload(mxc, Sized(data, size) if size else b"", media_type, name) == "M_NOT_FOUND":
                self._note(slot)
                raise TransientError("The address that a file was to have has expired; it has a new one.")
        return Receipt(mxc, slot.place)

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """The bytes of an mxc:// address."""
        return self._client.download(receipt.id)

    def _noted(self, slot: Slot) -> str:
        noted = self._client.account_data(self._client.bot, _name(slot), slot.place) or {}
        mxc = noted.get("mxc")
        return mxc if isinstance(mxc, str) and mxc.startswith("mxc://") else ""

    def _note(self, slot: Slot) -> str:
        mxc = self._client.new_media()
        self._client.set_account_data(self._client.bot, _name(slot), {"mxc": mxc}, slot.place)
        return mxc


class Sized:
    """Bytes on their way with a length, as an HTTP request needs them."""

    def __init__(self, body: Reads, size: int) -> None:
        self._body = body
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._body.read(_CHUNK):
            yield chunk


class Reads(Protocol):
    def read(self, n: int = -1, /) -> bytes: ...


def _name(slot: Slot) -> str:
    return f"{_NOTE}{key_of(slot.item)}.{version_of(slot.item.version)}"


def _spooled(body: Body, spool: Any) -> int:
    """How many bytes there are; the spool holds them, from its beginning."""
    while chunk := body.read(_CHUNK):
        spool.write(chunk)
    size = int(spool.tell())
    spool.seek(0)
    return size
