"""What a file was before, brought along as earlier versions: oldest first, each written over the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from liberate.body import Spooled, StreamBody, checked
from liberate.connector import CHANGED_THERE, NAME_TAKEN, HasVersions, Item, Receipt, Slot
from liberate.errors import IntegrityError, ItemError
from liberate.ledger_rows import Row, State
from liberate.tree_sending import TreeSending, facts_of

_MEANT, _LEFT = "earlier-meant:", "earlier-left:"
"""What a row's mark begins with, before the id of a version; one that is meant is followed by the one that stands."""


class HistorySending(TreeSending):
    """Sends a file's history before the file. Each version is intended and recorded as the file itself is."""

    def _write(self, rows: Sequence[Row]) -> None:
        count = self._desk.terms.files.versions
        source = self._ends.source
        if count and isinstance(source, HasVersions):
            for row in rows:
                if self._stopping():
                    return
                if not facts_of(row.item).folder and (row.receipt is None or (row.mark or "").startswith(_LEFT)):
                    self._write_earlier(row, source, count)
        renamed = {row.key for row in self._elsewhere}  # by their first version: all of them go there, in another turn
        super()._write([row for row in rows if row.state in (State.LISTED, State.INTENDED) and row.key not in renamed])

    def _write_earlier(self, row: Row, source: HasVersions, count: int) -> None:
        try:
            earlier = list(source.versions(row.item))[-count:]
        except ItemError as error:  # of a file that is gone, reading it says more
            self._ledger.stays(row.key, "history-refused", f"What it was before stayed behind: {error.why}", error.todo)
            return
        ids = [version.id for version in earlier]
        done = _left(row)
        rest = earlier[ids.index(done) + 1 :] if done in ids else earlier
        for version in rest:
            if self._stopping() or not self._one(row, version):
                return
        row.size, row.digests = None, {}  # also after a version that could not be had

    def _one(self, row: Row, version: Item) -> bool:
        """Write one version; False if the row has come to its end with that."""
        try:
            chunks = checked(self._ends.source.read(version), version.size, version.digests)
            with Spooled(chunks, self._desk.scratch) as spooled:
                row.size, row.digests = spooled.size, {"sha256": spooled.sha256}
                row.mark = f"{_MEANT}{version.id}\n{_left(row)}"
                self._ledger.intend(self._claim, [row])
                slot = self._slot(row)
                item = replace(slot.item, modified=version.modified, digests=row.digests)
                body = StreamBody(spooled.chunks(), spooled.size)
                slot = replace(slot, item=item)
                try:
                    receipt = self._ends.destination.write(slot, body)
                except ItemError as error:
                    receipt = self._late(row, slot, error)
        except IntegrityError as error:
            self._left_out_version(row, str(error))
            return True  # a version that cannot be read as it was is left out; the file itself goes
        except ItemError as error:
            if (row.mark or "").startswith(f"{_MEANT}{version.id}\n"):  # the destination's word
                self._refuse(row, error, None)
                return False
            self._left_out_version(row, error.why)
            return True
        self._left_earlier(row, receipt)
        return True

    def _left_out_version(self, row: Row, why: str) -> None:
        self._ledger.stays(row.key, "version-left-out", f"An earlier version of it stayed behind: {why}", "")

    def _late(self, row: Row, slot: Slot, error: ItemError) -> Receipt:
        """What an attempt left that ended before this one: a server may go on with a request after its sender died."""
        if error.code not in (NAME_TAKEN, CHANGED_THERE) or not super()._may_be_ours(row):
            raise error
        found = self._ends.destination.find([slot], self._taken_names)
        if row.key not in found:
            raise error
        return found[row.key]

    def _may_be_ours(self, row: Row) -> bool:
        return super()._may_be_ours(row) and not (row.mark or "").startswith(_MEANT)

    def _found_earlier(self, row: Row, receipt: Receipt | None) -> bool:
        """Whether the row was at an earlier version when an attempt ended; what was found of it is recorded."""
        if not (row.mark or "").startswith(_MEANT):
            return False
        if receipt is not None:
            self._left_earlier(row, receipt)
        else:
            before = _left(row)
            row.mark = _LEFT + before if before else None
            row.size, row.digests = None, {}
        return True

    def _left_earlier(self, row: Row, receipt: Receipt) -> None:
        row.mark = _LEFT + (row.mark or "").removeprefix(_MEANT).partition("\n")[0]
        known = replace(receipt, digests={**row.digests, **receipt.digests})
        row.size, row.digests = None, {}  # the version's: the file itself is yet to come
        self._ledger.left(self._claim, row, known)


def _left(row: Row) -> str:
    """The id of the version that stands under the row's name; "" if none does."""
    mark = row.mark or ""
    return mark.removeprefix(_LEFT) if mark.startswith(_LEFT) else mark.partition("\n")[2]
