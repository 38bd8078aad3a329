"""What arrives in a real Dovecot is what was sent: each message once, byte for byte, with its facts."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from imap_kit import (
    ALTERED,
    ODD,
    RECEIVED,
    Mailbox,
    Stream,
    corpus,
    folder,
    message,
    parts,
    receipts,
    refusals,
    slot,
)

from liberate.connector import Evidence, Place, Slot
from liberate.errors import AccountError, IntegrityError, ItemError, TransientError
from liberate.mail import MailFacts, Sameness, fingerprint, sameness, wire_form

pytestmark = pytest.mark.dovecot

EVERYTHING = (
    "IMAP4rev1 SASL-IR LITERAL+ MULTIAPPEND UIDPLUS NAMESPACE CHILDREN UNSELECT CONDSTORE LIST-EXTENDED SPECIAL-USE"
)
LESS = {
    "everything": None,
    "no MULTIAPPEND": EVERYTHING.replace(" MULTIAPPEND", ""),
    "LITERAL- only": EVERYTHING.replace("LITERAL+", "LITERAL-"),
    "no non-synchronising literals": EVERYTHING.replace(" LITERAL+", ""),
    "no UIDPLUS": EVERYTHING.replace(" UIDPLUS", ""),
    "bare IMAP4rev1": "IMAP4rev1",
}


@pytest.fixture(params=LESS.values(), ids=LESS)
def lesser(request: pytest.FixtureRequest, new_mailbox: Callable[..., Mailbox]) -> Mailbox:
    """An account on a server that announces only so much."""
    return new_mailbox(capability=request.param)


def test_every_odd_message_arrives_byte_for_byte(lesser: Mailbox) -> None:
    messages = list(ODD.values())
    with lesser.destination() as destination:
        place = destination.prepare(folder("Odd"))
        outcomes = list(destination.write_many(iter(parts(place, messages))))
    assert lesser.bodies("Odd") == [wire_form(one) for one in messages]
    by_key = {one.key: outcome for one, outcome in outcomes}
    assert len(by_key) == len(messages)
    assert sorted(receipt.size or 0 for receipt in receipts(outcomes)) == sorted(len(wire_form(m)) for m in messages)


def test_each_receipt_names_the_message_of_its_slot(lesser: Mailbox) -> None:
    messages = [message(n, 100 + 37 * n) for n in range(60)] + [message(1, 100)] * 3
    with lesser.destination(batch_items=7) as destination:
        place = destination.prepare(folder("Many"))
        outcomes = list(destination.write_many(iter(parts(place, messages))))
    stored = {str(one.uid): one.body for one in lesser.stored("Many")}
    assert len(stored) == len(messages)
    assert len({receipt.id for receipt in receipts(outcomes)}) == len(messages)
    for one, receipt in zip([one for one, _ in outcomes], receipts(outcomes), strict=True):
        body = stored[receipt.id.partition(":")[2]]
        assert sameness(body, one.item.digests) is Sameness.IDENTICAL
        assert receipt.size == len(body)
        assert receipt.evidence in (Evidence.SIZE, Evidence.READ_BACK)


def test_real_mail_arrives_byte_for_byte_or_is_known_again(mailbox: Mailbox) -> None:
    messages = [data for _, data in corpus() if data]
    assert len(messages) > 30
    with mailbox.destination() as destination:
        place = destination.prepare(folder("Corpus"))
        receipts(destination.write_many(iter(parts(place, messages))))
    for sent, stored in zip(messages, mailbox.bodies("Corpus"), strict=True):
        found = sameness(stored, fingerprint(sent))
        if b"\r\r\n" in wire_form(sent):
            assert found is not Sameness.DIFFERENT
        else:
            assert stored == wire_form(sent)


def test_what_the_server_alters_is_known_again(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("Altered"))
        receipts(destination.write_many(iter(parts(place, ALTERED.values()))))
    for sent, stored in zip(ALTERED.values(), mailbox.bodies("Altered"), strict=True):
        assert sameness(stored, fingerprint(sent)) is Sameness.ALTERED


def test_flags_keywords_and_dates_arrive(lesser: Mailbox) -> None:
    facts = MailFacts(
        frozenset({"\\Seen", "\\Flagged", "\\Answered", "\\Draft"}),
        frozenset({"$Important", "Work/2020", "$Forwarded"}),
        datetime(2003, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-7, minutes=-30))),
    )
    with lesser.destination() as destination:
        place = destination.prepare(folder("Facts"))
        receipts(destination.write_many(iter(parts(place, [message(1), message(2)], facts))))
        assert destination.lost_keywords == frozenset()
    for one in lesser.stored("Facts"):
        assert one.flags == facts.flags | facts.keywords
        assert one.received == facts.received


def test_a_keyword_that_cannot_be_kept_is_named_and_the_message_is_kept(mailbox: Mailbox) -> None:
    bad = {"två ord", "with blank", "a]b", "(", "x" * 51, "", "\\Custom", "per%cent", 'quo"te', "rä", "{3+}", "a\r\nb"}
    facts = MailFacts(frozenset({"\\Seen"}), frozenset({*bad, "good"}), RECEIVED)
    with mailbox.destination() as destination:
        place = destination.prepare(folder("Keywords"))
        receipts(destination.write_many(iter(parts(place, [message(1)], facts))))
        assert destination.lost_keywords == bad
    assert [one.flags for one in mailbox.stored("Keywords")] == [{"\\Seen", "good"}]


def test_a_keyword_that_only_the_server_refuses_costs_nothing_but_itself(
    new_mailbox: Callable[..., Mailbox],
) -> None:
    strict = new_mailbox(config="mail_max_keyword_length = 5")
    facts = MailFacts(frozenset({"\\Seen"}), frozenset({"sixsix"}), RECEIVED)
    with strict.destination() as destination:
        place = destination.prepare(folder("Strict"))
        receipts(destination.write_many(iter(parts(place, [message(1), message(2)], facts))))
        streamed = destination.write(slot(place, message(3), facts), Stream(message(3)))
        assert streamed.size == len(message(3))
        assert destination.lost_keywords == {"sixsix"}
    assert [one.flags for one in strict.stored("Strict")] == [{"\\Seen"}] * 3


def test_a_hostile_message_cannot_make_the_server_do_anything(lesser: Mailbox) -> None:
    commands = b"".join(b"%s CREATE INJECTED\r\nL%d DELETE Mail\r\n" % (tag, n) for n, tag in enumerate([b"a", b"zz1"]))
    hostile = b"\r\n" + commands * 20
    flags = frozenset({"\\Foo", "\\Recent", "\\Deleted", "\\Seen) {0}\r\na CREATE INJECTED\r\n", "\\Seen"})
    keywords = frozenset({"a) {2+}\r\n", "ö", "x CREATE INJECTED", "]"})
    names = [("Mail",), ('quo"te',), ("back\\slash",), ("{3+}",), ("NIL",)]
    dates = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), RECEIVED, None]
    with lesser.destination() as destination:
        for name in names:
            place = destination.prepare(folder(*name))
            rows = [(slot(place, hostile, MailFacts(flags, keywords, date)), hostile) for date in dates]
            receipts(destination.write_many(iter(rows)))
            destination.write(rows[0][0], Stream(hostile))
        with pytest.raises(ItemError):
            destination.prepare(folder("a\r\nb CREATE INJECTED"))
    left = lesser.folders()
    assert not any(one == "INJECTED" for one in left)
    assert lesser.bodies("Mail") == [hostile] * 5
    assert {one.flags for one in lesser.stored("Mail")} == {frozenset({"\\Seen"})}


@pytest.mark.parametrize(
    ("facts_date", "modified", "header", "expected"),
    [
        (RECEIVED, None, b"Mon, 1 Jan 2001 00:00:00 +0000", RECEIVED),
        (None, RECEIVED, b"Mon, 1 Jan 2001 00:00:00 +0000", RECEIVED),
        (None, None, b"Mon, 1 Jan 2001 02:00:00 +0200", datetime(2001, 1, 1, tzinfo=UTC)),
        (None, None, b"Mon, 1 Jan 2001 02:00:00 (no zone)", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (None, None, b"yesterday", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (None, None, b"Mon, 1 Jan 2921 02:00:00 +0200", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (datetime(2921, 1, 1, tzinfo=UTC), None, b"Mon, 1 Jan 2001 02:00:00 +0200", datetime(2001, 1, 1, tzinfo=UTC)),
        (datetime(1850, 1, 1, tzinfo=UTC), None, b"", datetime(1901, 12, 14, tzinfo=UTC)),
        (datetime(1969, 12, 31, 23, 59, 58, tzinfo=UTC), None, b"", datetime(1969, 12, 31, 23, 59, 58, tzinfo=UTC)),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), None, b"", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    ],
)
def test_the_date_is_decided_here_and_kept_by_the_server(
    mailbox: Mailbox, facts_date: datetime | None, modified: datetime | None, header: bytes, expected: datetime
) -> None:
    data = b"Date: " + header + b"\r\n\r\nb\r\n"
    with mailbox.destination() as destination:
        place = destination.prepare(folder("Dates"))
        one = slot(place, data, MailFacts(received=facts_date), modified=modified)
        receipts(destination.write_many(iter([(one, data)])))
        destination.write(one, Stream(data))
    assert [stored.received for stored in mailbox.stored("Dates")] == [expected, expected]


def test_one_bad_member_fails_alone(lesser: Mailbox) -> None:
    messages = [message(n) for n in range(9)]
    with lesser.destination(max_message=5000) as destination:
        place = destination.prepare(folder("Mixed"))
        rows = parts(place, messages)
        rows.insert(3, (slot(place, b""), b""))
        rows.insert(6, (slot(place, message(99, 9000)), message(99, 9000)))
        outcomes = list(destination.write_many(iter(rows)))
    assert sorted(refusals(outcomes).values()) == ["empty", "too-large"]
    assert sorted(lesser.bodies("Mixed")) == sorted(messages)


def test_a_member_that_only_the_server_refuses_fails_alone(new_mailbox: Callable[..., Mailbox]) -> None:
    small = new_mailbox(max_message=10_000)
    messages = [message(n, 20_000 if n in (2, 5) else 1000) for n in range(30)]
    with small.destination(batch_items=10) as destination:
        place = destination.prepare(folder("Small"))
        rows = parts(place, messages)
        outcomes = list(destination.write_many(iter(rows)))
        assert refusals(outcomes) == {rows[2][0].key: "too-large", rows[5][0].key: "too-large"}
        with pytest.raises(ItemError) as refused:
            destination.write(rows[2][0], Stream(messages[2]))
        assert refused.value.code == "too-large"
        assert receipts(destination.write_many(iter(parts(place, [message(77)]))))  # the connection is still good
    assert len(small.bodies("Small")) == 29


def test_a_full_mailbox_stops_the_account_after_what_fitted_was_told(new_mailbox: Callable[..., Mailbox]) -> None:
    full = new_mailbox(quota=100_000)
    told: list[str] = []

    def write(place: Place) -> None:
        for _, outcome in destination.write_many(iter(parts(place, [message(n, 8000) for n in range(40)]))):
            assert not isinstance(outcome, ItemError)
            told.append(outcome.id)

    with full.destination(batch_items=5) as destination:
        place = destination.prepare(folder("Full"))
        with pytest.raises(AccountError) as stopped:
            write(place)
        assert stopped.value.code == "quota-full"
        assert destination.mark(place)  # the connection itself is fine
    assert len(told) == len(full.bodies("Full")) > 5


def test_folders_are_filled_side_by_side(mailbox: Mailbox) -> None:
    with mailbox.destination(batch_items=4) as destination:
        places = [destination.prepare(folder(name)) for name in ("A", "B", "C")]
        rows = [part for n in range(30) for part in parts(places[n % 3], [message(n)])]
        receipts(destination.write_many(iter(rows)))
    for at, name in enumerate("ABC"):
        assert mailbox.bodies(name) == [message(n) for n in range(at, 30, 3)]


def test_asking_for_marks_while_batches_are_under_way_loses_nothing(mailbox: Mailbox) -> None:
    with mailbox.destination(batch_items=3) as destination:
        place, other = destination.prepare(folder("A")), destination.prepare(folder("B"))

        def asking() -> Iterator[tuple[Slot, bytes]]:
            for n, part in enumerate(parts(place, [message(n) for n in range(50)])):
                if n % 5 == 0:
                    destination.mark(other if n % 2 else place)
                if n == 23:
                    destination.prepare(folder("In between"))
                yield part

        outcomes = list(destination.write_many(asking()))
    assert all(receipt.size for receipt in receipts(outcomes))
    assert mailbox.bodies("A") == [message(n) for n in range(50)]


def test_a_caller_that_stops_early_leaves_the_connection_usable(mailbox: Mailbox) -> None:
    with mailbox.destination(batch_items=2) as destination:
        place = destination.prepare(folder("A"))
        outcomes = destination.write_many(iter(parts(place, [message(n) for n in range(40)])))
        next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]
        before = len(mailbox.bodies("A"))
        assert destination.mark(place)
        receipts(destination.write_many(iter(parts(place, [message(99)]))))
    assert mailbox.bodies("A")[-1] == message(99)
    assert len(mailbox.bodies("A")) >= before + 1


def test_parts_are_pulled_only_as_room_allows(mailbox: Mailbox) -> None:
    pulled = 0

    def endless() -> Iterator[tuple[Slot, bytes]]:
        nonlocal pulled
        for n in range(20_000):
            pulled += 1
            yield slot(place, message(n, 300)), message(n, 300)

    with mailbox.destination(batch_items=10) as destination:
        place = destination.prepare(folder("A"))
        outcomes = destination.write_many(endless())
        for _ in range(10):
            next(outcomes)
        assert pulled <= 400
        outcomes.close()  # type: ignore[attr-defined]


def test_memory_stays_flat_however_much_is_written(mailbox: Mailbox) -> None:
    def many() -> Iterator[tuple[Slot, bytes]]:
        for n in range(60):
            yield slot(place, b"", MailFacts()), b"Subject: %d\r\n\r\n" % n + b"x" * (1 << 20) + b"\r\n"

    with mailbox.destination() as destination:
        place = destination.prepare(folder("Big"))
        tracemalloc.start()
        try:
            assert sum(1 for _ in destination.write_many(many())) == 60
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 40 << 20


# One large message --------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["size known", "size not known"])
def test_a_large_message_is_streamed(mailbox: Mailbox, known: bool) -> None:
    data = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 700_000
    with mailbox.destination() as destination:
        place = destination.prepare(folder("Large"))
        receipt = destination.write(slot(place, data), Stream(data, size=-1 if known else None))
        assert receipt.size == len(data)
        assert receipt.evidence is Evidence.SIZE
        assert b"".join(destination.read(receipt)) == data
        assert [body for _, body in destination.read_back([receipt])] == [None]
    assert mailbox.bodies("Large") == [data]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (Stream(message(1, 200_000), fails_at=100_000), ConnectionResetError),
        (Stream(message(1, 1000), size=200_000), IntegrityError),
        (Stream(message(1, 200_000), size=1000), IntegrityError),
        (Stream(message(1, 200_000), size=150_000), IntegrityError),
    ],
)
def test_a_body_that_fails_leaves_nothing_behind(mailbox: Mailbox, body: Stream, error: type[Exception]) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("Broken"))
        with pytest.raises(error):
            destination.write(slot(place, message(1, 200_000)), body)
        with pytest.raises(TransientError):
            destination.mark(place)
    with mailbox.destination() as destination:
        assert destination.mark(place).endswith(":1")
    assert mailbox.bodies("Broken") == []


def test_a_zero_byte_message_is_refused_without_asking(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("Empty"))
        with pytest.raises(ItemError) as refused:
            destination.write(slot(place, b""), Stream(b""))
        assert refused.value.code == "empty"
        assert destination.mark(place).endswith(":1")


def test_a_folder_that_vanished_is_told_as_something_to_try_again(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("Vanishing"))
        receipts(destination.write_many(iter(parts(place, [message(1)]))))
        with mailbox.plain() as other:
            other.delete("Vanishing")
        with pytest.raises(TransientError):
            list(destination.write_many(iter(parts(place, [message(2)]))))
    with mailbox.destination() as destination:
        receipts(destination.write_many(iter(parts(destination.prepare(folder("Vanishing")), [message(2)]))))
    assert mailbox.bodies("Vanishing") == [message(2)]
