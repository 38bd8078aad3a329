"""A person's Google calendars as a source: each series once, whole, and what changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from liberate.connector import (
    Account,
    Collection,
    Cursor,
    Gone,
    Item,
    Kind,
    Listed,
    Loaded,
    Skipped,
    Survey,
    Whole,
)
from liberate.errors import ItemError
from liberate.pim import Looks
from liberate.vtimezone import zone_name
from liberate_google import calendar_convert as convert
from liberate_google import calendar_list
from liberate_google.calendar_event import Around, Told
from liberate_google.calendar_list import Entry
from liberate_google.client import Failure
from liberate_google.colours import hexadecimal
from liberate_google.convert import Trouble
from liberate_google.pace import Pacer
from liberate_google.pim_client import CalendarClient, calendar_pacer
from liberate_google.recent import Recent
from liberate_google.settings import GoogleSettings
from liberate_google.spool import Spool

PREFIX = "calendar:"
PRIMARY = "primary"
PAGE = 2500
_FORM = "1"  # another one of these numbers: the same event makes other bytes than before
_MOST_CHANGES = 20_000  # beyond that a full listing is cheaper
_ASKED_SINGLY = 10  # events that are asked for one by one; for more, the whole calendar is read again
_STALE = (Trouble.GONE, Trouble.REFUSED)  # what a sync token that has expired, or is none, is answered with


@dataclass(slots=True)
class _Changes:
    """What changed in a calendar: known whole, gone for certain, or to be looked at again."""

    plain: Spool
    gone: set[str]
    unsure: set[str]
    token: str


class CalendarSource:
    """Reads only: the scope it asks for allows nothing else."""

    def __init__(self, settings: GoogleSettings, account: Account, pacer: Pacer | None = None) -> None:
        self._settings = settings
        self._client = CalendarClient(settings, account, pacer or calendar_pacer(settings))
        self._recent = Recent()
        self._known: list[Entry] | None = None
        self._surroundings: dict[str, Around] = {}

    def close(self) -> None:
        self._client.close()

    # Calendars -----------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """The calendars that are this person's own, and others' where the settings say so."""
        for entry in self._entries():
            if self._left_out(entry) is None:
                yield Collection(PREFIX + _id(entry), (calendar_list.name(entry),), Kind.EVENT)

    def _entries(self) -> list[Entry]:
        if self._known is None:
            found: list[Entry] = []
            token: str | None = None
            while True:
                request = self._client.calendar_list.list(maxResults=250, showHidden=True, pageToken=token)
                answer = self._client.ask("calendarList.list", request)
                found += answer.get("items", ())
                token = answer.get("nextPageToken")
                if not token:
                    break
            self._known = sorted(found, key=lambda one: not one.get("primary"))
        return self._known

    def _left_out(self, entry: Entry) -> Skipped | None:
        me = next((str(one["id"]) for one in self._entries() if one.get("primary")), self._client.account)
        return calendar_list.left_out(entry, me, self._settings.shared_calendars)

    def _entry(self, calendar: str) -> Entry:
        for entry in self._entries():
            if _id(entry) == calendar:
                return entry
        raise ItemError("gone", "This calendar was deleted at Google, or is no longer shared.")

    def looks(self, collection: Collection) -> Looks:
        """As the person sees the calendar at Google."""
        entry = self._entry(collection.id.removeprefix(PREFIX))
        return Looks(
            calendar_list.name(entry),
            str(entry.get("description") or ""),
            hexadecimal(str(entry.get("backgroundColor") or "")),
            zone_name(str(entry.get("timeZone") or "")) or "",
        )

    def _around(self, calendar: str) -> Around:
        if calendar not in self._surroundings:
            entry = self._entry(calendar)
            answer = self._client.call(
                "calendars.get", self._client.calendars.get(calendarId=calendar), (Trouble.GONE, Trouble.FORBIDDEN)
            )
            labels = {} if isinstance(answer, Failure) else answer.get("labelProperties", {})
            person = next((str(one["id"]) for one in self._entries() if one.get("primary")), self._client.account)
            self._surroundings[calendar] = calendar_list.around(entry, labels, person)
        return self._surroundings[calendar]

    # Listing -------------------------------------------------------------------------------------

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """Every series in the order of their ids, or those that changed since the cursor, each of them whole.

        With the first calendar are told the calendars that do not move. What Google's answers to a sync token
        leave open is looked up by reading the calendar again: only that is sure to tell all times of a series.
        """
        calendar = collection.id.removeprefix(PREFIX)
        around = self._around(calendar)
        where = _place(since)
        twins = set(where.get("twins", ()))
        mark = _mark(around)
        yield from self._not_moving(calendar)
        if where.get("as") == mark:
            changes = self._changes(calendar, str(where.get("token")))
            if changes is not None:
                with closing(changes.plain):
                    yield from self._changed(calendar, changes, twins, around)
                yield _cursor(mark, changes.token, twins)
                return
        with closing(Spool()) as spool:
            token = self._read_all(calendar, spool)
            twins = spool.twins(twins)
            for series, parts in spool.series():
                yield from self._listed(calendar, series, parts, twins, around)
        yield Whole()
        if token:
            yield _cursor(mark, token, twins)

    def _not_moving(self, calendar: str) -> Iterator[Skipped]:
        moving = [_id(entry) for entry in self._entries() if self._left_out(entry) is None]
        if moving and calendar == moving[0]:
            for entry in self._entries():
                if (why := self._left_out(entry)) is not None:
                    yield why

    def _listed(
        self, calendar: str, series: str, parts: Sequence[Told], twins: set[str], around: Around
    ) -> Iterator[Listed]:
        if not convert.is_there(parts):
            return
        uid = convert.uid_of(parts, series)
        made = convert.item(
            parts, series, _key(calendar, series), convert.twin_uid(uid, series) if series in twins else uid, around
        )
        if isinstance(made, Skipped):
            yield made
            return
        item, body = made
        self._recent.keep(item.id, item.version, body)
        yield item

    def _changed(self, calendar: str, changes: _Changes, twins: set[str], around: Around) -> Iterator[Listed]:
        """What is gone comes first: its UID may be somebody else's by now."""
        if not changes.unsure:
            for series in sorted(changes.gone):
                yield Gone(_key(calendar, series))
            for series, parts in changes.plain.series():
                yield from self._listed(calendar, series, parts, twins, around)
            return
        wanted = changes.unsure | {series for series, _ in changes.plain.series()}
        with closing(Spool()) as spool:
            self._read_all(calendar, spool)
            twins |= spool.twins(twins)
            there = {series for series, parts in spool.series() if series in wanted and convert.is_there(parts)}
            for series in sorted(changes.gone | wanted - there):
                yield Gone(_key(calendar, series))
            for series, parts in spool.series():
                if series in there:
                    yield from self._listed(calendar, series, parts, twins, around)

    def _changes(self, calendar: str, token: str) -> _Changes | None:
        """None: the token has expired, or tells of so much that a full listing is cheaper."""
        found = _Changes(Spool(), set(), set(), "")
        count = 0
        for answer in self._pages(calendar, token):
            if answer is None:
                break
            for told in answer.get("items", ()):
                count += 1
                if not told.get("id"):
                    continue
                if _plain(told):
                    found.plain.put(told)
                elif _gone(told):
                    found.gone.add(str(told["id"]))
                else:
                    found.unsure |= convert.series_named(told)
            found.token = str(answer.get("nextSyncToken") or "")
        if not found.token or count > _MOST_CHANGES:
            found.plain.close()
            return None
        found.gone -= found.unsure
        return found

    def _read_all(self, calendar: str, spool: Spool) -> str:
        """Every event of the calendar; the token from which changes are told."""
        token = ""
        for answer in self._pages(calendar):
            for told in (answer or {}).get("items", ()):
                if told.get("id"):
                    spool.put(told)
            token = str((answer or {}).get("nextSyncToken") or "")
        spool.sealed()
        return token

    def _pages(self, calendar: str, sync: str | None = None) -> Iterator[dict[str, Any] | None]:
        """The pages of a listing, asked for in the same words each time. None: the sync token fits no more.

        showDeleted stays as it is: cancelled times of a series come all the same, and so does, after a sync
        token, what was deleted (developers.google.com/workspace/calendar/api/v3/reference/events/list).
        """
        token: str | None = None
        while True:
            request = self._client.events.list(
                calendarId=calendar, singleEvents=False, maxResults=PAGE, pageToken=token, syncToken=sync
            )
            answer = self._client.call("events.list", request, _STALE if sync else ())
            if isinstance(answer, Failure):
                yield None
                return
            yield answer
            token = answer.get("nextPageToken")
            if not token:
                return

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """The object as it was listed, or as it is now."""
        (loaded,) = self.read_many([item])
        if isinstance(loaded.body, ItemError):
            raise loaded.body
        if loaded.body is not None:
            yield loaded.body[offset:]

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Those listed lately cost no call."""
        missing: dict[str, list[Item]] = {}
        for item in items:
            body = self._recent.get(item.id, item.version)
            if body is not None:
                yield Loaded(item, body)
            else:
                missing.setdefault(item.id.rpartition("/")[0], []).append(item)
        for calendar, some in missing.items():
            found = self._found(calendar, some)
            for item in some:
                now = found[item.id]
                yield Loaded(item, now if isinstance(now, ItemError) else now[1])

    def describe(self, item: Item) -> Item:
        """The event as it is now. Raises ItemError("gone")."""
        now = self._found(item.id.rpartition("/")[0], [item])[item.id]
        if isinstance(now, ItemError):
            raise now
        return now[0]

    def survey(self) -> Survey:
        """Google does not count events without telling them."""
        return Survey(None)

    def _found(self, calendar: str, items: Sequence[Item]) -> dict[str, tuple[Item, bytes] | ItemError]:
        """Each item as it is now, under the UID that it was listed with."""
        around = self._around(calendar)
        out: dict[str, tuple[Item, bytes] | ItemError] = {}
        left = {item.id.rpartition("/")[2]: item for item in items}
        if len(left) <= _ASKED_SINGLY:
            for series, item in list(left.items()):
                request = self._client.events.get(calendarId=calendar, eventId=series)
                told = self._client.call("events.get", request, (Trouble.GONE, Trouble.FORBIDDEN))
                if not isinstance(told, Failure) and _single(told):
                    out[item.id] = self._one([told], series, item, around)
                    del left[series]
        if left:
            with closing(Spool()) as spool:
                self._read_all(calendar, spool)
                for series, parts in spool.series():
                    if series in left and convert.is_there(parts):
                        item = left.pop(series)
                        out[item.id] = self._one(parts, series, item, around)
        for item in left.values():
            out[item.id] = ItemError("gone", "The event was deleted at Google after it was listed.")
        return out

    def _one(self, parts: Sequence[Told], series: str, item: Item, around: Around) -> tuple[Item, bytes] | ItemError:
        made = convert.item(parts, series, item.id, item.name or convert.uid_of(parts, series), around)
        if isinstance(made, Skipped):
            return ItemError(made.code, made.why, made.todo)
        self._recent.keep(made[0].id, made[0].version, made[1])
        return made


def _id(entry: Entry) -> str:
    """What stays the same when the person's address changes."""
    return PRIMARY if entry.get("primary") else str(entry["id"])


