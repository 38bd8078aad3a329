"""What keeps calendar servers from writing to guests: a note in the event, where no header does."""

from __future__ import annotations

from typing import cast

import icalendar
import pytest
from liberate_nextcloud.beside_files import WholeNextcloud
from liberate_nextcloud.dav_quiet import quiet
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.settings import NextcloudSettings

from liberate.connector import Account, KeepsObjects, Place
from liberate.mail import Sameness
from liberate.pim import compared, object_digests
from liberate.testing.object_contract import WITH_GUESTS

LONG = b'ATTENDEE;CN="Bo; he: who";X-A=' + "å".encode() * 60 + b":mailto:bo@solros.example"


@pytest.mark.parametrize(
    ("line", "noted"),
    [
        (b"ATTENDEE:mailto:bo@x", b"ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:bo@x"),
        (b"organizer;CN=Anna:mailto:a@x", b"organizer;SCHEDULE-AGENT=CLIENT;CN=Anna:mailto:a@x"),
        (b"ATTENDEE;SCHEDULE-AGENT=SERVER;CN=B:mailto:b@x", b"ATTENDEE;SCHEDULE-AGENT=CLIENT;CN=B:mailto:b@x"),
        (b"ATTENDEE;SCHEDULE-FORCE-SEND=REQUEST:mailto:b@x", b"ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:b@x"),
        (b"DESCRIPTION:ATTENDEE:mailto:b@x", b"DESCRIPTION:ATTENDEE:mailto:b@x"),
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_every_guest_gets_the_note_and_nothing_else_changes(line: bytes, noted: bytes, end: bytes) -> None:
    def around(inner: bytes) -> bytes:
        return end.join([b"BEGIN:VEVENT", b"UID:a", inner, b"SUMMARY:x", b"END:VEVENT", b""])

    assert quiet(around(line)) == around(noted)


def test_a_long_line_is_folded_within_no_character_and_says_what_it_said() -> None:
    data = b"BEGIN:VEVENT\r\nUID:a\r\n" + LONG + b"\r\nEND:VEVENT\r\n"
    written = quiet(data)
    assert all(len(one) <= 75 for one in written.split(b"\r\n"))
    for one in written.split(b"\r\n"):
        one.decode()
    guest = icalendar.Event.from_ical(written)["ATTENDEE"]
    assert (guest, guest.params["CN"], guest.params["SCHEDULE-AGENT"]) == (
        "mailto:bo@solros.example",
        "Bo; he: who",
        "CLIENT",
    )


def test_the_note_makes_no_other_event_of_it() -> None:
    noted = quiet(WITH_GUESTS)
    assert noted != WITH_GUESTS
    assert compared(object_digests(noted, noted), object_digests(WITH_GUESTS, WITH_GUESTS)) is Sameness.REWRITTEN
    assert quiet(noted) == noted


def test_a_nextcloud_says_that_it_mails_reminders(settings: NextcloudSettings, secret: str) -> None:
    with WholeNextcloud(settings, Account("anna", secret), gate=Gate()) as made:
        assert cast(KeepsObjects, made).mails_reminders(Place("/event/x/"))
