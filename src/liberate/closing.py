"""The last things for an account of files, when all else is there: comments, shares, what is gone, folder times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from liberate.connector import (
    CHANGED_THERE,
    Annotates,
    Change,
    Destination,
    Place,
    Receipt,
    Removes,
    Shares,
    Slot,
    TakesNotes,
    Updates,
)
from liberate.errors import AccountError, ItemError
from liberate.events import Sharing
from liberate.files import FileFacts
from liberate.ledger import Ledger
from liberate.ledger_rows import Row, State
from liberate.ledger_shares import GONE
from liberate.sharing import Directory, share_of
from liberate.turn import Desk, Ends

MANY = 20  # items that may be gone from one run to the next whatever share of all they are
HOLDS_MORE = ItemError(
    "holds-more",
    "The folder became one with a folder that was there, and with a share others would see what that holds.",
    "Look what is in it, then share it by hand.",
)
_TOGETHER = 100  # folders whose times are set with one call


def receipt_at(row: Row, place: Place) -> Receipt:
    """What the ledger recorded of a row that stands in `place`."""
    return Receipt(row.receipt or "", place, row.receipt_size, row.digests, row.evidence, row.receipt_version)


def slot_at(row: Row, place: Place) -> Slot:
    """The slot of such a row; its item has the size and digests of what was written."""
    item = row.item
    described = type(item)(
        item.id, item.kind, item.version, item.name, row.size, item.modified, row.digests, item.refs, item.facts,
        item.facts_version, item.repeatable,
    )  # fmt: skip
    return Slot(described, place, row.name, row.key)


def unshare(ledger: Ledger, destination: Destination, account: int) -> bool:
    """Take away shares that the source has no more, or that show too much; whether there were any."""
    done = False
    if not isinstance(destination, Shares):
        return done
    for number, share in ledger.made_shares(account, GONE):
        try:
            destination.unshare(share)
        except ItemError:
            continue
        ledger.unshared([number])
        done = True
    for one in ledger.half_made(account):  # its id is not known: sharing the same once more tells it
        if one.share is not None and one.row.receipt is not None:
            with suppress(ItemError):
                made = destination.share(receipt_at(one.row, one.place), one.share)
                if made not in {share for _, share in ledger.made_shares(account, State.WRITTEN)}:
                    destination.unshare(made)
        ledger.unshared([one.number])
        done = True
    return done


_REFUSED = ("group-unknown", "person-unknown", HOLDS_MORE.code)  # what is no policy's


class Closing:
    """One turn at an account's last things. Each may be repeated; what is done is recorded and not done again."""

    def __init__(
        self, desk: Desk, ends: Ends, account: int, directory: Directory, *, relisted: bool, alone: bool = True
    ) -> None:
        self._desk = desk
        self._ends = ends
        self._account = account
        self._directory = directory
        self._relisted = relisted
        self._alone = alone  # nobody's files are still on their way to the destination
        self.waits = False  # for that, with shares to be made
        self._ledger = desk.ledger
        self.progressed = False

    def run(self) -> bool:
        """Do them; False if some are left, because the run was asked to stop or the sharing `waits`."""
        policy = self._desk.terms.files
        if policy.deleted == "trash":
            self._remove()
        if policy.comments == "copy":
            self._annotate()
        self._share()
        if not self._desk.stop():
            self._date()
        return not self._desk.stop() and not self.waits

    # What the source no longer has ---------------------------------------------------------------

    def _remove(self) -> None:
        gone = self._ledger.gone_rows(self._account)
        standing, _ = self._ledger.moved(self._account)
        if len(gone) > MANY and len(gone) * 2 > standing:
            raise AccountError(
                "many-gone",
                f"The source no longer has {len(gone):,} of the {standing:,} items that were moved, and deleted = "
                '"trash" would take them away from the destination too.',
                "See whether the source is whole: a disk that is not mounted looks empty. If it is right, delete them "
                'at the destination by hand, or set deleted = "keep".',
            )
        for row, place in gone:
            if self._desk.stop():
                return
            destination = self._ends.destination
            if not isinstance(destination, Removes):
                return
            try:
                self._desk.step("before remove")
                destination.remove(slot_at(row, place), receipt_at(row, place))
                self._desk.step("after remove")
            except ItemError as error:
                why = "It was deleted at the source, and somebody changed it at the destination: it stays there."
                if error.code != CHANGED_THERE:
                    why = error.why
                self._ledger.stays(row.key, "gone-and-kept", why, "Delete it by hand if nobody needs it.")
                continue
            why = "It was deleted at the source, and is in the trash of the destination now."
            self._ledger.removed(self._account, [row.key], "removed-with-source", why)
            self.progressed = True

    # Comments ------------------------------------------------------------------------------------

    def _annotate(self) -> None:
        while rows := self._ledger.without_notes(self._account):
            source, destination = self._ends.source, self._ends.destination
            if not isinstance(source, Annotates) or not isinstance(destination, TakesNotes):
                return
            for row, place in rows:
                if self._desk.stop():
                    return
                try:
                    if notes := source.notes(row.item):
                        destination.annotate(receipt_at(row, place), notes)
                except ItemError as error:
                    self._ledger.stays(row.key, "comments-refused", error.why, error.todo)
                self._ledger.noted([row.key])
                self.progressed = True

    # Shares --------------------------------------------------------------------------------------

    def _share(self) -> None:
        policy = self._desk.terms.files
        if self._relisted:
            self._ledger.list_shares(self._account)
        if unshare(self._ledger, self._ends.destination, self._account):
            self.progressed = True
        if not policy.shares and not self._ledger.count_shares(self._account):
            return
        self._ledger.again_by_policy(self._account)
        self._decide()
        waiting = self._ledger.count_shares(self._account)
        if not waiting:
            return
        destination = self._ends.destination
        if not isinstance(destination, Shares):
            return
        self.waits = not self._alone
        if self.waits:
            return
        self._desk.observer(Sharing(self._desk.account, waiting, destination.share_rate))
        while some := self._ledger.to_share(self._account):
            for one in some:
                if self._desk.stop():
                    return
                share = share_of(one.grant, self._desk.account_name, self._directory, policy)
                if isinstance(share, ItemError):  # the plan is the same within a run
                    self._ledger.not_shared([(one.number, share, False)])
                    continue
                self._ledger.sharing(one.number, share)
                self._desk.step("before share")
                try:
                    made = destination.share(receipt_at(one.row, one.place), share)
                except ItemError as error:
                    self._ledger.not_shared([(one.number, error, True)])
                else:
                    self._desk.step("after share")
                    self._ledger.shared(one.number, share.to, share.name, made)
                self.progressed = True

    def _decide(self) -> None:
        """Sort out what the route does not want, so that what is left can be counted and forecast."""
        policy = self._desk.terms.files
        joined = self._ledger.joined(self._account)
        after = 0
        while some := self._ledger.to_share(self._account, after=after):
            after = some[-1].number
            left = []
            for one in some:
                share = share_of(one.grant, self._desk.account_name, self._directory, policy)
                if (one.place, one.row.receipt) in joined and not isinstance(share, ItemError):
                    share = HOLDS_MORE
                if isinstance(share, ItemError):
                    left.append((one.number, share, share.code in _REFUSED))
            if left:
                self._ledger.not_shared(left)

    # Times ---------------------------------------------------------------------------------------

    def _date(self) -> None:
        """Set folder times, deepest first: whatever is put into a folder changes its own."""
        folders = self._ledger.undated(self._account)
        if not folders:
            return
        destination = self._ends.destination
        if isinstance(destination, Updates):
            changes = self._changes(folders)
            while some := list(islice(changes, _TOGETHER)):
                for _slot, _outcome in destination.update(some):
                    pass  # a folder that its owner deleted there has no time
                if self._desk.stop():
                    return
        self._ledger.dated(self._account)

    @staticmethod
    def _changes(folders: list[tuple[Row, Place]]) -> Iterator[Change]:
        for row, place in folders:
            facts = row.item.facts
            before = FileFacts(facts.parent, folder=True) if isinstance(facts, FileFacts) else FileFacts(folder=True)
            yield Change(slot_at(row, place), receipt_at(row, place), before)
