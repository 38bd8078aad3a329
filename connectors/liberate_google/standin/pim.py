"""The stand-in's calendars and contacts on the wire: two APIs beside Gmail and Drive, and pictures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Protocol

from liberate_google.prices import CALENDAR_PRICE_LISTS, PEOPLE_PRICE_LISTS
from liberate_google.standin import fields
from liberate_google.standin.calendar import CalendarStore
from liberate_google.standin.calendar_api import CalendarApi
from liberate_google.standin.errors import ApiError
from liberate_google.standin.faults import Call, Fault
from liberate_google.standin.oauth import Grant
from liberate_google.standin.people import PeopleStore
from liberate_google.standin.people_api import PHOTOS, PeopleApi, RpcError
from liberate_google.standin.quota import Quota
from liberate_google.standin.reply import Reply
from liberate_google.standin.routes import Route, routes


class Host(Protocol):
    """What the server does for every API."""

    requests: list[Call]

    def grant(self, headers: dict[str, str]) -> Grant: ...

    def struck(self, call: Call) -> tuple[Reply | None, Fault | None]: ...

    def checked(self, route: Route, answer: Any, described: str) -> None: ...


class PimApis:
    """Answers for calendars and contacts."""

    def __init__(self, clock: Callable[[], float], url: str) -> None:
        self.calendars = CalendarStore(clock)
        self.people = PeopleStore(clock)
        self.calendar_quota = Quota(clock, CALENDAR_PRICE_LISTS, "calendar-json.googleapis.com")
        self.people_quota = Quota(clock, PEOPLE_PRICE_LISTS, "people.googleapis.com")
        self.people_api = PeopleApi(self.people, url, clock)
        self._calendar_api = CalendarApi(self.calendars)
        self._calendar_routes = routes("calendar.v3", "calendar.")
        self._people_routes = routes("people.v1", "people.")

    def knows(self, user: str) -> bool:
        return user.lower() in self.calendars.users or user.lower() in self.people.books

    def instances(self, calendar: str, series: str, until: date) -> list[dict[str, Any]]:
        """For tests: when a series takes place, as events.instances tells it."""
        return self._calendar_api.expanded(calendar, series, until)

    @staticmethod
    def serves(target: str) -> bool:
        """Whether an address is one of these APIs'."""
        return target.startswith(("/calendar/v3/", "/v1/"))

    def quota(self, target: str) -> Quota:
        return self.calendar_quota if target.startswith("/calendar/") else self.people_quota

    def photo(self, host: Host, target: str) -> Reply:
        """A picture: nobody needs to sign in for it."""
        call = Call("photo", "", {}, False, target)
        host.requests.append(call)
        reply, _ = host.struck(call)
        if reply is not None:
            return reply
        try:
            return self.people_api.photo(target)
        except ApiError as error:
            return Reply(error.code, error.answer())

    @staticmethod
    def is_photo(target: str) -> bool:
        return target.startswith(PHOTOS)

    def call(self, host: Host, http: str, target: str, headers: dict[str, str], *, in_batch: bool) -> Reply:
        """The answer to one call, whole. Raises ApiError."""
        calendar = target.startswith("/calendar/")
        table = self._calendar_routes if calendar else self._people_routes
        route = table.find(http, target)
        grant = host.grant(headers)
        if not route.scopes & grant.scopes:
            raise _scope(calendar=calendar)
        about = route.path.get("eventId") or route.path.get("calendarId") or route.path.get("resourceName", "")
        call = Call(route.method, grant.user, route.params, in_batch, about)
        host.requests.append(call)
        reply, fault = host.struck(call)
        if reply is not None:
            return reply
        self.quota(target).spend(grant.user, route.method)
        mask = fields.parse(route.params["fields"][0]) if "fields" in route.params else None
        if mask is not None and route.response is not None:
            fields.check(mask, {"$ref": route.response}, table.schemas)
        api = self._calendar_api if calendar else self.people_api
        answer = api.perform(route, grant.user)
        host.checked(route, answer, "calendar.v3" if calendar else "people.v1")
        if fault is not None and fault.then is not None:
            fault.then()
        whole = Reply(200, answer if mask is None else fields.apply(mask, answer))
        if fault is not None and fault.breaks == "bad-json":
            return Reply(200, text=whole.text[: max(1, whole.length // 2)])
        return whole


def _scope(*, calendar: bool) -> ApiError:
    message = "Request had insufficient authentication scopes."
    if calendar:
        return ApiError(403, "insufficientPermissions", message)
    return RpcError(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", message)
