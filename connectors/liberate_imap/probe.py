"""Which names this very server takes, found out by making folders of our own and deleting them again.

No list of rules is right for every server: Dovecot refuses "." in Maildir++ folders whatever its
separator, and takes it with another layout; others trim blanks or fold case. So each character that
could matter is tried in the middle, at the front and at the end of a name, all in one round trip;
one LIST then tells what is really there, and a second round trip removes it.
"""

from __future__ import annotations

import secrets
import string

from liberate.naming import Rules
from liberate_imap import names
from liberate_imap.session import Session

_STEM = "liberate-probe-"
_SYMBOLS = tuple(char for char in string.punctuation + " ")
_LENGTHS = (64, 100, 128, 160, 180, 200, 210, 220, 225, 230, 235, 240, 245, 250, 253, 255, 300, 500, 1000)
_PATHS = (100, 150, 200, 210, 220, 230, 235, 240, 245, 250, 253, 255, 400, 500, 1000, 2000, 4000)
_LEVEL = 60  # bytes of each level when whole paths are tried

_CAUTIOUS = frozenset('./\\~%*"&#<>|?:{}[]^`')
"""Not in any name where nothing could be found out."""


def probe(session: Session, under: tuple[str, ...]) -> Rules:
    """The rules for names below the folder `under`. Leaves no folder behind that was not there."""
    stem = f"{_STEM}{secrets.token_hex(4)}"
    tried = _Tried(session, stem)
    symbols = [char for char in _SYMBOLS if char != session.separator]
    plain = tried.add(f"{stem}-plain")
    middle = {char: tried.add(f"{stem}-m{char}m") for char in symbols}
    first = {char: tried.add(f"{char}{stem}-f") for char in symbols}
    last = {char: tried.add(f"{stem}-l{ord(char):02x}{char}") for char in symbols}
    lower, upper = tried.add(f"{stem}-case"), tried.add(f"{stem}-CASE")
    lengths = {size: tried.add(_long(stem, size)) for size in _LENGTHS}
    paths = {size: tried.add(_deep(stem, size, session.separator)) for size in _PATHS} if session.separator else {}
    try:
        tried.make()
    finally:
        if session.wire.usable:
            tried.remove()
    made = tried.made

    separator = frozenset(session.separator)
    if plain not in made:  # the account may make no folders at all, or not so many
        return Rules(
            forbidden=_CAUTIOUS | separator,
            first=frozenset(" "),
            last=frozenset(" "),
            reserved_top=frozenset({"inbox"}),
            max_bytes=100,
            max_path=200,
            measure=names.measure,
            caseless=True,
            line_ends="crlf",
        )
    forbidden = frozenset(char for char, name in middle.items() if name not in made) | separator
    used = names.measure(session.separator.join((*under, ""))) if under else 0
    max_path = max((size for size, name in paths.items() if name in made), default=max(_LENGTHS)) - used
    return Rules(
        forbidden=forbidden,
        first=frozenset(char for char, name in first.items() if name not in made) - forbidden,
        last=frozenset(char for char, name in last.items() if name not in made) - forbidden,
        reserved_top=frozenset({"inbox"}),
        max_bytes=max((size for size, name in lengths.items() if name in made), default=64),
        max_path=max_path,
        measure=names.measure,
        caseless=not (lower in made and upper in made),
        line_ends="crlf",
    )


def _long(stem: str, size: int) -> str:
    return f"{stem}-{size}-".ljust(size, "x")


def _deep(stem: str, size: int, separator: str) -> str:
    """A name of `size` bytes in levels, all below a folder of our own."""
    levels = [f"{stem}-p{size}"]
    left = size - len(levels[0])
    while left > 1:
        level = min(_LEVEL, left - 1)
        if left - 1 - level == 1:
            level -= 1  # or a level without a name would be left
        levels.append("y" * level)
        left -= level + 1
    return separator.join(levels)


class _Tried:
    """The names of one probe."""

    def __init__(self, session: Session, stem: str) -> None:
        self._session = session
        self._stem = stem
        self._names: list[str] = []
        self.made: set[str] = set()

    def add(self, name: str) -> str:
        """The name to try, prefix and all."""
        full = self._session.prefix + name
        self._names.append(full)
        return full

    def make(self) -> None:
        """Create them all, and see which are there as they were meant."""
        wire = self._session.wire
        for command in [wire.begin(b"CREATE " + names.quoted(name)) for name in self._names]:
            wire.wait(command)
        there = {listed.name for listed in self._session.folders(f"*{self._stem}*")}
        self.made = there.intersection(self._names)

    def remove(self) -> None:
        """Delete what is there of this probe, and of earlier ones that died, deepest first."""
        wire = self._session.wire
        ours = [listed.name for listed in self._session.folders(f"*{_STEM}*") if self._ours(listed.name)]
        ours.sort(key=len, reverse=True)
        for command in [wire.begin(b"DELETE " + names.quoted(name)) for name in ours]:
            wire.wait(command)

    def _ours(self, name: str) -> bool:
        return _STEM in name.removeprefix(self._session.prefix)[: len(_STEM) + 1]
