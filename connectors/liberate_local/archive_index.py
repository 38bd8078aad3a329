"""What stands where in a room's messages.jsonl: a table beside it, made again from it whenever it does not fit.

It keeps memory flat for rooms of any size. It is brought up to date by reading on from where it ended, so
writing does not touch it, and losing it loses nothing.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from liberate.chat import ChatFacts, Mention, Message, words
from liberate.naming import fold
from liberate_local.archive_lines import FactsLine, FileLine, Lines, MessageLine, RemovedLine, load
from liberate_local.archive_names import RULES

FORM = "1"  # of the tables; another one is made anew
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TABLES = """
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE line (at INTEGER PRIMARY KEY, length INTEGER, key BLOB, sha256 BLOB);
CREATE INDEX line_key ON line (key);
CREATE TABLE message (key BLOB PRIMARY KEY, id TEXT, seq INTEGER, time INTEGER, author TEXT, thread TEXT,
    broadcast INTEGER, at INTEGER, length INTEGER, facts_at INTEGER, facts TEXT, page TEXT, shown TEXT) WITHOUT ROWID;
CREATE INDEX message_id ON message (id);
CREATE INDEX message_time ON message (time, seq);
CREATE INDEX message_thread ON message (thread, time, seq) WHERE thread != '';
CREATE INDEX message_page ON message (page);
CREATE INDEX message_shown ON message (shown, time, seq);
CREATE TABLE file (key BLOB PRIMARY KEY, item TEXT, name TEXT, folded TEXT, size INTEGER, sha256 TEXT) WITHOUT ROWID;
CREATE INDEX file_item ON file (item);
CREATE INDEX file_folded ON file (folded);
CREATE TABLE hangs (key BLOB, item TEXT, PRIMARY KEY (key, item)) WITHOUT ROWID;
CREATE TABLE target (key BLOB, what TEXT, id TEXT, PRIMARY KEY (key, what, id)) WITHOUT ROWID;
CREATE INDEX target_id ON target (what, id);
CREATE TABLE named (key BLOB, id TEXT, PRIMARY KEY (key, id)) WITHOUT ROWID;
CREATE TABLE page (name TEXT PRIMARY KEY, number INTEGER, month TEXT, part INTEGER, messages INTEGER, fingerprint TEXT)
    WITHOUT ROWID;
