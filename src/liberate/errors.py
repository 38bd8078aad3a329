"""The few errors of liberate, each named after what the engine does next.

    TransientError   wait, then call again            rate limits, resets, time-outs, a server restarting
    ItemError        record why, take the next item   too large, gone, forbidden, illegal
    AccountError     stop this account's route        login, consent, scope, quota: a person must act
    IntegrityError   discard, once more, then refuse  what arrived is not what was sent
    PlanError        stop before anything starts      the plan, the people table or the command line is wrong
    Busy             stop before anything starts      another run holds this job

Anything else is a bug: the job stops with its traceback and loses nothing. A connector only
classifies; it neither waits nor repeats. No message holds a secret, a subject or a body.
"""

from __future__ import annotations


class LiberateError(Exception):
    """A foreseeable failure, told as a thing, a cause and a next step."""


class TransientError(LiberateError):
    """The same call may succeed later."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds the service asked for; None: it did not say


class ItemError(LiberateError):
    """One item cannot go; the others can.

    `code` is stable and kebab-case ("too-large"), `why` a sentence for the staff, `todo` what
    somebody can do about it ("" when nothing can be done).
    """

    def __init__(self, code: str, why: str, todo: str = "") -> None:
        super().__init__(why)
        self.code = code
        self.why = why
        self.todo = todo


class AccountError(LiberateError):
    """Nothing of this account can go on until a person acts."""

    def __init__(self, code: str, why: str, todo: str = "") -> None:
        super().__init__(f"{why} {todo}".strip())
        self.code = code
        self.why = why
        self.todo = todo


class IntegrityError(LiberateError):
    """What arrived is not what was sent."""


class PlanError(LiberateError):
    """The plan cannot be carried out as written; nothing was started."""


class Busy(LiberateError):
    """Another run holds this job's ledger."""
