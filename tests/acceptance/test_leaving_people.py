"""People leave Google and Microsoft with mail, calendars and contacts: killed, resumed, and read back by others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from leaving_had_kit import Size
from leaving_people_kit import Leaving, leaving
from liberate_imap.sandbox import Dovecot

SMALL = Size(people=2, mails=6, events=26, contacts=6)
FULL = Size(people=5, mails=200, events=50, contacts=30)
TORTURE = [pytest.mark.torture, pytest.mark.timeout(3_600)]
MOVES = [
    pytest.param("google", SMALL, id="a few, from Google"),
    pytest.param("microsoft", SMALL, id="a few, from Microsoft", marks=TORTURE),
    pytest.param("google", FULL, id="all, from Google", marks=TORTURE),
    pytest.param("microsoft", FULL, id="all, from Microsoft", marks=TORTURE),
]


@pytest.mark.parametrize(("vendor", "size"), MOVES)
def test_people_leave_with_everything_whatever_dies_on_the_way(tmp_path: Path, vendor: str, size: Size) -> None:
    if not Dovecot.sieves():
        why = "Dovecot has no Pigeonhole here: apt-get install dovecot-imapd dovecot-managesieved dovecot-lmtpd"
        if os.environ.get("LIBERATE_REQUIRE_PIGEONHOLE"):
            pytest.fail(why)
        pytest.skip(why)
    with leaving(tmp_path, vendor, size) as here:
        total = size.people * (size.mails + size.events + size.contacts)
        for percent in (5, 25, 30):  # of the whole, since it was killed last
            assert here.killed(total * percent // 100), "it ended before it could be killed"
        everything_stands(here)
        for address in here.vendor.people:
            here.vendor.go_on(address)
        everything_stands(here)
        for address in here.vendor.people:
            assert here.filed(address) == {here.vendor.receipts}


def everything_stands(here: Leaving) -> None:
    """One run to the end; then all is there once, one more run finds nothing to do, and all is proven."""
    code, report = here.run("migrate")
    assert (code, [one["state"] for one in report["accounts"]]) == (0, ["done"] * len(report["accounts"])), report
    for address in here.vendor.people:
        had, has = here.vendor.had(address), here.has(address)
        assert has.letters == had.letters
        assert has.objects == had.objects
        assert has.meetings == had.meetings, (has.meetings - had.meetings, had.meetings - has.meetings)
        assert has.cards == had.cards, (has.cards - had.cards, had.cards - has.cards)
    code, report = here.run("migrate")
    assert (code, report["changed"]) == (0, False)
    code, report = here.run("verify")
    for account in report["accounts"]:
        found = account["verification"]
        assert (code, found["different"], found["missing"]) == (0, 0, 0), found
        assert found["verified"] == account["items"]["moved"] + account["copies"]