CREATE TABLE words (name TEXT PRIMARY KEY, fingerprint TEXT) WITHOUT ROWID;
"""


class Index:
    """The table of one room. Not thread-safe; two processes may have it open."""

    def __init__(self, path: bytes, lines: Lines) -> None:
        self._path = os.fsdecode(path)
        self._lines = lines
        self._base: sqlite3.Connection | None = None

    def close(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None

    @property
    def base(self) -> sqlite3.Connection:
        """The table as it was last brought up to date."""
        if self._base is None:
            base = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            base.execute("PRAGMA cache_size = -8000")
            self._base = base
        return self._base

    def refresh(self) -> None:
        """Bring the table up to date; from the beginning if it is not of this file, or damaged."""
        try:
            self._refresh()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise
            self.forget()
            self._refresh()

    def forget(self) -> None:
        """Throw the table away."""
        self.close()
        for name in (self._path, self._path + "-journal"):
            with suppress(FileNotFoundError):
                os.unlink(name)

    def _refresh(self) -> None:
        base = self.base
        base.execute("BEGIN IMMEDIATE")
        try:
            start = self._fits()
            if start is None:
                self._anew()
                start = 0
            last = start, b""
            for at, line in self._lines.read(start):
                self._take(at, line)
                last = at, line
            if last[1] or start == 0:
                self._remember(*last)
            base.execute("COMMIT")
        except BaseException:
            if base.in_transaction:
                base.execute("ROLLBACK")
            raise

    def _fits(self) -> int | None:
        """Where to read on; None: the table is of another file, or of none."""
        if not self.base.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone():
            return None
        state = dict(self.base.execute("SELECT name, value FROM state"))
        try:
            with open(self._lines.path, "rb") as file:
                told = os.fstat(file.fileno())
                end, last = int(state["end"]), int(state["last"])
                if state["form"] != FORM or state["inode"] != str(told.st_ino) or told.st_size < end:
                    return None
                file.seek(last)
                same = hashlib.sha256(file.read(end - last)).hexdigest() == state["digest"]
                return end if same else None
        except FileNotFoundError:
            return None
        except (KeyError, ValueError):
            return None

    def _anew(self) -> None:
        for (name,) in self.base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            self.base.execute(f'DROP TABLE "{name}"')
        for statement in _TABLES.split(";\n"):
            self.base.execute(statement)
        self.note_moves()

    def _remember(self, at: int, line: bytes) -> None:
        try:
            inode = os.stat(self._lines.path).st_ino
        except FileNotFoundError:
            inode = 0
        state = {
            "form": FORM,
            "inode": str(inode),
            "last": str(at),
            "end": str(at + len(line)),
            "digest": hashlib.sha256(line).hexdigest(),
        }
        self.base.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", state.items())

    def _take(self, at: int, line: bytes) -> None:
        base = self.base
        match load(line):
            case MessageLine(key, sha256, body):
                try:
                    message = Message.load(body)
                except ValueError:
                    return
                self._take_message(bytes.fromhex(key), sha256, message, at, len(line))
            case FactsLine(key, facts):
                change = (at, facts.dump(), bytes.fromhex(key))
                base.execute("UPDATE message SET facts_at = ?, facts = ? WHERE key = ?", change)
                self._named(bytes.fromhex(key), (one for reaction in facts.reactions for one in reaction.authors))
            case FileLine(key, item, name, size, sha256):
                row = (bytes.fromhex(key), item, name, folded(name), size, sha256)
                base.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", row)
            case RemovedLine(key):
                for table in ("message", "file", "line", "hangs", "target", "named"):
                    base.execute(f"DELETE FROM {table} WHERE key = ?", (bytes.fromhex(key),))  # noqa: S608

    def _take_message(self, key: bytes, sha256: str, message: Message, at: int, length: int) -> None:
        base = self.base
        base.execute("INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?)", (at, length, key, bytes.fromhex(sha256)))
        base.execute(
            """INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, NULL, NULL)
            ON CONFLICT (key) DO UPDATE SET id = excluded.id, time = excluded.time, author = excluded.author,
            thread = excluded.thread, broadcast = excluded.broadcast, at = excluded.at, length = excluded.length,
            facts_at = 0, facts = NULL""",
            (
                key, message.id, at, microseconds(message.time), message.author, message.thread,
                message.broadcast, at, length,
            ),
        )  # fmt: skip
        for table in ("hangs", "target", "named"):
            base.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608
        hangs = [(key, one.id) for one in message.files if one.id]
        base.executemany("INSERT OR IGNORE INTO hangs VALUES (?, ?)", hangs)
        mentions = [one for one in words(message.blocks) if isinstance(one, Mention)]
        targets = [(key, one.to, one.id) for one in mentions if one.to in ("room", "message")]
        base.executemany("INSERT OR IGNORE INTO target VALUES (?, ?, ?)", targets)
        self._named(key, people_of(message))

    def _named(self, key: bytes, ids: Iterable[str]) -> None:
        self.base.executemany("INSERT OR IGNORE INTO named VALUES (?, ?)", ((key, one) for one in ids))

    # Telling others ------------------------------------------------------------------------------

    def note_moves(self) -> None:
        """Note that messages came to pages, or to others than before: other rooms may link to them."""
        self.base.execute("INSERT OR REPLACE INTO state VALUES ('moved', '1')")

    def has_moves(self) -> bool:
        """Whether moves were noted since the last time that other rooms were told."""
        return self.base.execute("SELECT 1 FROM state WHERE name = 'moved'").fetchone() is not None

    def forget_moves(self) -> None:
        """Other rooms know."""
        self.base.execute("DELETE FROM state WHERE name = 'moved'")

    # Asking --------------------------------------------------------------------------------------

    def at(self, key: str, sha256: str | None, after: int) -> tuple[int, int] | None:
        """The last line of a key behind `after`, with these bytes where they are known: where, and how long."""
        query = "SELECT at, length FROM line WHERE key = ? AND at > ?"
        values: list[Any] = [bytes.fromhex(key), after]
        if sha256:
            query += " AND sha256 = ?"
            values.append(bytes.fromhex(sha256))
        found: tuple[int, int] | None = self.base.execute(f"{query} ORDER BY at DESC LIMIT 1", values).fetchone()
        return found

    def has(self, key: str) -> bool:
        """Whether a message or file of this key is there."""
        one = (bytes.fromhex(key),)
        return any(
            self.base.execute(f"SELECT 1 FROM {table} WHERE key = ?", one).fetchone()  # noqa: S608
            for table in ("message", "file")
        )

    def facts(self, key: str) -> ChatFacts | None:
        """What was last told of a message apart from its words; None where only its words tell."""
        row = self.base.execute("SELECT facts FROM message WHERE key = ?", (bytes.fromhex(key),)).fetchone()
        return ChatFacts.load(row[0]) if row and row[0] else None

    def where(self, key: str) -> tuple[int, int] | None:
        """The last line of a message: where it begins, and how long it is."""
        row: tuple[int, int] | None
        row = self.base.execute("SELECT at, length FROM message WHERE key = ?", (bytes.fromhex(key),)).fetchone()
        return row

    def file(self, key: str) -> FileLine | None:
        """The file of this key, whether or not its bytes are there yet."""
        row = self.base.execute(
            "SELECT item, name, size, sha256 FROM file WHERE key = ?", (bytes.fromhex(key),)
        ).fetchone()
        return FileLine(key, *row) if row else None

    def name_of(self, item: str) -> str | None:
        """What the file that messages call `item` is called in files/."""
        row = self.base.execute("SELECT name FROM file WHERE item = ? ORDER BY key LIMIT 1", (item,)).fetchone()
        return row[0] if row else None

    def is_named(self, fold: str) -> bool:
        """Whether a file has such a name."""
        return self.base.execute("SELECT 1 FROM file WHERE folded = ?", (fold,)).fetchone() is not None

    def is_made(self) -> bool:
        """Whether there is a table; none is made by asking."""
        return self._base is not None or os.path.exists(self._path)

    def looks_at(self) -> set[str]:
        """The ids of the rooms that messages link to; of links to messages, what stands before their first "/"."""
        out = set()
        for what, id_ in self.base.execute("SELECT DISTINCT what, id FROM target"):
            out.add(id_ if what == "room" else id_.partition("/")[0])
        return out

    def pages_that_name(self, room: str) -> set[str]:
        """The pages with a link to a room or to a message in it."""
        rows = self.base.execute(
            """SELECT m.page, m.shown FROM message m JOIN target t ON t.key = m.key
            WHERE (t.what = 'room' AND t.id = ?) OR (t.what = 'message' AND substr(t.id, 1, ?) = ?)""",
            (room, len(room) + 1, f"{room}/"),
        )
        return {page for row in rows for page in row if page}

    def counts(self) -> tuple[int, int, int | None, int | None]:
        """How many messages and files there are, and the times of the first and last message."""
        messages, first, last = self.base.execute("SELECT COUNT(*), MIN(time), MAX(time) FROM message").fetchone()
        return messages, self.base.execute("SELECT COUNT(*) FROM file").fetchone()[0], first, last


def folded(name: str) -> str:
    """What names share that some file system cannot tell apart."""
    return fold(name, RULES)


def people_of(message: Message) -> Iterator[str]:
    """The ids of everybody whom a message names."""
    yield message.author
    for reaction in message.reactions:
        yield from reaction.authors
    if message.change is not None and message.change.author:
        yield message.change.author
    for part in words(message.blocks):
        if isinstance(part, Mention) and part.to == "author":
            yield part.id


def microseconds(time: datetime) -> int:
    """A time as a number that sorts."""
    delta = time - _EPOCH
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds
