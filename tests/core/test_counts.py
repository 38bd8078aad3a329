"""An account is done only when as many items were listed as the source counts."""

from __future__ import annotations

from collections.abc import Iterator

from core_kit import Bench

from liberate.connector import Collection, Cursor, Item, Listed, Survey
from liberate.testing.memory_shelf import MemoryManySource, Shelf


class Forgetful(MemoryManySource):
    """Counts everything, and leaves the item `hidden` out of its listings."""

    hidden: str | None = None

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self._all = shelf

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        for thing in super().items(collection, since):
            if not (isinstance(thing, Item) and thing.id == self.hidden):
                yield thing

    def survey(self) -> Survey:
        counts = {
            one.path: sum(isinstance(thing, Item) for thing in self._all.listed(one, None))
            for one in self._all.collections()
        }
        return Survey(sum(counts.values()), counts)


def filled(bench: Bench) -> type[Forgetful]:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    for n in range(3):
        bench.shelf.put(inbox, str(n), b"%d" % n)

    class Source(Forgetful):
        hidden = "1"

    bench.source = Source
    return Source


def test_a_listing_that_came_short_is_told_and_the_next_run_lists_everything_anew(bench: Bench) -> None:
    source = filled(bench)
    report = bench.report()
    assert report.exit_code == 4
    assert report.accounts[0].stopped is not None
    assert report.accounts[0].stopped[0] == "counts-differ"
    source.hidden = None
    report = bench.report()
    assert report.exit_code == 0
    assert sorted(bench.bodies("INBOX")) == [b"0", b"1", b"2"]


def test_a_listing_that_comes_short_in_the_same_way_twice_is_believed_and_noted(bench: Bench) -> None:
    filled(bench)
    assert bench.report().exit_code == 4
    report = bench.report()
    assert report.exit_code == 0
    assert report.accounts[0].notes == ("The source counts 3 items in INBOX, and shows 2.",)
    assert bench.report().exit_code == 0
