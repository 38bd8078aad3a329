"""Calendars and contacts in files as a source: a file, or a folder of them, each a calendar or an address book."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from liberate.connector import Collection, Cursor, Item, Kind, Listed, Loaded, Skipped, Whole
from liberate.errors import ItemError
from liberate.pim import Looks, ObjectFacts
from liberate_local import ics_files, vcf_files
from liberate_local.ics_files import Index
from liberate_local.paths import opening, raw, reading, text
from liberate_local.vcf_files import Cards

MARK = ".liberate.json"  # a folder with it is what our own destination keeps, beside the joined file
_CHUNK = 1 << 16
_ENDINGS = {Kind.EVENT: (b".ics", b".ical", b".ifb"), Kind.CONTACT: (b".vcf", b".vcard")}


@dataclass(frozen=True, slots=True)
class _Known:
    """What a file holds, and the state of the file that it is known of."""

    state: tuple[int, int]
    held: Index | Cards
    by_id: Mapping[str, Any]  # the objects or cards by their ids as the ledger has them


class PimSource:
    """Reads calendar files (Kind.EVENT) or files of contacts (Kind.CONTACT)."""

    def __init__(self, root: Path, kind: Kind) -> None:
        self._root = os.fsencode(root)
        self._kind = kind
        self._known: dict[str, _Known] = {}

    # Files ---------------------------------------------------------------------------------------

    def _files(self) -> Iterator[tuple[str, bytes]]:
        """Each file's id and path, in order."""
        shown = text(self._root)
        with opening(shown):
            os.stat(self._root)
        if not os.path.isdir(self._root):
            yield _id(os.path.basename(self._root)), self._root
            return
        found = []
        for folder, folders, names in os.walk(self._root):
            if MARK in (os.fsdecode(name) for name in names):
                folders.clear()
                continue
            folders.sort()
            for name in names:
                if name.lower().endswith(_ENDINGS[self._kind]) and not name.startswith(b"._"):
                    path = os.path.join(folder, name)
                    found.append((_id(os.path.relpath(path, self._root)), path))
        yield from sorted(found)

    def _path(self, file: str) -> bytes:
        if os.path.isdir(self._root):
            return os.path.join(self._root, raw(file))
        return self._root

    def _held(self, file: str) -> _Known:
        """What the file holds: looked at anew whenever it has changed."""
        path = self._path(file)
        with opening(text(path)), open(path, "rb") as opened:
            stat = os.fstat(opened.fileno())
            state = (stat.st_mtime_ns, stat.st_size)
            known = self._known.get(file)
            if known is None or known.state != state:
                self._known.clear()  # one at a time: each may be large
                held = ics_files.index_of(opened) if self._kind is Kind.EVENT else vcf_files.cards_of(opened)
                some = held.objects if isinstance(held, Index) else held.cards
                known = self._known[file] = _Known(state, held, {_storable(one.id): one for one in some})
            return known

    # The contract --------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """See Source.collections."""
        for file, path in self._files():
            yield Collection(file, (self._name(file, path),), self._kind)

    def _name(self, file: str, path: bytes) -> str:
        stem = os.path.splitext(os.path.basename(path))[0].decode("utf-8", "replace")
        if self._kind is Kind.EVENT:
            held = self._held(file).held
            said = held.said if isinstance(held, Index) else {}
            return said.get("X-WR-CALNAME") or said.get("NAME") or stem
        return stem

    def looks(self, collection: Collection) -> Looks:
        """See HasLooks.looks."""
        name = collection.path[-1]
        if self._kind is Kind.CONTACT:
            return Looks(name)
        index = self._held(collection.id).held
        said, kinds = (index.said, index.kinds) if isinstance(index, Index) else ({}, set())
        colour = said.get("X-APPLE-CALENDAR-COLOR") or said.get("COLOR") or ""
        return Looks(
            name,
            said.get("X-WR-CALDESC") or said.get("DESCRIPTION") or "",
            colour[:7].lower() if colour.startswith("#") else "",
            said.get("X-WR-TIMEZONE", ""),
            frozenset(kinds | {"VEVENT"}),
        )

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """See Source.items. Files tell of no changes, so everything is listed each time."""
        held = self._held(collection.id).held
        if isinstance(held, Index):
            if not held.is_calendar:
                yield Skipped(f"{collection.id}#", "no-calendar", "The file holds no calendar.", "Look at the file.")
            some = [(one.id, one.uid, one.version) for one in held.objects]
        else:
            some = [(one.id, one.uid, one.version) for one in held.cards]
        for id_, uid, version in some:
            yield Item(f"{collection.id}#{_storable(id_)}", self._kind, version, _storable(uid), facts=ObjectFacts())
        for double in held.doubles:
            why = "It stands in the file twice, byte for byte; it moves once."
            yield Skipped(f"{collection.id}#{_storable(double)}", "double", why)
        yield Whole()

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """See Source.read."""
        body = self._body(item)
        for at in range(offset, len(body), _CHUNK):
            yield body[at : at + _CHUNK]

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """See ReadsMany.read_many."""
        for item in items:
            try:
                yield Loaded(item, self._body(item))
            except ItemError as error:
                yield Loaded(item, error)

    def _body(self, item: Item) -> bytes:
        file, _, id_ = item.id.partition("#")
        with reading("The file"), ExitStack() as stack:
            opened: BinaryIO = stack.enter_context(open(self._path(file), "rb"))
            known = self._held(file)
            one = known.by_id.get(id_)
            if one is None or one.version != item.version:
                raise ItemError("gone", "It is no longer in the file as it was listed.")
            if isinstance(known.held, Index):
                return ics_files.assembled(opened, known.held, one)
            return vcf_files.card_bytes(opened, one)


def _id(path: bytes) -> str:
    """A file's path as text that any ledger can hold, without "#", which ends it in the ids of items."""
    return text(path).replace("#", "%23")


def _storable(said: str) -> str:
    """A UID as text that any ledger can hold."""
    return said.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
