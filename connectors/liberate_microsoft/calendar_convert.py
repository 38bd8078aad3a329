"""Graph's events as calendar objects: a UID each, a series together with its changed instances. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Event, vBinary, vRecur

from liberate.errors import ItemError
from liberate.ical import calendar_object
from liberate_microsoft import event_fields, recurrence, times
from liberate_microsoft.event_fields import Json, Whose
from liberate_microsoft.objects import Made

FIELDS = (
    "id,iCalUId,type,seriesMasterId,subject,body,start,end,originalStart,originalStartTimeZone,originalEndTimeZone,"
    "isAllDay,recurrence,attendees,organizer,isOrganizer,responseStatus,responseRequested,hideAttendees,"
    "allowNewTimeProposals,showAs,sensitivity,importance,categories,isReminderOn,reminderMinutesBeforeStart,location,"
    "locations,isOnlineMeeting,onlineMeeting,onlineMeetingUrl,hasAttachments,isCancelled,isDraft,createdDateTime,"
    "lastModifiedDateTime"
)
INLINE = 1 << 20  # bytes of one attachment that is written into the event
_INLINE_IN_ALL = 4 << 20  # of one event
_WRAPPED = bytes.fromhex("040000008200E00074C5B7101A82E008")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to an event. Without its bytes it stays behind."""

    name: str
    media: str = ""
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """What belongs to one event beside its own fields."""

    exceptions: Sequence[Json] = ()  # its changed instances
    cancelled: Sequence[datetime] = ()  # starts of instances that are not held, by the series' clock, without a zone
    times: Sequence[datetime] | None = None  # starts of all instances, in UTC, where no rule can say them
    attachments: Mapping[str, Sequence[Attachment]] = field(default_factory=dict)  # by the id of event or instance


def uid(raw: Json) -> str:
    """The UID under which others know the event: iCalUId, or the foreign one that Outlook wrapped into its own.

    [MS-OXCICAL] 2.1.3.1.1.20.26: a foreign UID stands behind "vCal-Uid" in the bytes of a global object id.
    """
    told = str(raw.get("iCalUId") or "").strip()
    if not told:
        return f"{hashlib.sha256(str(raw.get('id')).encode()).hexdigest()[:32]}@outlook"
    try:
        data = bytes.fromhex(told)
    except ValueError:
        return told
    at = data.find(b"vCal-Uid\x01\x00\x00\x00")
    if data.startswith(_WRAPPED) and at == 40:
        try:
            inner = data[at + 12 :].rstrip(b"\x00").decode("ascii")
        except UnicodeDecodeError:
            return told
        return inner if inner.isprintable() and inner else told
    return told


def home(raw: Json) -> ZoneInfo | None:
    """The zone that an event is kept in; None: one of the service's own, or none is told."""
    own = times.zone(raw.get("originalStartTimeZone"))
    span = _table(_table(raw.get("recurrence")).get("range"))
    other = times.zone(span.get("recurrenceTimeZone"))
    if own is None or other is None or own.key == other.key:
        return own or other
    # Two that differ: the one in which the series begins on the day that its rule says.
    begin, said = times.point(raw.get("start")), recurrence.read_day(span.get("startDate"))
    if begin is not None and said is not None:
        fits = [one for one in (own, other) if begin.astimezone(one).date() == said]
        return fits[0] if fits else own
    return own


def writable(raw: Json) -> bool:
    """Whether a rule can say when a series takes place: it can be written, and its zone is one that others know."""
    try:
        recurrence.rule(raw.get("recurrence"), home(raw), all_day=bool(raw.get("isAllDay")))
    except recurrence.Unwritable:
        return False
    return bool(raw.get("isAllDay")) or home(raw) is not None


def occurrences(raw: Json) -> recurrence.Occurrences:
    """The occurrences of a series whose rule is `writable`, its cancelled and changed ones among them."""
    where, all_day = home(raw), bool(raw.get("isAllDay"))
    text = recurrence.rule(raw.get("recurrence"), where, all_day=all_day)
    return recurrence.Occurrences(text, _local(_start(raw), where, all_day=all_day), where)


