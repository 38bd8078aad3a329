"""The slow link: as far away as it says, and no narrower than it must be."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import pytest

from bench.slow_link import SlowLink


@contextmanager
def served(answer: bytes | None = None) -> Iterator[int]:
    """A server for one connection that echoes, or reads to the end and then answers; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(1 << 18):
                    if answer is None:
                        connection.sendall(data)
                if answer is not None:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def test_a_question_and_its_answer_take_one_round_trip() -> None:
    trips = []
    with served() as port, SlowLink(port, 0.03) as link, connected(link.port) as connection:
        for _ in range(15):
            began = time.perf_counter()
            connection.sendall(b"?")
            assert connection.recv(1) == b"?"
            trips.append(time.perf_counter() - began)
    assert min(trips) >= 0.0299
    assert median(trips) == pytest.approx(0.03, abs=0.003)


def test_what_is_sent_without_waiting_arrives_whole_in_order_and_at_full_width() -> None:
    block = bytes(range(256)) * 4096
    with served() as port, SlowLink(port, 0.03) as link, connected(link.port) as connection:
        began = time.perf_counter()
        sender = threading.Thread(target=lambda: [connection.sendall(block) for _ in range(40)])
        sender.start()
        left = 40 * len(block)
        at = 0
        while left:
            data = connection.recv(1 << 18)
            assert data == (block + block)[at : at + len(data)]
            at = (at + len(data)) % len(block)
            left -= len(data)
        sender.join()
        seconds = time.perf_counter() - began
    # Fifty megabytes a second, there and back, on a busy machine; one window a round trip would give two.
    assert seconds < 0.8 + 0.03


def test_an_end_of_sending_is_passed_on_and_the_answer_still_comes() -> None:
    with served(b"understood") as port, SlowLink(port, 0.01) as link, connected(link.port) as connection:
        connection.sendall(b"x" * 100_000)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            assert answer.read() == b"understood"


def test_closing_the_link_cuts_what_is_open() -> None:
    with served() as port:
        link = SlowLink(port, 0.01)
        with link, connected(link.port) as connection:
            connection.sendall(b"?")
            assert connection.recv(1) == b"?"
            link.close()
            assert connection.recv(1) == b""
