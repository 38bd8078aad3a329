"""Which names this very server takes, found out by making folders of our own and deleting them again.

No list of rules is right for every server: Dovecot refuses "." in Maildir++ folders whatever its
separator, and takes it with another layout; others trim blanks or fold case. So symbols are tried in
the middle, at the front and at the end of a name. LIST, not the answer to CREATE, tells which names
are there as they were meant. A folder costs a server some milliseconds, so symbols are tried together
first, and one by one only where something among them is refused.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable
from datetime import datetime

from liberate.naming import Rules
from liberate_imap import names
from liberate_imap.session import Session

_STEM = "liberate-probe-"
_OURS = re.compile(r".?liberate-probe-([0-9a-f]{8,12})-[0-9a-f]{8}-")
_STALE = 3600  # seconds
_SYMBOLS = string.punctuation + " "
_WHOLE = ("cur", "new", "tmp")  # what Maildirs keep beside folders
_AT_THE_END = ". "  # what file systems and servers are known to trim there
_LENGTHS = (64, 100, 128, 160, 180, 200, 220, 230, 240, 245, 250, 253, 255, 500, 1000)
_PATHS = (100, 150, 200, 220, 230, 240, 245, 250, 253, 255, 500, 1000)
_LEVEL = 60  # bytes of each level when whole paths are tried

_DOTS = frozenset({".", ".."})
"""Never tried: a careless server might take them for a folder of its file system, and delete that."""

_CAUTIOUS = frozenset('./\\~%*"&#<>|?:{}[]^`')
"""Not in any name where nothing could be found out."""


_FOUND: dict[tuple[str, int, str, str, tuple[str, ...]], Rules] = {}
"""What was found out in this process: one server has one set of rules, however many accounts it has."""


def probe(session: Session, server: tuple[str, int], under: tuple[str, ...], now: datetime) -> Rules:
    """The rules for names below the folder `under`. Leaves no folder behind that was not there.

    A server is tried once in a process, by its host and port; an account that may make no folders at
    all says nothing about the others.
    """
    trial = _Trial(session, now)
    known = _FOUND.get(key := (*server, session.prefix, session.separator, under))
    if known is not None:
        trial.clean_up()  # what an attempt that died left in this very account
        return known
    try:
        found = _rules(trial, session.separator, under)
    finally:
        if session.wire.usable:
            trial.clean_up()
    if found is None:
        return _cautious(session.separator)
    _FOUND[key] = found
    return found


def _cautious(separator: str) -> Rules:
    """What any server takes."""
    return Rules(
        forbidden=_CAUTIOUS | frozenset(separator),
        first=frozenset(" "),
        last=frozenset(" "),
        reserved=_DOTS | frozenset(_WHOLE),
        reserved_top=frozenset({"inbox"}),
        max_bytes=_LENGTHS[1],
        max_path=_PATHS[2],
        measure=names.measure,
        caseless=True,
    )


def _rules(trial: _Trial, separator: str, under: tuple[str, ...]) -> Rules | None:
    """The rules that show in what could be made; None if nothing could."""
    symbols = [char for char in _SYMBOLS if char != separator]
    lengths = {size: _long(trial.stem, size) for size in _LENGTHS}
    paths = {size: _deep(trial.stem, size, separator) for size in _PATHS} if separator else {}
    first = {char: f"{char}{trial.stem}-first" for char in symbols}
    last = {char: f"{trial.stem}-last{ord(char):02x}{char}" for char in _AT_THE_END if char != separator}
    plain, lower, upper = (f"{trial.stem}-{end}" for end in ("plain", "case", "CASE"))
    whole = {name: f"{trial.stem}-whole{separator}{name}" for name in _WHOLE} if separator else {}
    singles = (
        *whole.values(),
        plain,
        lower,
        upper,
        *lengths.values(),
        *paths.values(),
        *first.values(),
        *last.values(),
    )
    made = trial.make(singles)
    always = frozenset(separator)
    if plain not in made:  # this account may make no folders at all
        return None
    forbidden = _refused_within(trial, symbols) | always
    used = names.measure(separator.join((*under, ""))) if under else 0
    longest = max((size for size, name in lengths.items() if name in made), default=_LENGTHS[0])
    deepest = max((size for size, name in paths.items() if name in made), default=longest)
    return Rules(
        forbidden=forbidden,
        first=frozenset(char for char, name in first.items() if name not in made) - forbidden,
        last=frozenset(char for char, name in last.items() if name not in made) - forbidden,
        reserved=_DOTS | {word for word, name in whole.items() if name not in made},
        reserved_top=frozenset({"inbox"}),
        max_bytes=min(longest, deepest - used),
        max_path=deepest - used,
        measure=names.measure,
        caseless=not {lower, upper} <= made,
    )


def _refused_within(trial: _Trial, symbols: list[str]) -> frozenset[str]:
    """The symbols that a name may not hold, by halving what is refused together."""
    suspects = [symbols]
    refused: set[str] = set()
    turn = 0
    while suspects:
        turn += 1
        tried = {f"{trial.stem}-in{turn}-{at}x{'x'.join(group)}x": group for at, group in enumerate(suspects)}
        made = trial.make(tried)
        suspects = []
        for name, group in tried.items():
            if name in made:
                continue
            if len(group) == 1:
                refused.update(group)
            else:
                suspects += [group[: len(group) // 2], group[len(group) // 2 :]]
    return frozenset(refused)


def _long(stem: str, size: int) -> str:
    return f"{stem}-{size}-".ljust(size, "x")


def _deep(stem: str, size: int, separator: str) -> str:
    """A name of `size` bytes in levels, all below one folder of our own: one chain, cut at each size."""
    chain = f"{stem}-path" + f"{separator}{'y' * _LEVEL}" * (size // _LEVEL + 1)
    cut = chain[:size]
    return f"{cut[:-1]}y" if cut.endswith(separator) else cut


class _Trial:
    """The folders of one probe, all of them recognisable as ours."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = int(now.timestamp())
        self.stem = f"{_STEM}{self._now:x}-{secrets.token_hex(4)}"

    def make(self, wanted: Iterable[str]) -> set[str]:
        """Create them all behind one another; those that are there as they were meant."""
        wire, prefix = self._session.wire, self._session.prefix
        wanted = list(wanted)
        for command in [wire.begin(b"CREATE " + names.quoted(prefix + name)) for name in wanted]:
            wire.wait(command)
        there = {listed.name.removeprefix(prefix) for listed in self._session.folders(f"*{self.stem}*")}
        return there.intersection(wanted)

    def clean_up(self) -> None:
        """Delete the folders of this probe, and of earlier ones that died, deepest first."""
        session = self._session
        found = [listed.name for listed in session.folders(f"*{_STEM}*")]
        ours = [name for name in found if self._may_go(name.removeprefix(session.prefix))]
        ours.sort(key=len, reverse=True)
        for command in [session.wire.begin(b"DELETE " + names.quoted(name)) for name in ours]:
            session.wire.wait(command)

    def _may_go(self, name: str) -> bool:
        """Whether the folder is of this probe, or of one that must have died: others may be at work."""
        match = _OURS.match(name)
        return match is not None and (self.stem in name or int(match.group(1), 16) < self._now - _STALE)
