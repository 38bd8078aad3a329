"""Which of the calendars that a person sees move, and what each says about its events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from liberate.connector import Skipped
from liberate_google.calendar_event import Around, text

Entry = Mapping[str, Any]
"""A CalendarListEntry as Google tells it."""


def name(entry: Entry) -> str:
    """What the person calls the calendar."""
    return text(entry.get("summaryOverride") or entry.get("summary") or entry["id"]).strip() or "Calendar"


def left_out(entry: Entry, me: str, shared: Literal["list", "copy"]) -> Skipped | None:
    """Why a calendar does not move; None for one that does. `me` is the address of the one who sees it."""
    id_, role = str(entry["id"]), str(entry.get("accessRole"))
    key = f"calendar:{id_}"
    if "#holiday@" in id_:
        return Skipped(
            key,
            "holiday-calendar",
            "This is one of Google's calendars of public holidays.",
            "Subscribe to one at the destination: Nextcloud offers them under + New calendar.",
        )
    if id_.startswith("addressbook#contacts@") or "#contacts@" in id_:
        return Skipped(
            key,
            "birthday-calendar",
            "Google makes this calendar of birthdays from the contacts.",
            "Move the contacts: the destination makes such a calendar from them as well.",
        )
    if id_.endswith("@group.v.calendar.google.com"):
        return Skipped(
            key,
            "public-calendar",
            "This is a calendar that Google makes for everybody, such as the phases of the moon.",
        )
    if id_.endswith("@import.calendar.google.com"):
        return Skipped(
            key,
            "subscribed-calendar",
            "This calendar is read from an address on the web, and no one's own.",
            "Subscribe to the same address at the destination.",
        )
    if role in ("none", "freeBusyReader"):
        return Skipped(
            key, "free-busy-only", "Of this calendar only is seen when somebody is busy.", "It moves with its owner."
        )
    owner = str(entry.get("dataOwner") or "")
    own = entry.get("primary") or (role == "owner" and (not owner or owner.casefold() == me.casefold()))
    if own or shared == "copy":
        return None
    return Skipped(
        key,
        "shared-calendar",
        f"This calendar belongs to {owner or 'somebody else, who shares it'}.",
        'It moves with its owner. If nobody who moves owns it, set shared_calendars = "copy" for one who sees it.',
    )


def around(entry: Entry, labels: Mapping[str, Any], person: str) -> Around:
    """What the calendar says about its events; `labels` are the labelProperties of the calendar itself."""
    return Around(
        str(entry.get("timeZone") or ""),
        tuple((str(one.get("method")), int(one.get("minutes") or 0)) for one in entry.get("defaultReminders", ())),
        person,
        {
            str(one["id"]): (text(one.get("name")), str(one.get("backgroundColor") or ""))
            for one in labels.get("eventLabels", ())
            if one.get("id")
        },
    )
