"""Ports of loopback for servers that are told theirs before they start."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

_LOOPBACK = "127.0.0.1"
_LOWEST = 10_000
_USUAL = 32_768  # where Linux begins to number the near ends of connections
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 1_000
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that no outgoing connection takes before the server is there or back.

    A system numbers the near end of every connection from a range of its own. A port out of that range, which is
    what binding to port 0 gives, may be some client's a moment later, or while a server is stopped to be started
    again. So this is one below the range, and never the same twice in a process. Raises OSError if none is free.
    """
    below = _ephemeral()
    for _ in range(_TRIES):
        port = _LOWEST + secrets.randbelow(below - _LOWEST)
        if port not in _given and _free(port):
            _given.add(port)
            return port
    raise OSError(f"No port of {_LOOPBACK} between {_LOWEST} and {below} is free.")


def _ephemeral() -> int:
    """The first port of the system's own range."""
    try:
        lowest = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL
    return lowest if lowest > _LOWEST + _TRIES else _USUAL


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True
