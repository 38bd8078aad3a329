"""Sending files and folders: folders first, names that turn out to be taken, large bodies in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias

from liberate.body import Piece, Spooled, StreamBody, checked, comparable
from liberate.connector import (
    CHANGED_THERE,
    NAME_TAKEN,
    Evidence,
    Item,
    KeepsTrees,
    Place,
    Receipt,
    Removes,
    Resumable,
    Shares,
    Slot,
    inside,
)
from liberate.errors import AccountError, IntegrityError, ItemError
from liberate.files import FileFacts
from liberate.item_names import is_file, legal, name_items
from liberate.ledger_rows import JOINED, Claim, Row, State, Written
from liberate.ledger_trees import TreeFolder
from liberate.mail import Sameness
from liberate.naming import fold, unique
from liberate.proof import MISSING, found_in, read_back
from liberate.sending import FLUSH_ITEMS, Sending
from liberate.turn import Desk, Ends

NAMES_TRIED = 5  # for one item that meets others of its name while it is written
_Chunks: TypeAlias = Callable[[int], Iterator[bytes]]  # a body from this offset on
_TO_SEND = (State.LISTED, State.INTENDED)
BESIDE = ItemError(
    "kept-beside",
    "It changed at the source, and was changed at the destination too: both are there, side by side.",
    "Let its owner look at the two, and keep the right one.",
)


def facts_of(item: Item) -> FileFacts:
    """The item's facts; a source that gives none has all its items in one folder."""
    return item.facts if isinstance(item.facts, FileFacts) else FileFacts()


