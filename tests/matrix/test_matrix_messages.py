"""Messages at a real Synapse: files once, threads, edits and their limits, and what the homeserver is not to see."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import requests
from liberate_matrix.client import Client
from liberate_matrix.contents import SOURCE, key_of, version_of
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.registration import read
from liberate_matrix.sandbox import Synapse
from liberate_matrix.settings import MatrixSettings
from matrix_kit import V3, Bytes, Company, Reader, Writer, message, nobody, synapse_or_skip

from liberate.chat import Emoji, File, Paragraph, Reaction, Recalled, Text
from liberate.connector import ItemError, Receipt
from liberate.errors import TransientError
from liberate.testing.crash import Countdown, Crash

Opening = Callable[[], MatrixDestination]


def stored_media(synapse: Synapse) -> int:
    """How many files the homeserver keeps."""
    return sum(path.is_file() for path in (synapse.folder / "media" / "local_content").rglob("*"))


def test_every_event_says_of_which_message_it_is(opening: Opening, company: Company, anna: Reader) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        writer.write(message(0, reactions=(Reaction(Emoji("x", "\U0001f44d"), ("U2",)),)))
        writer.close()
    marks = [one["content"][SOURCE] for one in anna.events(writer.place) if SOURCE in one["content"]]
    key = key_of(writer.slots[message(0).id].item)
    assert [one["key"] for one in marks] == [key, key]
    assert marks[0] == {
        "v": 1, "key": key, "id": message(0).id, "version": marks[0]["version"], "part": "t0", "parts": 1,
        "reactions": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("size", "known"),
    [
        pytest.param(0, True, marks=pytest.mark.torture),
        (300_000, True),
        pytest.param(300_000, False, marks=pytest.mark.torture),
    ],
)
def test_a_file_is_stored_once_whatever_happens_to_its_writer(
    settings: MatrixSettings, company: Company, size: int, known: bool
) -> None:
    data = bytes(range(250)) * (size // 250)
    room = company.room()
    steps: list[str] = []

    def body() -> Bytes:
        made = Bytes(data)
        made.size = size if known else None
        return made

    with MatrixDestination(settings, step=steps.append) as destination:
        writer = Writer(destination, company, room)
        destination._client.upload_limit()  # it is asked for once
        steps.clear()
        destination.write(writer.file_slot("F", size), body())
        before = stored_media(company.synapse)
        for number in range(len(steps)):
            slot = writer.file_slot(f"F{number}", size if known else None)
            destination._client._step = Countdown(number)
            with pytest.raises(Crash):
                destination.write(slot, body())
            destination._client._step = steps.append
            with MatrixDestination(settings) as later:
                found = later.find([slot], nobody)
                receipt = found.get(slot.key) or later.write(slot, body())
                assert later.find([slot], nobody)[slot.key].id == receipt.id
                assert later.write(slot, body()).id == receipt.id
                assert b"".join(later.read(receipt)) == data
    assert len(steps) > 5
    assert stored_media(company.synapse) == before + number + 1


def test_an_address_that_expired_before_its_file_came_gets_a_successor(opening: Opening, company: Company) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        slot = writer.file_slot("F1", 4)
        old = f"mxc://{company.synapse.server_name}/expired"
        noted = f"org.liberate.file.{key_of(slot.item)}.{version_of('1')}"
        destination._client.set_account_data(destination._client.bot, noted, {"mxc": old}, slot.place)
        assert writer.find(slot) == {}
        with pytest.raises(TransientError, match="expired"):
            destination.write(slot, Bytes(b"data"))
        receipt = destination.write(slot, Bytes(b"data"))
        assert receipt.id != old
        assert b"".join(destination.read(receipt)) == b"data"
        with pytest.raises(ItemError) as told:
            list(destination.read(replace(receipt, id=old)))
        assert told.value.code == "gone"


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(opening: Opening, company: Company) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        limit = destination._client.upload_limit()
        assert limit == 50 << 20
        untouched = Bytes(b"", AssertionError("it was read"), limit + 1)
        with pytest.raises(ItemError) as told:
            destination.write(writer.file_slot("F1", limit + 1), untouched)
        assert told.value.code == "too-large"


def test_a_file_of_a_message_is_shown_with_it(opening: Opening, company: Company, anna: Reader) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        writer.file("F1", b"\x89PNG", "a.png")
        writer.write(message(0, files=(File("F1", "a.png", "image/png", 4),)))
        writer.close()
    (event,) = [one for one in anna.events(writer.place) if one["type"] == "m.room.message"]
    assert event["content"]["msgtype"] == "m.image"
    assert (event["content"]["body"], event["content"]["filename"]) == ("message 0", "a.png")
    server, _, media = event["content"]["url"].removeprefix("mxc://").partition("/")
    assert anna.ask("GET", f"/_matrix/client/v1/media/download/{server}/{media}") == b"\x89PNG"


def test_a_thread_hangs_on_its_first_message_and_on_the_last_one_before(
    opening: Opening, company: Company, anna: Reader
) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        ids = [writer.write(message(0)).id]
        ids += [writer.write(message(number, thread=message(0).id)).id for number in (1, 2)]
        ids.append(writer.write(message(3, thread=message(0).id, broadcast=True)).id)
        writer.close()
    events = {one["event_id"]: one["content"] for one in anna.events(writer.place) if one["type"] == "m.room.message"}
    for number, before in ((1, 0), (2, 1), (3, 2)):
        assert events[ids[number]]["m.relates_to"] == {
            "rel_type": "m.thread",
            "event_id": ids[0],
            "is_falling_back": True,
            "m.in_reply_to": {"event_id": ids[before]},
        }
    (shared,) = [content for id_, content in events.items() if id_ not in ids]
    assert shared["m.relates_to"] == {"m.in_reply_to": {"event_id": ids[3]}}
    assert shared["body"] == "message 3"
    told = anna.ask("GET", f"/_matrix/client/v1/rooms/{quote(writer.place)}/threads")["chunk"]
    assert [one["unsigned"]["m.relations"]["m.thread"]["count"] for one in told] == [3]


def test_times_do_not_fall_by_a_little_and_what_is_late_keeps_its_own(
    opening: Opening, company: Company, anna: Reader
) -> None:
    first = message(0).time
    times = [first, first - timedelta(milliseconds=400), first - timedelta(days=3), first]
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        for number, time in enumerate(times):
            writer.write(message(number, time=time))
        writer.close()
    shown = [one["origin_server_ts"] for one in anna.events(writer.place) if one["type"] == "m.room.message"]
    start = int(first.timestamp() * 1000)
    assert [one - start for one in shown] == [0, 0, -3 * 86_400_000, 0]


def lines(count: int, text: str = "a line") -> tuple[Paragraph, ...]:
    return (Paragraph((Text("\n".join(f"{text} {number}" for number in range(count))),)),)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(1, 1, marks=pytest.mark.torture),
        (20_000, 10),
        pytest.param(10, 20_000, marks=pytest.mark.torture),
        pytest.param(20_000, 20_000, marks=pytest.mark.torture),
    ],
)
def test_an_edit_of_any_length_shows_the_new_text_and_none_of_the_old(
    settings: MatrixSettings, company: Company, before: int, after: int
) -> None:
    room = company.room()
    old = message(0, author="U3", blocks=lines(before, "old"))
    new = replace(old, blocks=lines(after, "new"), edited=old.time + timedelta(hours=1))
    with MatrixDestination(settings) as destination:
        writer = Writer(destination, company, room)
        receipt = writer.write(old)
        writer.write(message(1, thread=old.id))
    steps: list[str] = []
    with MatrixDestination(settings, step=steps.append) as destination:
        writer = Writer(destination, company, room)
        mark = destination.mark(writer.place)
        slot = writer.slot(new, mark, version="2", replaces=receipt)
        for number in (0, 5, 7, 9):  # attempts that die
            destination._client._step = Countdown(number)
            with suppress(Crash):
                destination.write(slot, Bytes(new.dump()))
            destination._client._step = steps.append
            writer.find(slot)
        edited = destination.write(slot, Bytes(new.dump()))
        assert edited.id == receipt.id
        assert writer.find(slot)[slot.key].id == receipt.id
        ((_, recalled),) = destination.recall([edited])
        assert isinstance(recalled, Recalled)
        assert recalled.text == "\n".join(f"new {number}" for number in range(after))
        assert recalled.sender == company.ghost("U3")


@pytest.mark.parametrize("text", ["see", ""])
def test_a_file_that_is_fetched_later_leaves_its_message_where_it_stands(
    opening: Opening, company: Company, anna: Reader, text: str
) -> None:
    blocks = (Paragraph((Text(text),)),) if text else ()
    before = message(0, blocks=blocks, files=(File("", "notes.txt", why="The plan leaves files in Slack."),))
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        first = writer.write(before)
        writer.write(message(1, thread=before.id))
        writer.file("F1", b"notes", "notes.txt")
        after = replace(before, files=(File("F1", "notes.txt"),))
        assert writer.write(after, version="2", replaces=first) == first
        ((_, found),) = destination.recall([first])
    assert isinstance(found, Recalled)
    assert (found.text, found.files) == (text, (writer.receipts["F1"].id,))
    thread = [one for one in anna.events(writer.place) if one["content"].get("m.relates_to", {}).get("event_id")]
    assert first.id in {one["content"]["m.relates_to"]["event_id"] for one in thread}
    assert not [one for one in anna.events(writer.place) if one["type"] == "m.room.redaction"]


def test_letters_that_no_json_can_hold_are_replaced(opening: Opening, company: Company, anna: Reader) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        slot = writer.slot(message(0))
        body = message(0).dump().replace(b"message 0", b"a\\ud800b\\u0000")
        destination.write(slot, Bytes(body))
        writer.close()
    assert anna.said(writer.place) == [(company.anna.id, "a\ufffdb\x00")]


def test_two_people_with_one_account_react_once(opening: Opening, company: Company) -> None:
    company._users["U4"] = company.ben.id
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        receipt = writer.write(message(0, reactions=(Reaction(Emoji("x", "\U0001f44d"), ("U2", "U4")),)))
        ((_, recalled),) = destination.recall([receipt])
        assert isinstance(recalled, Recalled)
        assert recalled.reactions == {("\U0001f44d", company.ben.id)}


def test_a_message_that_its_author_took_back_is_told_as_gone(opening: Opening, company: Company, anna: Reader) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        receipt = writer.write(message(0))
        anna.ask("PUT", f"{V3}/rooms/{quote(writer.place)}/redact/{quote(receipt.id)}/1", {})
        ((_, told),) = destination.recall([receipt])
        assert isinstance(told, ItemError)
        assert told.code == "gone"
        ((_, told),) = destination.recall([Receipt("$nothing", writer.place)])
        assert isinstance(told, ItemError)


def test_a_request_that_is_sent_again_after_a_restart_is_the_same_event(
    synapse: Synapse, opening: Opening, company: Company
) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        receipt = writer.write(message(0, author="U3"))
        synapse.restart()
        again = destination.write(writer.slots[message(0).id], Bytes(message(0, author="U3").dump()))
        assert again.id == receipt.id
        writer.close()
    assert Reader(synapse, company.anna).said(writer.place) == [(company.ghost("U3"), "message 0")]


def test_a_device_that_somebody_removed_is_made_anew(opening: Opening, company: Company, anna: Reader) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        writer.write(message(0))
        destination._client.ask("DELETE", f"{V3}/devices/LIBERATE", {}, user=anna.id)
        with pytest.raises(TransientError, match="device"):
            writer.write(message(1))
        writer.write(message(1))
        writer.close()
    assert [text for _, text in anna.said(writer.place)] == ["message 0", "message 1"]


def test_what_people_say_and_forward_in_between_is_not_taken_for_ours(
    opening: Opening, company: Company, anna: Reader
) -> None:
    room = company.room()
    with opening() as destination:
        writer = Writer(destination, company, room)
        receipt = writer.write(message(0))
        writer.close()
    # Clients forward a message with all that is in its content.
    (event,) = [one for one in anna.events(writer.place) if one["type"] == "m.room.message"]
    anna.ask("PUT", f"{V3}/rooms/{quote(writer.place)}/send/m.room.message/1", event["content"])
    with opening() as destination:
        again = Writer(destination, company, room)
        found = again.find(writer.slots[message(0).id])
        assert [one.id for one in found.values()] == [receipt.id]


def test_a_homeserver_that_slows_down_is_told_with_its_time(registered: Any) -> None:
    """Without rate_limited: false, the server's own limits hold."""
    synapse_or_skip()
    slow = registered.with_name("slow.yaml")
    slow.write_text(registered.read_text().replace("rate_limited: false", "rate_limited: true"))
    slow.chmod(0o600)
    with Synapse([slow]) as synapse:
        company = Company(synapse)
        with MatrixDestination(MatrixSettings(url=synapse.url, registration=slow)) as destination:
            writer = Writer(destination, company, company.room())
            with pytest.raises(TransientError) as told:
                [writer.write(message(number)) for number in range(50)]
            assert told.value.retry_after is not None
            assert 0 < told.value.retry_after < 3600


