"""Google's events become iCalendar objects, field by field."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from liberate_google import calendar_convert as convert
from liberate_google import calendar_times as times
from liberate_google import colours, html_text
from liberate_google.calendar_event import Around
from liberate_google.calendar_list import left_out
from pim_kit import STOCKHOLM, event, events

from liberate.connector import Item, Skipped
from liberate.errors import ItemError
from liberate.pim import LOSSES, content_digest

AROUND = Around("Europe/Stockholm", (("popup", 30), ("email", 60)), "anna@solros.example", {"l1": ("Board", "#0b8043")})
PLAIN: dict[str, Any] = {
    "id": "abc",
    "iCalUID": "abc@google.com",
    "status": "confirmed",
    "created": "2026-01-01T08:00:00.000Z",
    "updated": "2026-01-02T08:00:00.123Z",
    "start": {"dateTime": "2026-04-01T09:00:00+02:00", "timeZone": "Europe/Stockholm"},
    "end": {"dateTime": "2026-04-01T10:00:00+02:00", "timeZone": "Europe/Stockholm"},
    "summary": "Meeting",
}


def made(around: Around = AROUND, **fields: Any) -> tuple[str, tuple[str, ...]]:
    """The event as lines, and what it lost."""
    found = convert.convert([PLAIN | fields], "abc", "abc@google.com", around)
    text = found.body.decode().replace("\r\n ", "")
    return text[text.index("BEGIN:VEVENT") :], found.lost


def test_a_plain_event_says_what_it_must_and_no_more() -> None:
    text, lost = made()
    assert text.split("\r\n") == [
        "BEGIN:VEVENT",
        "UID:abc@google.com",
        "DTSTAMP:20260102T080000Z",
        "DTSTART;TZID=Europe/Stockholm:20260401T090000",
        "DTEND;TZID=Europe/Stockholm:20260401T100000",
        "CREATED:20260101T080000Z",
        "LAST-MODIFIED:20260102T080000Z",
        "SUMMARY:Meeting",
        "STATUS:CONFIRMED",
        "TRANSP:OPAQUE",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    assert lost == ()


MEET = "https://meet.google.com/abc-defg-hij"


@pytest.mark.parametrize(
    ("fields", "lines", "lost"),
    [
        ({"location": "A; B, C"}, ["LOCATION:A\\; B\\, C"], ()),
        ({"summary": "a\x00b\nc \ud83d"}, ["SUMMARY:ab\\nc "], ()),
        ({"status": "tentative"}, ["STATUS:TENTATIVE"], ()),
        ({"visibility": "private"}, ["CLASS:PRIVATE"], ()),
        ({"visibility": "confidential"}, ["CLASS:CONFIDENTIAL"], ()),
        ({"visibility": "public"}, ["CLASS:PUBLIC"], ()),
        ({"transparency": "transparent"}, ["TRANSP:TRANSPARENT"], ()),
        ({"sequence": 4}, ["SEQUENCE:4"], ()),
        ({"description": "a < b\n& c"}, ["DESCRIPTION:a < b\\n& c"], ()),
        (
            {"description": "<p>Hi <b>you</b></p>x"},
            ["DESCRIPTION:Hi you\\n\\nx", "X-ALT-DESC;FMTTYPE=text/html:<p>Hi <b>you</b></p>x"],
            (),
        ),
        ({"colorId": "11"}, ["COLOR:red"], ()),
        ({"colorId": "99"}, [], ("colour",)),
        ({"eventLabelId": "l1"}, ["COLOR:seagreen", "CATEGORIES:Board"], ()),
        ({"source": {"url": "https://x.example/a,b", "title": "x"}}, ["URL:https://x.example/a,b"], ()),
        (
            {"attachments": [{"fileUrl": "https://d.example/1", "title": "A, b.pdf", "mimeType": "application/pdf"}]},
            ['ATTACH;FMTTYPE=application/pdf;FILENAME="A, b.pdf":https://d.example/1'],
            ("attachment",),
        ),
        ({"attachments": [{"title": "x"}]}, [], ("attachment",)),
        (
            {"hangoutLink": MEET},
            [f"CONFERENCE;VALUE=URI;FEATURE=VIDEO;LABEL=Google Meet:{MEET}", f"DESCRIPTION:Google Meet: {MEET}"],
            (),
        ),
        (
            {
                "hangoutLink": MEET,
                "description": "See you",
                "conferenceData": {
                    "conferenceSolution": {"name": "Google Meet"},
                    "entryPoints": [
                        {"entryPointType": "phone", "uri": "tel:+46-8-1", "label": "+46 8 1", "pin": "123"},
                        {"entryPointType": "video", "uri": MEET, "label": "meet.google.com/abc"},
                    ],
                    "notes": "Be <b>early</b>",
                },
            },
            [
                f"CONFERENCE;VALUE=URI;FEATURE=VIDEO;LABEL=meet.google.com/abc:{MEET}",
                "CONFERENCE;VALUE=URI;FEATURE=PHONE;LABEL=+46 8 1:tel:+46-8-1",
                f"DESCRIPTION:See you\\n\\nGoogle Meet: {MEET}\\nPhone: +46 8 1\\, PIN: 123\\nBe early",
            ],
            ("conference-details",),
        ),
        (
            {"eventType": "outOfOffice", "outOfOfficeProperties": {"autoDeclineMode": "declineOnlyNew"}},
            ["X-MICROSOFT-CDO-BUSYSTATUS:OOF", "X-GOOGLE-EVENT-TYPE:outOfOffice"],
            ("auto-decline",),
        ),
        ({"eventType": "focusTime"}, ["X-GOOGLE-EVENT-TYPE:focusTime"], ()),
        (
            {"extendedProperties": {"private": {"k;1": "v,1"}, "shared": {"s": "t"}}},
            ['X-GOOGLE-PRIVATE-PROPERTY;X-KEY="k;1":v\\,1', "X-GOOGLE-SHARED-PROPERTY;X-KEY=s:t"],
            (),
        ),
        (
            {"start": {"date": "2026-04-01"}, "end": {"date": "2026-04-03"}},
            ["DTSTART;VALUE=DATE:20260401", "DTEND;VALUE=DATE:20260403"],
            (),
        ),
        ({"start": {"date": "2026-04-01"}, "end": {"date": "2026-04-01"}}, ["DTSTART;VALUE=DATE:20260401"], ()),
        (
            {"start": {"dateTime": "2026-04-01T09:00:00+02:00", "timeZone": "Mars/Olympus"}},
            ["DTSTART:20260401T070000Z"],
            ("time-zone",),
        ),
        ({"start": {"dateTime": "2026-04-01T07:00:00Z", "timeZone": "UTC"}}, ["DTSTART:20260401T070000Z"], ()),
        (
            {"start": {"dateTime": "2026-04-01T00:00:00-07:00"}},
            ["DTSTART;TZID=Europe/Stockholm:20260401T090000"],
            (),
        ),
        (
            {"end": {"dateTime": "2026-04-01T12:00:00-04:00", "timeZone": "America/New_York"}},
            ["DTEND;TZID=America/New_York:20260401T120000"],
            (),
        ),
    ],
)  # fmt: skip
def test_fields(fields: dict[str, Any], lines: list[str], lost: tuple[str, ...]) -> None:
    text, found = made(**fields)
    for line in lines:
        assert line in text.split("\r\n"), text
    assert found == lost
    assert set(found) <= set(LOSSES)


def test_guests_keep_their_answers_and_their_kind() -> None:
    text, lost = made(
        organizer={"email": "bo@x.example", "displayName": 'Bo "B" Öst'},
        attendees=[
            {"email": "anna@solros.example", "self": True, "responseStatus": "accepted"},
            {"email": "bo@x.example", "organizer": True, "responseStatus": "needsAction"},
            {"email": "c@x.example", "optional": True, "responseStatus": "declined", "comment": "Sorry"},
            {"email": "room@x.example", "resource": True, "responseStatus": "tentative", "displayName": "Room, 1"},
            {"displayName": "Nobody", "additionalGuests": 2},
        ],
        guestsCanInviteOthers=False,
    )
    found = event(f"BEGIN:VCALENDAR\r\n{text}".encode())
    assert str(found["ORGANIZER"]) == "mailto:bo@x.example"
    assert found["ORGANIZER"].params["CN"] == 'Bo "B" Öst'
    guests = {str(one): one.params for one in found["ATTENDEE"]}
    assert guests["mailto:anna@solros.example"]["PARTSTAT"] == "ACCEPTED"
    assert guests["mailto:bo@x.example"]["RSVP"] == "TRUE"
    assert guests["mailto:c@x.example"]["ROLE"] == "OPT-PARTICIPANT"
    assert guests["mailto:c@x.example"]["X-RESPONSE-COMMENT"] == "Sorry"
    assert guests["mailto:room@x.example"]["CUTYPE"] == "RESOURCE"
    assert guests["mailto:room@x.example"]["CN"] == "Room, 1"
    assert guests["invalid:nomail"]["X-NUM-GUESTS"] == "2"
    assert "SCHEDULE-AGENT" not in text
    assert lost == ("attendee-details", "guest-permissions")


def test_an_event_of_ones_own_without_guests_is_no_meeting() -> None:
    assert "ORGANIZER" not in made(organizer={"email": "anna@solros.example", "self": True})[0]
    assert "ORGANIZER:mailto:bo@x.example" in made(organizer={"email": "bo@x.example"})[0]


@pytest.mark.parametrize(
    ("reminders", "wanted", "lost"),
    [
        ({"useDefault": True}, [("DISPLAY", "-PT30M"), ("EMAIL", "-PT1H")], ()),
        ({"useDefault": False}, [], ()),
        ({"useDefault": False, "overrides": [{"method": "popup", "minutes": 0}]}, [("DISPLAY", "P0D")], ()),
        ({"useDefault": False, "overrides": [{"method": "email", "minutes": 10080}]}, [("EMAIL", "-P7D")], ()),
        ({"useDefault": False, "overrides": [{"method": "sms", "minutes": 5}]}, [], ("reminder",)),
    ],
)
def test_reminders(reminders: dict[str, Any], wanted: list[tuple[str, str]], lost: tuple[str, ...]) -> None:
    text, found = made(reminders=reminders)
    alarms = event(f"BEGIN:VCALENDAR\r\n{text}".encode()).walk("VALARM")
    assert [(str(one["ACTION"]), one["TRIGGER"].to_ical().decode()) for one in alarms] == wanted
    for one in alarms:
        assert str(one["DESCRIPTION"]) == "Meeting"
        if one["ACTION"] == "EMAIL":
            assert (str(one["SUMMARY"]), str(one["ATTENDEE"])) == ("Meeting", "mailto:anna@solros.example")
    assert found == lost


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": {}},
        {"start": {"date": "2026-13-01"}},
        {"start": {"dateTime": "soon"}},
        {"end": {"date": "2026-04-02"}},
        {"end": {"dateTime": "2026-04-01T08:00:00+02:00"}},
        {"recurrence": ["RRULE:FREQ=SOMETIMES"]},
        {"recurrence": ["RRULE:COUNT=3"]},
        {"recurrence": ["RRULE:FREQ=DAILY;UNTIL=soon"]},
        {"recurrence": ["EXDATE;TZID=Mars/Olympus:20260401T090000"]},
        {"recurrence": ["DTSTART:20260401T090000Z"]},
        {"recurrence": ["secret nonsense"]},
        {"reminders": {"overrides": [{"method": "popup"}]}},
        {"attendees": [None]},
    ],
)
def test_an_event_that_cannot_be_read_is_told_with_its_reason_and_nothing_of_its_text(wrong: dict[str, Any]) -> None:
    found = convert.item([PLAIN | wrong], "abc", "primary/abc", "abc@google.com", AROUND)
    assert isinstance(found, Skipped)
    assert (found.id, found.code) == ("primary/abc", "unreadable-event")
    assert found.todo
    assert "secret" not in found.why
    assert "Meeting" not in found.why


@pytest.mark.parametrize(
    ("start", "line", "wanted"),
    [
        ("zoned", "RRULE:FREQ=DAILY;UNTIL=20260405", "UNTIL=20260405T215959Z"),
        ("zoned", "RRULE:FREQ=DAILY;UNTIL=20260405T090000", "UNTIL=20260405T070000Z"),
        ("zoned", "RRULE:FREQ=DAILY;UNTIL=20260405T070000Z", "UNTIL=20260405T070000Z"),
        ("day", "RRULE:FREQ=DAILY;UNTIL=20260405T215959Z", "UNTIL=20260405"),
        ("zoned", "rrule:freq=daily;count=3;", "FREQ=DAILY;COUNT=3"),
        ("zoned", "RDATE;VALUE=PERIOD:20260405T070000Z/PT1H", ""),
    ],
)
def test_rules_are_made_right(start: str, line: str, wanted: str) -> None:
    moment = date(2026, 4, 1) if start == "day" else datetime(2026, 4, 1, 9, tzinfo=STOCKHOLM)
    found = times.repetition([line], moment)
    if wanted:
        assert wanted in found.rules[0].to_ical().decode()
    else:
        assert found.lengths
        assert found.more == (datetime(2026, 4, 5, 9, tzinfo=STOCKHOLM),)


def test_a_rule_of_exceptions_is_kept_and_said() -> None:
    text, lost = made(recurrence=["RRULE:FREQ=DAILY;COUNT=9", "EXRULE:FREQ=WEEKLY;COUNT=2"])
    assert "EXRULE:FREQ=WEEKLY;COUNT=2" in text
    assert lost == ("exception-rule",)


def test_of_two_events_with_one_identity_the_second_gets_its_own_and_says_so() -> None:
    uid = convert.twin_uid("abc@google.com", "abc")
    found = convert.item([PLAIN], "abc", "primary/abc", uid, AROUND)
    assert isinstance(found, tuple)
    item, body = found
    assert isinstance(item, Item)
    assert (item.name, item.facts.lost) == (uid, ("uid",))
    assert str(event(body)["UID"]) == uid


def test_a_changed_time_that_was_cancelled_later_is_no_more() -> None:
    master = PLAIN | {"recurrence": ["RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Stockholm:20260404T090000"]}
    changed = PLAIN | {
        "id": "abc_20260402T070000Z",
        "recurringEventId": "abc",
        "originalStartTime": {"dateTime": "2026-04-02T09:00:00+02:00", "timeZone": "Europe/Stockholm"},
    }
    cancelled = {
        "id": "abc_20260403T070000Z",
        "status": "cancelled",
        "recurringEventId": "abc",
        "originalStartTime": {"dateTime": "2026-04-03T09:00:00+02:00", "timeZone": "Europe/Stockholm"},
    }
    back = changed | {
        "id": "abc_20260404T070000Z",
        "originalStartTime": {"dateTime": "2026-04-04T09:00:00+02:00", "timeZone": "Europe/Stockholm"},
    }
    found = convert.convert([cancelled, back, changed, master], "abc", "abc@google.com", AROUND)
    first, *rest = events(found.body)
    assert first["EXDATE"].to_ical() == b"20260403T090000", "what was changed there is no exception of the rule"
    assert [one["RECURRENCE-ID"].dt.day for one in rest] == [2, 4]
    with pytest.raises(ItemError) as gone:
        convert.convert([cancelled], "abc", "abc@google.com", AROUND)
    assert gone.value.code == "gone"


def test_the_same_event_is_the_same_object_and_another_is_not() -> None:
    one = convert.convert([PLAIN], "abc", "u", AROUND).body
    assert convert.convert([dict(reversed(PLAIN.items()))], "abc", "u", AROUND).body == one
    assert content_digest(one) != content_digest(convert.convert([PLAIN | {"summary": "x"}], "abc", "u", AROUND).body)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"id": "abc", "status": "cancelled"}, {"abc"}),
        ({"id": "abc_20260402T070000Z", "status": "cancelled"}, {"abc_20260402T070000Z", "abc"}),
        ({"id": "abc_20260402", "status": "cancelled"}, {"abc_20260402", "abc"}),
        ({"id": "abc_R20260402T070000", "status": "cancelled"}, {"abc_R20260402T070000"}),
        ({"id": "abc_20260402T070000Z", "recurringEventId": "abc"}, {"abc"}),
    ],
)
def test_of_which_series_a_change_tells(told: dict[str, Any], wanted: set[str]) -> None:
    assert convert.series_named(told) == wanted


@pytest.mark.parametrize(
    ("entry", "shared", "code"),
    [
        ({"id": "anna@x.example", "primary": True, "accessRole": "owner"}, "list", None),
        ({"id": "c_1@group.calendar.google.com", "accessRole": "owner"}, "list", None),
        ({"id": "c_1@group.calendar.google.com", "accessRole": "owner", "dataOwner": "ANNA@x.example"}, "list", None),
        ({"id": "c_1@group.calendar.example", "accessRole": "owner", "dataOwner": "b@x"}, "list", "shared-calendar"),
        ({"id": "bo@x.example", "accessRole": "writer"}, "list", "shared-calendar"),
        ({"id": "bo@x.example", "accessRole": "reader"}, "copy", None),
        ({"id": "bo@x.example", "accessRole": "freeBusyReader"}, "copy", "free-busy-only"),
        ({"id": "sv.swedish#holiday@group.v.calendar.google.com", "accessRole": "reader"}, "copy", "holiday-calendar"),
        ({"id": "x#contacts@group.v.calendar.google.com", "accessRole": "reader"}, "copy", "birthday-calendar"),
        ({"id": "ht3j@group.v.calendar.google.com", "accessRole": "reader"}, "copy", "public-calendar"),
        ({"id": "abc@import.calendar.google.com", "accessRole": "reader"}, "copy", "subscribed-calendar"),
    ],
)  # fmt: skip
def test_which_calendars_move(entry: dict[str, Any], shared: Any, code: str | None) -> None:
    found = left_out(entry, "anna@x.example", shared)
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<ol><li>one</li><li>two</li></ol>", "1. one\n2. two"),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="https://x.example/">here</a>', "here <https://x.example/>"),
        ("a&nbsp;&amp;&nbsp;b", "a & b"),
        ("<script>evil()</script>x<br>", "x"),
        ("<b>un<i>closed", "unclosed"),
    ],
)
def test_html_as_plain_text(html: str, text: str) -> None:
    assert html_text.is_html(html)
    assert html_text.plain(html) == text


def test_a_smaller_than_sign_makes_no_html() -> None:
    assert not html_text.is_html("a < b, c > d, <kaffe>, 5<6")


def test_colours_have_their_nearest_name() -> None:
    assert {key: colours.nearest(value) for key, value in colours.EVENT_COLOURS.items()}["11"] == "red"
    assert all(colours.nearest(f"#{value}") in colours.CSS3 for value in colours.CSS3.values())
    assert colours.nearest("#FF0000") == "red"
    assert colours.nearest("none") == ""
    assert colours.hexadecimal("#AbCdEf") == "#abcdef"


def test_a_moment_without_a_zone_is_told_in_universal_time() -> None:
    assert times.moment({"dateTime": "2026-04-01T09:00:00+02:00"}) == (datetime(2026, 4, 1, 7, tzinfo=UTC), True)
