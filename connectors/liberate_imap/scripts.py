"""Puts an account's Sieve script on its server, and leaves alone what anybody else made or edited there."""

from __future__ import annotations

from collections.abc import Callable

from liberate.connector import Account, Installed, Standing, script_digest
from liberate_imap.managesieve import ManageSieve
from liberate_imap.settings import ImapSettings

NAME = "liberate"


def install(
    settings: ImapSettings, account: Account, script: str, before: Standing, step: Callable[[str], None]
) -> Installed:
    """See TakesFilters.install."""
    with ManageSieve(settings, account) as line:
        there = line.scripts()
        digest = script_digest(script)
        if NAME in there:
            found = script_digest(line.get(NAME))
            if found != digest and found not in before.digests:
                return Installed("edited")
            if found != digest:
                step("before put script")
                line.put(NAME, script)
                step("after put script")
        elif before.stood:
            return Installed("removed")
        else:
            step("before put script")
            line.put(NAME, script)
            step("after put script")
        active = next((name for name, is_active in line.scripts().items() if is_active), "")
        if active and active != NAME:
            return Installed("beside", active)
        if not active:
            if before.active:
                return Installed("switched-off")
            step("before activate")
            line.activate(NAME)
            step("after activate")
        return Installed("active")
