"""One slice carried out: list -> intend -> write -> record, and after a crash: ask, then go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from liberate.connector import (
    Evidence,
    Gone,
    Item,
    Kind,
    Place,
    Renumbered,
    Skipped,
    Whole,
)
from liberate.errors import ItemError
from liberate.item_names import name_items
from liberate.labels import LeftOut
from liberate.ledger_rows import DONE, Row, State, key_of
from liberate.mail import Folder
from liberate.sending import Sending

LISTED_TOGETHER = 1000  # items described at once: what a slice holds in memory, besides its bodies


class SliceRun(Sending):
    """One worker's turn at one slice."""

    _together = LISTED_TOGETHER
    _given_up: set[str] | None = None  # keys of rows that the source no longer had; None: not asked for yet

    def run(self, *, listing: bool = True) -> bool:
        """Carry the slice on; True if nothing of it is left to do, False if its turn ended first.

        Without `listing`, only what earlier turns listed is finished. Raises what the connectors raise;
        whatever was recorded stays recorded.
        """
        self._recover()
        self._resume()
        if not self._cut:
            self._update()
        if listing and not self._cut:
            self._list()
        return not self._cut

    # What an earlier attempt left ----------------------------------------------------------------

    def _recover(self) -> None:
        """Ask the destination about every row that was about to be sent, then send what is not there."""
        after = 0
        while True:
            rows, after = self._ledger.unfinished(self._claim, State.INTENDED, after)
            if not rows:
                return
            missing = []
            slots = [self._slot(row) for row in rows]
            self._desk.step("before find")
            found = self._ends.destination.find(slots, self._taken)
            self._desk.step("after find")
            for row in rows:
                receipt = found.get(row.key)
                if receipt is not None and self._is_whole(row):
                    self._judge(row, receipt, None)
                else:
                    missing.append(row)
            self._flush()
            self._settle_suspects()
            self._send(missing)
            if self._stopping():
                return

    def _is_whole(self, row: Row) -> bool:
        """Whether it can be told that what is there is whole: a stream without digests goes again, to the same name."""
        return bool(row.digests)

    def _resume(self) -> None:
        """Send what was listed in an earlier turn, and what the plan left behind then and takes along now."""
        after = 0
        while not self._stopping():
            left, after = self._ledger.left_behind(self._claim, after)
            if not left:
                break
            rows: list[Row] = []
            again: list[Row] = []
            for row in left:
                if not isinstance(self._placement(row.item), LeftOut):
                    self._reconsider(row.key, row.item, rows, again)
            if again:
                self._ledger.listed(self._claim, rows, again=again)
                self.relisted = True
        after = 0
        while not self._stopping():
            rows, after = self._ledger.unfinished(self._claim, State.LISTED, after)
            if not rows:
                break
            self._send(self._placed(rows))
        self._prove_rest()

    def _prove_rest(self) -> None:
        """Read back what an earlier turn wrote, where the route wants that."""
        while self._desk.terms.evidence is Evidence.READ_BACK and not self._stopping():
            rows = self._ledger.unproven(self._claim)
            if not self._prove(rows):
                break

    def _placed(self, rows: Sequence[Row]) -> list[Row]:
        """The rows, those among them tried again that found no place when they were listed."""
        out: list[Row] = []
        again: list[Row] = []
        for row in rows:
            if row.place_id is not None:
                out.append(row)
            elif row.part == "":
                self._reconsider(row.key, row.item, out, again)
            else:
                placed = self._placement(row.item)
                copies = () if isinstance(placed, LeftOut) else placed.copies
                wanted = [folder for folder in copies if _part(folder) == row.part]
                again += self._copy_rows(row.copy_of or "", row.item, wanted, set())
        if again:
            known = {row.key for row in rows}
            self._ledger.listed(self._claim, [row for row in out if row.key not in known], again=again)
        return [*again, *out]

    def _taken(self, place: Place, receipts: Sequence[str]) -> set[str]:
        number = next((one.id for one in self._ledger.named(self._claim.account) if one.place == place), None)
        return set() if number is None else self._ledger.taken(number, receipts)

    # Listing -------------------------------------------------------------------------------------

    def _list(self) -> None:
        entries: list[Item | Gone | Skipped] = []
        cursor = self._claim.cursor
        for thing in self._ends.source.items(self._claim.collection, cursor):
            if isinstance(thing, str):
                cursor = thing
            elif isinstance(thing, Whole):
                self._take(entries, None)
                entries = []
                if self._cut and self._desk.stop():
                    return
                if absent := self._absent():
                    self._ledger.listed(self._claim, (), gone=absent)
                    self.relisted = True
            elif isinstance(thing, Renumbered):
                self._take(entries, None)
                entries, cursor = [], None
                self._ledger.renumbered(self._claim)
            else:
                entries.append(thing)
                if len(entries) >= self._together:
                    self._take(entries, cursor)
                    entries = []
                    if self._desk.stop():
                        self._cut = True
                        return
        # A turn that ended by its own limits still notes the rest of the listing: the next one need not list again.
        self._take(entries, cursor)

    def _absent(self) -> Sequence[str]:
        """Keys of what stands in the ledger and a whole listing did not name; () where that tells nothing (mail)."""
        return ()

    def _take(self, entries: Sequence[Item | Gone | Skipped], cursor: Any) -> None:
        """Record a piece of the listing and move what is new in it."""
        if not entries:
            if cursor is not None and cursor != self._claim.cursor:
                self._ledger.listed(self._claim, (), cursor=cursor)
            return
        claim = self._claim
        account, collection = str(claim.account), claim.collection.id
        keys = [key_of(account, collection, entry.id) for entry in entries]
        known = self._ledger.known(keys)
        rows: list[Row] = []
        skipped: list[tuple[str, Skipped]] = []
        changed: list[tuple[str, Item]] = []
        gone: list[str] = []
        again: list[Row] = []
        back: list[str] = []
        if known and self._given_up is None:
            self._given_up = self._ledger.given_up(claim)
        given_up: set[str] = self._given_up or set()
        seen: set[str] = set()
        for key, entry in zip(keys, entries, strict=True):
            if key in seen:
                continue  # a listing that repeats itself
            seen.add(key)
            have = known.get(key)
            if isinstance(entry, Gone):
                if have:
                    gone.append(key)
            elif isinstance(entry, Skipped):
                if not have:
                    skipped.append((key, entry))
            elif not have:
                self._add(key, entry, rows)
            else:
                version, facts_version, state, _ = have
                if key in given_up:  # restored, or out of sight for a while
                    if state is State.SKIPPED:
                        self._reconsider(key, entry, rows, again)
                        continue
                    back.append(key)
                if entry.version != version:
                    self._changed(key, entry, state, rows, again)
                elif entry.facts_version != facts_version:
                    if state in (State.LISTED, State.SKIPPED):
                        self._reconsider(key, entry, rows, again)
                    else:  # for one that is refused, they wait with it
                        changed.append((key, entry))
        rows += self._new_copies(changed)
        if rows and claim.collection.kind is not Kind.MAIL:
            self._name(rows)
        replaced = self._to_replace()
        news = bool(rows or skipped or changed or gone or again or replaced or back)
        if news or (cursor is not None and cursor != claim.cursor):
            self._ledger.listed(claim, rows, skipped, changed, gone, cursor, again, replaced, back)
            self.relisted = self.relisted or news
        if self._given_up is not None:
            self._given_up = self._given_up.difference(back, (row.key for row in again)).union(gone)
        self._send([*rows, *again, *replaced])
        if changed:
            self._update()

    def _name(self, rows: Sequence[Row]) -> None:
        """Give new rows names that are legal and unique in their places."""
        name_items(rows, self._ledger, self._ends.places.rules)

    def _to_replace(self) -> list[Row]:
        """Rows whose items the source changed, and that stand at the destination as they were."""
        return []

    def _add(self, key: str, item: Item, rows: list[Row]) -> None:
        """A row for a new item, and one for each copy its labels ask for."""
        placed = self._placement(item)
        if isinstance(placed, LeftOut):
            reason = ItemError(placed.code, placed.why, placed.todo)
            rows.append(Row(key, item, "", State.SKIPPED, None, refusal=reason))
            return
        try:
            number = self._ends.places.of(placed.primary).id
        except ItemError as error:
            rows.append(Row(key, item, "", State.REFUSED, None, refusal=error))
            return
        rows.append(Row(key, item, "", State.LISTED, number))
        if placed.copies:
            rows += self._copy_rows(key, item, placed.copies, {number})

    def _copy_rows(self, key: str, item: Item, folders: Iterable[Folder], there: set[int]) -> Iterator[Row]:
        """Rows for copies in folders that are not among the places `there`, which grows."""
        for folder in folders:
            part = _part(folder)
            try:
                number = self._ends.places.of(folder).id
            except ItemError as error:
                yield Row(key_of(key, "", "", part), item, part, State.REFUSED, None, copy_of=key, refusal=error)
                continue
            if number not in there:
                there.add(number)
                yield Row(key_of(key, "", "", part), item, part, State.LISTED, number, copy_of=key)

    def _changed(self, key: str, item: Item, state: State, rows: list[Row], again: list[Row]) -> None:
        """An item whose bytes are others than those listed before."""
        if state not in DONE:
            self._reconsider(key, item, rows, again)
            return
        # A message has no versions: other bytes are another message. The one that moved stays.
        other = key_of(key, "", item.version)
        if not self._ledger.known([other]):
            self._add(other, item, rows)

    def _reconsider(self, key: str, item: Item, rows: list[Row], again: list[Row]) -> None:
        """A row that never went may go now, under its new description."""
        fresh: list[Row] = []
        self._add(key, item, fresh)
        again.append(fresh[0])
        known = self._ledger.known([row.key for row in fresh[1:]])
        rows += [row for row in fresh[1:] if row.key not in known]

    def _new_copies(self, changed: Sequence[tuple[str, Item]]) -> list[Row]:
        """Copies that new labels of moved items ask for. A label taken away takes nothing away here."""
        out: list[Row] = []
        if not changed:
            return out
        have = self._ledger.originals([key for key, _ in changed])
        for key, item in changed:
            placed = self._placement(item)
            old = have.get(key)
            if isinstance(placed, LeftOut) or old is None or old.place_id is None:
                continue
            wanted = (placed.primary, *placed.copies)
            out += self._copy_rows(key, replace(old.item, facts=item.facts), wanted, {old.place_id})
        known = self._ledger.known([row.key for row in out])
        return [row for row in out if row.key not in known]


def _part(folder: Folder) -> str:
    """What tells a copy from the others of its item."""
    return f"role:{folder.role}" if folder.role is not None else "path:" + "\x1f".join(folder.path)