class TreeSending(Sending):
    """How files and folders get to their places."""

    def __init__(self, desk: Desk, ends: Ends, claim: Claim) -> None:
        super().__init__(desk, ends, claim)
        self._tree: dict[str, TreeFolder] = {}  # by the folder's id at the source
        self._numbers: dict[int, Place] = {}
        self._there: dict[int, dict[str, bool]] = {}  # names that stand in a place, whoever put them there
        self._stale: set[int] = set()  # folders noted in this turn as in need of a new time
        self._elsewhere: list[Row] = []  # to be sent again, under another name or over a damaged attempt
        self._contested: list[tuple[Row, str]] = []  # met something under their name that may be an attempt of ours
        self._tries: dict[str, int] = {}
        self._plant(self._ledger.tree(claim))

    def _plant(self, tree: Mapping[str, TreeFolder]) -> None:
        self._tree.update(tree)
        self._numbers.update({one.number: one.place for one in tree.values() if one.place is not None})

    def _place(self, number: int | None) -> Place:
        place = self._numbers.get(number or 0)
        return super()._place(number) if place is None else place

    def _parent(self, folder: str) -> int:
        """The number of the place that the folder with this id is, or of the outermost one."""
        found = self._tree.get(folder) if folder else None
        if found is not None and found.number in self._numbers:
            return found.number
        return self._ends.places.of(self._folder).id

    @property
    def _keeper(self) -> KeepsTrees:
        destination = self._ends.destination
        if not isinstance(destination, KeepsTrees):
            raise AccountError(
                "no-folders", "This destination cannot keep folders of files.", "Choose another destination."
            )
        return destination

    # Names ---------------------------------------------------------------------------------------

    def _names_there(self, number: int) -> dict[str, bool]:
        """What stands in the place, folded, whoever put it there: whether a folder could become one with it."""
        found = self._there.get(number)
        if found is None:
            destination = self._ends.destination
            rules = self._ends.places.rules
            held = destination.held(self._place(number)) if isinstance(destination, KeepsTrees) else ()
            found = self._there[number] = {fold(one.name, rules): one.folder and not one.foreign for one in held}
        return found

    def _name(self, rows: Sequence[Row]) -> None:
        name_items(rows, self._ledger, self._ends.places.rules, self._names_there)

    def _name_anew(self, row: Row, number: int, wanted: str) -> tuple[str, str]:
        """A name that is free in the place, `wanted` or one like it, and folded; for a row that has a name already."""
        rules = self._ends.places.rules
        there = dict(self._names_there(number))
        if row.place_id == number and row.receipt_place is None and row.receipt is not None and row.name:
            there.pop(fold(row.name, rules), None)  # itself
        ledger, own = self._ledger, row.folded or fold(row.name, rules)

        class Taken:
            def __contains__(self, name: object) -> bool:
                if not isinstance(name, str):
                    return False
                if name in there:
                    return True
                return bool(ledger.names_in(number, [name])) and not (name == own and row.place_id == number)

        name = unique(wanted, Taken(), rules, files=is_file(row))
        return name, fold(name, rules)

    # Folders -------------------------------------------------------------------------------------

    def _make(self, rows: Sequence[Row]) -> None:
        """Make these folders, whose parents are there; each is recorded with the place that it is."""
        if not rows:
            return
        keeper = self._keeper
        self._plant(self._ledger.folders(self._claim, rows))
        self._touch(rows)
        for row in rows:
            self._join(row)
        self._ledger.intend(self._claim, rows)
        made: list[tuple[int, Place]] = []

        def record() -> None:
            nonlocal made
            self._ledger.folders_made(self._claim, made)
            made = []
            self._flush()

        for row in rows:
            self._ledger.renew(self._claim)
            for attempt in range(NAMES_TRIED):
                slot = self._slot(row)
                try:
                    receipt = keeper.make_folder(slot)
                except ItemError as error:
                    if error.code == NAME_TAKEN and attempt + 1 < NAMES_TRIED:
                        self._avoid(row)
                        continue
                    self._refuse(row, error, None)
                else:
                    place = inside(slot.place, slot.name)
                    number = self._tree[row.item.id].number
                    self._tree[row.item.id] = TreeFolder(number, row.item.id, place)
                    self._numbers[number] = place
                    made.append((number, place))
                    self._done.append(Written(row, receipt))
                break
            if len(made) >= FLUSH_ITEMS:
                record()
        record()

    def _join(self, row: Row) -> None:
        """See whether a new folder will become one with somebody's. It will not if it is to be shared: others would see
        what that holds."""
        number = row.place_id or 0
        row.mark = None
        if not self._names_there(number).get(fold(row.name, self._ends.places.rules)):
            return
        if next(iter(self._keeper.held(inside(self._place(number), row.name))), None) is None:
            return  # nothing is in it: perhaps it is ours, from an attempt that ended
        if facts_of(row.item).grants and self._desk.terms.files.shares and isinstance(self._keeper, Shares):
            self._avoid(row)
        else:
            row.mark = JOINED

    def _avoid(self, row: Row, note: ItemError | None = None) -> None:
        """Give a row another name than the one that it met there."""
        number = row.place_id or 0
        rules = self._ends.places.rules
        self._names_there(number)[fold(row.name, rules)] = False
        row.receipt = row.mark = None  # what it was to replace is no longer ours
        row.name, row.folded = self._name_anew(row, number, legal(row, rules))
        self._ledger.renamed_row(self._claim, row, note)

    def _touch(self, rows: Iterable[Row]) -> None:
        """Note that the folders of these rows will need their times set again."""
        numbers = {row.place_id for row in rows if row.place_id in self._numbers} - self._stale
        fresh = {number for number in numbers if number is not None}
        if fresh:
            self._ledger.touched(self._claim, fresh)
            self._stale |= fresh

    # Files ---------------------------------------------------------------------------------------

    def _send(self, rows: Sequence[Row]) -> None:
        """Write these rows: folders as they were listed, then files, whatever folders they go to."""
        rows = [row for row in rows if row.state in _TO_SEND]
        for row in rows:
            if facts_of(row.item).folder and not self._desk.stop():
                row.place_id = self._parent(facts_of(row.item).parent)
                self._make([row])
        files = [row for row in rows if not facts_of(row.item).folder]
        if not files or self._stopping():
            return
        for number in {row.place_id for row in files if row.place_id is not None}:
            self._names_there(number)  # the account stops where somebody else's folder has come in the place of ours
        self._touch(files)
        self._write(files)
        self._settle_contested()
        while self._elsewhere and not self._stopping():
            again, self._elsewhere = self._elsewhere, []
            self._write(again)
            self._settle_contested()
        self._elsewhere = []

    def _slot(self, row: Row) -> Slot:
        slot = super()._slot(row)
        known = {**row.item.digests, **row.digests}
        size = row.item.size if row.size is None else row.size
        item = replace(slot.item, size=size, digests=known)
        before = None
        if row.receipt is not None and row.state in _TO_SEND and not facts_of(item).folder:
            where = self._place(row.receipt_place or row.place_id)
            digests = {"sha256": row.receipt_sha256} if row.receipt_sha256 else {}
            before = Receipt(row.receipt, where, row.receipt_size, digests, version=row.receipt_version)
        return replace(slot, item=item, replaces=before)

    def _refuse(self, row: Row, error: ItemError, body: bytes | Iterable[bytes] | None) -> None:
        """Record a refusal, or let the row try another name. What is refused stays at the source: none is kept."""
        tries = self._tries.get(row.key, 0)
        if error.code in (NAME_TAKEN, CHANGED_THERE) and tries < NAMES_TRIED and not facts_of(row.item).folder:
            self._tries[row.key] = tries + 1
            if self._may_be_ours(row):
                self._contested.append((row, error.code))
                return
            self._go_elsewhere(row, error.code)
            return
        super()._refuse(row, error, None)

    def _go_elsewhere(self, row: Row, code: str) -> None:
        self._avoid(row, BESIDE if code == CHANGED_THERE else None)
        self._elsewhere.append(row)

    def _may_be_ours(self, row: Row) -> bool:
        """Whether what stands under the row's name may be from an attempt that ended before this one."""
        return row.attempts > 1

    def _settle_contested(self) -> None:
        """Ask again what stands there: a server may go on with a request long after its sender died or gave up."""
        contested, self._contested = self._contested, []
        if not contested:
            return
        asked = [self._slot(row) for row, _ in contested if self._measured(row)]
        found = self._ends.destination.find(asked, self._taken_names)
        for row, code in contested:
            if (receipt := found.get(row.key)) is not None:
                self._judge(row, receipt, None, measured=True)
            else:
                self._go_elsewhere(row, code)
        self._flush()

    def _measured(self, row: Row) -> bool:
        """Whether it is known what the row's bytes are: a body that met another on its way has not been read whole."""
        if "sha256" not in row.digests:
            with suppress(ItemError):  # sending it under another name says what is wrong
                row.digests = found_in(self._ends.source.read(row.item), row.item.kind)
        return "sha256" in row.digests

    def _settle_suspects(self) -> None:
        """Send what the destination describes otherwise once more, over the damaged attempt; then refuse it."""
        suspects, self._suspects = self._suspects, []
        for row, receipt, _ in suspects:
            row.receipt, row.receipt_size = receipt.id, receipt.size
            ((_, tier, _),) = read_back(self._ends.destination, [(row, receipt.place)])
            if tier not in (Sameness.DIFFERENT, MISSING):
                proven = replace(receipt, evidence=Evidence.READ_BACK)
                self._done.append(Written(row, proven, tier, measured=True))
            elif self._tries.get(row.key, 0) < 1:
                self._tries[row.key] = self._tries.get(row.key, 0) + 1
                self._ledger.left(self._claim, row, receipt)
                self._elsewhere.append(row)
            else:
                self._take_back(row, receipt)
                why = "The destination stored something else than it was sent, twice."
                todo = "Ask whoever runs the destination to check its disks, then run: liberate retry"
                super()._refuse(row, ItemError("stored-otherwise", why, todo), None)
        self._flush()

    def _take_back(self, row: Row, receipt: Receipt) -> None:
        """Remove a damaged attempt, which is known by its version; what cannot be removed is told with the refusal."""
        destination = self._ends.destination
        if isinstance(destination, Removes):
            try:
                destination.remove(self._slot(row), receipt)
            except ItemError:
                return

    # Large bodies --------------------------------------------------------------------------------

    def _write_large(self, row: Row) -> None:
        item = row.item
        if item.size is not None:
            self._write_sized(row, item.size, self._from_source(item))
            return
        with Spooled(self._ends.source.read(item), self._desk.scratch) as spooled:
            row.size, row.digests = spooled.size, {"sha256": spooled.sha256}
            self._write_sized(row, spooled.size, spooled.chunks)

    def _from_source(self, item: Item) -> _Chunks:
        return lambda offset: self._ends.source.read(item, offset)

    def _write_sized(self, row: Row, size: int, chunks: _Chunks) -> None:
        destination = self._ends.destination
        piece = destination.piece(size) if isinstance(destination, Resumable) else None
        if piece is None or not isinstance(destination, Resumable):
            body = StreamBody(checked(chunks(0), size, row.item.digests), size)
            self._ledger.intend(self._claim, [row])
            try:
                receipt = destination.write(self._slot(row), body)
            except ItemError as error:
                if body.broken is not None:
                    raise
                self._refuse(row, error, None)
                return
            row.size, row.digests = body.sent, body.digests
            self._judge(row, receipt, None, measured=True)
            return
        try:
            self._write_pieces(row, destination, size, piece, chunks)
        except IntegrityError:
            if row.upload:
                destination.abandon(row.upload.partition(" ")[2])
                self._ledger.uploading(self._claim, row, None)
            raise

    def _write_pieces(self, row: Row, destination: Resumable, size: int, piece: int, chunks: _Chunks) -> None:
        """Send a body in pieces, from where an earlier attempt ended; at most one piece goes twice."""
        upload, offset = "", 0
        if row.upload:
            told, _, upload = row.upload.partition(" ")
            received = destination.received(upload, int(told))
            if received is None:
                upload = ""
                if row.digests and (found := self._ends.destination.find([self._slot(row)], self._taken_names)):
                    self._judge(row, found[row.key], None, measured=True)  # it was finished, and not yet recorded
                    return
            else:
                piece, offset = int(told), received
        if not upload:
            self._ledger.intend(self._claim, [row])
            upload = destination.begin(self._slot(row))
            self._ledger.uploading(self._claim, row, f"{piece} {upload}")
        skipping = offset > 0 and comparable(row.item.digests) is not None
        if skipping:  # the destination's digest is compared with the source's own: what went before need not be read
            body = StreamBody(checked(chunks(offset), size - offset), size - offset)
        else:
            body = StreamBody(checked(chunks(0), size, row.item.digests), size)
            _pass_over(body, offset)
        for start in range(offset, size, piece):
            if self._desk.stop():
                self._cut = True
                return
            self._ledger.renew(self._claim)
            self._desk.step("before piece")
            destination.append(upload, self._slot(row), start, Piece(body, min(piece, size - start)))
            self._desk.step("after piece")
        if body.read(1):
            raise IntegrityError("The source gave more of an item than it says it has.")
        row.size = size
        if not skipping:
            row.digests = body.digests
            self._ledger.intend(self._claim, [row])  # its digests are known now: after a crash it can be recognised
        try:
            receipt = destination.finish(upload, self._slot(row))
        except ItemError as error:
            if error.code not in (NAME_TAKEN, CHANGED_THERE):
                destination.abandon(upload)
            self._refuse(row, error, None)
            return
        if skipping:
            self._prove_skipped(row, receipt)
        self._judge(row, receipt, None, measured=True)

    def _prove_skipped(self, row: Row, receipt: Receipt) -> None:
        """Find the digest of a body whose beginning an earlier process has sent."""
        name, wanted = comparable(row.item.digests) or ("", "")
        there = receipt.digests.get(name)
        if there == wanted and "sha256" in receipt.digests:
            row.digests = {"sha256": receipt.digests["sha256"]}
            return
        chunks = checked(self._ends.source.read(row.item), row.item.size, row.item.digests)
        row.digests = found_in(chunks, row.item.kind)

    def _taken_names(self, _place: Place, _receipts: Sequence[str]) -> set[str]:
        return set()  # names are unique among all that liberate puts there


def _pass_over(body: StreamBody, size: int) -> None:
    """Read, and so hash, what is there already."""
    while size > 0:
        got = body.read(min(size, 1 << 20))
        if not got:
            raise IntegrityError("The source gave less of an item than it says it has.")
        size -= len(got)
