"""Google and Microsoft as people leave them: each vendor's stand-in, what was put into it, and what it says of that."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from leaving_had_kit import (
    CASHIER,
    LAST,
    Card,
    Had,
    Meeting,
    Size,
    letter,
    person,
    seen_letter,
    universal,
    within,
)
from liberate_google.standin import GoogleStandin
from liberate_microsoft.standin.pim import ZONES, Event, PimBox
from liberate_microsoft.standin.pim_sample import SHAPES as OUTLOOK_SHAPES
from liberate_microsoft.standin.server import GraphStandin

HOME, AWAY = ZoneInfo("Europe/Stockholm"), ZoneInfo("America/New_York")

# Google -------------------------------------------------------------------------------------------

_GOOGLE = """\
connector = "google"
service_account_file = "service-account.json"
endpoint = "{endpoint}"
"""


def _at(year: int, month: int, day: int, hour: int = 9, zone: ZoneInfo = HOME) -> datetime:
    return datetime(year, month, day, hour, tzinfo=zone)


_SHAPES: tuple[tuple[Any, list[str]], ...] = (
    (_at(2026, 1, 5), ["RRULE:FREQ=DAILY"]),
    (_at(2026, 1, 5), ["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"]),
    (_at(2026, 1, 6), ["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU"]),
    (_at(2026, 1, 6), ["RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270101T000000Z"]),
    (_at(2026, 1, 30), ["RRULE:FREQ=MONTHLY;BYDAY=-1FR"]),
    (_at(2026, 1, 31), ["RRULE:FREQ=MONTHLY;BYMONTHDAY=31"]),
    (_at(2026, 1, 30), ["RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"]),
    (_at(2028, 2, 29), ["RRULE:FREQ=YEARLY"]),
    (_at(2026, 3, 23), ["RRULE:FREQ=DAILY;COUNT=10"]),
    (_at(2026, 3, 20), ["RRULE:FREQ=DAILY;COUNT=20", "EXDATE;TZID=Europe/Stockholm:20260330T090000"]),
    (_at(2026, 3, 20), ["RDATE;TZID=Europe/Stockholm:20260329T090000,20261025T090000"]),
    (_at(2026, 3, 20), ["RRULE:FREQ=WEEKLY;COUNT=4", "RDATE:20260325T080000Z"]),
    (_at(2026, 3, 2, 10, AWAY), ["RRULE:FREQ=DAILY;UNTIL=20261130T000000Z"]),
    (_at(2026, 2, 2, 23, AWAY), ["RRULE:FREQ=WEEKLY;BYDAY=MO"]),
    (date(2026, 3, 20), ["RRULE:FREQ=DAILY;UNTIL=20260405"]),
    (date(2026, 6, 6), ["RRULE:FREQ=YEARLY"]),
    (date(2026, 3, 20), ["RRULE:FREQ=DAILY;COUNT=9", "EXDATE;VALUE=DATE:20260322"]),
)


class Google:
    """Google's stand-in, and what was put into it."""

    receipts = "Kvitton/2026"

    def __init__(self, standin: GoogleStandin, size: Size) -> None:
        self._standin = standin
        self.people = tuple(f"{number}.anna@solros.example" for number in range(size.people))
        for address in self.people:
            standin.add_person(address)
            self._mail(address, size.mails)
            self._filter(address)
            self._events(address, size.events)
            for number in range(size.contacts):
                self._contact(address, person(number))

    def _mail(self, address: str, count: int) -> None:
        for number in range(count):
            labels = ["INBOX" if number % 3 else "Kvitton/2026", *(["UNREAD"] if number % 2 else [])]
            self._standin.add_message(
                address, bytes(letter(number, address)), labels, 1_780_000_000_000 + number * 60_000
            )

    def _filter(self, address: str) -> None:
        mailbox = self._standin.mailbox(address)
        label = mailbox.label_named("Kvitton/2026")
        assert label is not None
        action = {"addLabelIds": [label.id], "removeLabelIds": ["INBOX"]}
        mailbox.filters["f1"] = {"id": "f1", "criteria": {"from": CASHIER}, "action": action}

    def _events(self, address: str, count: int) -> None:
        store = self._standin.pim.calendars
        mine = store.add_user(address)
        for number, (begin, recurrence) in enumerate(_SHAPES):
            store.add(mine, begin, recurrence=recurrence, summary=f"Serie {number}")
        moved = store.add(mine, _at(2026, 1, 5, 13), recurrence=["RRULE:FREQ=DAILY;COUNT=400"], summary="Stående möte")
        for month, day in ((3, 28), (3, 29), (3, 30), (10, 24), (10, 25), (10, 26)):
            when = _at(2026, month, day, 13)
            if day % 3 == 0:
                store.cancel(mine, moved, when)
            elif day % 3 == 1:
                store.instance(mine, moved, when, summary="Annat möte")
            else:
                store.instance(mine, moved, when, start=when + timedelta(hours=26), summary="Flyttat möte")
        for number in range(max(0, count - len(_SHAPES) - 1)):
            begin = _at(2026, number % 12 + 1, number % 28 + 1, 7 + number % 12, AWAY if number % 4 else HOME)
            store.add(mine, begin, summary=f"Träff, {number}; å", description="<b>Fet</b>", location="Köket, 2 tr")

    def _contact(self, address: str, one: Card) -> None:
        day = [int(part) for part in one.birthday.split("-")] if one.birthday else []
        fields: dict[str, Any] = {
            "names": [{"displayName": one.name, "familyName": one.family, "givenName": one.given}],
            "emailAddresses": [{"value": value, "type": "work"} for value in one.emails],
            "phoneNumbers": [{"value": value, "type": "mobile"} for value in one.phones],
        }
        if one.company:
            fields["organizations"] = [{"name": one.company}]
        if day:
            fields["birthdays"] = [{"date": {"year": day[0], "month": day[1], "day": day[2]}}]
        if one.note:
            fields["biographies"] = [{"value": one.note, "contentType": "TEXT_PLAIN"}]
        self._standin.pim.people.add(address, groups=one.categories, **fields)

    def connection(self, folder: Path) -> str:
        self._standin.service_account_file(folder / "service-account.json")
        return _GOOGLE.format(endpoint=self._standin.url)

    def had(self, address: str) -> Had:
        out = Had()
        for one in self._standin.mailbox(address).messages.values():
            message = email.message_from_bytes(one.raw, policy=email.policy.default)
            out.letters[seen_letter(message, seen="UNREAD" not in one.labels)] += 1
        mine = self._standin.pim.calendars.add_user(address)
        for key, event in mine.events.items():
            if event["status"] == "cancelled" or "recurringEventId" in event:
                continue
            out.objects += 1
            times = [event]
            if "recurrence" in event:
                times = self._standin.pim.instances(mine.id, key, LAST + timedelta(days=40))
            for one in times:
                begin, end = (_told(one[name]) for name in ("start", "end"))
                out.meetings[Meeting(universal(begin), universal(end), one["summary"])] += 1
        out.meetings = Counter({one: count for one, count in out.meetings.items() if within(one)})
        for contact in self._standin.pim.people.books[address].contacts.values():
            if not contact.deleted:
                out.cards[self._card(address, contact)] += 1
        return out

    def _card(self, address: str, contact: Any) -> Card:
        fields = contact.fields
        names = self._standin.pim.people.books[address].groups
        born = fields["birthdays"][0]["date"] if "birthdays" in fields else None
        return Card(
            fields["names"][0]["displayName"], fields["names"][0]["familyName"], fields["names"][0]["givenName"],
            tuple(one["value"] for one in fields["emailAddresses"]),
            tuple(one["value"] for one in fields["phoneNumbers"]),
            fields["organizations"][0]["name"] if "organizations" in fields else "",
            "" if born is None else f"{born['year']}-{born['month']:02}-{born['day']:02}",
            fields["biographies"][0]["value"] if "biographies" in fields else "",
            tuple(names[one] for one in contact.groups),
        )  # fmt: skip

    def go_on(self, address: str) -> None:
        calendars, people = self._standin.pim.calendars, self._standin.pim.people
        mine = calendars.add_user(address)
        keys = {str(one.get("summary")): key for key, one in mine.events.items() if "recurringEventId" not in one}
        calendars.add(mine, _at(2026, 12, 1), summary="Nytt")
        calendars.edit(mine, keys["Serie 0"], summary="Serie 0, ny", sequence=1)
        calendars.instance(mine, keys["Serie 4"], _at(2026, 3, 27), start=_at(2026, 3, 27, 18), summary="Senare")
        first = next(iter(people.books[address].contacts))
        people.edit(address, first, biographies=[{"value": "Ny anteckning", "contentType": "TEXT_PLAIN"}])
        people.add(
            address,
            names=[{"displayName": "Ny", "familyName": "Ny", "givenName": ""}],
            emailAddresses=[],
            phoneNumbers=[],
        )
        self._standin.add_message(address, bytes(letter(100_001, address)), ["INBOX"])


