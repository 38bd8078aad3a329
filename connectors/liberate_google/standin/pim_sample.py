"""Calendars and address books of a small co-op, made up: every shape of repetition, and every field of a contact.

The same at every call, for the same clock.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from liberate_google.standin.calendar import Calendar
from liberate_google.standin.people import PNG
from liberate_google.standin.sample import PEOPLE
from liberate_google.standin.server import GoogleStandin

_HOME = ZoneInfo("Europe/Stockholm")
_AWAY = ZoneInfo("America/New_York")
HOLIDAYS = "sv.swedish#holiday@group.v.calendar.google.com"
BIRTHDAYS = "addressbook#contacts@group.v.calendar.google.com"


def sample_calendars(standin: GoogleStandin, people: Sequence[str]) -> None:
    """Fill each person's calendars: their own two, one that the first shares with all, and Google's."""
    store = standin.pim.calendars
    for address in people:
        store.add_user(address)
    common = store.add_calendar(people[0], "Föreningslokalen")
    common.description, common.colour = "Vem som har lokalen", "#16a765"
    for address in people[1:]:
        store.share(common, address, "reader")
    store.add(common, _at(2026, 2, 7, 10), _at(2026, 2, 7, 16), summary="Loppis")
    for address in people:
        mine = store.add_user(address)
        mine.reminders[address.lower()] = [{"method": "popup", "minutes": 30}, {"method": "email", "minutes": 1440}]
        mine.labels = [{"id": "lbl1", "name": "Styrelsen", "backgroundColor": "#039be5"}]
        _single(standin, mine, address, [one for one in people if one != address])
        _series(standin, mine)
        _odd(standin, mine)
        private = store.add_calendar(address, "Familjen ☀", zone="America/New_York")
        store.add(private, date(2026, 7, 1), date(2026, 7, 15), summary="Semester", visibility="private")
        store.add_calendar(address, "Helgdagar i Sverige", id_=HOLIDAYS, role="reader")
        store.add_calendar(address, "Födelsedagar", id_=BIRTHDAYS, role="reader")


def _at(year: int, month: int, day: int, hour: int, minute: int = 0, zone: ZoneInfo = _HOME) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=zone)


def _single(standin: GoogleStandin, mine: Calendar, address: str, others: Sequence[str]) -> None:
    store = standin.pim.calendars
    guests: list[dict[str, Any]] = [{"email": address, "self": True, "organizer": True, "responseStatus": "accepted"}]
    for one, answer in zip(others, ("needsAction", "declined", "tentative", "accepted"), strict=False):
        guests.append({"email": one, "displayName": one.partition("@")[0].capitalize(), "responseStatus": answer})
    guests.append({"email": "rum@resource.calendar.google.com", "resource": True, "responseStatus": "accepted"})
    guests.append({"email": "gast@byra.example", "optional": True, "additionalGuests": 2, "comment": "Kommer sent"})
    store.add(
        mine,
        _at(2026, 5, 12, 18),
        _at(2026, 5, 12, 20, 30),
        summary="Årsmöte, med fika; alla är välkomna",
        description="<p>Dagordning:</p><ul><li>Val</li><li>Budget &amp; plan</li></ul>",
        location="Solrosvägen 1, Göteborg",
        colorId="11",
        attendees=guests,
        guestsCanSeeOtherGuests=False,
        attachments=[{"fileUrl": "https://drive.google.com/open?id=1abc", "title": "Budget.ods", "mimeType": "a/b"}],
        hangoutLink="https://meet.google.com/abc-defg-hij",
        conferenceData={
            "conferenceId": "abc-defg-hij",
            "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
            "entryPoints": [
                {"entryPointType": "video", "uri": "https://meet.google.com/abc-defg-hij", "label": "meet.google.com"},
                {"entryPointType": "phone", "uri": "tel:+46-8-505-214-11", "label": "+46 8 505 214 11", "pin": "123"},
            ],
        },
        reminders={"useDefault": False, "overrides": [{"method": "popup", "minutes": 10}]},
    )
    store.add(mine, date(2026, 6, 6), summary="Nationaldagen", transparency="transparent")
    store.add(mine, _at(2026, 4, 1, 9), summary="Läkare", visibility="private", reminders={"useDefault": False})
    store.add(mine, _at(2026, 4, 2, 22, zone=_AWAY), _at(2026, 4, 3, 7), summary="Flyg hem", eventType="fromGmail")
    store.add(mine, _at(2026, 3, 3, 8), _at(2026, 3, 3, 17), summary="Ledig", eventType="outOfOffice")
    store.add(mine, _at(2026, 4, 9, 9), status="tentative", eventLabelId="lbl1", summary="Kanske")


def _series(standin: GoogleStandin, mine: Calendar) -> None:
    store = standin.pim.calendars
    shapes = (
        ("Morgonmöte", _at(2026, 1, 5, 9), ["RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR"]),
        ("Varannan vecka", _at(2026, 1, 6, 17), ["RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270101T000000Z"]),
        ("Sista fredagen", _at(2026, 1, 30, 15), ["RRULE:FREQ=MONTHLY;BYDAY=-1FR"]),
        ("Hyran", date(2026, 1, 31), ["RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"]),
        ("Bröllopsdag", date(2019, 6, 15), ["RRULE:FREQ=YEARLY"]),
        ("Kurs", _at(2026, 3, 24, 18), ["RRULE:FREQ=WEEKLY;COUNT=6", "EXDATE;TZID=Europe/Stockholm:20260407T180000"]),
        ("Call", _at(2026, 3, 2, 10, zone=_AWAY), ["RRULE:FREQ=WEEKLY;BYDAY=MO"]),
        ("Två gånger till", _at(2026, 2, 1, 12), ["RDATE;TZID=Europe/Stockholm:20260329T120000,20261025T120000"]),
    )
    for summary, start, recurrence in shapes:
        store.add(mine, start, recurrence=recurrence, summary=summary)
    team = store.add(mine, _at(2026, 3, 23, 13), recurrence=["RRULE:FREQ=DAILY;COUNT=30"], summary="Stående möte")
    store.cancel(mine, team, _at(2026, 3, 28, 13))
    store.instance(mine, team, _at(2026, 3, 29, 13), start=_at(2026, 3, 29, 15), summary="Stående möte, senare")
    store.instance(mine, team, _at(2026, 4, 1, 13), summary="Stående möte, ute", location="Parken")


def _odd(standin: GoogleStandin, mine: Calendar) -> None:
    store = standin.pim.calendars
    mark = mine.id.partition("@")[0]
    once = store.add(mine, _at(2026, 2, 2, 9), recurrence=["RRULE:FREQ=WEEKLY"], summary="Bara en", id=f"theirs{mark}")
    store.instance(mine, once, _at(2026, 2, 9, 9), organizer={"email": "ordf@annan.example"})
    del mine.events[once]  # invited to one time of it only
    for number in range(2):  # imported twice
        store.add(mine, _at(2026, 2, 20 + number, 9), summary="Importerad", iCalUID=f"import-1@{mark}.example")
    birthday = {"type": "birthday", "contact": "people/c1"}
    store.add(
        mine, date(2026, 3, 1), recurrence=["RRULE:FREQ=YEARLY"], eventType="birthday", birthdayProperties=birthday,
        summary="Björn fyller år", transparency="transparent", visibility="private",
    )  # fmt: skip
    store.add(
        mine, date(2026, 3, 2), eventType="workingLocation", transparency="transparent", visibility="public",
        workingLocationProperties={"type": "homeOffice", "homeOffice": {}}, summary="Home",
    )  # fmt: skip
    deleted = store.add(mine, _at(2026, 2, 3, 9), summary="Ställs in")
    store.delete(mine, deleted)


def sample_contacts(standin: GoogleStandin, people: Sequence[str]) -> None:
    """Fill each person's address book: the other members, a contact with everything, and odd ones."""
    store = standin.pim.people
    for address in people:
        store.add_user(address)
        for person in PEOPLE:
            given, _, family = person.name.partition(" ")
            store.add(
                address,
                groups=["Föreningen", *(["starred"] if person.local == "anna" else [])],
                names=[{"displayName": person.name, "givenName": given, "familyName": family}],
                emailAddresses=[{"value": f"{person.local}@solros.example", "type": "work"}],
            )
        store.add(address, photo=picture(7), **everything())
        store.add(address, organizations=[{"name": "Byrån AB"}], phoneNumbers=[{"value": "031-12 34 56"}])
        store.add(address, other=True, emailAddresses=[{"value": "nyhetsbrev@butik.example"}])