def cancelled_on(raw: Json, told: str) -> tuple[datetime, ...]:
    """When an instance called "OID.<id>.<day>" begins by the series' clock: once, or two times that it may mean.

    Graph does not say whether the day is the series' or UTC's; mostly it is the same.
    """
    wanted = recurrence.read_day(told.rpartition(".")[2])
    if wanted is None:
        return ()
    every = occurrences(raw)
    found = (every.on(wanted), every.on_utc(wanted) if not raw.get("isAllDay") else None)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def missing(raw: Json, there: Collection[datetime], end: datetime, *, by_rule: bool) -> list[datetime]:
    """The starts, by the series' clock, of instances that its rule gives and that are not `there`, up to `end`.

    `there` are starts in UTC. Of a series that no rule says, its own start may be missing.
    """
    where, all_day = home(raw), bool(raw.get("isAllDay"))
    known = {_local(one, where, all_day=all_day) for one in there}
    begin = _local(_start(raw), where, all_day=all_day)
    if not by_rule:
        return [] if begin in known else [begin]
    return [one for one in occurrences(raw).until(end.replace(tzinfo=None)) if one not in known]


def original(raw: Json, where: ZoneInfo | None, *, all_day: bool) -> datetime:
    """When a changed instance would have begun, by the series' clock. Raises ItemError."""
    told = times.instant(raw.get("originalStart"))
    if told is None:
        raise unreadable("a changed instance that does not say which one it is")
    return _local(told, where, all_day=all_day)


def _local(moment: datetime, where: ZoneInfo | None, *, all_day: bool) -> datetime:
    if all_day:
        return datetime.combine(times.day(moment, where), time())
    return times.in_zone(moment, where).replace(tzinfo=None)


def made(raw: Json, whose: Whose, more: Series | None = None) -> Made:
    """The calendar object of a single event, or of a series with its instances. Raises ItemError."""
    more = more or Series()
    lost: set[str] = set()
    where = home(raw)
    all_day = bool(raw.get("isAllDay"))
    name = uid(raw)
    begin = _start(raw)
    if where is None and not all_day:
        lost.add("time-zone")
    series = isinstance(raw.get("recurrence"), Mapping)
    first: datetime | None = None
    text = ""
    if series and more.times is None:
        try:
            text = recurrence.rule(raw.get("recurrence"), where, all_day=all_day)
        except recurrence.Unwritable as error:
            raise unreadable(str(error)) from None
        # A rule begins with its first occurrence, or some programs show the start as one more (RFC 5545 3.8.5.3).
        first = recurrence.Occurrences(text, _local(begin, where, all_day=all_day), where).first()
        if first is None:
            raise ItemError("no-occurrence", "It is a series that never takes place.", "Delete it, or leave it behind.")
    shared = _Shared(name, where, all_day, whose, lost, more.attachments)
    master = shared.component(raw, first)
    if text:
        master.add("rrule", vRecur.from_ical(text))
    elif series and more.times is not None:
        lost.add("recurrence-rule")
        _by_themselves(master, shared, more.times, begin)
    for gone in sorted(set(more.cancelled)):
        shared.add_time(master, "exdate", gone)
    instances = []
    for one in sorted(more.exceptions, key=lambda one: str(one.get("originalStart"))):
        instance = shared.component(one, None)
        shared.add_time(instance, "recurrence-id", original(one, where, all_day=all_day))
        instances.append(instance)
    body = calendar_object([master, *instances])
    return Made(name, body, tuple(sorted(lost)), times.instant(raw.get("lastModifiedDateTime")))


