"""A small co-op's calendars and contacts, made up: every kind of series, and each time the same."""

from __future__ import annotations

import base64
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from liberate_microsoft.standin.pim import Event, PimBox

if TYPE_CHECKING:
    from liberate_microsoft.standin.server import GraphStandin

WEST, EAST = "W. Europe Standard Time", "Eastern Standard Time"
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]
_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def _at(text: str) -> datetime:
    """A time as the clocks of its zone show it."""
    return datetime.fromisoformat(text)


Shape = tuple[str, datetime, dict[str, Any], dict[str, Any], str]

SHAPES: tuple[Shape, ...] = (
    ("Every day", _at("2025-03-20 08:00"), {"type": "daily"}, {"type": "endDate", "endDate": "2026-11-20"}, WEST),
    ("Every third day", _at("2025-10-01 18:30"), {"type": "daily", "interval": 3}, {}, EAST),
    ("Ten times", _at("2026-03-25 09:00"), {"type": "daily"}, {"type": "numbered", "numberOfOccurrences": 10}, WEST),
    ("Market", _at("2025-01-06 07:00"), {"type": "weekly", "daysOfWeek": ["monday", "thursday"]}, {}, WEST),
    (
        "Fortnightly, the week begins on Sunday", _at("2025-02-02 10:00"),
        {"type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "tuesday"], "firstDayOfWeek": "sunday"}, {}, EAST,
    ),
    (
        "Fortnightly, the week begins on Monday", _at("2025-02-04 10:00"),
        {"type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "tuesday"], "firstDayOfWeek": "monday"}, {}, WEST,
    ),
    ("Late", _at("2025-06-02 23:30"), {"type": "weekly", "daysOfWeek": ["monday"]}, {}, EAST),
    ("Early", _at("2025-06-03 00:15"), {"type": "daily"}, {"type": "endDate", "endDate": "2026-06-03"}, WEST),
    ("The 15th", _at("2025-01-15 12:00"), {"type": "absoluteMonthly", "dayOfMonth": 15}, {}, WEST),
    ("The 29th", _at("2025-01-29 12:00"), {"type": "absoluteMonthly", "dayOfMonth": 29}, {}, WEST),
    ("The 30th", _at("2025-01-30 12:00"), {"type": "absoluteMonthly", "dayOfMonth": 30}, {}, EAST),
    ("The 31st", _at("2025-01-31 12:00"), {"type": "absoluteMonthly", "dayOfMonth": 31}, {}, WEST),
    ("Each quarter", _at("2025-02-10 14:00"), {"type": "absoluteMonthly", "interval": 3, "dayOfMonth": 10}, {}, EAST),
    (
        "Second Tuesday", _at("2025-01-14 19:00"),
        {"type": "relativeMonthly", "daysOfWeek": ["tuesday"], "index": "second"}, {}, WEST,
    ),
    (
        "Last Friday", _at("2025-01-31 16:00"),
        {"type": "relativeMonthly", "daysOfWeek": ["friday"], "index": "last"}, {}, EAST,
    ),
    (
        "Last working day", _at("2025-01-31 15:00"),
        {"type": "relativeMonthly", "daysOfWeek": _WEEKDAYS, "index": "last"}, {}, WEST,
    ),
    (
        "First day of the weekend", _at("2025-02-01 09:00"),
        {"type": "relativeMonthly", "daysOfWeek": ["saturday", "sunday"], "index": "first"}, {}, WEST,
    ),
    ("Founding day", _at("2024-05-17 11:00"), {"type": "absoluteYearly", "dayOfMonth": 17, "month": 5}, {}, WEST),
    ("Leap day", _at("2024-02-29 11:00"), {"type": "absoluteYearly", "dayOfMonth": 29, "month": 2}, {}, EAST),
    (
        "Thanksgiving", _at("2024-11-28 17:00"),
        {"type": "relativeYearly", "daysOfWeek": ["thursday"], "index": "fourth", "month": 11}, {}, EAST,
    ),
    (
        "Every other year", _at("2024-10-25 09:00"),
        {"type": "relativeYearly", "interval": 2, "daysOfWeek": _WEEKDAYS, "index": "last", "month": 10}, {}, WEST,
    ),
)  # fmt: skip
"""Each kind of recurrence: its name, its first time, pattern, range and zone."""


def sample_calendar(box: PimBox) -> list[Event]:
    """A calendar with all of them, and with moved, changed and cancelled instances."""
    made = [box.add_event(name, at, zone=zone, pattern=how, span=span) for name, at, how, span, zone in SHAPES]
    market = made[3]
    box.change_instance(market, date(2026, 4, 6), timedelta(days=1), subject="Market, after Easter")
    box.change_instance(market, date(2026, 3, 30), timedelta(hours=2))
    box.cancel(market, date(2026, 12, 24))
    box.cancel(made[0], date(2026, 3, 29))
    holidays = box.add_event("Holidays", _at("2026-07-06 00:00"), all_day=True)
    holidays.end = _at("2026-07-20 00:00")
    weeks = box.add_event(
        "Cleaning", _at("2026-01-03 00:00"), all_day=True, pattern={"type": "weekly", "daysOfWeek": ["saturday"]}
    )
    box.change_instance(weeks, date(2026, 10, 31), timedelta(days=1))
    box.cancel(weeks, date(2026, 12, 26))
    return [*made, holidays, weeks, _meeting(box)]


def _meeting(box: PimBox) -> Event:
    people = [
        {"type": kind, "status": {"response": said, "time": "2026-01-02T08:00:00Z"}, "emailAddress": who}
        for kind, said, who in (
            ("required", "accepted", {"name": "Björn Hjälmarsson", "address": "bjorn@solros.example"}),
            ("optional", "declined", {"name": "Claire", "address": "claire@solros.example"}),
            ("resource", "accepted", {"name": "Large room", "address": "room@solros.example"}),
        )
    ]
    meeting = box.add_event(
        "Board",
        _at("2026-03-27 17:00"),
        2,
        zone=WEST,
        attendees=people,
        body={"contentType": "html", "content": "<html><body><p>Budget, and the <b>roof</b>.</p></body></html>"},
        location={"displayName": "Large room", "locationType": "conferenceRoom", "uniqueIdType": "unknown"},
        categories=["Board"],
        importance="high",
        sensitivity="private",
        showAs="oof",
        isReminderOn=True,
        reminderMinutesBeforeStart=30,
        isOnlineMeeting=True,
        onlineMeetingProvider="teamsForBusiness",
        onlineMeeting={"joinUrl": "https://teams.example/l/meetup-join/1", "conferenceId": "1234"},
    )
    agenda = base64.b64encode(b"1. Budget\n2. Roof\n").decode()
    meeting.attachments.append(
        {
            "@odata.type": "#microsoft.graph.fileAttachment", "id": "att1", "name": "Agenda.txt",
            "contentType": "text/plain", "size": 300, "contentBytes": agenda,
        }
    )  # fmt: skip
    return meeting


def sample_contacts(box: PimBox) -> None:
    """Contacts with every field, and in folders of their own."""
    everything = box.add_contact(
        "Dr. Eleni Papadopoulou",
        title="Dr.", givenName="Eleni", middleName="Maria", surname="Papadopoulou", generation="Jr.", initials="E.M.P.",
        nickName="Leni", fileAs="Papadopoulou, Eleni", yomiGivenName="エレニ", yomiSurname="パパドプル",
        yomiCompanyName="ソルロス", companyName="Solros; Odling", department="Board, East", jobTitle="Treasurer",
        profession="Accountant", officeLocation="House 2", manager="Anna Åkerström", assistantName="Yuki",
        spouseName="Nikos", children=["Ada", "Leo"], birthday="1980-02-29T00:00:00Z",
        imAddresses=["sip:eleni@solros.example", "eleni on chat"], businessHomePage="https://solros.example/eleni",
        personalNotes="Line one\r\nline two; with, marks", categories=["Board", "Friends, old"],
        emailAddresses=[
            {"name": "Eleni at work", "address": "eleni@solros.example"},
            {"name": "eleni@home.example", "address": "eleni@home.example"},
        ],
        businessPhones=["+46 8 123 45 67", "+46 8 765 43 21"], homePhones=["+30 21 0000"], mobilePhone="+30 69 0000",
        businessAddress={"street": "Storgatan 1\r\nHouse 2", "city": "Umeå", "postalCode": "903 26",
                         "countryOrRegion": "Sweden", "state": "Västerbotten"},
        homeAddress={"street": "Odos 5", "city": "Athens"}, otherAddress={"city": "Thessaloniki"},
    )  # fmt: skip
    box.set_photo(everything, "image/png", _PNG)
    box.add_contact("Board of the co-op", companyName="Board of the co-op")
    suppliers = box.add_folder("Suppliers")
    box.add_contact("Seeds Ltd", suppliers, companyName="Seeds Ltd", birthday="1604-05-01T00:00:00Z")
    box.add_contact("Old Seeds", box.add_folder("Former", suppliers), emailAddresses=[{"address": "old@seeds.example"}])


def sample_pim(standin: GraphStandin, domain: str = "solros.example") -> tuple[str, ...]:
    """Fill a stand-in with two people's calendars and contacts; their addresses."""
    anna = standin.add_pim(f"anna@{domain}", "Anna Åkerström")
    anna.categories.update({"Board": "preset7"})
    sample_calendar(anna)
    allotment = anna.add_calendar("Allotment", hex_color="#2e8b57", group=anna.add_group("Garden"))
    anna.add_event("Water the beds", _at("2026-05-02 07:00"), calendar=allotment)
    birthdays = anna.add_calendar("Birthdays", can_edit=False)
    anna.add_event("Eleni's birthday", _at("2026-02-28 00:00"), all_day=True, calendar=birthdays)
    sample_contacts(anna)
    bjorn = standin.add_pim(f"bjorn@{domain}", "Björn Hjälmarsson")
    bjorn.add_event("Dentist", _at("2026-03-30 08:15"), 0.5, sensitivity="private")
    anna_s = bjorn.add_calendar("Anna Åkerström", owner=(anna.address, anna.name), can_edit=False)
    bjorn.add_event("Board", _at("2026-03-27 17:00"), 2, calendar=anna_s)
    bjorn.add_contact("Anna", emailAddresses=[{"name": "Anna", "address": anna.address}])
    return anna.address, bjorn.address
