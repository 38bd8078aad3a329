"""liberate moves an organisation's data out of Big Tech by resumable, checksummed jobs.

    import liberate

    plan = liberate.load_plan("liberate.toml")
    report = liberate.migrate(plan)
    print(f"{sum(account.moved for account in report.accounts)} items moved")

A connector's author reads liberate.connector, and tests with liberate.testing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from liberate.endpoints import plan_for
    from liberate.errors import (
        AccountError,
        Busy,
        IntegrityError,
        ItemError,
        LiberateError,
        PlanError,
        TransientError,
    )
    from liberate.moves import Plan
    from liberate.plan import load_plan
    from liberate.report import Report
    from liberate.run import check, migrate, retry, status, undo, verify

_HOME = {
    "AccountError": "errors",
    "Busy": "errors",
    "IntegrityError": "errors",
    "ItemError": "errors",
    "LiberateError": "errors",
    "Plan": "moves",
    "PlanError": "errors",
    "Report": "report",
    "TransientError": "errors",
    "check": "run",
    "load_plan": "plan",
    "migrate": "run",
    "plan_for": "endpoints",
    "retry": "run",
    "status": "run",
    "undo": "run",
    "verify": "run",
}

__all__ = [
    "AccountError",
    "Busy",
    "IntegrityError",
    "ItemError",
    "LiberateError",
    "Plan",
    "PlanError",
    "Report",
    "TransientError",
    "check",
    "load_plan",
    "migrate",
    "plan_for",
    "retry",
    "status",
    "undo",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Names are imported when first used, so that `import liberate` and the command's --help are quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'liberate' has no attribute {name!r}")
    return getattr(import_module(f"liberate.{_HOME[name]}"), name)
