"""Pieces of a large file on their way: two at once, never more, and no failure forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from liberate_nextcloud.bodies import Whole
from liberate_nextcloud.client import Client, Clients
from liberate_nextcloud.flights import Flights
from liberate_nextcloud.threads import Threads

from liberate.connector import Body
from liberate.errors import IntegrityError, TransientError

MB = 1 << 20
PATIENCE = 20.0  # seconds, for what a right program does at once


class _NoClients:
    """Connections for jobs that use none."""

    def one(self) -> Any:
        from contextlib import nullcontext

        return nullcontext(None)


@pytest.fixture
def threads() -> Iterator[Threads]:
    some = Threads(cast(Clients, _NoClients()), 4)
    yield some
    some.close()


class Broken:
    """A body whose source fails in the middle."""

    size: int | None = 4 * MB

    def __init__(self) -> None:
        self.left = 2

    def read(self, _n: int = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise IntegrityError("The source gave other bytes.")
        return b"x" * MB


def taken(_client: Client, body: Body) -> None:
    while body.read(MB):
        pass


def test_the_next_piece_is_on_its_way_while_one_is_not_yet_answered(threads: Threads) -> None:
    second = threading.Event()
    waited: list[bool] = []

    def first(_client: Client, body: Body) -> None:
        taken(_client, body)
        waited.append(second.wait(PATIENCE))

    def other(_client: Client, body: Body) -> None:
        second.set()
        taken(_client, body)

    flights = Flights(threads, 2)
    flights.send("up", 1, Whole(b"a" * MB), first)
    flights.send("up", 2, Whole(b"b" * MB), other)
    flights.land("up")
    assert waited == [True]


def test_no_more_pieces_are_on_their_way_than_the_server_takes(threads: Threads) -> None:
    now, most, lock = 0, 0, threading.Lock()

    def counted(_client: Client, body: Body) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        taken(_client, body)
        with lock:
            now -= 1

    flights = Flights(threads, 1)
    for number in range(1, 30):
        flights.send("up", number, Whole(b"a" * 1000), counted)
    flights.land("up")
    assert most == 1


def test_a_piece_sent_again_waits_for_itself(threads: Threads) -> None:
    done: list[str] = []

    def put(what: str) -> Any:
        def putting(_client: Client, body: Body) -> None:
            taken(_client, body)
            done.append(what)

        return putting

    flights = Flights(threads, 2)
    for turn in range(20):
        flights.send("up", 1, Whole(b"a"), put(f"{turn}"))
    flights.land("up")
    assert done == [f"{turn}" for turn in range(20)]


def test_what_became_of_a_piece_is_told_by_the_next_call_and_once(threads: Threads) -> None:
    def refused(_client: Client, body: Body) -> None:
        taken(_client, body)
        raise TransientError("502")

    flights = Flights(threads, 2)
    flights.send("up", 1, Whole(b"a"), refused)
    with pytest.raises(TransientError, match="502"):
        flights.land("up")
    flights.land("up")
    flights.send("up", 1, Whole(b"a"), taken)
    flights.land("up")


def test_a_server_that_hangs_up_in_the_middle_does_not_leave_the_reader_waiting(threads: Threads) -> None:
    def cut(_client: Client, body: Body) -> None:
        body.read(MB)
        raise TransientError("reset")

    flights = Flights(threads, 2)
    with pytest.raises(TransientError, match="reset"):
        flights.send("up", 1, Whole(b"a" * 64 * MB), cut)


def test_an_early_answer_is_no_proof_that_a_piece_arrived(threads: Threads) -> None:
    flights = Flights(threads, 2)
    with pytest.raises(TransientError):
        flights.send("up", 1, Whole(b"a" * 64 * MB), lambda _client, body: body.read(MB) and None)


def test_a_source_that_fails_cuts_the_piece_off_and_is_what_is_told(threads: Threads) -> None:
    heard: list[str] = []

    def put(_client: Client, body: Body) -> None:
        try:
            taken(_client, body)
        except IntegrityError as error:
            heard.append(str(error))
            raise

    flights = Flights(threads, 2)
    with pytest.raises(IntegrityError, match="other bytes"):
        flights.send("up", 1, Broken(), put)
    assert heard == ["The source gave other bytes."]
