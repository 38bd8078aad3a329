"""The stand-in's calls for calendars and contacts, as Graph v1.0 has them.

Strict where a client's mistake would lose or double something: an id is good only in the form in which it was
given out, instances want a window, and changed or cancelled ones are told only of a series that is asked for by id.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from liberate_microsoft.standin import contact_deltas, pim_options, pim_shapes
from liberate_microsoft.standin.entra import Grant
from liberate_microsoft.standin.errors import ApiError
from liberate_microsoft.standin.faults import Call
from liberate_microsoft.standin.pim import Event, PimBox
from liberate_microsoft.standin.reply import Reply

if TYPE_CHECKING:
    from liberate_microsoft.standin.server import GraphStandin

IMMUTABLE = 'IdType="ImmutableId"'
_CALENDARS = frozenset({"calendars", "calendarGroups", "calendar", "events", "calendarView", "outlook"})
_CONTACTS = frozenset({"contactFolders", "contacts"})
_PAGED = {"$select", "$top", "$skip"}
_LISTS = frozenset({"cancelledOccurrences", "exceptionOccurrences"})
_METHODS = {
    "$value": "photo",
    "delta": "contact-delta",
    "instances": "instances",
    "attachments": "attachments",
    "calendars": "calendars",
    "calendarGroups": "calendarGroups",
    "masterCategories": "categories",
    "contactFolders": "contactFolders",
    "childFolders": "childFolders",
}


def _below(steps: list[str]) -> list[str]:
    return steps[2:] if steps[:1] == ["users"] else steps[1:] if steps[:1] == ["me"] else []


def is_pim(steps: list[str]) -> bool:
    """Whether a path below the version is about somebody's calendars or contacts."""
    return bool({*_below(steps)[:1]} & (_CALENDARS | _CONTACTS))


def method(steps: list[str]) -> str:
    """What a call about them is called: see Call."""
    rest = _below(steps)
    if rest[-1] in _METHODS:
        return _METHODS[rest[-1]]
    match rest:
        case ["calendars", _, "events"]:
            return "events"
        case ["events", _, "attachments", _]:
            return "attachment"
        case ["events", *_]:
            return "event"
        case ["contacts", *_]:
            return "contact"
    return "contactFolder"


