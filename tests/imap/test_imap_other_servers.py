"""What other servers do and Dovecot does not: nothing is lost, nothing arrives twice, nobody waits for ever."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from imap_kit import RECEIVED, Stream, folder, message, nobody, parts, receipts, refusals, slot
from liberate_imap import names
from scripted import Box, Bye, Message, Scripted

from liberate.connector import Change, Evidence, Item, ItemError, Outcome, Receipt, Slot
from liberate.errors import AccountError, TransientError
from liberate.mail import MailFacts

LONG_AGO = datetime(1938, 9, 13, tzinfo=UTC)
KEYWORDS = MailFacts(frozenset({"\\Seen"}), frozenset({"work"}), RECEIVED)


def bodies(server: Scripted, name: bytes) -> list[bytes]:
    return [one.body for one in server.boxes[name].messages]


def listed(server: Scripted, name: str = "INBOX") -> list[Item]:
    with server.source() as source:
        collection = next(one for one in source.collections() if one.id == name)
        return [one for one in source.items(collection, None) if isinstance(one, Item)]


def in_the_end(server: Scripted, wanted: list[tuple[Slot, bytes]], attempts: int = 4) -> list[Outcome]:
    """As the core does it: write, and after an error ask what arrived and write the rest."""
    done: dict[str, Outcome] = {}
    for _ in range(attempts):
        with server.destination() as destination:
            left = [part for part in wanted if part[0].key not in done]
            taken = {outcome.id for _, outcome in done.values() if isinstance(outcome, Receipt)}
            found = destination.find([one for one, _ in left], lambda _place, ids, taken=taken: taken & set(ids))
            done |= {one.key: (one, found[one.key]) for one, _ in left if one.key in found}
            try:
                for outcome in destination.write_many(part for part in left if part[0].key not in done):
                    done[outcome[0].key] = outcome
            except TransientError:
                continue
            return [done[one.key] for one, _ in wanted]
    raise AssertionError("it never came to an end")


# Arguments that a server refuses -----------------------------------------------------------------


class NothingBefore1970(Scripted):
    """As Cyrus 3.6."""

    def refuses_append(self, flags: set[str], date: str) -> bytes:
        return b"BAD Invalid date-time in Append command" if "-19" in date and "-1970" not in date else b""


def test_a_date_that_the_server_refuses_becomes_1970_and_costs_no_keyword() -> None:
    early = replace(KEYWORDS, received=LONG_AGO)
    with NothingBefore1970() as server, server.destination() as destination:
        place = destination.prepare(folder("Old"))
        rows = [*parts(place, [message(1)], KEYWORDS), *parts(place, [message(2)], early)]
        receipts(destination.write_many(iter([*rows, *parts(place, [message(3)], KEYWORDS)])))
        destination.write(slot(place, message(4), early), Stream(message(4)))
        stored = {one.body: one for one in server.boxes[b"Old"].messages}
        assert set(stored) == {message(n) for n in range(1, 5)}
        assert {one.date for one in stored.values()} == {" 4-Mar-2021 05:06:07 +0000", " 1-Jan-1970 00:00:01 +0000"}
        assert all(one.flags == {"\\Seen", "work"} for one in stored.values())
        assert destination.lost_keywords == frozenset()


class NoKeywords(Scripted):
    answer = b"BAD flags"

    def refuses_append(self, flags: set[str], date: str) -> bytes:
        return self.answer if flags - {"\\Seen"} else b""


@pytest.mark.parametrize("answer", [b"BAD flags", b"NO [LIMIT] too many flags"])
def test_a_keyword_that_is_refused_is_left_out_and_named(answer: bytes) -> None:
    server = NoKeywords()
    server.answer = answer
    with server, server.destination() as destination:
        place = destination.prepare(folder("Flags"))
        rows = [*parts(place, [message(1)]), *parts(place, [message(2)], KEYWORDS), *parts(place, [message(3)])]
        receipts(destination.write_many(iter(rows)))
        destination.write(slot(place, message(4), KEYWORDS), Stream(message(4)))
        assert sorted(bodies(server, b"Flags")) == [message(n) for n in range(1, 5)]
        assert destination.lost_keywords == {"work"}


def test_a_message_that_is_always_refused_does_not_hold_up_the_others() -> None:
    class Choosy(Scripted):
        def refuses_body(self, body: bytes) -> bytes:
            return b"BAD I do not like it" if b"Subject: 2\r\n" in body else b""

    with Choosy() as server:
        server.boxes[b"All"] = Box()
        with server.destination() as destination:
            place = destination.prepare(folder("All"))
        wanted = parts(place, [message(n) for n in range(1, 6)], mark="7:1")
        outcomes = in_the_end(server, wanted)
        assert refusals(outcomes) == {wanted[1][0].key: "refused-by-server"}
        assert sorted(bodies(server, b"All")) == [message(n) for n in (1, 3, 4, 5)]


def test_a_full_mailbox_is_not_mistaken_for_a_keyword_that_is_refused() -> None:
    class Full(Scripted):
        def refuses_append(self, flags: set[str], date: str) -> bytes:
            return b"NO [OVERQUOTA] full" if self.boxes[b"Box"].messages else b""

    with Full() as server, server.destination() as destination:
        place = destination.prepare(folder("Box"))
        first, second = parts(place, [message(1), message(2)], KEYWORDS)
        receipts(destination.write_many(iter([first])))
        with pytest.raises(AccountError) as told:
            list(destination.write_many(iter([second])))
        assert told.value.code == "quota-full"
        assert destination.lost_keywords == frozenset()


@pytest.mark.parametrize("words", [b"Request is throttled. Suggested Backoff Time: 2500 milliseconds", b"Try again"])
def test_a_server_that_asks_for_patience_gets_it(words: bytes) -> None:
    class Busy(Scripted):
        def refuses_append(self, flags: set[str], date: str) -> bytes:
            return b"BAD " + words

    with Busy() as server, server.destination() as destination:
        place = destination.prepare(folder("Box"))
        with pytest.raises(TransientError) as told:
            list(destination.write_many(iter(parts(place, [message(1)]))))
        assert told.value.retry_after == (2.5 if b"2500" in words else None)


# What a server leaves unsaid ---------------------------------------------------------------------


class TellsLate(Scripted):
    """As Courier 5: what came into the open folder is not known there before NOOP."""

    def seen_by(self, box: Box, told: int) -> list[Message]:
        return box.messages[:told]


def test_sizes_are_asked_again_of_a_server_that_has_not_looked_yet() -> None:
    with TellsLate() as server, server.destination() as destination:
        place = destination.prepare(folder("Box"))
        first = receipts(destination.write_many(iter(parts(place, [message(1), message(2)]))))
        asked = server.heard.count(b"NOOP")
        second = receipts(destination.write_many(iter(parts(place, [message(3)]))))
        third = destination.write(slot(place, message(4)), Stream(message(4)))
        assert {one.evidence for one in (*first, *second, third)} == {Evidence.SIZE}
        assert (asked, server.heard.count(b"NOOP")) == (1, 3)  # from then on it is asked for news first
        copied = receipts(destination.copy_many([(slot(place, message(1)), first[0])]))
        assert copied[0].size == len(message(1))


class SaysNoUids(Scripted):
    """It announces UIDPLUS and does not say where messages went."""

    def append_code(self, box: Box, uids: list[int]) -> bytes:
        return b""

    def copy_code(self, box: Box, old: list[int], new: list[int]) -> bytes:
        return b""


def test_uids_that_were_promised_and_not_told_are_found_out_and_nothing_doubles() -> None:
    same = [message(1)] * 3 + [message(2), message(1)]
    with SaysNoUids() as server:
        box = server.boxes[b"Box"] = Box()
        box.add(set(), "", message(1))  # somebody's own
        with server.destination() as destination:
            place = destination.prepare(folder("Box"))
        outcomes = in_the_end(server, parts(place, same, mark="7:2"))
        assert bodies(server, b"Box") == [message(1), *same]
        assert sorted(receipt.id for receipt in receipts(outcomes)) == [f"7:{uid}" for uid in range(2, 7)]


def test_copies_whose_uids_are_not_told_are_not_taken_for_gone() -> None:
    with SaysNoUids() as server:
        box = server.boxes[b"Box"] = Box()
        server.boxes[b"Other"] = Box()
        box.add(set(), "", message(1))
        with server.destination() as destination:
            place = destination.prepare(folder("Other"))
            wanted = slot(place, message(1), mark="7:1")
            kept = Receipt("7:1", destination.prepare(folder("Box")))
            with pytest.raises(TransientError):
                list(destination.copy_many([(wanted, kept)]))
        with server.destination() as destination:
            assert destination.find([wanted], nobody)[wanted.key].id == "7:1"
            again = slot(place, message(1), mark="7:2")
            assert receipts(destination.copy_many([(again, kept)]))[0].id == "7:2"
            gone = Receipt("7:99", kept.place)
            assert list(refusals(destination.copy_many([(again, gone)])).values()) == ["gone"]
        assert bodies(server, b"Other") == [message(1)] * 2


def test_uids_may_be_told_one_by_one_or_backwards() -> None:
    class Odd(Scripted):
        def append_code(self, box: Box, uids: list[int]) -> bytes:
            if len(uids) == 2:
                return b"[APPENDUID %d %d:%d] " % (box.uidvalidity, uids[1], uids[0])
            return b"[APPENDUID %d %s] " % (box.uidvalidity, ",".join(map(str, uids)).encode())

    with Odd() as server, server.destination() as destination:
        place = destination.prepare(folder("Box"))
        for count in (1, 2, 5):
            outcomes = list(destination.write_many(iter(parts(place, [message(n) for n in range(count)]))))
            told = [int(receipt.id.partition(":")[2]) for receipt in receipts(outcomes)]
            stored = {one.uid: one.body for one in server.boxes[b"Box"].messages}
            assert [stored[uid] for uid in told] == [message(n) for n in range(count)]


# What a server will not do -----------------------------------------------------------------------


class Damaged(Scripted):
    bad = frozenset({2})

    def refuses_fetch(self, uids: list[int]) -> bytes:
        return b"NO [SERVERBUG] internal error" if self.bad & set(uids) else b""


def test_one_damaged_message_at_the_source_does_not_hold_up_the_others() -> None:
    with Damaged() as server:
        for n in range(1, 5):
            server.boxes[b"INBOX"].add(set(), " 4-Mar-2021 05:06:07 +0000", message(n))
        items = listed(server)
        with server.source() as source:
            loaded = {one.item.id: one.body for one in source.read_many(items)}
            codes = [body.code for body in loaded.values() if isinstance(body, ItemError)]
            assert codes == ["unreadable"]
            assert [loaded[items[n].id] for n in (0, 2, 3)] == [message(n) for n in (1, 3, 4)]
            with pytest.raises(ItemError) as told:
                list(source.read(items[1]))
            assert told.value.code == "unreadable"


def test_a_source_that_hands_over_nothing_at_all_is_tried_again_later() -> None:
    with Damaged() as server:
        server.bad = frozenset(range(1, 4))
        for n in range(1, 4):
            server.boxes[b"INBOX"].add(set(), " 4-Mar-2021 05:06:07 +0000", message(n))
        items = listed(server)
        with server.source() as source, pytest.raises(TransientError):
            list(source.read_many(items))


def test_flags_that_cannot_be_set_later_hold_up_nothing() -> None:
    class Stubborn(Scripted):
        def refuses_store(self, flag: str) -> bytes:
            return b"NO too many keywords" if flag == "work" else b""

    with Stubborn() as server, server.destination() as destination:
        place = destination.prepare(folder("Box"))
        kept = receipts(destination.write_many(iter(parts(place, [message(1), message(2)]))))
        before = MailFacts(received=RECEIVED)
        changes = [Change(slot(place, message(n), KEYWORDS), kept[n - 1], before) for n in (1, 2)]
        changes[1] = replace(changes[1], slot=slot(place, message(2), replace(KEYWORDS, keywords=frozenset())))
        outcomes = list(destination.update(changes))
        assert list(refusals(outcomes).values()) == ["flags-refused"]
        assert destination.lost_keywords == {"work"}
        assert [one.flags for one in server.boxes[b"Box"].messages] == [{"\\Seen"}, {"\\Seen"}]


def test_a_folder_that_does_not_open_now_is_not_taken_for_gone() -> None:
    class Shut(Scripted):
        shut = False

    server = Shut()
    with server:
        with server.destination() as destination:
            place = destination.prepare(folder("Box"))
            kept = receipts(destination.write_many(iter(parts(place, [message(1)]))))
        hidden = server.boxes[b"Box"]

        class Locked(dict[bytes, Box]):
            def get(self, name: bytes, default: object = None) -> object:  # type: ignore[override]
                return default if name == b"Box" else super().get(name)

        server.boxes = Locked(server.boxes)
        with server.destination() as destination, pytest.raises(TransientError):
            list(destination.read_back(kept))
        with server.destination() as destination, pytest.raises(TransientError):
            list(destination.copy_many([(slot(place, message(1)), kept[0])]))
        assert [one.body for one in hidden.messages] == [message(1)]


class CutsOff(Scripted):
    """It never gives more than 1000 bytes of a part, but messages whole."""

    def part(self, body: bytes, at: int, size: int) -> bytes:
        return body[at : at + min(size, 1000)]


class Estimates(Scripted):
    def size(self, body: bytes) -> int:
        return len(body) + 7


@pytest.mark.parametrize("kind", [CutsOff, Estimates, Scripted])
def test_every_message_is_read_whole_whatever_sizes_and_parts_the_server_gives(kind: type[Scripted]) -> None:
    messages = [message(n, size) for n, size in enumerate((500, 999, 1000, 1001, 5000, 20_000))]
    with kind() as server:
        for one in messages:
            server.boxes[b"INBOX"].add(set(), " 4-Mar-2021 05:06:07 +0000", one)
        items = listed(server)
        with server.source() as source:
            assert {one.item.id: one.body for one in source.read_many(items)} == {
                item.id: one for item, one in zip(items, messages, strict=True)
            }
            before = len(server.heard)
            assert len(list(source.read_many(items))) == len(messages)
            if kind is Estimates:
                assert len(server.heard) - before == 2  # EXAMINE and one FETCH: it is known by now
            for item, one in zip(items, messages, strict=True):
                assert b"".join(source.read(item)) == one
                assert b"".join(source.read(item, 400)) == one[400:]


# How a server says things ------------------------------------------------------------------------


def test_news_that_nobody_asked_for_confuses_nothing() -> None:
    class Chatty(Scripted):
        def greeting(self) -> bytes:
            return b"* OK [CAPABILITY IMAP4rev1] " + b"welcome " * 500 + b"\r\n"

        def before_answer(self, line: bytes) -> bytes:
            if line.startswith((b"APPEND", b"UID", b"NOOP", b"STATUS")):
                return (
                    b"* OK [ALERT] the moon is full\r\n* 1 EXISTS\r\n* 1 RECENT\r\n* 1 FETCH (FLAGS (\\Seen))\r\n"
                    b"* 1 FETCH (FLAGS () UID 1)\r\n* OK still here\r\n* XSOMETHING {3}\r\nabc more\r\n"
                    b"* FLAGS (\\Seen)\r\n* NO [HIGHESTMODSEQ 3] hm\r\n* LIST () NIL INBOX\r\n* SEARCH\r\n"
                )
            return b""

    with Chatty() as server:
        with server.destination() as destination:
            place = destination.prepare(folder("Box"))
            rows = parts(place, [message(n) for n in range(5)])
            kept = receipts(destination.write_many(iter(rows)))
            assert [one.size for one in kept] == [len(message(n)) for n in range(5)]
            back = {receipt.id: body for receipt, body in destination.read_back(kept)}
            assert [back[one.id] for one in kept] == [message(n) for n in range(5)]
            assert destination.alerts[0] == "the moon is full"
        items = listed(server, "Box")
        with server.source() as source:
            assert {one.body for one in source.read_many(items)} == {message(n) for n in range(5)}


def test_an_unasked_literal_that_is_not_understood_is_never_sent_to_that_server_again() -> None:
    class Misreads(Scripted):
        """It announces LITERAL+ and cannot do it."""

        times = 0

        def refuses_append(self, flags: set[str], date: str) -> bytes:
            self.times += self.unasked
            return b"BAD literal?" if self.unasked else b""

    with Misreads() as server:
        server.boxes[b"Box"] = Box()
        with server.destination() as destination:
            place = destination.prepare(folder("Box"))
        wanted = parts(place, [message(n) for n in range(1, 5)], mark="7:1")
        assert len(receipts(in_the_end(server, wanted))) == 4
        assert bodies(server, b"Box") == [message(n) for n in range(1, 5)]
        assert server.times == 1


NAMES = ("plain", 'quo"te', "back\\slash", "(paren", "{5}", "NIL", "a b", "räksmörgås", "inbox2", '"', "&")


@pytest.mark.parametrize("spelt", ["quoted", "literal", "atom"])
def test_folders_are_known_again_however_their_names_are_spelt(spelt: str) -> None:
    class Spells(Scripted):
        def listed(self, name: bytes) -> bytes:
            if spelt == "literal":
                return b"{%d}\r\n%s" % (len(name), name)
            if spelt == "atom" and re.fullmatch(rb"[A-Za-z0-9&-]+", name):
                return name
            return super().listed(name)

    with Spells() as server:
        for at, name in enumerate(NAMES):
            box = server.boxes[names.encode(name)] = Box()
            box.add(set(), " 4-Mar-2021 05:06:07 +0000", message(at))
        with server.destination() as destination:
            created = len(server.heard)
            for name in NAMES:
                place = destination.prepare(folder(name))
                assert destination.mark(place) == "7:2"
            assert not any(line.startswith(b"CREATE") for line in server.heard[created:])
        with server.source() as source:
            found = {one.path: one for one in source.collections()}
            assert set(found) == {("INBOX",), *((name,) for name in NAMES)}
            assert all(found[name,].count == 1 for name in NAMES)


def test_a_server_without_levels_takes_folders_and_says_what_it_cannot_take() -> None:
    class Flat(Scripted):
        separator = b"NIL"

    for capabilities in (Flat.capabilities, "IMAP4rev1"):
        Flat.capabilities = capabilities
        with Flat() as server, server.destination() as destination:
            place = destination.prepare(folder("a/b.c"))
            assert len(receipts(destination.write_many(iter(parts(place, [message(1), message(2)]))))) == 2
            with pytest.raises(ItemError) as told:
                destination.prepare(folder("a", "b"))
            assert told.value.code == "illegal-name"
            with server.source() as source:
                assert {one.path for one in source.collections()} == {("INBOX",), ("a/b.c",)}


def test_answers_may_come_byte_by_byte() -> None:
    class Slow(Scripted):
        trickles = True

    with Slow() as server:
        with server.destination() as destination:
            place = destination.prepare(folder("Box"))
            kept = receipts(destination.write_many(iter(parts(place, [message(n, 200) for n in range(3)]))))
            assert [body for _, body in destination.read_back(kept)] == [message(n, 200) for n in range(3)]
        items = listed(server, "Box")
        with server.source() as source:
            assert [one.body for one in source.read_many(items)] == [message(n, 200) for n in range(3)]


@pytest.mark.parametrize("stored", [True, False])
def test_a_server_that_says_goodbye_in_the_middle_leaves_nothing_doubled_and_nothing_out(stored: bool) -> None:
    class GoesDown(Scripted):
        times = 0

        def refuses_body(self, body: bytes) -> bytes:
            self.times += 1
            if not stored and self.times in (2, 5):
                raise Bye
            return b""

        def append_code(self, box: Box, uids: list[int]) -> bytes:
            if stored and self.times in (4, 8):
                raise Bye
            return super().append_code(box, uids)

    with GoesDown() as server:
        box = server.boxes[b"Box"] = Box()
        with server.destination() as destination:
            place = destination.prepare(folder("Box"))
            try:
                list(destination.write_many(iter(parts(place, [message(90 + n) for n in range(4)]))))
            except TransientError as error:
                assert "going down for a minute" in str(error)  # noqa: PT017  # whether it raises is not the point
        mark = f"7:{box.uidnext}"
        there = bodies(server, b"Box")
        same = [message(n // 2) for n in range(6)]
        assert len(receipts(in_the_end(server, parts(place, same, mark=mark)))) == 6
        assert bodies(server, b"Box") == [*there, *same]


def test_a_message_that_arrived_unaltered_is_never_taken_for_one_that_only_looks_like_it_altered() -> None:
    plain, nul = b"Subject: a\r\n\r\nb\x80c\r\n", b"Subject: a\r\n\r\nb\0c\r\n"
    with Scripted() as server:  # which stores both as they are
        box = server.boxes[b"Box"] = Box()
        box.add(set(), "", plain)
        with server.destination() as destination:
            place = destination.prepare(folder("Box"))
            first, second = (slot(place, one, mark="7:1") for one in (nul, plain))
            assert {key: one.id for key, one in destination.find([first, second], nobody).items()} == {
                second.key: "7:1"
            }
