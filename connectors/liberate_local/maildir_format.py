"""What a Maildir's file and folder names say: flags, keywords, hierarchy. Pure but for finding a file again.

The format: https://cr.yp.to/proto/maildir.html; Maildir++ and the keyword letters:
https://doc.dovecot.org/2.3/admin_manual/mailbox_formats/maildir/
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from liberate_local import mutf7

Names = Literal["auto", "mutf-7", "utf-8"]

FLAG_LETTERS = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen"}
PASSED = "$Forwarded"  # the letter P: "resent, forwarded or bounced"
MAX_KEYWORDS = 26  # a letter each, a to z
KEYWORDS_FILE = b"dovecot-keywords"

# ":" cannot stand in a name on FAT and NTFS; mutt writes ";2," and mbsync (InfoDelimiter) "!2," or ";2," there.
_FOREIGN_INFO = re.compile(rb"[;!]2,[A-Za-z]*$")


def split_name(name: bytes) -> tuple[bytes, bytes]:
    """A message's file name as its unique part, which never changes, and its info (b":2,FS"; b"" if it has none)."""
    at = name.find(b":")
    if at < 0:
        foreign = _FOREIGN_INFO.search(name)
        at = foreign.start() if foreign else len(name)
    return name[:at], name[at:]


def letters_of(info: bytes) -> str:
    """The flag letters of an info, capital and small; "" for one that holds none."""
    return info[3:].decode("ascii", "ignore") if info[1:3] == b"2," else ""


def flags_of(letters: str) -> frozenset[str]:
    return frozenset(FLAG_LETTERS[c] for c in letters if c in FLAG_LETTERS)


def keywords_of(letters: str, known: Mapping[str, str]) -> frozenset[str]:
    """The keywords for these letters; a letter that dovecot-keywords does not explain means nothing."""
    out = {known[c] for c in letters if c in known}
    if "P" in letters:
        out.add(PASSED)
    return frozenset(out)


def info_of(flags: Iterable[str], keywords: Iterable[str], known: Mapping[str, str], kept: str = "") -> bytes:
    """The info that says so, with the letters in `kept` that are nobody's (T and unknown ones); ASCII order."""
    letter_of = {keyword: letter for letter, keyword in known.items()}
    held = set(flags)
    letters = {letter for letter, flag in FLAG_LETTERS.items() if flag in held}
    for word in keywords:
        letters.update(letter_of.get(word, ""))
        letters.update("P" if word == PASSED else "")
    ours = {*FLAG_LETTERS, *known, "P"}
    letters.update(c for c in kept if c not in ours)
    return b":2," + "".join(sorted(letters)).encode()


def load_keywords(text: bytes) -> dict[str, str]:
    """Letter to keyword, as dovecot-keywords lists them: "0 $Forwarded" is the letter a."""
    out = {}
    for line in text.decode("utf-8", "replace").splitlines():
        number, _, word = line.partition(" ")
        if number.isdecimal() and int(number) < MAX_KEYWORDS and word:
            out[chr(ord("a") + int(number))] = word
    return out


def dump_keywords(known: Mapping[str, str]) -> bytes:
    return "".join(f"{ord(letter) - ord('a')} {word}\n" for letter, word in sorted(known.items())).encode()


def folder_name(directory: bytes, names: Names) -> str:
    """A level of a folder's name as people read it."""
    text = directory.decode("utf-8", "replace")
    if names != "utf-8" and directory.isascii():
        return mutf7.decode(text) or text
    return text


_LOOKS = 5  # how often a folder is read that changes each time it is


class MessageFiles:
    """The message files of one Maildir folder, found whatever their flags are by now.

    A mail program that changes a flag renames the file, so a name from a listing is a guess.
    """

    def __init__(self, folder: bytes) -> None:
        self.folder = folder
        self._index: dict[int, bytes] = {}  # hash of the unique part -> b"cur" + info; 80 bytes a message
        self._indexed_at: tuple[int, int] | None = None

    def path(self, where: bytes, unique: bytes) -> bytes:
        """The file's path; `where` is b"cur" or b"new" and the info behind it: b"cur:2,FS"."""
        return b"%s/%s/%s%s" % (self.folder, where[:3], unique, where[3:])

    def open(self, unique: bytes, guess: bytes = b"") -> int:
        """A file descriptor for reading. Raises FileNotFoundError when the message is surely gone."""
        if guess:
            try:
                return os.open(self.path(guess, unique), os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                pass
        for _ in range(3):  # it may be renamed between looking and opening, but hardly thrice
            try:
                return os.open(self.path(self.where(unique), unique), os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                self._indexed_at = self._indexed_at and (0, 0)
        raise FileNotFoundError(unique)

    def where(self, unique: bytes) -> bytes:
        """b"cur" or b"new" and the info behind it. Raises FileNotFoundError when there is no such message."""
        if split_name(unique)[1] and os.path.exists(self.path(b"cur", unique)):
            return b"cur"
        found = self._index.get(hash(unique)) if self._indexed_at != (0, 0) else None
        for _ in range(_LOOKS):
            if found is not None:
                return found
            now = self.stamp()
            if now == self._indexed_at:  # nothing was renamed since the folder was read, so it is surely not there
                break
            self._read_index(now)
            found = self._index.get(hash(unique))
        raise FileNotFoundError(unique)

    def remember(self, unique: bytes, where: bytes) -> None:
        """Take note of a file that was just put there or renamed."""
        if self._indexed_at is not None:
            self._index[hash(unique)] = where

    def stamp(self) -> tuple[int, int]:
        """Changes whenever a message comes, goes or is renamed. A directory read meanwhile may have missed it."""
        return os.stat(self.folder + b"/new").st_mtime_ns, os.stat(self.folder + b"/cur").st_mtime_ns

    def _read_index(self, stamp: tuple[int, int]) -> None:
        infos: dict[bytes, bytes] = {}
        index: dict[int, bytes] = {}
        for where in (b"new", b"cur"):  # what moves meanwhile moves from new to cur
            for name in message_names(self.folder, where):
                unique, info = split_name(name)
                index[hash(unique)] = infos.setdefault(where + info, where + info)
        self._index, self._indexed_at = index, stamp


def message_names(folder: bytes, where: bytes) -> Iterator[bytes]:
    """The names of the messages in `where` (b"cur" or b"new"), in the directory's own order."""
    with os.scandir(folder + b"/" + where) as entries:
        for entry in entries:
            if not entry.name.startswith(b".") and entry.is_file(follow_symlinks=False):
                yield entry.name
