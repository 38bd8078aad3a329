"""Which of the contracts' tests are long for sources that a stand-in serves: those run with `make torture`.

Every run has a long listing of files and one of mail by a stand-in: Graph's, each served in its usual way.
"""

from __future__ import annotations

import pytest

_LONG = "test_a_long_listing_takes_bounded_memory"
_SERVED = ("TestCalendarSource", "TestContactsSource", "TestDriveSource")
_UNUSUAL = ("children first", "written anew")  # ways in which the stand-in for Graph serves


@pytest.hookimpl(tryfirst=True)  # before those that are not asked for are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and item.originalname == _LONG and _served(item):
            item.add_marker(pytest.mark.torture)


def _served(item: pytest.Function) -> bool:
    way = item.name.partition("[")[2].removesuffix("]")
    return item.cls is not None and (item.cls.__name__ in _SERVED or way in _UNUSUAL)
