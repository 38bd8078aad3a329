"""One account's lines to the Calendar API and to the People API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from liberate_google import auth
from liberate_google.client import Client
from liberate_google.convert import CALENDAR, OTHER_CONTACTS, PEOPLE
from liberate_google.pace import Pacer, ladder, shared
from liberate_google.prices import CALENDAR_PRICE_LISTS, PEOPLE_PRICE_LISTS, PriceList
from liberate_google.settings import GoogleSettings


class CalendarClient(Client):
    """A person's calendars."""

    api = CALENDAR

    def _keep(self, api: Any) -> None:
        self.calendar_list = api.calendarList()
        self.calendars = api.calendars()
        self.events = api.events()


class PeopleClient(Client):
    """A person's contacts."""

    api = PEOPLE

    def _keep(self, api: Any) -> None:
        self.people = api.people()
        self.connections = self.people.connections()
        self.groups = api.contactGroups()
        self.other_contacts = api.otherContacts()


class OtherContactsClient(PeopleClient):
    """Those whom Google noted down by itself, for which there is a scope of its own."""

    api = OTHER_CONTACTS


def calendar_pacer(settings: GoogleSettings) -> Pacer:
    """The process's pacer for calendars of this project."""
    return _pacer(settings, "calendar", CALENDAR_PRICE_LISTS)


def people_pacer(settings: GoogleSettings) -> Pacer:
    """The process's pacer for contacts of this project."""
    return _pacer(settings, "people", PEOPLE_PRICE_LISTS)


def _pacer(settings: GoogleSettings, api: str, lists: Mapping[str, PriceList]) -> Pacer:
    rates = ladder(settings.price_list, published=settings.endpoint is None, lists=lists)
    return shared(f"{auth.project(settings)} {api}", rates)
