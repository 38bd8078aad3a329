"""The ports that servers of tests and of the sandbox are given."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from liberate.testing import ports
from liberate.testing.ports import free_port


def test_a_port_is_never_one_that_the_system_gives_to_outgoing_connections() -> None:
    given = {free_port() for _ in range(50)}

    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = []
        for _ in range(50):
            with socket.create_connection(listening.getsockname()) as connection:
                near.append(connection.getsockname()[1])
    assert max(given) < min(near)


def test_no_port_is_given_twice() -> None:
    assert len({free_port() for _ in range(200)}) == 200


def test_a_port_that_somebody_listens_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = free_port()
    other = free_port()
    monkeypatch.setattr(ports, "_given", set())
    drawn = iter((taken - ports._LOWEST, other - ports._LOWEST))
    monkeypatch.setattr(ports.secrets, "randbelow", lambda _below: next(drawn))

    with socket.create_server(("127.0.0.1", taken)):
        assert free_port() == other


def test_where_the_system_does_not_tell_its_range_the_usual_one_is_kept_out_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_RANGE", tmp_path / "nowhere")

    assert free_port() < 32_768


def test_where_no_port_is_free_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_free", lambda _port: False)

    with pytest.raises(OSError, match=r"No port of 127\.0\.0\.1"):
        free_port()
