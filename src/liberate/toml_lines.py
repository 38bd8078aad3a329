"""Where each key of a TOML file stands, so that an error can name its line; tomllib does not tell."""

from __future__ import annotations

import bisect
import tomllib
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

_BARE_ENDS = ",]}#\n"
_BLANK = " \t\r\n"


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, on which each key, table and array member of `text` first stands.

    `text` must be TOML that tomllib has accepted: what it accepts is trusted here, not checked again.
    """
    return _Scan(text).run()


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line_ends = [i for i, char in enumerate(text) if char == "\n"]
        self.lines: dict[KeyPath, int] = {}
        self.members: dict[KeyPath, int] = {}  # how many [[tables]] of each name there have been

    def run(self) -> dict[KeyPath, int]:
        base: KeyPath = ()
        while self._skip_blank():
            if self.text[self.at] == "[":
                base = self._header()
            else:
                self._pair(base)
        return self.lines

    def _note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, bisect.bisect_left(self.line_ends, self.at) + 1)

    def _skip_blank(self) -> bool:
        """Go on past blanks, line ends and comments; False at the end of the text."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char in _BLANK:
                self.at += 1
            else:
                return True
        return False

    def _header(self) -> KeyPath:
        many = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 2 if many else 1
        keys = self._dotted()
        end, self.at = self.text.index("]", self.at) + (2 if many else 1), start
        path: KeyPath = ()
        for number, key in enumerate(keys):
            path += (key,)
            self._note(path)
            last = number == len(keys) - 1
            if many and last:
                self.members[path] = self.members.get(path, 0) + 1
            if path in self.members:
                path += (self.members[path] - 1,)
                self._note(path)
        self.at = end
        return path

    def _pair(self, base: KeyPath) -> None:
        start = self.at
        keys = self._dotted()
        after, self.at = self.at, start
        path = base
        for key in keys:
            path += (key,)
            self._note(path)
        self.at = self.text.index("=", after) + 1
        self._value(path)

    def _dotted(self) -> list[str]:
        keys = []
        while True:
            self._skip_blank()
            start = self.at
            if self.text[start] in "\"'":
                self._string()
                keys.append(tomllib.loads(f"key = {self.text[start : self.at]}")["key"])
            else:
                while self.text[self.at].isalnum() or self.text[self.at] in "_-":
                    self.at += 1
                keys.append(self.text[start : self.at])
            self._skip_blank()
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _string(self) -> None:
        quote = self.text[self.at]
        fence = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(fence)
        while not self.text.startswith(fence, self.at):
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += len(fence)
        if len(fence) == 3:  # up to two quotes may stand directly before the closing three
            while self.text.startswith(quote, self.at):
                self.at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        char = self.text[self.at]
        if char in "\"'":
            self._string()
        elif char == "[":
            self.at += 1
            number = 0
            while self._skip_blank() and self.text[self.at] != "]":
                if self.text[self.at] == ",":
                    self.at += 1
                    continue
                self._note((*path, number))
                self._value((*path, number))
                number += 1
            self.at += 1
        elif char == "{":
            self.at += 1
            while self._skip_blank() and self.text[self.at] != "}":
                if self.text[self.at] == ",":
                    self.at += 1
                    continue
                self._pair(path)
            self.at += 1
        else:
            while self.at < len(self.text) and self.text[self.at] not in _BARE_ENDS:
                self.at += 1
