"""The calendars of an Outlook mailbox as a source: every event once, a series with all that belongs to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Remark, Skipped, Whole
from liberate.errors import AccountError, ItemError
from liberate.pim import Looks
from liberate_microsoft import auth, calendars, pace
from liberate_microsoft.calendar_convert import FIELDS
from liberate_microsoft.calendars import PREFIX, Calendars
from liberate_microsoft.client import segment
from liberate_microsoft.event_fields import PRESETS, Json, Whose
from liberate_microsoft.exchange import Exchange
from liberate_microsoft.objects import Made, ReadsObjects
from liberate_microsoft.pace import Pacer
from liberate_microsoft.problems import Failure
from liberate_microsoft.series import EventReader
from liberate_microsoft.settings import MicrosoftSettings

PAGE = 100  # events, each with its text
_MANY = 1000  # ids


class CalendarSource(ReadsObjects):
    """The calendars of one person or shared mailbox. Reads only: Calendars.Read allows nothing else.

    Every listing names everything, and Whole says so. Graph follows changes only within a window of time, in v1.0,
    and there not of series: docs/decisions/0022-calendars-are-listed-whole.md.
    """

    kind = Kind.EVENT

    def __init__(
        self,
        settings: MicrosoftSettings,
        account: Account,
        pacer: Pacer | None = None,
        sign_in: auth.SignIn | None = None,
    ) -> None:
        super().__init__()
        self._exchange = Exchange(settings, account, self.kind, pacer, sign_in)
        self._copies_shared = settings.shared_calendars == "copy"
        self._calendars: Calendars | None = None
        self._events: EventReader | None = None

    def close(self) -> None:
        self._exchange.close()

    # Listing -------------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """The calendars that move."""
        self._calendars = None
        for one in self._known().moving(shared=self._copies_shared):
            yield one.collection

    def looks(self, collection: Collection) -> Looks:
        """See HasLooks."""
        id_ = collection.id.removeprefix(PREFIX)
        found = next((one for one in self._known().every if one.id == id_), None)
        return Looks("/".join(collection.path)) if found is None else calendars.looks(found)

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """Every event of the calendar. Under the first calendar, those calendars are Skipped that stay behind.

        Graph counts its pages from the beginning, so what somebody deletes meanwhile may push an event past the
        listing. So the ids are listed once more: what was missed is read, and only if nothing went between the two
        lists are they the Whole.
        """
        known = self._known()
        first = next(known.moving(shared=self._copies_shared), None)
        if first is not None and first.collection.id == collection.id:
            yield from known.behind(shared=self._copies_shared)
        id_ = collection.id.removeprefix(PREFIX)
        path = f"/calendars/{segment(id_)}/events"
        base = known.base(id_)
        seen: set[bytes] = set()
        for raw in self._exchange.each(path, {"$select": FIELDS, "$top": str(PAGE)}):
            if _short(raw) not in seen and _moves(raw):
                seen.add(_short(raw))
                yield self._item(raw, base)
        now: set[bytes] = set()
        for raw in self._exchange.each(path, {"$select": "id,type,seriesMasterId", "$top": str(_MANY)}):
            if _moves(raw):
                now.add(_short(raw))
                if _short(raw) not in seen:
                    yield from self._missed(raw, base)
        if seen <= now:
            yield Whole()

    def _missed(self, raw: Json, base: str) -> Iterator[Listed]:
        try:
            made = self._reader().by_id(str(raw["id"]), base)
        except ItemError as error:
            if error.code != "gone":
                yield Skipped(str(raw["id"]), error.code, error.why, error.todo)
            return
        yield self._item_of(str(raw["id"]), made)

    def _item(self, raw: Json, base: str) -> Item | Skipped:
        id_ = str(raw["id"])
        try:
            return self._item_of(id_, self._reader().made(raw, base))
        except ItemError as error:
            return Skipped(id_, error.code, error.why, error.todo)

    # Looking -------------------------------------------------------------------------------------

    def check(self) -> Iterator[Remark]:
        """Whether the calendars can be read, and which stay behind. Raises AccountError."""
        self._calendars = None
        behind = list(self._known().behind(shared=self._copies_shared))
        shared = sum(one.code == "shared-calendar" for one in behind)
        if shared:
            yield Remark(
                "shared-calendars",
                f"{shared} calendars of others that {self._exchange.client.who} sees do not move with this account.",
                'They move with their owners. If nobody moves them, set shared_calendars = "copy".',
            )

    # Helpers -------------------------------------------------------------------------------------

    def _anew(self, id_: str) -> Made:
        """An event as it is now. One in somebody else's calendar is found only there."""
        bases = ["", *(self._known().bases() if self._copies_shared else ())]
        for base in bases[:-1]:
            try:
                return self._reader().by_id(id_, base)
            except ItemError as error:
                if error.code != "gone":
                    raise
        return self._reader().by_id(id_, bases[-1])

    def _known(self) -> Calendars:
        if self._calendars is None:
            self._calendars = calendars.read(self._exchange)
        return self._calendars

    def _reader(self) -> EventReader:
        if self._events is None:
            whose = Whose(self._known().addresses, self._colours())
            self._events = EventReader(self._exchange, whose)
        return self._events

    def _colours(self) -> dict[str, str]:
        """The colours of categories, if MailboxSettings.Read lets us see them; nothing depends on it."""
        path = f"{self._exchange.whose}/outlook/masterCategories"
        try:
            answer = self._exchange.client.call(
                path, pace.REQUEST, {"$select": "displayName,color"}, expect=(400, 403, 404)
            )
        except AccountError:
            return {}
        if isinstance(answer, Failure):
            return {}
        out = {}
        for one in answer.get("value") or ():
            number = str(one.get("color") or "").removeprefix("preset")
            if number.isdigit() and int(number) < len(PRESETS):
                out[str(one.get("displayName"))] = PRESETS[int(number)]
        return out


def _short(raw: Json) -> bytes:
    return hashlib.sha256(str(raw["id"]).encode()).digest()[:12]


def _moves(raw: Json) -> bool:
    """Whether it is an item of its own: an instance of a series comes with the series."""
    return raw.get("type") not in ("occurrence", "exception") or not raw.get("seriesMasterId")
