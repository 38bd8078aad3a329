"""What each field of a Graph event becomes."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import icalendar
import pytest
from graph_schema import VARIABLE
from liberate_microsoft import calendar_convert, plain_text
from liberate_microsoft.calendar_convert import Attachment, Series, uid
from liberate_microsoft.calendars import colour
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.event_fields import Whose
from outlook_pim_kit import event, lines

from liberate.errors import ItemError
from liberate.pim import LOSSES, content_digest

ANNA = {"name": "Anna Åkerström", "address": "anna@solros.example"}
BJORN = {"name": 'Björn "B" Hjälmarsson', "address": "bjorn@solros.example"}
ME = Whose(frozenset({"anna@solros.example"}), {"Board": "blue"})


def written(raw: dict[str, Any], more: Series | None = None) -> tuple[list[str], tuple[str, ...]]:
    made = calendar_convert.made(raw, ME, more)
    assert icalendar.Calendar.from_ical(made.body).walk("VEVENT")
    assert content_digest(made.body)
    assert set(made.lost) <= LOSSES.keys()
    return lines(made.body), made.lost


def guest(who: dict[str, str], kind: str = "required", said: str = "none", **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": {"response": said, "time": "0001-01-01T00:00:00Z"}, "emailAddress": who, **more}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"subject": "Beans, peas; and \\ more\nlater"}, ["SUMMARY:Beans\\, peas\\; and \\\\ more\\nlater"]),
        ({}, ["DTSTAMP:20260102T100000Z", "CREATED:20260101T100000Z", "LAST-MODIFIED:20260102T100000Z", "UID:uid-1"]),
        ({}, ["DTSTART;TZID=Europe/Berlin:20260302T090000", "DTEND;TZID=Europe/Berlin:20260302T100000"]),
        (
            {"originalEndTimeZone": "Eastern Standard Time"},
            ["DTSTART;TZID=Europe/Berlin:20260302T090000", "DTEND;TZID=America/New_York:20260302T040000"],
        ),
        ({"originalStartTimeZone": "UTC", "originalEndTimeZone": "UTC"},
         ["DTSTART:20260302T080000Z", "DTEND:20260302T090000Z"]),
        ({"body": {"contentType": "text", "content": "one\r\ntwo"}}, ["DESCRIPTION:one\\ntwo"]),
        (
            {"body": {"contentType": "html", "content": "<p>Hello, you</p>"}},
            ["DESCRIPTION:Hello\\, you", "X-ALT-DESC;FMTTYPE=text/html:<p>Hello\\, you</p>"],
        ),
        ({"showAs": "free"}, ["TRANSP:TRANSPARENT", "X-MICROSOFT-CDO-BUSYSTATUS:FREE"]),
        ({"showAs": "tentative"}, ["TRANSP:OPAQUE", "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", "STATUS:TENTATIVE"]),
        ({"showAs": "busy"}, ["TRANSP:OPAQUE", "X-MICROSOFT-CDO-BUSYSTATUS:BUSY"]),
        ({"showAs": "oof"}, ["TRANSP:OPAQUE", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"]),
        ({"showAs": "workingElsewhere"}, ["TRANSP:TRANSPARENT", "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE"]),
        ({"sensitivity": "private"}, ["CLASS:PRIVATE"]),
        ({"sensitivity": "personal"}, ["CLASS:PRIVATE"]),
        ({"sensitivity": "confidential"}, ["CLASS:CONFIDENTIAL"]),
        ({"importance": "high"}, ["PRIORITY:1"]),
        ({"importance": "low"}, ["PRIORITY:9"]),
        ({"isCancelled": True}, ["STATUS:CANCELLED"]),
        ({"categories": ["Home, sweet", "Board"]}, ["CATEGORIES:Home\\, sweet,Board", "COLOR:blue"]),
        ({"isReminderOn": True, "reminderMinutesBeforeStart": 90},
         ["BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT1H30M"]),
        ({"location": {"displayName": "Room A"}}, ["LOCATION:Room A"]),
        (
            {"locations": [{"displayName": "Room A", "address": {"street": "Storgatan 1", "city": "Umeå"},
                            "coordinates": {"latitude": 63.8, "longitude": 20.3}}, {"displayName": "Online"}]},
            ["LOCATION:Room A\\, Storgatan 1\\, Umeå\\; Online", "GEO:63.8;20.3"],
        ),
        (
            {"onlineMeeting": {"joinUrl": "https://teams.example/j?a=1"}},
            ["CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://teams.example/j?a=1", "URL:https://teams.example/j?a=1",
             "X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.example/j?a=1",
             "DESCRIPTION:Online meeting: https://teams.example/j?a=1"],
        ),
        ({"onlineMeetingUrl": "https://meet.example/1"}, ["URL:https://meet.example/1"]),
    ],
)  # fmt: skip
def test_a_field_becomes_its_properties(fields: dict[str, Any], wanted: list[str]) -> None:
    found, lost = written(event(**fields))
    assert set(wanted) <= set(found), found
    assert lost == ()


def test_an_event_without_anything_has_nothing_but_its_time() -> None:
    found, _ = written(event(subject=None, showAs="unknown", body={"contentType": "html", "content": "<html></html>"}))
    names = {line.partition(":")[0].partition(";")[0] for line in found} - {"BEGIN", "END", ""}
    assert names == {"UID", "DTSTAMP", "DTSTART", "DTEND", "CREATED", "LAST-MODIFIED"}


def test_whole_days_have_no_hours() -> None:
    found, _ = written(
        event(
            isAllDay=True,
            start={"dateTime": "2026-03-29T00:00:00.0000000", "timeZone": "UTC"},
            end={"dateTime": "2026-03-31T00:00:00.0000000", "timeZone": "UTC"},
        )
    )
    assert {"DTSTART;VALUE=DATE:20260329", "DTEND;VALUE=DATE:20260331"} <= set(found)


def test_times_given_in_another_zone_are_the_same_times() -> None:
    raw = event()
    raw["start"] = {"dateTime": "2026-03-02T03:00:00.0000000", "timeZone": "Eastern Standard Time"}
    raw["end"] = {"dateTime": "2026-03-02T18:00:00.0000000", "timeZone": "Tokyo Standard Time"}
    assert calendar_convert.made(raw, ME).body == calendar_convert.made(event(), ME).body


def test_a_zone_of_the_service_s_own_is_told_as_lost() -> None:
    found, lost = written(
        event(originalStartTimeZone="tzone://Microsoft/Custom", originalEndTimeZone="tzone://Microsoft/Custom")
    )
    assert "DTSTART:20260302T080000Z" in found
    assert lost == ("time-zone",)


# People ------------------------------------------------------------------------------------------


def test_guests_have_roles_and_answers() -> None:
    found, lost = written(
        event(
            organizer={"emailAddress": ANNA},
            attendees=[
                guest(BJORN, said="accepted"),
                guest({"name": "c@x.example", "address": "c@x.example"}, "optional", "declined"),
                guest({"name": "D", "address": "d@x.example"}, said="tentativelyAccepted"),
                guest({"name": "E", "address": "e@x.example"}, said="notResponded"),
                guest({"name": "Room", "address": "room@x.example"}, "resource", "accepted"),
                guest({"name": "Old", "address": "/O=EXCHANGELABS/OU=X"}),
            ],
            locations=[{"displayName": "Room", "locationEmailAddress": "room@x.example"}],
        )
    )
    assert [line for line in found if line.startswith(("ORGANIZER", "ATTENDEE"))] == [
        'ORGANIZER;CN="Anna Åkerström":mailto:anna@solros.example',
        "ATTENDEE;CN=\"Björn 'B' Hjälmarsson\";ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED:mailto:bjorn@solros.example",
        "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=DECLINED:mailto:c@x.example",
        "ATTENDEE;CN=D;ROLE=REQ-PARTICIPANT;PARTSTAT=TENTATIVE:mailto:d@x.example",
        "ATTENDEE;CN=E;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:e@x.example",
        "ATTENDEE;CN=Room;ROLE=NON-PARTICIPANT;CUTYPE=ROOM;PARTSTAT=ACCEPTED:mailto:room@x.example",
        "ATTENDEE;CN=Old;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:invalid:nomail",
    ]
    assert not any("SCHEDULE-AGENT" in line for line in found)
    assert lost == ()


def test_an_appointment_with_oneself_has_no_organizer() -> None:
    found, _ = written(event(organizer={"emailAddress": ANNA}))
    assert not any(line.startswith("ORGANIZER") for line in found)


def test_a_guest_s_own_answer_is_that_of_their_copy() -> None:
    copy = event(
        isOrganizer=False,
        organizer={"emailAddress": BJORN},
        attendees=[guest(ANNA), guest(BJORN, said="organizer")],
        responseStatus={"response": "tentativelyAccepted", "time": "2026-01-01T00:00:00Z"},
    )
    found, lost = written(copy)
    assert any(";PARTSTAT=TENTATIVE:mailto:anna@" in line for line in found)
    assert lost == ()
    found, lost = written({**copy, "attendees": [guest({"name": "All", "address": "all@solros.example"})]})
    assert lost == ("attendee-details",)  # invited through a list: there is nobody to hang the answer on


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"hideAttendees": True}, ("guest-permissions",)),
        ({"isDraft": True}, ("draft",)),
        ({"attendees": [guest(BJORN, proposedNewTime={"start": {}, "end": {}})]}, ("attendee-details",)),
        ({"onlineMeeting": {"joinUrl": "https://x.example", "conferenceId": "12"}}, ("conference-details",)),
    ],
)
def test_what_there_is_no_place_for_is_told(fields: dict[str, Any], lost: tuple[str, ...]) -> None:
    assert written(event(**{"attendees": [guest(BJORN)], **fields}))[1] == lost


def test_a_meeting_s_numbers_stand_in_the_text() -> None:
    meeting = {
        "joinUrl": "https://x.example", "conferenceId": "12 34", "tollNumber": "+46 1", "tollFreeNumbers": ["+46 2"],
        "phones": [{"number": "+46 1"}, {"number": "+46 3"}], "quickDial": "+46 1,,1234#",
    }  # fmt: skip
    found, _ = written(event(onlineMeeting=meeting, body={"contentType": "text", "content": "See https://x.example"}))
    (text,) = (line for line in found if line.startswith("DESCRIPTION:See"))
    assert text == (
        "DESCRIPTION:See https://x.example\\n\\nConference ID: 12 34\\nTelephone: +46 1\\nDial: +46 1\\,\\,1234#"
        "\\nTelephone: +46 2\\nTelephone: +46 3"
    )


# Series, attachments, names ----------------------------------------------------------------------


def test_a_changed_instance_stands_beside_its_series_under_one_uid() -> None:
    raw = event(
        type="seriesMaster",
        recurrence={
            "pattern": {"type": "daily"},
            "range": {"type": "noEnd", "startDate": "2026-03-02", "endDate": "0001-01-01"},
        },
    )
    other = event(
        id="AAkA2", iCalUId="uid-1-other", type="exception", seriesMasterId="AAkA1", subject="Moved",
        originalStart="2026-03-30T07:00:00Z",
        start={"dateTime": "2026-03-31T10:00:00.0000000", "timeZone": "UTC"},
        end={"dateTime": "2026-03-31T11:00:00.0000000", "timeZone": "UTC"},
    )  # fmt: skip
    (gone,) = calendar_convert.cancelled_on(raw, "OID.AAkA1.2026-04-01")
    found, _ = written(raw, Series([other], [gone]))
    assert found.count("UID:uid-1") == 2
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20260330T090000" in found
    assert "DTSTART;TZID=Europe/Berlin:20260331T120000" in found
    assert "EXDATE;TZID=Europe/Berlin:20260401T090000" in found


def test_small_files_are_written_into_the_event_and_others_are_told() -> None:
    small = {"@odata.type": "#microsoft.graph.fileAttachment", "name": 'a;"b".txt', "contentType": "text/plain"}
    some = [
        calendar_convert.attachment({**small, "contentBytes": base64.b64encode(b"hello").decode()}),
        calendar_convert.attachment({**small, "contentBytes": "not base64"}),
        calendar_convert.attachment({"@odata.type": "#microsoft.graph.itemAttachment", "name": "A message"}),
        calendar_convert.attachment({"@odata.type": "#microsoft.graph.referenceAttachment", "name": "In a cloud"}),
    ]
    found, lost = written(event(), Series(attachments={"AAkA1": some}))
    assert [line for line in found if line.startswith("ATTACH")] == [
        "ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=text/plain;FILENAME=\"a;'b'.txt\":aGVsbG8="
    ]
    assert lost == ("attachment",)
    many = [Attachment(f"{n}", "", bytes(calendar_convert.INLINE)) for n in range(5)]
    found, lost = written(event(), Series(attachments={"AAkA1": many}))
    assert sum(line.startswith("ATTACH") for line in found) == 4
    assert lost == ("attachment",)


def test_a_foreign_uid_is_unwrapped() -> None:
    foreign = b"abc-123@google.com"
    inner = b"vCal-Uid\x01\x00\x00\x00" + foreign + b"\x00"
    wrapped = bytes.fromhex("040000008200E00074C5B7101A82E008") + bytes(20) + len(inner).to_bytes(4, "little") + inner
    assert uid({"iCalUId": wrapped.hex().upper()}) == "abc-123@google.com"
    own = "040000008200E00074C5B7101A82E00800000000488EBEE15C16DC01000000000000000010000000" + "45C9FC6D54F33F41"
    assert uid({"iCalUId": own}) == own
    assert uid({"iCalUId": "plain@x"}) == "plain@x"
    assert uid({"id": "x"}) == uid({"id": "x", "iCalUId": ""}) != uid({"id": "y"})


@pytest.mark.parametrize(
    "fields",
    [
        {"start": None}, {"end": {"dateTime": "soon", "timeZone": "UTC"}},
        {"start": {"dateTime": "2026-03-02T08:00:00", "timeZone": "Nowhere"}},
        {"recurrence": {"pattern": {"type": "hourly"}, "range": {"type": "noEnd"}}},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_event_s_error_and_quotes_nothing(fields: dict[str, Any]) -> None:
    with pytest.raises(ItemError) as told:
        calendar_convert.made(event(subject="very private", **fields), ME)
    assert told.value.code == "unreadable-event"
    assert "private" not in f"{told.value} {told.value.todo}"


def test_the_same_event_is_the_same_bytes() -> None:
    raw = event(attendees=[guest(BJORN)], organizer={"emailAddress": ANNA}, categories=["b", "a"])
    first = calendar_convert.made(raw, ME)
    assert first == calendar_convert.made(dict(reversed(raw.items())), ME)
    assert first.modified == datetime(2026, 1, 2, 10, 0, 0, 123456, tzinfo=UTC)


# Texts and colours -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "wanted"),
    [
        ("<p>a</p><p>b</p>", "a\nb"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<html><head><title>t</title><style>p{}</style></head><body>x &amp; y&nbsp;z</body></html>", "x & y z"),
        ('<a href="https://a.example/b">here</a>', "here <https://a.example/b>"),
        ('<a href="https://a.example/">https://a.example</a>', "https://a.example"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3"),
        ("<p>broken <b>html", "broken html"),
        ("", ""),
    ],
)
def test_html_is_read_as_a_person_would(html: str, wanted: str) -> None:
    assert plain_text.from_html(html) == wanted


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ({"hexColor": "#0078D4", "color": "auto"}, "#0078d4"), ({"hexColor": "", "color": "lightGreen"}, "#87d28e"),
        ({"hexColor": None, "color": "auto"}, ""), ({"hexColor": "red", "color": "maxColor"}, ""), ({}, ""),
    ],
)  # fmt: skip
def test_calendars_have_colours(raw: dict[str, Any], wanted: str) -> None:
    assert colour(raw) == wanted


# What becomes of each field ----------------------------------------------------------------------


@pytest.mark.parametrize(("heading", "kind"), [("Outlook events", "Event"), ("Outlook contacts", "Contact")])
def test_each_field_that_microsoft_describes_has_its_fate(heading: str, kind: str) -> None:
    import json

    assert microsoft.fidelity is not None
    fates = microsoft.fidelity()[heading]
    assert len({one.field for one in fates}) == len(fates)
    for one in fates:
        assert (one.verdict == "lost") == (not one.becomes), one.field
        assert one.verdict == "kept" or one.why, one.field
    if not os.environ.get(VARIABLE):
        pytest.skip(f"{VARIABLE} names no folder of schemas")
    schema = json.loads((Path(os.environ[VARIABLE]) / f"graph-{kind}.schema.json").read_text())
    assert {one.field for one in fates} == schema["definitions"][kind]["properties"].keys()
