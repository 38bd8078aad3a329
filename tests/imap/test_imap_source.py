"""Mailboxes read from a real Dovecot: everything once, nothing changed, and only what is new the next time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from imap_kit import ODD, RECEIVED, Mailbox, corpus, folder, message, parts, receipts
from liberate_imap.source import ImapSource

from liberate.connector import Collection, Cursor, Item, Listed, Renumbered, Skipped
from liberate.errors import ItemError
from liberate.mail import MailFacts, Role, wire_form

pytestmark = pytest.mark.dovecot

T = TypeVar("T")


def only(kind: type[T], listing: list[Listed]) -> list[T]:
    return [thing for thing in listing if isinstance(thing, kind)]


def by_path(source: ImapSource) -> dict[tuple[str, ...], Collection]:
    return {one.path: one for one in source.collections()}


def listed(source: ImapSource, *path: str, since: Cursor | None = None) -> tuple[list[Item], Cursor]:
    things = list(source.items(by_path(source)[path], since))
    cursor = things[-1]
    assert isinstance(cursor, str)
    return only(Item, things), cursor


def test_every_message_is_read_byte_for_byte_and_nothing_changes(mailbox: Mailbox) -> None:
    messages = [*ODD.values(), *(data for _, data in corpus() if data and b"\r\r\n" not in wire_form(data))]
    facts = MailFacts(frozenset({"\\Flagged"}), frozenset({"$Important"}), RECEIVED)
    with mailbox.destination() as destination:
        place = destination.prepare(folder("All kinds"))
        receipts(destination.write_many(iter(parts(place, messages, facts))))
    before = mailbox.stored("All kinds")
    with mailbox.source() as source:
        items, _ = listed(source, "All kinds")
        loaded = {one.item.id: one for one in source.read_many(items)}
        for item, sent in zip(items, messages, strict=True):
            assert loaded[item.id].body == wire_form(sent)
            assert loaded[item.id].item.size == len(wire_form(sent))
            assert b"".join(source.read(item)) == wire_form(sent)
            assert b"".join(source.read(item, 5)) == wire_form(sent)[5:]
            assert item.facts == facts
            assert item.modified == RECEIVED
    assert mailbox.stored("All kinds") == before


def test_collections_have_paths_roles_and_counts(new_mailbox: Callable[..., Mailbox]) -> None:
    mailbox = new_mailbox(separator=".", prefix="INBOX.", special_use={"Gesendet": "\\Sent", "Alles": "\\All"})
    for name in ("Gesendet", "Sent", "Alles", "Papierkorb", "Work", "Work.2020"):
        mailbox.deliver(f"INBOX.{name}", message(1))
    mailbox.deliver("INBOX.&-.deep.only", message(1))
    with mailbox.source() as source:
        found = by_path(source)
        assert {path: one.role for path, one in found.items()} == {
            ("INBOX",): Role.INBOX,
            ("Gesendet",): Role.SENT,
            ("Sent",): None,  # there is one already, and the server says which
            ("Papierkorb",): Role.TRASH,
            ("Work",): None,
            ("Work", "2020"): None,
            ("&", "deep", "only"): None,
        }
        assert found["Work",].count == 1
        survey = source.survey()
        assert survey.items == 6
        assert survey.folders["Work", "2020"] == 1
        assert survey.bytes is not None
        assert survey.bytes >= 6 * len(message(1))
    with mailbox.source(views=True) as source:
        assert ("Alles",) in by_path(source)


def test_only_the_folder_of_the_settings_is_read(mailbox: Mailbox) -> None:
    for name in ("Old", "Old/inner", "Older", "New"):
        mailbox.deliver(name, message(1))
    with mailbox.source(folder="Old") as source:
        assert set(by_path(source)) == {(), ("inner",)}


def test_shared_folders_of_others_are_not_read(new_mailbox: Callable[..., Mailbox]) -> None:
    shared = (
        "namespace pub {\n  type = public\n  separator = /\n  prefix = Public/\n"
        "  location = maildir:%h/../public-%u\n  list = yes\n}"
    )
    mailbox = new_mailbox(config=shared)
    mailbox.deliver("Public/everybody", message(1))
    mailbox.deliver("Mine", message(2))
    with mailbox.source() as source:
        assert set(by_path(source)) == {("INBOX",), ("Mine",)}


def test_a_second_listing_tells_what_is_new_and_what_changed(mailbox: Mailbox) -> None:
    mailbox.deliver("A", message(1), message(2), message(3))
    with mailbox.source() as source:
        first, cursor = listed(source, "A")
        assert len(first) == 3
        assert listed(source, "A", since=cursor) == ([], cursor)
    mailbox.deliver("A", message(4))
    with mailbox.plain() as session:
        session.select("A")
        session.uid("STORE", "2", "+FLAGS", "(\\Seen $Later)")
    with mailbox.source() as source:
        second, cursor = listed(source, "A", since=cursor)
        assert [item.id for item in second if item.id in {one.id for one in first}] == [first[1].id]
        assert len(second) == 2
        changed = next(item for item in second if item.id == first[1].id)
        assert changed.facts.flags == {"\\Seen"}
        assert changed.facts.keywords == {"$Later"}
        assert changed.facts_version != first[1].facts_version
        assert changed.version == first[1].version
        assert listed(source, "A", since=cursor)[0] == []


def test_without_condstore_everything_is_listed_again(new_mailbox: Callable[..., Mailbox]) -> None:
    mailbox = new_mailbox(capability="IMAP4rev1 UIDPLUS")
    mailbox.deliver("A", message(1), message(2))
    with mailbox.source() as source:
        first, cursor = listed(source, "A")
    with mailbox.plain() as session:
        session.select("A")
        session.uid("STORE", "2", "+FLAGS", "(\\Seen)")
    with mailbox.source() as source:
        second, _ = listed(source, "A", since=cursor)
    assert {item.id for item in second} == {item.id for item in first}


def test_a_folder_made_anew_is_told_as_renumbered(mailbox: Mailbox) -> None:
    mailbox.deliver("A", message(1))
    with mailbox.source() as source:
        items, cursor = listed(source, "A")
        old = Cursor("1:" + cursor.split(":", 1)[1])
        things = list(source.items(by_path(source)["A",], old))
        assert isinstance(things[0], Renumbered)
        assert len(only(Item, things)) == 1
        gone = Item("1:1:A", items[0].kind, "")
        with pytest.raises(ItemError) as refused:
            b"".join(source.read(gone))
        assert refused.value.code == "gone"
        assert [one.body.code for one in source.read_many([gone]) if isinstance(one.body, ItemError)] == ["gone"]


def test_a_message_marked_as_deleted_is_counted_and_not_read(mailbox: Mailbox) -> None:
    mailbox.deliver("A", message(1), message(2))
    with mailbox.plain() as session:
        session.select("A")
        session.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
    with mailbox.source() as source:
        things = list(source.items(by_path(source)["A",], None))
    assert [one.code for one in only(Skipped, things)] == ["deleted"]
    assert len(only(Item, things)) == 1


def test_a_message_that_is_gone_is_its_own_failure(mailbox: Mailbox) -> None:
    mailbox.deliver("A", message(1), message(2), message(3))
    with mailbox.source() as source:
        items, _ = listed(source, "A")
        with mailbox.plain() as session:
            session.select("A")
            session.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
            session.expunge()
        bodies = [one.body for one in source.read_many(items)]
        assert sorted(body.code if isinstance(body, ItemError) else "read" for body in bodies) == [
            "gone",
            "read",
            "read",
        ]
        with pytest.raises(ItemError) as refused:
            b"".join(source.read(items[1]))
        assert refused.value.code == "gone"


def test_reading_between_two_steps_of_a_listing_and_of_other_reads_disturbs_nothing(mailbox: Mailbox) -> None:
    mailbox.deliver("A", *(message(n) for n in range(12)))
    mailbox.deliver("B", *(message(100 + n) for n in range(3)))
    with mailbox.source() as source:
        others, _ = listed(source, "B")
        seen = []
        for thing in source.items(by_path(source)["A",], None):
            if isinstance(thing, Item):
                seen.append(b"".join(source.read(thing)))
                assert sum(1 for _ in source.read_many(others)) == 3
        assert seen == [message(n) for n in range(12)]
        items, _ = listed(source, "A")
        together = source.read_many(items)
        assert next(together).body == message(0)
        assert b"".join(source.read(others[0])) == message(100)
        assert [one.body for one in together] == [message(n) for n in range(1, 12)]
        half = source.read(others[1])
        together = source.read_many(items)
        next(together)
        together.close()  # type: ignore[attr-defined]
        assert b"".join(half) == message(101)


def test_a_message_too_large_to_hold_is_streamed(mailbox: Mailbox) -> None:
    data = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 700_000
    with mailbox.destination() as destination:
        place = destination.prepare(folder("A"))
        receipts(destination.write_many(iter(parts(place, [message(1), data, message(2)]))))
    with mailbox.source() as source:
        items, _ = listed(source, "A")
        loaded = {one.item.id: one.body for one in source.read_many(items)}
        assert loaded[items[0].id] == message(1)
        assert loaded[items[1].id] is None
        chunks = list(source.read(items[1]))
        assert max(map(len, chunks)) <= 1 << 20
        assert b"".join(chunks) == data
        assert b"".join(source.read(items[1], 5_000_001)) == data[5_000_001:]


def test_many_messages_are_listed_in_pages(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("A"))
        receipts(destination.write_many(iter(parts(place, [message(n, 200) for n in range(1200)]))))
    with mailbox.source() as source:
        items, _ = listed(source, "A")
        assert len({item.id for item in items}) == 1200
        assert sum(1 for one in source.read_many(items) if isinstance(one.body, bytes)) == 1200


def test_dates_are_read_as_moments(mailbox: Mailbox) -> None:
    with mailbox.plain() as session:
        session.create("A")
        session.append("A", "", '" 1-Feb-2003 04:05:06 -0730"', message(1))
    with mailbox.source() as source:
        items, _ = listed(source, "A")
    assert items[0].facts.received == datetime(2003, 2, 1, 11, 35, 6, tzinfo=UTC)
