"""Looks at both ends of a plan's moves before anything moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from liberate.connector import Checks, Remark
from liberate.errors import AccountError, ItemError, PlanError, TransientError
from liberate.moves import Move


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found at one connection of the plan."""

    connection: str  # its name in the plan
    account: str  # by whose account it was looked at; "" where there is only one
    remarks: tuple[Remark, ...]
    opened_only: bool  # its connector has no check of its own: it was opened, and that is all

    @property
    def stops(self) -> bool:
        return any(one.stops for one in self.remarks)


def look(moves: Sequence[Move], stop: Callable[[], bool]) -> Iterator[Looked]:
    """Each connection of the moves once, with the first account that uses it."""
    seen: set[tuple[str, bool]] = set()
    for move in moves:
        for at_source in (True, False):
            connection = move.route.source if at_source else move.route.destination
            if (connection.name, at_source) in seen or stop():
                continue
            seen.add((connection.name, at_source))
            account = move.source_account() if at_source else move.destination_account()
            opens: Any = connection.connector.source if at_source else connection.connector.destination
            remarks: list[Remark] = []
            checks = False
            try:
                if opens is None:
                    raise PlanError(f"{connection.name} cannot be used on this side of a route.")
                with ExitStack() as stack:
                    end = stack.enter_context(opens(connection.settings, account))
                    checks = isinstance(end, Checks)
                    if isinstance(end, Checks):
                        remarks += end.check()
            except (AccountError, ItemError) as error:
                remarks.append(Remark(error.code, error.why, error.todo, stops=True))
            except TransientError as error:
                remarks.append(Remark("temporary", str(error), "Try again later.", stops=True))
            yield Looked(connection.name, account.name, tuple(remarks), not checks)
