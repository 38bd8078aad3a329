"""What each call to an API of Google's costs in quota units, and how many units a minute Google grants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class PriceList:
    """One of Google's published price lists (developers.google.com/workspace/gmail/api/reference/quota).

    Those of Drive: developers.google.com/workspace/drive/api/guides/limits
    """

    name: str
    user_units: int  # a user and minute
    project_units: int  # a project and minute
    prices: Mapping[str, int]  # by method name without "gmail.users." or "drive."; a method not listed costs `other`
    other: int

    def price(self, method: str) -> int:
        """Units for one call of the method, given as "messages.get"."""
        return self.prices.get(method, self.other)


_SAME = {
    "getProfile": 1,
    "labels.list": 1,
    "labels.get": 1,
    "labels.create": 5,
    "labels.delete": 5,
    "labels.patch": 5,
    "labels.update": 5,
    "history.list": 2,
    "messages.list": 5,
    "drafts.list": 5,
    "messages.insert": 25,
    "messages.import": 25,
    "messages.modify": 5,
    "messages.trash": 5,
    "messages.untrash": 5,
    "messages.batchModify": 50,
    "messages.batchDelete": 50,
    "messages.send": 100,
}

BEFORE_2026 = PriceList(
    "before-2026",
    15_000,
    1_200_000,
    MappingProxyType(
        _SAME
        | {
            "messages.get": 5,
            "messages.attachments.get": 5,
            "messages.delete": 10,
            "drafts.get": 5,
            "threads.get": 10,
            "threads.list": 10,
        }
    ),
    5,
)
"""For projects that used the API between November 2025 and April 2026; Google will end it with notice."""

SINCE_2026 = PriceList(
    "2026",
    6_000,
    1_200_000,
    MappingProxyType(
        _SAME
        | {
            "messages.get": 20,
            "messages.attachments.get": 20,
            "messages.delete": 10,
            "drafts.get": 20,
            "threads.get": 40,
            "threads.list": 20,
        }
    ),
    20,
)
"""For projects that were new to the API on 1 May 2026 or later."""

PRICE_LISTS: Mapping[str, PriceList] = MappingProxyType({p.name: p for p in (SINCE_2026, BEFORE_2026)})

DRIVE_BEFORE_2026 = PriceList("before-2026", 12_000, 12_000, MappingProxyType({}), 1)
"""Older projects are granted 12,000 requests of any kind in a minute."""

DRIVE_SINCE_2026 = PriceList(
    "2026",
    325_000,
    1_000_000,
    MappingProxyType(
        {
            "files.get": 5,
            "files.list": 100,
            "files.get_media": 200,  # files.get with alt=media
            "revisions.get_media": 200,
            "files.export": 200,
            "files.download": 200,
            "files.update": 50,
        }
    ),
    5,
)
"""For projects made on 1 May 2026 or later."""

DRIVE_PRICE_LISTS: Mapping[str, PriceList] = MappingProxyType(
    {p.name: p for p in (DRIVE_SINCE_2026, DRIVE_BEFORE_2026)}
)

# Both count requests of any kind. What a project is granted stands in its console under Quotas; these are the numbers
# that new projects have been seen with (developers.google.com/workspace/calendar/api/guides/quota).
CALENDAR_PRICE_LISTS: Mapping[str, PriceList] = MappingProxyType(
    {name: PriceList(name, 600, 10_000, MappingProxyType({}), 1) for name in PRICE_LISTS}
)
PEOPLE_PRICE_LISTS: Mapping[str, PriceList] = MappingProxyType(
    {name: PriceList(name, 90, 3_000, MappingProxyType({}), 1) for name in PRICE_LISTS}
)