def _key(calendar: str, series: str) -> str:
    """An event may be in several calendars under one id; no id of an event has a slash."""
    return f"{calendar}/{series}"


def _single(told: Told) -> bool:
    return told.get("status") != "cancelled" and not told.get("recurrence") and not told.get("recurringEventId")


def _plain(told: Told) -> bool:
    """Whether the event is all there is of it, under a UID that nothing else can have."""
    return _single(told) and told.get("iCalUID") == convert.own_uid(str(told["id"]))


def _gone(told: Told) -> bool:
    """Whether a whole series was deleted. What may have been one of its times is not that."""
    return told.get("status") == "cancelled" and convert.series_named(told) == {told["id"]}


def _mark(around: Around) -> str:
    """What a cursor is good for: other reminders of the calendar make other bytes of events that did not change."""
    text = json.dumps([_FORM, around.zone, around.reminders, around.person, sorted(around.labels.items())])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _cursor(mark: str, token: str, twins: set[str]) -> Cursor:
    return Cursor(json.dumps({"as": mark, "token": token, "twins": sorted(twins)}, separators=(",", ":")))


def _place(since: Cursor | None) -> Mapping[str, Any]:
    """What the cursor says; nothing if it is none of ours."""
    try:
        found = json.loads(since) if since is not None else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