def test_a_server_that_breaks_off_shows_neither_token_nor_words(
    synapse: Synapse, settings: MatrixSettings, company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token, secret = read(settings.registration).token, message(0, "the secret words")
    with MatrixDestination(settings) as destination:
        writer = Writer(destination, company, company.room())
        mark = destination.mark(writer.place)
        synapse.kill()
        with pytest.raises(TransientError) as told:
            destination.write(writer.slot(secret, mark), Bytes(secret.dump()))
        synapse.start()
        shown = f"{told.value!r} {told.value} {told.value.__cause__!r} {destination._registration!r} {caplog.text}"
        assert token not in shown
        assert "secret words" not in shown


def test_a_url_where_no_homeserver_answers_is_told_as_that(settings: MatrixSettings, company: Company) -> None:
    wrong = settings.model_copy(update={"url": f"{company.synapse.url}/elsewhere"})
    with pytest.raises(Exception, match=r"does not answer as a Matrix|does not know"):
        Client(wrong, read(settings.registration))
    nobody = settings.model_copy(update={"url": "http://127.0.0.1:9"})
    with pytest.raises(TransientError, match="cannot be reached"):
        Client(nobody, read(settings.registration))
    assert requests.get(f"{company.synapse.url}/_matrix/client/versions", timeout=5).ok
