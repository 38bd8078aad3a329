"""What one slice does: copies, policies, updates, renumbering, doubts, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from core_kit import Bench

import liberate
from liberate.connector import Batch, Collection, Cursor, Gone, Item, Kind, Listed, Survey
from liberate.errors import ItemError, TransientError
from liberate.labels import LabelPolicy, MailPolicy
from liberate.mail import Folder, MailFacts, Role
from liberate.testing.faults import Cut, Flip, Lost, Raise, Short
from liberate.testing.memory import FolderDestination, MailboxDestination, PlainMailboxDestination
from liberate.testing.memory_shelf import MemorySource

SEEN = MailFacts(frozenset({"\\Seen"}))
LABELS = MailFacts(folders=(Folder(("Work",)), Folder(("Work", "Board"))))
AT_ONCE = TransientError("The connection was reset.", retry_after=0)


def test_each_message_arrives_once_with_its_line_ends_as_crlf_and_its_flags(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"Subject: a\n\nb\n", facts=SEEN)
    account = bench.run()
    (stored,) = bench.store.held("INBOX")
    assert (stored.body, stored.facts.flags) == (b"Subject: a\r\n\r\nb\r\n", {"\\Seen"})
    assert (account.state, account.listed, account.moved, account.waiting) == ("done", 1, 1, 0)


def test_a_second_run_with_nothing_new_changes_nothing(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    for n in range(20):
        bench.shelf.put(inbox, str(n), b"%d" % n, facts=SEEN)
    assert bench.report().changed
    before = bench.store.contents()
    again = bench.report()
    assert not again.changed
    assert again.accounts[0].state == "done"
    assert bench.store.contents() == before


def test_what_is_new_at_the_source_comes_with_the_next_run_and_nothing_else(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"one", facts=SEEN)
    bench.run()
    bench.shelf.put(inbox, "2", b"two", facts=SEEN)
    assert bench.run().moved == 2
    assert bench.bodies("INBOX") == [b"one", b"two"]


def test_twins_in_one_batch_both_arrive(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    for n in range(4):
        bench.shelf.put(inbox, str(n), b"the same", facts=SEEN)
    assert bench.run().moved == 4
    assert bench.bodies("INBOX") == [b"the same"] * 4


# Copies and policies -----------------------------------------------------------------------------


@pytest.mark.parametrize("destination", [MailboxDestination, PlainMailboxDestination])
def test_a_message_with_two_labels_stands_in_both_folders(bench: Bench, destination: type) -> None:
    bench.destination = destination
    everything = bench.shelf.collection("All Mail", role="archive")
    bench.shelf.put(everything, "1", b"hello\n", facts=LABELS)
    account = bench.run()
    assert bench.bodies("Work") == bench.bodies("Work/Board") == [b"hello\r\n"]
    assert (account.moved, account.copies) == (1, 1)


def test_with_copies_the_bytes_are_sent_once(bench: Bench) -> None:
    everything = bench.shelf.collection("All Mail", role="archive")
    for n in range(5):
        bench.shelf.put(everything, str(n), b"hello %d\n" % n, facts=LABELS)
    bench.run()
    assert bench.source_faults.calls["read"] == 0
    assert bench.faults.calls["write"] == 0
    assert bench.faults.calls["write_many"] == 1
    assert len(bench.store.held("Work")) == len(bench.store.held("Work/Board")) == 5


def test_a_label_given_later_makes_a_copy_and_a_label_taken_away_takes_nothing_away(bench: Bench) -> None:
    everything = bench.shelf.collection("All Mail", role="archive")
    bench.shelf.put(everything, "1", b"hello", facts=LABELS)
    bench.run()
    later = MailFacts(folders=(Folder(("Work", "Board")), Folder(("Later",))))
    bench.shelf.describe(everything, "1", facts=later, facts_version=later.dump())
    bench.run()
    assert bench.bodies("Later") == bench.bodies("Work") == bench.bodies("Work/Board") == [b"hello"]


def test_with_keywords_a_message_stands_once_and_its_labels_are_keywords(bench: Bench) -> None:
    bench.mail = MailPolicy(LabelPolicy.KEYWORDS)
    everything = bench.shelf.collection("All Mail", role="archive")
    bench.shelf.put(everything, "1", b"hello", facts=LABELS)
    bench.run()
    (stored,) = bench.store.held("ARCHIVE")
    assert stored.facts.keywords == {"Work", "Work/Board"}


def test_spam_is_left_behind_with_its_reason_and_comes_once_the_plan_says_so(bench: Bench) -> None:
    junk = bench.shelf.collection("Spam", role="junk")
    bench.shelf.put(junk, "1", b"buy", facts=MailFacts())
    account = bench.run()
    assert account.moved == 0
    assert [count.code for count in account.skipped] == ["policy-spam"]
    bench.mail = MailPolicy(spam="copy")
    account = bench.run()
    assert (account.moved, account.skipped) == (1, ())
    assert bench.bodies("JUNK") == [b"buy"]


def test_what_the_source_does_not_hand_over_is_counted_with_its_reason(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.skip(inbox, "chat", "chat", "A chat is not a message.")
    account = bench.run()
    assert [(count.code, count.items) for count in account.skipped] == [("chat", 1)]
    assert account.state == "done"


# Facts that change -------------------------------------------------------------------------------


def test_new_flags_arrive_without_new_bytes_and_what_the_user_changed_meanwhile_stays(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"hello", facts=SEEN)
    bench.run()
    (stored,) = bench.store.held("INBOX")
    theirs = MailFacts(frozenset({"\\Flagged", "\\Seen"}), frozenset({"mine"}))
    bench.store.change(("put", "INBOX", type(stored)(stored.id, stored.body, stored.kind, theirs, stored.key)))
    answered = MailFacts(frozenset({"\\Answered"}))
    bench.shelf.describe(inbox, "1", facts=answered, facts_version=answered.dump())
    assert bench.report().changed
    (stored,) = bench.store.held("INBOX")
    assert (stored.facts.flags, stored.facts.keywords) == ({"\\Flagged", "\\Answered"}, {"mine"})
    assert not bench.report().changed


def test_flags_that_change_while_an_item_is_refused_come_when_it_goes(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"hello", facts=MailFacts())
    bench.source_faults.on("read_many", Raise(AT_ONCE))  # so that a failure of another kind comes before
    bench.destination = partial(MailboxDestination, limit=2)
    assert [count.code for count in bench.run().refused] == ["too-large"]
    bench.shelf.describe(inbox, "1", facts=SEEN, facts_version=SEEN.dump())
    bench.run()
    bench.destination = MailboxDestination
    assert liberate.retry(bench.plan()) == 1
    assert bench.run().state == "done"
    (stored,) = bench.store.held("INBOX")
    assert stored.facts.flags == {"\\Seen"}


def test_what_its_owner_deleted_at_the_destination_is_not_brought_back(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"hello", facts=MailFacts())
    bench.run()
    bench.store.remove("INBOX", "1")
    bench.shelf.describe(inbox, "1", facts=SEEN, facts_version=SEEN.dump())
    assert bench.run().state == "done"
    assert bench.store.held("INBOX") == []


# The source changes --------------------------------------------------------------------------------


@pytest.mark.parametrize("destination", [MailboxDestination, PlainMailboxDestination])
@pytest.mark.parametrize("size", [10, 40_000])
def test_a_source_that_renumbers_its_items_brings_nothing_twice(bench: Bench, destination: type, size: int) -> None:
    bench.destination = destination
    inbox = bench.shelf.collection("INBOX", role="inbox")
    for n in range(3):
        bench.shelf.put(inbox, str(n), b"%d\n" % n * size, facts=SEEN)
    bench.shelf.put(inbox, "twin", b"0\n" * size, facts=SEEN)
    bench.run()
    before = bench.store.contents()
    bench.shelf.renumber()
    bench.shelf.put(inbox, "new", b"1\n" * size, facts=SEEN)  # new, though it looks like an old one
    account = bench.run()
    assert len(bench.store.held("INBOX")) == 5
    assert len(bench.store.contents()["INBOX"]) == len(before["INBOX"]) + 1
    assert (account.listed, account.moved) == (5, 5)
    assert not bench.report().changed


def test_a_renumbered_listing_that_breaks_off_loses_nothing_that_looks_like_something_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liberate.job.LISTED_TOGETHER", 1)
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"the same", facts=SEEN)
    bench.run()
    bench.shelf.renumber()
    bench.shelf.put(inbox, "2", b"the same", facts=SEEN)
    bench.source_faults.on("items", Cut(AT_ONCE, after=2))  # the old one is found again, the new one not yet listed
    account = bench.run()
    assert bench.bodies("INBOX") == [b"the same"] * 2
    assert (account.listed, account.moved) == (2, 2)


def test_an_item_that_is_gone_before_it_is_read_is_listed_as_such(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"one", facts=SEEN)
    bench.shelf.put(inbox, "2", b"two", facts=SEEN)
    bench.source = MemorySource
    bench.source_faults.on("read", Raise(ItemError("gone", "It is gone.")))
    account = bench.run()
    assert bench.bodies("INBOX") == [b"two"]
    assert [count.code for count in account.skipped] == ["deleted-at-source"]
    assert account.state == "done"


class Retelling(MemorySource):
    """Says in turn what it was told to say."""

    says: ClassVar[list[list[Listed]]] = []

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        yield from self.says.pop(0)


class Counting(Retelling):
    """Counts as it is told to."""

    count = 0

    def survey(self) -> Survey:
        return Survey(self.count, {("INBOX",): self.count})


def test_an_item_that_was_gone_before_it_went_arrives_once_the_source_has_it_again(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    for key in ("1", "2"):
        bench.shelf.put(inbox, key, key.encode(), facts=SEEN)
    bench.source = Retelling
    one, two = (Item(key, Kind.MAIL, "", facts=SEEN) for key in ("1", "2"))
    Retelling.says[:] = [[one, two], [Gone("1"), Gone("2")], [one, two]]
    bench.source_faults.on("read", Raise(ItemError("gone", "It is gone.")))
    first = bench.run()
    assert (first.moved, [count.code for count in first.skipped]) == (1, ["deleted-at-source"])
    assert bench.run().moved == 1
    last = bench.run()
    assert sorted(bench.bodies("INBOX")) == [b"1", b"2"]
    assert (last.state, last.listed, last.moved, last.skipped) == ("done", 2, 2, ())


def test_an_item_that_was_gone_for_a_while_counts_again_among_what_the_source_has(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"one", facts=SEEN)
    bench.source = Counting
    one = Item("1", Kind.MAIL, "", facts=SEEN)
    Retelling.says[:] = [[one], [Gone("1")], [one]]
    for count in (1, 0, 1):
        Counting.count = count
        account = bench.run()
        assert (account.state, account.stopped) == ("done", None)
    assert bench.bodies("INBOX") == [b"one"]


def test_an_item_deleted_at_the_source_stays_at_the_destination(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"one", facts=SEEN)
    bench.run()
    bench.shelf.remove(inbox, "1")
    assert bench.run().state == "done"
    assert bench.bodies("INBOX") == [b"one"]


def test_a_collection_that_vanishes_leaves_the_job_able_to_finish(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    work = bench.shelf.collection("Work")
    bench.shelf.put(inbox, "1", b"one", facts=SEEN)
    bench.shelf.put(work, "2", b"two", facts=SEEN)
    bench.run()
    bench.shelf.drop(work)
    assert bench.run().state == "done"


def test_a_body_that_is_shorter_than_listed_is_read_again(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"whole", facts=SEEN)
    bench.source_faults.on("read_many", Short())
    account = bench.run()
    assert bench.bodies("INBOX") == [b"whole"]
    assert account.refused == ()


@pytest.mark.parametrize("destination", [MailboxDestination, PlainMailboxDestination])
@pytest.mark.parametrize("size", [10, 2_000_000])
def test_a_body_that_is_always_short_is_refused_and_nothing_of_it_stored(
    bench: Bench, destination: type, size: int
) -> None:
    bench.destination = destination
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"x" * size, facts=SEEN)
    bench.shelf.corrupt(inbox, "1", b"x" * (size - 1))
    account = bench.run()
    assert [count.code for count in account.refused] == ["damaged-at-source"]
    assert bench.store.held("INBOX") == []


def test_other_bytes_under_an_old_id_are_another_message_and_both_stay(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    for body in (b"draft 1", b"draft 2"):
        bench.shelf.put(inbox, "1", body, facts=SEEN)
        assert bench.run().state == "done"
    assert bench.bodies("INBOX") == [b"draft 1", b"draft 2"]
    assert not bench.report().changed


def test_two_versions_that_wait_together_end_neither_the_run_nor_the_item(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"draft 1", facts=SEEN)
    bench.run()
    bench.shelf.put(inbox, "1", b"draft 2", facts=SEEN)
    bench.source_faults.always("read_many", Raise(AT_ONCE))
    assert bench.run(patience=0.0).state == "unfinished"
    bench.shelf.put(inbox, "1", b"draft 3", facts=SEEN)
    assert bench.run(patience=0.0).state == "unfinished"
    bench.source_faults.always("read_many", None)
    assert bench.run().state == "done"
    assert b"draft 3" in bench.bodies("INBOX")
    assert len(bench.bodies("INBOX")) <= 3
    assert not bench.report().changed


# Doubt --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 3, 7])
def test_a_batch_cut_off_after_some_outcomes_doubles_and_loses_nothing(bench: Bench, after: int) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.destination = partial(MailboxDestination, batch=Batch(2, 100_000))
    for n in range(10):
        bench.shelf.put(inbox, str(n), b"%d" % (n // 2), facts=SEEN)
    bench.faults.on("write_many", Cut(AT_ONCE, after))
    assert bench.run().moved == 10
    assert sorted(bench.bodies("INBOX")) == sorted(b"%d" % (n // 2) for n in range(10))


@pytest.mark.parametrize("destination", [MailboxDestination, PlainMailboxDestination])
def test_a_reply_that_is_lost_doubles_nothing_though_strangers_write_there(bench: Bench, destination: type) -> None:
    bench.destination = destination
    inbox = bench.shelf.collection("INBOX", role="inbox")
    for n in range(6):
        bench.shelf.put(inbox, str(n), b"%d" % n, facts=SEEN)
    bench.store.deliver("INBOX", b"0")  # a stranger's, before: it looks like ours and is not
    for method in ("write", "write_many"):
        bench.faults.on(method, Lost(AT_ONCE))
    assert bench.run().moved == 6
    assert sorted(bench.bodies("INBOX")) == sorted([b"0"] + [b"%d" % n for n in range(6)])


def test_a_copy_whose_reply_is_lost_is_not_made_twice(bench: Bench) -> None:
    everything = bench.shelf.collection("All Mail", role="archive")
    for n in range(3):
        bench.shelf.put(everything, str(n), b"%d" % n, facts=LABELS)
    bench.faults.on("copy_many", Lost(AT_ONCE))
    bench.run()
    assert len(bench.bodies("Work")) == len(bench.bodies("Work/Board")) == 3


@pytest.mark.parametrize("fault", ["raise", "lost"])
def test_every_call_may_fail_once_and_everything_still_arrives_once(tmp_path: Path, fault: str) -> None:
    def fresh(name: str) -> Bench:
        bench = Bench(tmp_path / name)
        inbox = bench.shelf.collection("INBOX", role="inbox")
        everything = bench.shelf.collection("All Mail", role="archive")
        bench.shelf.put(inbox, "1", b"one\n", facts=SEEN)
        bench.shelf.put(inbox, "2", b"one\n", facts=SEEN)
        bench.shelf.put(inbox, "large", b"x\n" * 100_000, facts=SEEN)
        bench.shelf.put(everything, "3", b"three\n", facts=LABELS)
        bench.evidence = "read-back"
        return bench

    clean = fresh("clean")
    clean.run()
    wanted = clean.store.contents()
    for side in ("source_faults", "faults"):
        for method, count in sorted(getattr(clean, side).calls.items()):
            for call in range(1, count + 1):
                bench = fresh(f"{side}-{method}-{call}")
                getattr(bench, side).on(method, Raise(AT_ONCE) if fault == "raise" else Lost(AT_ONCE), call=call)
                account = bench.run()
                assert account.state == "done", (side, method, call, account.stopped)
                assert bench.store.contents() == wanted, (side, method, call)


def test_a_size_other_than_sent_is_read_back_and_believed_if_the_bytes_are_right(bench: Bench) -> None:
    class Miscounting(MailboxDestination):
        @staticmethod
        def _receipt(place: object, one: object) -> object:
            receipt = MailboxDestination._receipt(place, one)  # type: ignore[arg-type]
            return type(receipt)(receipt.id, receipt.place, 7, evidence=receipt.evidence)

    bench.destination = Miscounting
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"one\n", facts=SEEN)
    account = bench.run()
    assert (account.moved, account.line_ends, account.refused) == (1, 1, ())


def test_what_was_stored_otherwise_is_refused_and_its_original_kept(bench: Bench) -> None:
    class Cutting(MailboxDestination):
        def _append(self, batch: object) -> object:
            return super()._append([(slot, body[:-2]) for slot, body in batch])  # type: ignore[attr-defined]

    bench.destination = Cutting
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"original\n", facts=SEEN)
    account = bench.run()
    assert [count.code for count in account.refused] == ["stored-otherwise"]
    (kept,) = (bench.folder / "rejects").rglob("*.eml")
    assert kept.read_bytes() == b"original\n"


def test_with_read_back_a_flipped_byte_is_noticed(bench: Bench) -> None:
    bench.evidence = "read-back"
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"one", facts=SEEN)
    bench.faults.on("write_many", Flip())
    assert bench.run().different == 1


def test_with_read_back_everything_is_proven_before_the_run_ends(bench: Bench) -> None:
    bench.evidence = "read-back"
    inbox = bench.shelf.collection("INBOX", role="inbox")
    for n in range(30):
        bench.shelf.put(inbox, str(n), b"one\n" if n % 2 else b"one\r\n", facts=SEEN)
    account = bench.run()
    assert (account.identical, account.line_ends) == (15, 15)


# Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100, 2_000_000])
@pytest.mark.parametrize("destination", ["batches", "alone"])
def test_a_refused_message_is_kept_unaltered_under_rejects(bench: Bench, size: int, destination: str) -> None:
    if destination == "batches":
        bench.destination = partial(MailboxDestination, limit=50)
    else:
        bench.destination = PlainMailboxDestination
        bench.faults.always("write", Raise(ItemError("too-large", "Too large.")))
    body = b"a\nb\r\nc\r" * (size // 8)
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", body, facts=SEEN)
    bench.shelf.put(inbox, "2", b"fits", facts=SEEN)
    account = bench.run()
    assert {count.code for count in account.refused} == {"too-large"}
    kept = {path.read_bytes() for path in (bench.folder / "rejects").rglob("*.eml")}
    assert body in kept
    assert {path.stat().st_mode & 0o077 for path in (bench.folder / "rejects").rglob("*")} == {0}


def test_a_refused_item_is_not_sent_again_before_somebody_asks_for_it(bench: Bench) -> None:
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"hello", facts=SEEN)
    bench.destination = partial(MailboxDestination, limit=2)
    bench.run()
    bench.destination = MailboxDestination
    assert bench.run().moved == 0
    assert liberate.retry(bench.plan(), "another-code") == 0
    assert liberate.retry(bench.plan(), "too-large") == 1
    assert bench.run().moved == 1
    assert bench.bodies("INBOX") == [b"hello"]


def test_the_copies_of_a_refused_message_come_with_it_later(bench: Bench) -> None:
    everything = bench.shelf.collection("All Mail", role="archive")
    bench.shelf.put(everything, "1", b"hello", facts=LABELS)
    bench.destination = partial(MailboxDestination, limit=2)
    account = bench.run()
    assert [(count.code, count.items) for count in account.refused] == [("too-large", 1)]
    bench.destination = MailboxDestination
    liberate.retry(bench.plan())
    account = bench.run()
    assert (account.moved, account.copies, account.refused) == (1, 1, ())
    assert bench.bodies("Work") == bench.bodies("Work/Board") == [b"hello"]


@pytest.mark.parametrize(("name", "size"), [("rejects", 100), ("scratch", 2_000_000)])
def test_a_job_folder_that_cannot_be_written_stops_the_account_with_a_sentence(
    bench: Bench, name: str, size: int
) -> None:
    bench.folder.mkdir()
    (bench.folder / name).write_bytes(b"a file stands in the way")
    bench.destination = partial(MailboxDestination, limit=50)
    inbox = bench.shelf.collection("INBOX", role="inbox")
    bench.shelf.put(inbox, "1", b"x" * size, facts=SEEN)
    account = bench.run()
    assert account.stopped is not None
    assert account.stopped[0] == "job-folder"
    (bench.folder / name).unlink()
    account = bench.run()
    assert (account.state, [count.code for count in account.refused]) == ("done", ["too-large"])


# Files --------------------------------------------------------------------------------------------


def test_files_of_one_name_all_arrive_under_names_of_their_own(bench: Bench) -> None:
    bench.destination = FolderDestination
    documents = bench.shelf.collection("Documents", kind=Kind.FILE)
    for n, name in enumerate(["a.txt", "A.TXT", "a.txt", "b?.txt"]):
        bench.shelf.put(documents, str(n), b"%d" % n, name=name)
    assert bench.run().moved == 4
    for n, name in enumerate(["a.txt", "A.txt", "a.txt (2)", "a.txt"], start=4):
        bench.shelf.put(documents, str(n), b"%d" % n, name=name)
    account = bench.run()
    assert (account.moved, account.refused) == (8, ())
    assert sorted(bench.bodies("Documents")) == [b"%d" % n for n in range(8)]


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_file_whose_reply_was_lost_is_there_once_and_proven(bench: Bench, repeatable: bool) -> None:
    bench.destination = FolderDestination
    documents = bench.shelf.collection("Documents", kind=Kind.FILE)
    bench.shelf.put(documents, "1", b"content", name="a.txt", repeatable=repeatable)
    bench.faults.on("write", Lost(AT_ONCE))
    assert bench.run().moved == 1
    assert bench.bodies("Documents") == [b"content"]
    assert bench.verify().identical == 1


# Folders that the destination does not take -------------------------------------------------------


def test_a_message_whose_folder_got_no_place_is_refused_and_goes_once_it_gets_one(bench: Bench) -> None:
    class Choosy(MailboxDestination):
        def prepare(self, collection: object) -> object:
            raise ItemError("illegal-name", "Not here.")

    bench.destination = Choosy
    work = bench.shelf.collection("Work")
    bench.shelf.put(work, "1", b"hello", facts=SEEN)
    everything = bench.shelf.collection("All Mail", role="archive")
    bench.shelf.put(everything, "2", b"labelled", facts=LABELS)
    account = bench.run()
    assert [(count.code, account.state) for count in account.refused] == [("illegal-name", "done")]
    bench.destination = MailboxDestination
    liberate.retry(bench.plan())
    account = bench.run()
    assert (account.moved, account.copies, account.waiting) == (2, 1, 0)
    held = sorted(tuple(sorted(bench.bodies(place))) for place in bench.store.places())
    assert held == [(b"hello", b"labelled"), (b"labelled",)]  # under the plainer names that were tried in vain


@pytest.mark.parametrize("first", ["label", "role"])
def test_a_label_called_like_a_special_folder_doubles_nothing(bench: Bench, first: str) -> None:
    everything = bench.shelf.collection("All Mail", role="archive")
    label, sent = MailFacts(folders=(Folder(("Sent",)),)), MailFacts(folders=(Folder((), Role.SENT),))
    both = MailFacts(folders=(Folder(("Sent", "x")), Folder(("Sent",)), Folder((), Role.SENT)))
    bench.shelf.put(everything, "1", b"one\r\n", facts=label if first == "label" else sent)
    bench.shelf.put(everything, "2", b"two\r\n", facts=both)
    bench.run()
    held = {place: bench.bodies(place) for place in bench.store.places()}
    assert all(len(bodies) == len(set(bodies)) for bodies in held.values()), held