def _told(when: dict[str, str]) -> Any:
    if "date" in when:
        return date.fromisoformat(when["date"])
    return datetime.fromisoformat(when["dateTime"])


# Microsoft ----------------------------------------------------------------------------------------

_MICROSOFT = """\
connector = "microsoft"
tenant = "{tenant}"
client_id = "{client}"
client_secret = {{ file = "client-secret" }}
endpoint = "{endpoint}"
ca_file = "authority.pem"
"""


class Microsoft:
    """Graph's stand-in, and what was put into it."""

    receipts = "Kvitton"

    def __init__(self, standin: GraphStandin, size: Size) -> None:
        self._standin = standin
        self.people = tuple(f"{number}.bo@solros.example" for number in range(size.people))
        for address in self.people:
            box = standin.add_mailbox(address)
            receipts = box.add_folder("Kvitton")
            rule = {"moveToFolder": receipts.id, "stopProcessingRules": True}
            standin.rule_box(address).add("Kvitton", {"senderContains": [CASHIER]}, rule)
            for number in range(size.mails):
                when = datetime(2026, 9, 1, 8, tzinfo=UTC) + timedelta(minutes=number)
                folder = "inbox" if number % 3 else "Kvitton"
                box.add(bytes(letter(number, address)), folder, received=when, read=not number % 2)
            pim = standin.add_pim(address)
            self._events(pim, size.events)
            for number in range(size.contacts):
                self._contact(pim, person(number))

    def _events(self, box: PimBox, count: int) -> None:
        made = [
            box.add_event(name, at, zone=zone, pattern=how, span=span) for name, at, how, span, zone in OUTLOOK_SHAPES
        ]
        box.change_instance(made[3], date(2026, 3, 30), timedelta(hours=2), subject="Marknad, senare")
        box.change_instance(made[3], date(2026, 10, 26), timedelta(days=1))
        box.cancel(made[0], date(2026, 3, 29))
        box.cancel(made[0], date(2026, 10, 25))
        for number in range(max(0, count - len(made))):
            begin = datetime(2026, number % 12 + 1, number % 28 + 1, 7 + number % 12)  # noqa: DTZ001 - by its zone's clocks
            zone = "Eastern Standard Time" if number % 4 else "W. Europe Standard Time"
            if number % 6 == 5:
                box.add_event(f"Dag {number}", begin.replace(hour=0), all_day=True)
            else:
                box.add_event(f"Träff, {number}; å", begin, zone=zone, location={"displayName": "Köket, 2 tr"})

    def _contact(self, box: PimBox, one: Card) -> None:
        fields: dict[str, Any] = {
            "surname": one.family, "givenName": one.given,
            "emailAddresses": [{"name": value, "address": value} for value in one.emails],
            "businessPhones": list(one.phones), "categories": list(one.categories),
        }  # fmt: skip
        if one.company:
            fields["companyName"] = one.company
        if one.birthday:
            fields["birthday"] = f"{one.birthday}T00:00:00Z"
        if one.note:
            fields["personalNotes"] = one.note.replace("\n", "\r\n")
        box.add_contact(one.name, **fields)

    def connection(self, folder: Path) -> str:
        secret = folder / "client-secret"
        secret.touch(0o600)
        secret.write_text(self._standin.entra.client_secret)
        self._standin.ca_file(folder / "authority.pem")
        entra = self._standin.entra
        return _MICROSOFT.format(tenant=entra.tenant, client=entra.client_id, endpoint=self._standin.url)

    def had(self, address: str) -> Had:
        out = Had()
        for one in self._standin.mailboxes[address].letters.values():
            message = email.message_from_bytes(one.raw, policy=email.policy.default)
            out.letters[seen_letter(message, seen=one.read)] += 1
        box = self._standin.pims[address]
        for event in box.events.values():
            out.objects += 1
            for one in self._times(event):
                out.meetings[one] += 1
        out.meetings = Counter({one: count for one, count in out.meetings.items() if within(one)})
        for contact in box.contacts.values():
            if not contact.deleted:
                out.cards[self._card(contact.fields)] += 1
        return out

    @staticmethod
    def _times(event: Event) -> Iterator[Meeting]:
        def told(moment: datetime) -> str:
            if event.all_day:
                return str(moment.date())
            return universal(moment.replace(tzinfo=ZoneInfo(ZONES[event.zone])))

        if event.recurrence is None:
            yield Meeting(told(event.begin), told(event.end), event.fields["subject"])
            return
        for day in event.planned(LAST + timedelta(days=40)):
            begin = datetime.combine(day, event.begin.time())
            changed = event.exceptions.get(day)
            if changed is None:
                yield Meeting(told(begin), told(begin + (event.end - event.begin)), event.fields["subject"])
            else:
                yield Meeting(told(changed.begin), told(changed.end), changed.fields["subject"])

    @staticmethod
    def _card(fields: dict[str, Any]) -> Card:
        return Card(
            fields["displayName"], fields.get("surname", ""), fields.get("givenName", ""),
            tuple(one["address"] for one in fields.get("emailAddresses", [])), tuple(fields.get("businessPhones", [])),
            fields.get("companyName", ""), fields.get("birthday", "")[:10],
            fields.get("personalNotes", "").replace("\r\n", "\n"), tuple(fields.get("categories", [])),
        )  # fmt: skip

    def go_on(self, address: str) -> None:
        box = self._standin.pims[address]
        events = list(box.events.values())
        box.add_event("Nytt", datetime(2026, 12, 1, 9))  # noqa: DTZ001 - by its zone's clocks
        box.change(events[1], subject="Var tredje dag, ny")
        box.change_instance(events[3], date(2026, 4, 2), timedelta(hours=3), subject="Senare")
        contacts = list(box.contacts.values())
        box.change_contact(contacts[0], personalNotes="Ny anteckning")
        box.add_contact("Ny", surname="Ny")
        self._standin.mailboxes[address].add(bytes(letter(100_001, address)), "inbox", read=True)
