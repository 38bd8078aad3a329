"""The calendars of a mailbox: which of them move, which are listed as left behind, and what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from liberate.connector import Collection, Kind, Skipped
from liberate.pim import Looks
from liberate_microsoft.client import segment
from liberate_microsoft.exchange import Exchange

PREFIX = "calendar:"
_FIELDS = "id,name,color,hexColor,owner,canEdit,canShare,isDefaultCalendar,isRemovable"
_COLOURS = {
    "lightBlue": "#a6d1f5", "lightGreen": "#87d28e", "lightOrange": "#fcab73", "lightGray": "#c0c0c0",
    "lightYellow": "#f3e17b", "lightTeal": "#4adacc", "lightPink": "#f08cc0", "lightBrown": "#bba083",
    "lightRed": "#f88c9b",
}  # fmt: skip
"""calendarColor as Outlook on the web shows it; Graph gives hexColor only for colours that somebody chose."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """One calendar of a mailbox."""

    id: str
    name: str
    colour: str  # "#rrggbb"; "" for none
    left: Literal["", "shared", "generated"]  # why it is not one's own

    @property
    def collection(self) -> Collection:
        return Collection(PREFIX + self.id, (self.name or "Calendar",), Kind.EVENT)


@dataclass(frozen=True, slots=True)
class Calendars:
    """All calendars of a mailbox."""

    every: tuple[Calendar, ...]
    addresses: frozenset[str]  # of whom they belong to, in lower case

    def moving(self, *, shared: bool) -> Iterator[Calendar]:
        """Those whose events move: one's own, and with `shared` those of others that one sees."""
        return (one for one in self.every if not one.left or (shared and one.left == "shared"))

    def behind(self, *, shared: bool) -> Iterator[Skipped]:
        """The others, each with the reason."""
        for one in self.every:
            if one.left == "generated":
                yield Skipped(
                    PREFIX + one.id,
                    "generated-calendar",
                    "This calendar is made by Outlook or subscribed to, such as birthdays and holidays. "
                    "Nobody can write in it.",
                    "Subscribe to it at the new place. Birthdays come along with the contacts.",
                )
            elif one.left == "shared" and not shared:
                yield Skipped(
                    PREFIX + one.id,
                    "shared-calendar",
                    "This calendar is somebody else's. It moves with their account.",
                    'Share it again at the new place. If nobody moves it, set shared_calendars = "copy".',
                )


def read(exchange: Exchange) -> Calendars:
    """Every calendar of the mailbox, each once: those of all its groups."""
    told: dict[str, Mapping[str, Any]] = {}
    asked = {"$select": _FIELDS, "$top": "100"}
    for raw in exchange.each("/calendars", asked):  # of the default group only, as its description has it
        told.setdefault(str(raw["id"]), raw)
    for group in list(exchange.each("/calendarGroups", {"$select": "id,name", "$top": "100"})):
        for raw in exchange.each(f"/calendarGroups/{segment(str(group['id']))}/calendars", asked):
            told.setdefault(str(raw["id"]), raw)
    own = {_owner(raw) for raw in told.values() if raw.get("isDefaultCalendar")} - {""}
    # The address that a person signs in with need not be the one that their mailbox has.
    addresses = own or {exchange.client.account.name.lower()} - {""}
    return Calendars(tuple(_calendar(raw, addresses) for raw in told.values()), frozenset(addresses))


def _calendar(raw: Mapping[str, Any], addresses: set[str]) -> Calendar:
    left: Literal["", "shared", "generated"] = ""
    if not raw.get("isDefaultCalendar"):
        if addresses and _owner(raw) not in addresses | {""}:
            left = "shared"
        elif raw.get("canEdit") is False:
            left = "generated"
    return Calendar(str(raw["id"]), str(raw.get("name") or ""), colour(raw), left)


def _owner(raw: Mapping[str, Any]) -> str:
    owner = raw.get("owner")
    return str(owner.get("address") or "").lower() if isinstance(owner, Mapping) else ""


def colour(raw: Mapping[str, Any]) -> str:
    """The colour of a calendar; "" where Outlook chooses one by itself."""
    chosen = str(raw.get("hexColor") or "").strip().lower()
    if re.fullmatch(r"#?[0-9a-f]{6}", chosen):
        return f"#{chosen.removeprefix('#')}"
    return _COLOURS.get(str(raw.get("color") or ""), "")


def looks(one: Calendar) -> Looks:
    """What a calendar looks like. Graph knows no description and no zone of a calendar."""
    return Looks(one.name or "Calendar", colour=one.colour)
