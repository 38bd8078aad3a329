"""The part of Drive's search language that the stand-in plays; anything else is refused, not guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from liberate_google.standin.drive import DriveFile, DriveStore
from liberate_google.standin.errors import ApiError, bad_request

Test = Callable[[DriveFile], bool]

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<sign>!=|<=|>=|=|<|>|\(|\))|(?P<word>[A-Za-z]+))", re.ASCII)


def parse(text: str, store: DriveStore, user: str) -> Test:
    """The test that a `q` makes (developers.google.com/workspace/drive/api/guides/ref-search-terms)."""
    if not text.strip():
        return lambda _: True
    reading = _Reading(_tokens(text), store, user)
    test = reading.either()
    if reading.at != len(reading.tokens):
        raise _invalid()
    return test


def _invalid() -> ApiError:
    return bad_request("Invalid Value", "invalid")


def _tokens(text: str) -> list[str]:
    out, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise _invalid()
        out.append(found[0].strip())
        at = found.end()
    return out


class _Reading:
    def __init__(self, tokens: list[str], store: DriveStore, user: str) -> None:
        self.tokens = tokens
        self.at = 0
        self._store = store
        self._user = user

    def _next(self) -> str:
        if self.at >= len(self.tokens):
            raise _invalid()
        self.at += 1
        return self.tokens[self.at - 1]

    def _takes(self, word: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == word:
            self.at += 1
            return True
        return False

    def either(self) -> Test:
        tests = [self._both()]
        while self._takes("or"):
            tests.append(self._both())
        return lambda file: any(test(file) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._takes("and"):
            tests.append(self._one())
        return lambda file: all(test(file) for test in tests)

    def _one(self) -> Test:
        if self._takes("not"):
            test = self._one()
            return lambda file: not test(file)
        if self._takes("("):
            test = self.either()
            if not self._takes(")"):
                raise _invalid()
            return test
        first = self._next()
        if first.startswith("'"):
            return self._in(_text(first))
        return self._term(first)

    def _in(self, value: str) -> Test:
        if not self._takes("in"):
            raise _invalid()
        what = self._next()
        if what == "parents":
            key = self._store.roots.get(self._user, "") if value == "root" else value
            return lambda file: key in file.parents
        if what == "owners":
            who = self._user if value == "me" else value.lower()
            return lambda file: file.owner == who
        raise _invalid()

    def _term(self, name: str) -> Test:
        if name == "sharedWithMe":
            return lambda file: bool(file.owner) and file.owner != self._user
        sign, value = self._next(), self._next()
        if name in ("trashed", "starred") and sign in ("=", "!=") and value in ("true", "false"):
            wanted = (value == "true") == (sign == "=")
            if name == "trashed":
                return lambda file: self._store.is_trashed(file) == wanted
            return lambda file: (self._user in file.starred) == wanted
        if not value.startswith("'"):
            raise _invalid()
        text = _text(value)
        if name == "mimeType" and sign in ("=", "!="):
            return lambda file: (file.mime == text) == (sign == "=")
        if name == "mimeType" and sign == "contains":
            return lambda file: file.mime.startswith(text)
        if name == "name" and sign in ("=", "!="):
            return lambda file: (file.name == text) == (sign == "=")
        if name == "name" and sign == "contains":
            return lambda file: file.name.casefold().startswith(text.casefold())
        if name == "modifiedTime" and sign in ("<", "<=", "=", ">", ">="):
            return _compare(sign, text)
        raise _invalid()


def _compare(sign: str, text: str) -> Test:
    try:
        when = datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise _invalid() from None
    tests: dict[str, Test] = {
        "<": lambda file: file.modified < when,
        "<=": lambda file: file.modified <= when,
        "=": lambda file: file.modified == when,
        ">": lambda file: file.modified > when,
        ">=": lambda file: file.modified >= when,
    }
    return tests[sign]


def _text(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])
