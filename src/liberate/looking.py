"""Looks at both ends of a plan's moves before anything moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from liberate.cast import PeopleCast
from liberate.connector import Checks, ForecastsRooms, HasRooms, Kind, Remark
from liberate.errors import AccountError, ItemError, PlanError, TransientError
from liberate.moves import Move
from liberate.sharing import Directory


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


def look(moves: Sequence[Move], directory: Directory, stop: Callable[[], bool]) -> Iterator[Looked]:
    """Each connection of the moves once, with the first account that uses it; then what moves of chat will take."""
    seen: set[tuple[str, bool]] = set()
    stopped: set[str] = set()
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
            with _told(remarks), ExitStack() as stack:
                if opens is None:
                    raise PlanError(f"{connection.name} cannot be used on this side of a route.")
                end = stack.enter_context(opens(connection.settings, account))
                checks = isinstance(end, Checks)
                if isinstance(end, Checks):
                    remarks += end.check()
            looked = Looked(connection.name, account.name, tuple(remarks), not checks)
            if looked.stops:
                stopped.add(connection.name)
            yield looked
    for move in moves:
        if stop() or {move.route.source.name, move.route.destination.name} & stopped:
            continue
        if remarks := _forecast(move, directory, stop):
            names = f"{move.route.source.name} to {move.route.destination.name}"
            yield Looked(names, move.source_account().name, tuple(remarks), False)


@contextmanager
def _told(remarks: list[Remark]) -> Iterator[None]:
    """What goes wrong inside becomes a remark."""
    try:
        yield
    except (AccountError, ItemError) as error:
        remarks.append(Remark(error.code, error.why, error.todo, stops=True))
    except TransientError as error:
        remarks.append(Remark("temporary", str(error), "Try again later.", stops=True))


def _forecast(move: Move, directory: Directory, stop: Callable[[], bool]) -> list[Remark]:
    """What the destination says of the rooms that the source has; nothing where either end has no such word.

    A room that surely holds nothing is not made, and so not forecast. Nothing is said once `stop` is true.
    """
    source, destination = move.route.source, move.route.destination
    opens, keeps = source.connector.source, destination.connector.destination
    remarks: list[Remark] = []
    if opens is None or keeps is None or Kind.CHAT not in move.route.kinds:
        return remarks
    with _told(remarks), ExitStack() as stack:
        there = stack.enter_context(keeps(destination.settings, move.destination_account()))
        if not isinstance(there, ForecastsRooms):
            return remarks
        here = stack.enter_context(opens(source.settings, move.source_account()))
        if isinstance(here, HasRooms):
            tells: HasRooms = here
            moving = (one for one in here.collections() if one.kind is Kind.CHAT and one.count != 0)
            rooms = (tells.room(one) for one in takewhile(lambda _: not stop(), moving))
            remarks += there.forecast(rooms, PeopleCast(here, tells, directory))
    return [] if stop() else remarks
