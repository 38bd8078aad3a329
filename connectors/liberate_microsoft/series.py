"""All that belongs to one event: a series' changed and cancelled instances, and the files attached to each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from liberate_microsoft import calendar_convert, pace, recurrence, times
from liberate_microsoft.calendar_convert import FIELDS, Attachment, Series
from liberate_microsoft.client import segment
from liberate_microsoft.event_fields import Json, Whose
from liberate_microsoft.exchange import Exchange
from liberate_microsoft.objects import Made

_WINDOW = timedelta(days=1800)  # Graph refuses windows of more than 1,825 days
_MOVED = timedelta(days=370)  # how far an instance may have been moved out of its series
_AHEAD = 5  # years from now that instances are written for by themselves, where no rule can say them


class EventReader:
    """Makes calendar objects of the events of one mailbox."""

    def __init__(self, exchange: Exchange, whose: Whose, clock: Callable[[], float] = time.time) -> None:
        self._exchange = exchange
        self._whose = whose
        self._clock = clock

    def by_id(self, id_: str) -> Made:
        """The object of an event or a series. Raises ItemError."""
        return self.made(self._exchange.one(f"/events/{segment(id_)}", {"$select": FIELDS}))

    def made(self, raw: Json) -> Made:
        """The object of an event or a series that was just listed. Raises ItemError."""
        try:
            if raw.get("type") != "seriesMaster":
                return calendar_convert.made(raw, self._whose, Series(attachments=self._attached(raw)))
            return self._series(str(raw["id"]))
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
            raise calendar_convert.unreadable(type(error).__name__) from None

    # Series --------------------------------------------------------------------------------------

    def _series(self, id_: str) -> Made:
        """A series by its two lists of what is otherwise, which know no window (event resource:
        cancelledOccurrences, exceptionOccurrences). Its instances are asked for where an answer lacks these lists,
        or no rule can say when it takes place."""
        raw = self._exchange.one(
            f"/events/{segment(id_)}",
            {"$select": f"{FIELDS},cancelledOccurrences,exceptionOccurrences", "$expand": "exceptionOccurrences"},
        )
        by_rule = calendar_convert.writable(raw)
        if by_rule and "cancelledOccurrences" in raw and "exceptionOccurrences" in raw:
            exceptions = list(self._exceptions(raw))
            cancelled = [day for told in raw["cancelledOccurrences"] or () for day in self._cancelled(raw, str(told))]
            listed = None
        else:
            begin, end = self._span(raw)
            instances = list(self._instances(raw, begin - _MOVED, end + _MOVED))
            changed = [str(one["id"]) for one in instances if one.get("type") == "exception"]
            exceptions = [self._exchange.one(f"/events/{segment(one)}", {"$select": FIELDS}) for one in changed]
            starts = {start for one in instances if (start := _original(one)) is not None}
            cancelled = calendar_convert.missing(raw, starts, end, by_rule=by_rule)
            listed = None if by_rule else sorted(starts)
        attached = self._attached(raw, *exceptions)
        return calendar_convert.made(raw, self._whose, Series(exceptions, cancelled, listed, attached))

    def _exceptions(self, raw: Json) -> Iterator[Json]:
        yield from raw.get("exceptionOccurrences") or ()
        following = raw.get("exceptionOccurrences@odata.nextLink")
        while following:
            answer = self._exchange.client.ask(str(following), pace.REQUEST)
            yield from answer.get("value") or ()
            following = answer.get("@odata.nextLink")

    def _cancelled(self, raw: Json, told: str) -> tuple[datetime, ...]:
        """The start of a cancelled instance; where its name may mean two, the one that is not there."""
        found = calendar_convert.cancelled_on(raw, told)
        if len(found) < 2:
            return found
        around = min(found).replace(tzinfo=UTC)
        instances = self._instances(raw, around - timedelta(days=2), around + timedelta(days=4))
        there = {start for one in instances if (start := _original(one)) is not None}
        where = calendar_convert.home(raw) or UTC
        absent = tuple(one for one in found if one.replace(tzinfo=where).astimezone(UTC) not in there)
        return absent if len(absent) == 1 else found[:1]

    def _span(self, raw: Json) -> tuple[datetime, datetime]:
        """From before the first instance to behind the last one; of a series without end, for some years."""
        begin = times.point(raw.get("start")) or datetime.fromtimestamp(self._clock(), UTC)
        told: Mapping[str, Any] = (raw.get("recurrence") or {}).get("range") or {}
        last = recurrence.read_day(told.get("endDate")) if told.get("type") == "endDate" else None
        now = datetime.fromtimestamp(self._clock(), UTC)
        # The end of a year, so that the same is written at each pass of a year.
        end = datetime(max(now.year, begin.year) + _AHEAD, 12, 31, tzinfo=UTC)
        if last is not None:
            end = min(end, datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=2))
        return begin, max(end, begin)

    def _instances(self, raw: Json, begin: datetime, end: datetime) -> Iterator[Json]:
        while begin < end:
            until = min(end, begin + _WINDOW)
            yield from self._exchange.some(
                f"/events/{segment(str(raw['id']))}/instances",
                {
                    "startDateTime": f"{begin:%Y-%m-%dT%H:%M:%SZ}",
                    "endDateTime": f"{until:%Y-%m-%dT%H:%M:%SZ}",
                    "$select": "id,type,start,originalStart",
                    "$top": "500",
                },
            )
            begin = until

    # Attachments ---------------------------------------------------------------------------------

    def _attached(self, *events: Json) -> dict[str, list[Attachment]]:
        return {str(one["id"]): self._files(str(one["id"])) for one in events if one.get("hasAttachments")}

    def _files(self, id_: str) -> list[Attachment]:
        path = f"/events/{segment(id_)}/attachments"
        out = []
        for raw in self._exchange.some(path, {"$select": "id,name,contentType,size,isInline"}):
            if calendar_convert.is_small_file(raw):
                raw = self._exchange.one(f"{path}/{segment(str(raw['id']))}", {})  # noqa: PLW2901 - with its bytes
            out.append(calendar_convert.attachment(raw))
        return out


def _original(instance: Json) -> datetime | None:
    """When an instance takes place by the series, whether it was moved or not."""
    return times.instant(instance.get("originalStart")) or times.point(instance.get("start"))
