"""A folder as a destination: of files in their folders, and of mail as .eml files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

from liberate.connector import Body, Change, Collection, Kind, Outcome, Place, Receipt, Slot, Taken
from liberate.naming import Rules
from liberate_local.eml_destination import EmlDestination
from liberate_local.files_destination import FilesDestination


class FolderDestination(FilesDestination):
    """Keeps files as FilesDestination and mail as EmlDestination do; the kind of a receipt shows in its id."""

    line_ends: Literal["any", "crlf"] = "any"

    def __init__(self, root: Path, *, piece: int = 32 << 20, over: int = 64 << 20) -> None:
        super().__init__(root, piece=piece, over=over)
        self._mail = EmlDestination(root)

    @property
    def rules(self) -> Rules:
        return Rules(forbidden=frozenset("/"), reserved=frozenset({".", ".."}), max_bytes=255, max_path=3000)

    def prepare(self, collection: Collection) -> Place:
        return self._mail.prepare(collection) if collection.kind is Kind.MAIL else super().prepare(collection)

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        mail = [slot for slot in slots if _is_mail(slot)]
        return {
            **(self._mail.find(mail, taken) if mail else {}),
            **super().find([slot for slot in slots if not _is_mail(slot)], taken),
        }

    def write(self, slot: Slot, body: Body) -> Receipt:
        return self._mail.write(slot, body) if _is_mail(slot) else super().write(slot, body)

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        left = iter(parts)
        for first in left:  # the others are of the same kind: a collection has one
            some = chain((first,), left)
            return self._mail.write_many(some) if _is_mail(first[0]) else super().write_many(some)
        return iter(())

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        return super().read(receipt) if receipt.id.startswith("/") else self._mail.read(receipt)

    def _path(self, receipt: Receipt) -> bytes:
        return super()._path(receipt) if receipt.id.startswith("/") else self._mail.path(receipt)

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        for change in changes:
            if _is_mail(change.slot):
                yield change.slot, change.receipt  # an .eml file has no place for flags
            else:
                yield from super().update((change,))


def _is_mail(slot: Slot) -> bool:
    return slot.item.kind is Kind.MAIL