class Pim:
    """Answers calls about one mailbox's calendars and contacts, whose token was found good."""

    def __init__(self, standin: GraphStandin) -> None:
        self._standin = standin

    def box(self, who: str, rest: list[str], grant: Grant) -> PimBox:
        """What that person has, if the token allows it."""
        person = self._standin.person(who)
        if person is None:
            raise ApiError(404, "ErrorInvalidUser", f"The requested user '{who}' is invalid.")
        found = self._standin.pims.get(person.address)
        if found is None or not found.enabled:
            text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
            raise ApiError(404, "MailboxNotEnabledForRESTAPI", text)
        needed = "Calendars.Read" if rest[0] in _CALENDARS else "Contacts.Read"
        if rest[0] == "outlook":
            needed = "MailboxSettings.Read"
        own = not grant.user or grant.user == person.address
        if needed not in grant.roles or found.refuses or not own:
            raise ApiError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        return found

    def answer(self, who: str, rest: list[str], call: Call, grant: Grant) -> tuple[str, Any] | Reply:
        """The type of the answer and the answer; "[]" behind the type for a list."""
        box = self.box(who, rest, grant)
        base = f"{self._standin.url}/v1.0/users/{quote(who)}"
        where = "/".join([base, *(quote(one, safe="$") for one in rest)])
        immutable = IMMUTABLE.lower() in call.headers.get("prefer", "").lower()
        with box.lock:
            if rest[0] in _CONTACTS:
                return self._contacts(box, rest, call, where, immutable=immutable)
            match rest:
                case ["calendars"] | ["calendarGroups", _, "calendars"]:
                    return self._calendars(box, rest[1] if len(rest) > 1 else "", call, where)
                case ["calendarGroups"]:
                    pim_options.only(call, _PAGED, frozenset({"id", "name", "classId", "changeKey"}))
                    told = [{"id": "AQMkdefaultAAA=", "name": "My Calendars"}]
                    told += [{"id": id_, "name": name} for id_, name in box.groups.items()]
                    return "calendarGroup[]", pim_options.paged(told, call, where)
                case ["outlook", "masterCategories"]:
                    pim_options.only(call, _PAGED, frozenset({"id", "displayName", "color"}))
                    some = [{"id": name, "displayName": name, "color": color} for name, color in box.categories.items()]
                    return "category[]", {"value": some}
                case ["calendars", id_, "events"]:
                    return self._events(box, id_, call, where, immutable=immutable)
                case ["events", id_, *more]:
                    return self._event(box, id_, more, call, where, immutable=immutable)
        raise ApiError(400, "BadRequest", f"Resource not found for the segment '{rest[-1]}'.")

    # Calendars -----------------------------------------------------------------------------------

    @staticmethod
    def _calendars(box: PimBox, group: str, call: Call, where: str) -> tuple[str, Any]:
        pim_options.only(call, _PAGED, pim_shapes.CALENDAR_FIELDS)
        if group and group != "AQMkdefaultAAA=" and group not in box.groups:
            raise _missing()
        wanted = "" if group == "AQMkdefaultAAA=" else group
        some = [pim_shapes.calendar(one) for one in box.calendars.values() if one.group == wanted]
        return "calendar[]", pim_options.paged(some, call, where)

    def _events(self, box: PimBox, id_: str, call: Call, where: str, *, immutable: bool) -> tuple[str, Any]:
        pim_options.only(call, _PAGED, pim_shapes.EVENT_FIELDS)
        if id_ not in box.calendars:
            raise _missing()
        zone = pim_options.zone(call)
        some = [one for one in box.events.values() if one.calendar == id_]
        some.sort(key=lambda one: -one.number)
        answer = pim_options.paged(some, call, where)
        answer["value"] = [pim_shapes.event(box, one, immutable=immutable, zone=zone) for one in answer["value"]]
        return "event[]", answer

    def _event(
        self, box: PimBox, id_: str, more: list[str], call: Call, where: str, *, immutable: bool
    ) -> tuple[str, Any]:
        event, day = _found(box, id_, immutable=immutable)
        shown = event if day is None else event.exceptions.get(day, event)
        zone = pim_options.zone(call)
        match more:
            case []:
                pim_options.only(call, {"$select", "$expand"}, pim_shapes.EVENT_FIELDS | _LISTS)
                series = None if day is None else event
                told = pim_shapes.event(box, shown, immutable=immutable, zone=zone, series=series, day=day)
                if day is None and event.recurrence is not None and box.tells_exceptions:
                    self._lists(box, event, told, call, immutable=immutable, zone=zone)
                return "event", told
            case ["instances"]:
                pim_options.only(call, {"startDateTime", "endDateTime", *_PAGED}, pim_shapes.EVENT_FIELDS)
                return "event[]", self._instances(box, event, call, where, immutable=immutable, zone=zone)
            case ["attachments"]:
                fields = frozenset({"id", "name", "contentType", "size", "isInline", "lastModifiedDateTime"})
                pim_options.only(call, _PAGED, fields)
                some = [pim_shapes.attachment(one, whole=False) for one in shown.attachments]
                return "attachment[]", pim_options.paged(some, call, where)
            case ["attachments", key]:
                found = next((one for one in shown.attachments if one["id"] == key), None)
                if found is None:
                    raise _missing()
                return "attachment", pim_shapes.attachment(found, whole=True)
        raise ApiError(400, "BadRequest", f"Resource not found for the segment '{more[0]}'.")

    @staticmethod
    def _lists(box: PimBox, event: Event, told: dict[str, Any], call: Call, *, immutable: bool, zone: str) -> None:
        """What is told of a series only if it is selected, and for its changed instances also expanded."""
        wanted = set(call.query.get("$select", "").split(","))
        expand = call.query.get("$expand", "")
        if expand not in ("", "exceptionOccurrences"):
            raise ApiError(400, "ErrorInvalidUrlQuery", "The expand is not supported.")
        if "cancelledOccurrences" in wanted:
            told["cancelledOccurrences"] = pim_shapes.cancelled(box, event, immutable=immutable)
        if "exceptionOccurrences" in wanted and expand:
            told["exceptionOccurrences"] = [
                pim_shapes.event(box, one, immutable=immutable, zone=zone, series=event, day=day)
                for day, one in sorted(event.exceptions.items())
            ]

    @staticmethod
    def _instances(box: PimBox, event: Event, call: Call, where: str, *, immutable: bool, zone: str) -> dict[str, Any]:
        begin, end = pim_options.window(call)
        if event.recurrence is None:
            raise ApiError(400, "ErrorInvalidRequest", "The event is no series.")
        told = []
        for day in event.planned(end.date() + timedelta(days=2 if not event.exceptions else 800)):
            one = event.exceptions.get(day, event)
            start = event.original(day) if one is event else one.instant(one.begin)
            if begin <= start < end:
                box.know_instance(event, day)
                told.append(pim_shapes.event(box, one, immutable=immutable, zone=zone, series=event, day=day))
        return pim_options.paged(told, call, where)

    # Contacts ------------------------------------------------------------------------------------

    def _contacts(
        self, box: PimBox, rest: list[str], call: Call, where: str, *, immutable: bool
    ) -> tuple[str, Any] | Reply:
        fields = frozenset({"id", "displayName", "parentFolderId"})
        match rest:
            case ["contactFolders"]:
                pim_options.only(call, _PAGED, fields)
                return "contactFolder[]", self._folders(box, box.root.id, call, where)
            case ["contactFolders", id_, *more]:
                known = box.root if id_ == "contacts" else box.folders.get(id_)
                if known is None:
                    raise _missing()
                if not more:
                    pim_options.only(call, {"$select"}, fields)
                    return "contactFolder", pim_shapes.folder(known)
                if more == ["childFolders"]:
                    pim_options.only(call, _PAGED, fields)
                    return "contactFolder[]", self._folders(box, known.id, call, where)
                if more == ["contacts", "delta"]:
                    size = _size(call, self._standin.page)
                    return "contact[]", contact_deltas.page(box, known, where, call, size, immutable=immutable)
            case ["contacts", id_]:
                pim_options.only(call, {"$select"}, pim_shapes.CONTACT_FIELDS)
                return "contact", pim_shapes.contact(box, _contact(box, id_, immutable=immutable), immutable=immutable)
            case ["contacts", id_, "photo", "$value"]:
                one = _contact(box, id_, immutable=immutable)
                if one.photo_fails:
                    raise ApiError(one.photo_fails, "ErrorInternalServerError", "The photo cannot be had.")
                if one.photo is None:
                    raise ApiError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
                return Reply(200, None, {"Content-Type": one.photo[0]}, text=one.photo[1])
        raise ApiError(400, "BadRequest", f"Resource not found for the segment '{rest[-1]}'.")

    @staticmethod
    def _folders(box: PimBox, above: str, call: Call, where: str) -> dict[str, Any]:
        some = [pim_shapes.folder(one) for one in box.folders.values() if one.parent == above]
        return pim_options.paged(some, call, where)


def _found(box: PimBox, id_: str, *, immutable: bool) -> tuple[Event, date | None]:
    if re.fullmatch(r"AA[Mk][kA][\w=+-]+", id_) is None:
        raise ApiError(400, "ErrorInvalidIdMalformed", "Id is malformed.")
    found = box.event_of(id_, immutable=immutable)
    if found is None:
        raise _missing()
    return found


def _contact(box: PimBox, id_: str, *, immutable: bool) -> Any:
    found = box.contact_of(id_, immutable=immutable)
    if found is None:
        raise _missing()
    return found


def _size(call: Call, usual: int) -> int:
    wanted = re.search(r"odata\.maxpagesize=(\d+)", call.headers.get("prefer", ""))
    if wanted is None:
        return usual
    if not 1 <= int(wanted[1]) <= pim_options.MOST:
        raise ApiError(400, "ErrorInvalidParameter", "The page size is out of range.")
    return min(usual, int(wanted[1]))


def _missing() -> ApiError:
    return ApiError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
