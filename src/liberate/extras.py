"""Packages that only some need, and what to install where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from liberate.errors import PlanError


@contextmanager
def needed(what: str, extra: str) -> Iterator[None]:
    """Around the imports of an extra. Raises PlanError, with the command to run, where a package is missing.

    with needed("The Google connector", "google"):
        from liberate_google.source import GoogleSource
    """
    try:
        yield
    except ImportError as error:
        raise PlanError(f'{what} needs {error.name}. Install it: pip install "liberate-migrate[{extra}]"') from error
