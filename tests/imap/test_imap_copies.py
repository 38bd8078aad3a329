"""Further places without further bytes, changed flags, and reading back what is there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from imap_kit import RECEIVED, Mailbox, folder, message, parts, receipts, refusals, slot

from liberate.connector import Change, Evidence, Receipt, Slot
from liberate.errors import AccountError, ItemError, TransientError
from liberate.mail import MailFacts

pytestmark = pytest.mark.dovecot

CAPABILITIES = {"everything": None, "no UIDPLUS": "IMAP4rev1 LITERAL+ MULTIAPPEND NAMESPACE"}


@pytest.fixture(params=CAPABILITIES.values(), ids=CAPABILITIES)
def lesser(request: pytest.FixtureRequest, new_mailbox: Callable[..., Mailbox]) -> Mailbox:
    return new_mailbox(capability=request.param)


def test_each_copy_is_told_where_it_went(lesser: Mailbox) -> None:
    facts = MailFacts(frozenset({"\\Seen"}), frozenset({"kept"}), RECEIVED)
    messages = [message(n, 100 + n) for n in range(10)] + [message(1, 101)]
    with lesser.destination() as destination:
        places = [destination.prepare(folder(name)) for name in ("A", "B", "C")]
        rows = parts(places[0], messages, facts)
        made = receipts(destination.write_many(iter(rows)))
        jobs = [
            (slot(place, data, facts), receipt)
            for (_, data), receipt in zip(rows, made, strict=True)
            for place in places[1:]
        ]
        jobs.append((slot(places[1], messages[0], facts), made[0]))  # twice into the same place
        outcomes = list(destination.copy_many(iter(jobs)))
        assert sorted(one.key for one, _ in outcomes) == sorted(one.key for one, _ in jobs)
        copied = receipts(outcomes)
        assert len({(receipt.place, receipt.id) for receipt in copied}) == len(jobs)
        for one, receipt in zip([one for one, _ in outcomes], copied, strict=True):
            assert b"".join(destination.read(receipt)) == next(m for m in messages if len(m) == one.item.size)
            assert receipt.size == one.item.size
            assert receipt.evidence in (Evidence.SIZE, Evidence.READ_BACK)
    assert len(lesser.bodies("B")) == 12
    assert {one.flags for one in lesser.stored("C")} == {frozenset({"\\Seen", "kept"})}
    assert {one.received for one in lesser.stored("C")} == {RECEIVED}


def test_a_copy_of_what_is_gone_fails_alone(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        a, b = destination.prepare(folder("A")), destination.prepare(folder("B"))
        made = receipts(destination.write_many(iter(parts(a, [message(n) for n in range(3)]))))
        with mailbox.plain() as session:
            session.select("A")
            session.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
            session.expunge()
        jobs = [(slot(b, message(n)), receipt) for n, receipt in enumerate(made)]
        jobs.append((slot(b, message(9)), replace(made[0], id=f"1:{made[0].id.partition(':')[2]}")))
        outcomes = list(destination.copy_many(iter(jobs)))
    assert refusals(outcomes) == {jobs[1][0].key: "gone", jobs[3][0].key: "gone"}
    assert mailbox.bodies("B") == [message(0), message(2)]


def test_a_copy_into_a_folder_that_vanished_is_something_to_try_again(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        a, b = destination.prepare(folder("A")), destination.prepare(folder("B"))
        made = receipts(destination.write_many(iter(parts(a, [message(1)]))))
        with mailbox.plain() as session:
            session.delete("B")
        with pytest.raises(TransientError):
            list(destination.copy_many(iter([(slot(b, message(1)), made[0])])))


def test_copies_into_a_full_mailbox_stop_the_account_after_what_fitted(new_mailbox: Callable[..., Mailbox]) -> None:
    mailbox = new_mailbox(quota=50_000)
    with mailbox.destination() as destination:
        a, b = destination.prepare(folder("A")), destination.prepare(folder("B"))
        made = receipts(destination.write_many(iter(parts(a, [message(n, 8000) for n in range(4)]))))
        told = []

        def copy() -> None:
            for one, outcome in destination.copy_many((slot(b, message(n)), receipt) for n, receipt in enumerate(made)):
                assert isinstance(outcome, Receipt)
                told.append(one)

        with pytest.raises(AccountError) as stopped:
            copy()
    assert stopped.value.code == "quota-full"
    assert len(told) == len(mailbox.bodies("B"))


# Flags -------------------------------------------------------------------------------------------


def changed(one: Slot, before: MailFacts, after: MailFacts, receipt: Receipt) -> Change:
    return Change(replace(one, item=replace(one.item, facts=after)), receipt, before)


def test_only_the_difference_is_applied(mailbox: Mailbox) -> None:
    before = MailFacts(frozenset({"\\Flagged"}), frozenset({"old", "stays"}), RECEIVED)
    after = MailFacts(frozenset({"\\Seen"}), frozenset({"new", "stays", "not a keyword"}), RECEIVED)
    with mailbox.destination() as destination:
        rows = parts(destination.prepare(folder("A")), [message(1), message(2)], before)
        made = receipts(destination.write_many(iter(rows)))
        with mailbox.plain() as session:  # what people did there since is theirs
            session.select("A")
            session.uid("STORE", "1", "+FLAGS", "(\\Answered theirs)")
            session.uid("STORE", "1", "-FLAGS", "(stays)")
        for _ in range(2):
            changes = [changed(one, before, after, receipt) for (one, _), receipt in zip(rows, made, strict=True)]
            assert receipts(destination.update(iter(changes))) == made
        assert destination.lost_keywords == {"not a keyword"}
    assert [one.flags for one in mailbox.stored("A")] == [
        {"\\Seen", "\\Answered", "theirs", "new"},
        {"\\Seen", "stays", "new"},
    ]


def test_a_change_of_what_is_gone_fails_alone(mailbox: Mailbox) -> None:
    before, after = MailFacts(), MailFacts(frozenset({"\\Seen"}))
    with mailbox.destination() as destination:
        rows = parts(destination.prepare(folder("A")), [message(1), message(2)], before)
        made = receipts(destination.write_many(iter(rows)))
        with mailbox.plain() as session:
            session.select("A")
            session.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
            session.expunge()
        changes = [changed(one, before, after, receipt) for (one, _), receipt in zip(rows, made, strict=True)]
        outcomes = list(destination.update(iter(changes)))
    assert refusals(outcomes) == {rows[0][0].key: "gone"}
    assert [one.flags for one in mailbox.stored("A")] == [{"\\Seen"}]


# Reading back ------------------------------------------------------------------------------------


def test_what_is_read_back_is_what_is_stored_and_nothing_is_marked_as_read(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        a, b = destination.prepare(folder("A")), destination.prepare(folder("B"))
        rows = parts(a, [message(n) for n in range(5)]) + parts(b, [message(9)])
        made = receipts(destination.write_many(iter(rows)))
        assert {r.id + r.place: body for r, body in destination.read_back(made)} == {
            r.id + r.place: data for r, data in zip(made, [data for _, data in rows], strict=True)
        }
        assert b"".join(destination.read(made[2])) == message(2)
    assert {one.flags for one in mailbox.stored("A")} == {frozenset()}


def test_what_is_gone_is_told_when_it_is_read_back(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        a = destination.prepare(folder("A"))
        made = receipts(destination.write_many(iter(parts(a, [message(n) for n in range(3)]))))
        with mailbox.plain() as session:
            session.select("A")
            session.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
            session.expunge()
        elsewhere = replace(made[0], id="1:1")
        nowhere = Receipt("1:1", type(a)("Never made"))
        answers = {
            receipt: body.code if isinstance(body, ItemError) else body
            for receipt, body in (
                (receipt.id + receipt.place, body)
                for receipt, body in destination.read_back([*made, elsewhere, nowhere])
            )
        }
        assert list(answers.values()).count("gone") == 3
        for receipt in (made[1], elsewhere, nowhere):
            with pytest.raises(ItemError) as refused:
                b"".join(destination.read(receipt))
            assert refused.value.code == "gone"


def test_a_folder_that_is_open_is_not_opened_again_for_each_page_and_what_others_delete_is_still_seen(
    mailbox: Mailbox,
) -> None:
    with mailbox.destination() as destination:
        a = destination.prepare(folder("A"))
        made = receipts(destination.write_many(iter(parts(a, [message(n) for n in range(6)]))))
        assert [body for _, body in destination.read_back(made[:2])] == [message(0), message(1)]
        with mailbox.plain() as session:
            session.select("A")
            session.uid("STORE", "3", "+FLAGS", "(\\Deleted)")
            session.expunge()
        opened = destination._open.selected
        destination._open.select = None  # type: ignore[assignment, method-assign]  # another SELECT would not go
        gone, there = (body for _, body in destination.read_back(made[2:4]))
        if not isinstance(gone, ItemError):
            gone, there = there, gone
        assert isinstance(gone, ItemError)
        assert (gone.code, there, opened) == ("gone", message(3), "A")


def test_messages_of_a_folder_that_was_made_anew_are_not_taken_for_the_old_ones(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        a = destination.prepare(folder("A"))
        made = receipts(destination.write_many(iter(parts(a, [message(n) for n in range(2)]))))
        assert len(list(destination.read_back(made))) == 2
        with mailbox.plain() as session:
            session.delete("A")
        mailbox.deliver("A", message(7), message(8))
        found: list[bytes | ItemError | None] = []
        with contextlib.suppress(TransientError):  # a server may end the session of a folder that is gone
            found = [body for _, body in destination.read_back(made)]
    with mailbox.destination() as destination:
        found += [body for _, body in destination.read_back(made)]
    assert {body.code if isinstance(body, ItemError) else body for body in found} == {"gone"}
