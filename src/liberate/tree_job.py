"""One slice of files carried out: a tree is listed, followed when it changes, and made at the destination."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from liberate.closing import unshare
from liberate.connector import (
    NAME_TAKEN,
    Change,
    Gone,
    Item,
    KeepsTrees,
    Place,
    Receipt,
    Skipped,
    Updates,
    inside,
)
from liberate.errors import ItemError
from liberate.files import WITH_OWNER, FileFacts
from liberate.item_names import legal
from liberate.job import SliceRun
from liberate.ledger_rows import DONE, PAGE, Claim, Pending, Refusal, Row, State, key_of
from liberate.naming import fold
from liberate.people import same_name
from liberate.proof import found_in
from liberate.tree_history import HistorySending
from liberate.tree_sending import NAMES_TRIED, facts_of
from liberate.turn import Desk, Ends

FOLDER_REFUSED = ItemError(
    "folder-refused",
    "The folder that it stands in could not be made.",
    "Do what is said of the folder, then run: liberate retry",
)
STAYS_TOGETHER = ItemError(
    "stays-together",
    "The source renamed or moved the folder. At the destination it holds what somebody else put there too, which would "
    "have gone along.",
    "Rename or move it there by hand, if that is right for all that is in it.",
)


class TreeRun(HistorySending, SliceRun):
    """One worker's turn at a tree of files."""

    _together = 2000  # while they are sent, no others are listed

    def __init__(self, desk: Desk, ends: Ends, claim: Claim) -> None:
        super().__init__(desk, ends, claim)
        self._were_gone = self._ledger.given_up(claim)
        self._seen: set[bytes] = set()  # keys that this listing named
        self._joined: set[tuple[Place, str]] | None = None  # folders that hold more than the account's own

    # What an earlier attempt left ----------------------------------------------------------------

    def _recover(self) -> None:
        for row in self._ledger.unmoved(self._claim):
            self._carry_out(row)
        after = 0
        while not self._stopping():
            rows, after = self._ledger.unfinished(self._claim, State.INTENDED, after)
            if not rows:
                return
            self.relisted = True  # what moves only now has its shares, too
            to_send = [row for row in rows if facts_of(row.item).folder or row.upload]
            known = {row.key for row in to_send}
            asked = [row for row in rows if row.key not in known and self._recognisable(row)]
            self._desk.step("before find")
            found = self._ends.destination.find([self._slot(row) for row in asked], self._taken_names) if asked else {}
            self._desk.step("after find")
            for row in asked:
                receipt = found.get(row.key)
                if self._found_earlier(row, receipt) or receipt is None:
                    to_send.append(row)
                else:
                    self._judge(row, receipt, None, measured=True)
            self._flush()
            self._settle_suspects()
            self._send(to_send)

    def _recognisable(self, row: Row) -> bool:
        """Whether it is known what the row's bytes are: those that went as a stream are read once more for that."""
        if "sha256" in row.digests:
            return True
        try:
            digests = found_in(self._ends.source.read(row.item), row.item.kind)
        except ItemError as error:
            self._unread(row, error)
            return False
        row.digests = digests
        return True

    # Listing -------------------------------------------------------------------------------------

    def _list(self) -> None:
        super()._list()
        if not self._cut:
            self._update()  # of what had to be replaced first

    def _absent(self) -> Sequence[str]:
        return self._ledger.not_among(self._claim, self._seen)

    def _take(self, entries: Sequence[Item | Gone | Skipped], cursor: Any) -> None:
        """Record a piece of the listing, folders first, and move what is new or changed in it."""
        claim = self._claim
        if not entries:
            super()._take(entries, cursor)
            return
        latest = {entry.id: entry for entry in entries}  # a listing may repeat itself: the last word counts
        account, collection = str(claim.account), claim.collection.id
        keys = {key_of(account, collection, id_): entry for id_, entry in latest.items()}
        self._seen.update(bytes.fromhex(key) for key, entry in keys.items() if not isinstance(entry, Gone))
        sorted_out = _Sorted()
        known = self._ledger.known(list(keys))
        told_anew = [key for key, entry in keys.items() if self._is_news(key, entry, known.get(key))]
        rows = self._ledger.originals(told_anew) if told_anew else {}
        for key, entry in keys.items():
            if key not in known or key in rows:
                self._sort(key, entry, rows.get(key), sorted_out)
        if not self._make_new(sorted_out.folders):
            return  # asked to stop: the folders that are not yet recorded are listed again
        if sorted_out.changed:
            self._ledger.listed(claim, (), changed=sorted_out.changed)
            self._update()
            self._catch_up(sorted_out.replaced)
        fresh, again = self._rows(sorted_out.files)
        starred = [(row.key, row.item) for row in (*fresh, *again) if facts_of(row.item).starred]
        out = sorted_out
        changed_something = bool(fresh or again or out.skipped or out.gone or out.replaced or out.back)
        if changed_something or (cursor is not None and cursor != claim.cursor):
            self._ledger.listed(
                claim, fresh, out.skipped, starred, out.gone, cursor, again, replaced=out.replaced, back=out.back
            )
        self.relisted = self.relisted or changed_something or bool(out.folders or out.changed)
        self._were_gone -= set(out.back)
        self._close_first([*fresh, *again])
        self._send([*fresh, *again, *out.replaced])
        if starred and not self._stopping():
            self._update()

    def _catch_up(self, rows: Sequence[Row]) -> None:
        """Let rows know what moving them has changed."""
        now = self._ledger.originals([row.key for row in rows]) if rows else {}
        for row in rows:
            there = now[row.key]
            row.place_id, row.name, row.receipt_place = there.place_id, there.name, there.receipt_place
            row.receipt, row.receipt_version = there.receipt, there.receipt_version
            old = there.item
            row.item = replace(row.item, facts=old.facts, facts_version=old.facts_version, name=old.name)

    def _is_news(self, key: str, entry: Item | Gone | Skipped, have: Any) -> bool:
        if have is None:
            return False
        if not isinstance(entry, Item):
            return isinstance(entry, Gone)
        version, facts_version, _, _ = have
        return (entry.version, entry.facts_version) != (version, facts_version) or key in self._were_gone

    def _sort(self, key: str, entry: Item | Gone | Skipped, row: Row | None, out: _Sorted) -> None:
        """Decide what an entry means for the row that is known of it, or for one that is new."""
        if isinstance(entry, Gone):
            if row is not None:
                out.gone.append(key)
            return
        if isinstance(entry, Skipped):
            if row is None:
                out.skipped.append((key, entry))
            return
        standing = row is not None and (row.state in DONE or row.receipt is not None)
        if row is None or not standing:
            facts = facts_of(entry)
            (out.folders if facts.folder else out.files).append((key, entry, row))
            return
        if self._moves_with_owner(entry) or (facts_of(entry).trashed and self._desk.terms.files.trashed == "skip"):
            out.gone.append(key)
            return
        if key in self._were_gone:
            out.back.append(key)
        if entry.facts_version != row.item.facts_version:
            out.changed.append((key, entry))
        lapsed = row.state is State.SKIPPED  # a newer version was gone before it could be moved, and is there again
        if (lapsed or entry.version != row.item.version) and not facts_of(entry).folder:
            facts, version = row.item.facts, row.item.facts_version
            row.item = replace(entry, facts=facts, facts_version=version, name=row.item.name)
            if row.state in DONE:  # else its digests are of what was to be sent next
                row.receipt_sha256 = row.digests.get("sha256")
            row.state, row.size, row.digests, row.upload = State.LISTED, None, {}, None
            out.replaced.append(row)

    def _rows(self, found: Sequence[tuple[str, Item, Row | None]]) -> tuple[list[Row], list[Row]]:
        """Rows for items that do not stand at the destination: new ones, and those known already. All are named."""
        fresh: list[Row] = []
        again: list[Row] = []
        nameless: list[Row] = []
        for key, item, old in found:
            row = self._row(key, item)
            (fresh if old is None else again).append(row)
            if row.state is not State.LISTED:
                continue
            if old is not None and old.name and (old.place_id, old.item.name) == (row.place_id, item.name):
                row.name, row.folded = old.name, fold(old.name, self._ends.places.rules)
                row.attempts = old.attempts
            else:
                nameless.append(row)
        self._name(nameless)
        return fresh, again

    def _row(self, key: str, item: Item) -> Row:
        """A row for an item that does not stand at the destination, without a name."""
        reason = self._left_out(item)
        if reason is not None:
            return Row(key, item, "", State.SKIPPED, None, refusal=reason)
        if self._without_folder(item):
            return Row(key, item, "", State.REFUSED, None, refusal=FOLDER_REFUSED)
        return Row(key, item, "", State.LISTED, self._parent(facts_of(item).parent))

    def _without_folder(self, item: Item) -> bool:
        """Whether the item stands in a folder that was to be made and could not be."""
        above = self._tree.get(facts_of(item).parent)
        return above is not None and above.number not in self._numbers

    def _moves_with_owner(self, item: Item) -> bool:
        owner = facts_of(item).owner
        return bool(owner) and same_name(owner) in self._desk.terms.moving

    def _left_out(self, item: Item) -> ItemError | None:
        """Why the plan leaves an item behind; None: it goes."""
        facts, policy = facts_of(item), self._desk.terms.files
        if self._moves_with_owner(item):
            return ItemError(WITH_OWNER, "It belongs to somebody else of the plan, with whom it moves.")
        if facts.owner and policy.others == "list":
            return ItemError(
                "policy-others",
                "It belongs to somebody whom this plan does not move.",
                'To bring a copy along, set others = "copy" in the route and run the same command again.',
            )
        if facts.trashed and policy.trashed == "skip":
            return ItemError(
                "policy-trash",
                "It is in the trash, and this route leaves that behind.",
                'To bring it along, set trashed = "copy" in the route and run the same command again.',
            )
        return None

    def _make_new(self, folders: Sequence[tuple[str, Item, Row | None]]) -> bool:
        """Record and make new folders, level by level; False if the run was asked to stop before the last."""
        left = list(folders)
        while left:
            if self._desk.stop():
                self._cut = True
                return False
            inner = {item.id for _, item, _ in left}
            wave = [one for one in left if facts_of(one[1]).parent not in inner] or left[:1]
            chosen = {key for key, _, _ in wave}
            left = [one for one in left if one[0] not in chosen]
            fresh, again = self._rows(wave)
            starred = [(row.key, row.item) for row in (*fresh, *again) if facts_of(row.item).starred]
            self._ledger.listed(self._claim, fresh, changed=starred, again=again)
            self._close_first([*fresh, *again])
            self._make([row for row in (*fresh, *again) if row.state is State.LISTED])
            if waiting := [row for row in (*fresh, *again) if row.state is State.REFUSED]:
                self._plant(self._ledger.folders(self._claim, waiting))
        return True

    def _close_first(self, rows: Sequence[Row]) -> None:
        """Take away those shares through which somebody would see what is closed to them, before it comes."""
        if any(facts_of(row.item).closed for row in rows):
            self._ledger.close_first(self._claim.account)
            unshare(self._ledger, self._ends.destination, self._claim.account)

    def _resume(self) -> None:
        """Send what was listed in an earlier turn, and what the plan left behind then and takes along now."""
        after = 0
        while not self._stopping():
            left, after = self._ledger.left_behind(self._claim, after)
            if not left:
                break
            again = [(old.key, old.item, old) for old in left if self._left_out(old.item) is None]
            if not self._make_new([one for one in again if facts_of(one[1]).folder]):
                return
            _, files = self._rows([one for one in again if not facts_of(one[1]).folder])
            if files:
                self._ledger.listed(self._claim, (), again=files)
            self.relisted = self.relisted or bool(again)
        after = 0
        while not self._stopping():
            rows, after = self._ledger.unfinished(self._claim, State.LISTED, after)
            if not rows:
                break
            self.relisted = True
            unplaced = [row for row in rows if row.place_id is None]  # tried again after a refusal
            if not self._make_new([(row.key, row.item, row) for row in unplaced if facts_of(row.item).folder]):
                return
            _, files = self._rows([(row.key, row.item, row) for row in unplaced if not facts_of(row.item).folder])
            if files:
                self._ledger.listed(self._claim, (), again=files)
            self._send([*(row for row in rows if row.place_id is not None), *files])
        self._prove_rest()

    # Facts that changed --------------------------------------------------------------------------

    def _update(self) -> None:
        """Follow renames and moves, and bring stars and times to what is already there."""
        while pending := self._ledger.pending(self._claim, PAGE):
            self._close_to_come(pending)
            self._joined = None
            waiting, put_off = deque(pending), 0
            while waiting:
                self._ledger.renew(self._claim)
                one = waiting.popleft()
                if put_off < len(waiting) and self._into_itself(one):  # perhaps that one is to leave it
                    waiting.append(one)
                    put_off += 1
                    continue
                self._follow(one)
                put_off = 0
            self._ledger.updated(self._claim, pending, self._change(pending))
            self.progressed = True
            if self._stopping():
                return

    def _close_to_come(self, pending: Sequence[Pending]) -> None:
        """Take away those shares through which somebody would see what is closed to them, before it is moved there."""
        to = {one.row.key: self._parent(one.facts.parent) for one in pending if isinstance(one.facts, FileFacts)}
        moving = {
            one.row.key: to[one.row.key] for one in pending if to.get(one.row.key, one.row.place_id) != one.row.place_id
        }
        if moving or any(isinstance(one.facts, FileFacts) and one.facts.closed for one in pending):
            self._ledger.close_first(self._claim.account, moving)
            unshare(self._ledger, self._ends.destination, self._claim.account)

    def _into_itself(self, one: Pending) -> bool:
        """Whether it is a folder that would be moved into one which stands in it."""
        own = self._tree.get(one.row.item.id)
        if own is None or own.number not in self._numbers or not isinstance(one.facts, FileFacts):
            return False
        return self._place(self._parent(one.facts.parent)).startswith(inside(self._numbers[own.number], ""))

    def _follow(self, one: Pending) -> None:
        """Move a row to where the source has it now."""
        row, facts = one.row, one.facts
        if not isinstance(facts, FileFacts) or not isinstance(self._ends.destination, KeepsTrees):
            return
        number = self._parent(facts.parent)
        if number == row.place_id and one.label == row.item.name:
            return
        if facts.folder and (own := self._tree.get(row.item.id)) is not None and own.number == number:
            return  # a folder in itself
        name, folded = self._name_anew(row, number, legal(row, self._ends.places.rules, one.label))
        if (number, name) == (row.place_id, row.name):
            return
        if facts.folder and self._holds_more(row):
            told = STAYS_TOGETHER
            self._ledger.stays(row.key, told.code, told.why, told.todo)
            return
        self._ledger.moving(self._claim, row, number, name, folded)
        self._carry_out(row)

    def _holds_more(self, row: Row) -> bool:
        if self._joined is None:
            self._joined = self._ledger.joined(self._claim.account)
        return (self._place(row.place_id), row.receipt) in self._joined

    def _carry_out(self, row: Row) -> None:
        """Make a recorded move true."""
        keeper = self._keeper
        was = self._place(row.receipt_place)
        receipt = Receipt(row.receipt or "", was, row.receipt_size, version=row.receipt_version)
        got = receipt
        refused: ItemError | None = None
        for attempt in range(NAMES_TRIED):
            try:
                got = keeper.move(self._slot(row), receipt)
            except ItemError as error:
                if error.code == NAME_TAKEN and attempt + 1 < NAMES_TRIED:
                    number = row.place_id or 0
                    self._names_there(number)[row.folded or row.name] = False
                    name, folded = self._name_anew(row, number, row.name)
                    self._ledger.moving(self._claim, row, number, name, folded)
                    continue
                refused = error  # somebody there took it away, or holds it: what they did with it stays
            break
        self._stale.clear()
        is_folder = facts_of(row.item).folder and got is not receipt
        folder = inside(self._place(row.place_id), row.name) if is_folder else None
        self._ledger.moved_row(self._claim, row, got, folder)
        if refused is not None and refused.code != "gone":
            why = f"The source renamed or moved it, and the destination did not let it be moved: {refused.why}"
            self._ledger.stays(row.key, "not-moved", why, "Rename or move it there by hand.")
        if folder is not None:
            self._there.clear()
            self._plant(self._ledger.tree(self._claim))

    def _change(self, pending: Sequence[Pending]) -> dict[str, str]:
        """Bring new facts; the versions, by key, that what stands there has through that: they are ours too."""
        destination = self._ends.destination
        if not isinstance(destination, Updates):
            return {}
        changes = []
        for one in pending:
            fresh = replace(one.row.item, facts=one.facts, facts_version=one.version, name=one.label)
            slot = self._slot(replace(one.row, item=fresh))
            there = Receipt(one.row.receipt or "", slot.place, one.row.receipt_size, version=one.row.receipt_version)
            applied = one.version != one.row.item.facts_version  # else they were noted with the row, and never set
            before = facts_of(one.row.item) if applied else FileFacts(facts_of(fresh).parent, facts_of(fresh).folder)
            changes.append(Change(slot, there, before))
        known = {change.slot.key: change.receipt.version for change in changes}
        return {
            slot.key: outcome.version
            for slot, outcome in destination.update(changes)
            # What its owner deleted there stays deleted.
            if isinstance(outcome, Receipt) and outcome.version not in ("", known[slot.key])
        }

    def _unread(self, row: Row, error: ItemError) -> None:
        if error.code == "gone" and row.receipt is not None:  # a newer version that went before it could be moved
            why = "It was deleted at the source before its last change could be moved."
            self._refused.append(Refusal(row, "deleted-at-source", why, skipped=True))
            return
        super()._unread(row, error)


class _Sorted:
    """What a piece of a listing means, by what is to be done."""

    def __init__(self) -> None:
        self.folders: list[tuple[str, Item, Row | None]] = []  # (key, item, the row that it has)
        self.files: list[tuple[str, Item, Row | None]] = []
        self.skipped: list[tuple[str, Skipped]] = []
        self.changed: list[tuple[str, Item]] = []  # stand there, with other facts
        self.replaced: list[Row] = []  # stand there, with other bytes
        self.gone: list[str] = []
        self.back: list[str] = []
