"""Which of the stand-in's calls are about a mailbox, so that Exchange's limits hold for them."""

from __future__ import annotations

from liberate_microsoft.standin import mail_routes, pim_routes


def is_exchange(steps: list[str]) -> bool:
    """Whether a path below the version is about somebody's mail, calendars or contacts."""
    return mail_routes.is_mail(steps) or pim_routes.is_pim(steps)
