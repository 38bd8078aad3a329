"""Puts an account's Sieve script on its server, and leaves alone what anybody else made or edited there."""

from __future__ import annotations

from collections.abc import Callable

from liberate.connector import Account, Installed, Standing, script_digest
from liberate.errors import TransientError
from liberate_imap.managesieve import ManageSieve, NotOffered
from liberate_imap.settings import ImapSettings

NAME = "liberate"
# Pigeonhole lists no script that somebody put onto the server as a plain file (~/.dovecot.sieve), though it acts on
# mail; whoever activates another one finds it under this name (seen with 0.5.19).
_DISPLACED = "dovecot.orig"


def install(
    settings: ImapSettings, account: Account, script: str, before: Standing, step: Callable[[str], None]
) -> Installed:
    """See TakesFilters.install."""
    try:
        return _install(settings, account, script, before, step)
    except NotOffered as error:
        raise TransientError(f"{error.where} does not answer any more.") from error


def _install(
    settings: ImapSettings, account: Account, script: str, before: Standing, step: Callable[[str], None]
) -> Installed:
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
            if _DISPLACED in line.scripts() and _DISPLACED not in there:
                line.activate(_DISPLACED)
                return Installed("beside", _DISPLACED)
        return Installed("active")
