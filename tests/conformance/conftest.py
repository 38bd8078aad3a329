"""Which of the contracts' tests are long for sources that a stand-in serves: those run with `make torture`."""

from __future__ import annotations

import pytest

_LONG = "test_a_long_listing_takes_bounded_memory"
_SERVED = ("TestCalendarSource", "TestContactsSource", "TestDriveSource")


@pytest.hookimpl(tryfirst=True)  # before those that are not asked for are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and item.originalname == _LONG and _served(item):
            item.add_marker(pytest.mark.torture)


def _served(item: pytest.Function) -> bool:
    return item.cls is not None and item.cls.__name__ in _SERVED