def everything() -> dict[str, list[dict[str, Any]]]:
    """A contact of which every field is filled."""
    day = {"year": 1979, "month": 11, "day": 3}
    return {
        "names": [
            {
                "displayName": "Dr Zoé Ann-Marie Lefèvre; fil. dr",
                "givenName": "Zoé",
                "familyName": "Lefèvre",
                "middleName": "Ann-Marie",
                "honorificPrefix": "Dr",
                "honorificSuffix": "fil. dr",
                "phoneticGivenName": "Soé",
                "phoneticFamilyName": "Lefävr",
            }
        ],
        "nicknames": [{"value": "Zo", "type": "DEFAULT"}, {"value": "Dupont", "type": "MAIDEN_NAME"}],
        "fileAses": [{"value": "Lefèvre, Zoé"}],
        "emailAddresses": [
            {"value": "zoe@home.example", "type": "home"},
            {"value": "zoe@kör.example", "type": "Kören", "displayName": "Zoé i kören"},
        ],
        "phoneNumbers": [
            {"value": "+46 70 123 45 67", "canonicalForm": "+46701234567", "type": "mobile"},
            {"value": "08-123", "type": "workFax"},
            {"value": "112", "type": "Stugan"},
        ],
        "addresses": [
            {
                "type": "home",
                "formattedValue": "Box 5\nStorgatan 1; 2 tr\n411 01 Göteborg\nSverige",
                "poBox": "Box 5",
                "streetAddress": "Storgatan 1; 2 tr",
                "city": "Göteborg",
                "region": "Västra Götaland",
                "postalCode": "411 01",
                "country": "Sverige",
                "countryCode": "SE",
            },
            {"type": "Landet", "formattedValue": "Torpet, skogen"},
        ],
        "organizations": [
            {"name": "Solros ek. för.", "department": "Styrelsen", "title": "Kassör", "type": "work", "current": True},
            {"name": "Annat AB", "title": "Rådgivare", "startDate": {"year": 2020, "month": 1, "day": 2}},
        ],
        "occupations": [{"value": "Ekonom"}],
        "birthdays": [{"date": {"month": 2, "day": 29}, "text": "29 februari"}],
        "events": [{"date": day, "type": "anniversary"}, {"date": {"month": 6, "day": 5}, "type": "Namnsdag"}],
        "urls": [{"value": "https://zoe.example/", "type": "blog"}, {"value": "https://work.example", "type": "work"}],
        "biographies": [{"value": "Gillar <kaffe>,\nträdgård", "contentType": "TEXT_PLAIN"}],
        "relations": [{"person": "Paul", "type": "spouse"}, {"person": "Mamma Marie", "type": "mother"}],
        "imClients": [{"username": "zoe@jabber.example", "protocol": "jabber", "type": "home"}],
        "sipAddresses": [{"value": "zoe@sip.example", "type": "work"}],
        "genders": [{"value": "female"}],
        "interests": [{"value": "Odling"}],
        "skills": [{"value": "Bokföring"}],
        "locales": [{"value": "fr"}],
        "calendarUrls": [{"url": "https://zoe.example/cal.ics", "type": "home"}],
        "externalIds": [{"value": "42", "type": "customer"}],
        "miscKeywords": [{"value": "Outlook", "type": "OUTLOOK_KEYWORD"}],
        "clientData": [{"key": "k", "value": "v"}],
        "locations": [{"value": "Kontoret", "type": "desk", "deskCode": "4B"}],
        "userDefined": [{"key": "Medlemsnummer", "value": "1017"}],
    }


def picture(seed: int, side: int = 8) -> bytes:
    """A small picture: PNG of so many pixels each way."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((seed * x * y) % 256 for x in range(side * 3)) for y in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return PNG + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def later(standin: GoogleStandin, address: str) -> None:
    """What happens in a person's calendar and address book afterwards: something new, changed, moved, deleted."""
    store = standin.pim.calendars
    mine = store.add_user(address)
    by_name = {str(one.get("summary")): key for key, one in mine.events.items() if "recurringEventId" not in one}
    store.add(mine, datetime(2026, 9, 1, 9, tzinfo=UTC), summary="Nytt")
    store.edit(mine, by_name["Läkare"], start=_at(2026, 4, 8, 9), end=_at(2026, 4, 8, 10), sequence=1)
    store.instance(mine, by_name["Stående möte"], _at(2026, 4, 2, 13), start=_at(2026, 4, 2, 13) + timedelta(hours=1))
    store.cancel(mine, by_name["Morgonmöte"], _at(2026, 1, 7, 9))
    store.delete(mine, by_name["Kurs"])
    store.delete(mine, by_name["Nationaldagen"])