def _by_themselves(master: Event, shared: _Shared, every: Sequence[datetime], begin: datetime) -> None:
    """Each time as an RDATE; DTSTART is one of them without being named."""
    for start in sorted(set(every)):
        if start != begin:
            shared.add_time(master, "rdate", _local(start, shared.where, all_day=shared.all_day))


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a series and its instances have in common."""

    uid: str
    where: ZoneInfo | None
    all_day: bool
    whose: Whose
    lost: set[str]
    attachments: Mapping[str, Sequence[Attachment]]

    def component(self, raw: Json, first: datetime | None) -> Event:
        """The VEVENT of an event or an instance; `first`: when it begins, if not when it says."""
        out = Event()
        out.add("uid", self.uid)
        stamp = times.instant(raw.get("lastModifiedDateTime")) or times.instant(raw.get("createdDateTime"))
        stamp = (stamp or datetime(1970, 1, 1, tzinfo=UTC)).replace(microsecond=0)
        out.add("dtstamp", stamp)
        self._times(out, raw, first)
        created = times.instant(raw.get("createdDateTime"))
        if created is not None:
            out.add("created", created.replace(microsecond=0))
        out.add("last-modified", stamp)
        event_fields.fill(out, raw, self.whose, self.lost)
        self._attach(out, self.attachments.get(str(raw.get("id")), ()))
        return out

    def _times(self, out: Event, raw: Json, first: datetime | None) -> None:
        begin, end = _start(raw), times.point(raw.get("end"))
        if end is None:
            raise unreadable("an end that cannot be read")
        if raw.get("isAllDay"):
            start_day, end_day = times.day(begin, self.where), times.day(end, self.where)
            length = max(timedelta(days=1), end_day - start_day)
            start_day = start_day if first is None else first.date()
            out.add("dtstart", start_day)
            out.add("dtend", start_day + length)
            return
        there = times.zone(raw.get("originalEndTimeZone")) or self.where
        start = times.in_zone(begin, self.where)
        if first is not None and start.replace(tzinfo=None) != first:
            moved = first.replace(tzinfo=self.where or UTC)
            end += moved.astimezone(UTC) - begin
            start = moved
        out.add("dtstart", start)
        out.add("dtend", times.in_zone(max(end, start.astimezone(UTC)), there))

    def add_time(self, out: Event, name: str, local: datetime) -> None:
        """A time by the series' clock, in the form that its start has."""
        value: date | datetime
        if self.all_day:
            value = local.date()
        else:
            value = local.replace(tzinfo=self.where if self.where is not None and self.where.key != "UTC" else UTC)
        out.add(name, value)

    def _attach(self, out: Event, some: Sequence[Attachment]) -> None:
        room = _INLINE_IN_ALL
        for one in some:
            if one.data is None or len(one.data) > min(INLINE, room):
                self.lost.add("attachment")
                continue
            room -= len(one.data)
            params = {"ENCODING": "BASE64", "VALUE": "BINARY", "FMTTYPE": one.media or "application/octet-stream"}
            if one.name:
                params["FILENAME"] = one.name.replace('"', "'")
            out.add("attach", vBinary(one.data), parameters=params)


def attachment(raw: Json) -> Attachment:
    """A fileAttachment with its bytes; any other kind without."""
    name, media = str(raw.get("name") or ""), str(raw.get("contentType") or "")
    content = raw.get("contentBytes")
    if not str(raw.get("@odata.type") or "").endswith("fileAttachment") or not isinstance(content, str):
        return Attachment(name, media)
    try:
        return Attachment(name, media, base64.b64decode(content, validate=True))
    except (ValueError, binascii.Error):
        return Attachment(name, media)


def is_small_file(raw: Json) -> bool:
    """Whether an attachment of a list is a file that is written into its event."""
    size = raw.get("size")
    return str(raw.get("@odata.type") or "").endswith("fileAttachment") and isinstance(size, int) and size <= INLINE


def _start(raw: Json) -> datetime:
    found = times.point(raw.get("start"))
    if found is None:
        raise unreadable("a start that cannot be read")
    return found


def unreadable(what: str) -> ItemError:
    """The error of an event that is told in an unknown way; `what` quotes nothing of it."""
    return ItemError(
        "unreadable-event",
        f"Graph tells this event in a way that liberate does not understand: {what}.",
        "Let its owner look at it in Outlook, and make it anew at the new place if it matters.",
    )


def _table(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}
