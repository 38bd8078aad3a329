"""One file of a whole calendar or address book, joined from the files of its objects. Pure but for reading them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from liberate.connector import Kind
from liberate.vcard import text
from liberate_local import ics_files


def joined(folder: bytes, names: Sequence[bytes], looks: Mapping[str, Any], kind: Kind) -> Iterator[bytes]:
    """The file's bytes. Each time zone is defined once, in front; every event is as it stands in its own file."""
    if kind is Kind.CONTACT:
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            yield data if data.endswith(b"\n") else data + b"\r\n"
        return
    yield b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//liberate//EN\r\n"
    said = {"X-WR-CALNAME": "name", "X-WR-CALDESC": "description", "X-WR-TIMEZONE": "timezone"}
    for prop, key in said.items():
        if looks.get(key):
            yield f"{prop}:{text(str(looks[key]))}\r\n".encode()
    if looks.get("colour"):
        yield f"X-APPLE-CALENDAR-COLOR:{looks['colour']}\r\n".encode()
    given: set[str] = set()
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            index = ics_files.index_of(file)
        for zone, raw in index.zones.items():
            if zone not in given:
                given.add(zone)
                yield raw if raw.endswith(b"\n") else raw + b"\r\n"
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            for one in ics_files.index_of(file).objects:
                for piece in one.pieces:
                    file.seek(piece.at)
                    raw = file.read(piece.size)
                    yield raw if raw.endswith(b"\n") else raw + b"\r\n"
    yield b"END:VCALENDAR\r\n"


def digest_of(path: bytes) -> str:
    """SHA-256 of a file's bytes, in hex; "" if it is not there."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()
