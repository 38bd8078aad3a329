"""One Gmail mailbox: its messages, labels and history, exactly as they were put in."""

from __future__ import annotations

import bisect
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from liberate_google.standin.errors import ApiError, bad_request, not_found

SYSTEM_LABELS = (
    "INBOX", "SENT", "DRAFT", "SPAM", "TRASH", "STARRED", "IMPORTANT", "UNREAD", "CHAT",
    "CATEGORY_PERSONAL", "CATEGORY_SOCIAL", "CATEGORY_PROMOTIONS", "CATEGORY_UPDATES", "CATEGORY_FORUMS",
)  # fmt: skip
HIDDEN = frozenset({"SPAM", "TRASH"})  # left out of a listing unless asked for

_HEADER = re.compile(rb"(?im)^(message-id|in-reply-to|references):[ \t]*((?:.*\n?)(?:[ \t].*\n?)*)")
_MSGID = re.compile(rb"<[^<>\s]+>")


class Message:
    """A message and what Gmail keeps beside it. Slotted: there may be 300,000 of them."""

    __slots__ = ("date", "history", "id", "labels", "raw", "thread")

    def __init__(self, number: int, thread: int, raw: bytes, labels: frozenset[str], date: int) -> None:
        self.id = number
        self.thread = thread
        self.raw = raw
        self.labels = labels
        self.date = date  # milliseconds since 1970
        self.history = 0

    @property
    def key(self) -> str:
        """Its id as the API spells it: 16 hex digits."""
        return f"{self.id:016x}"

    @property
    def thread_key(self) -> str:
        return f"{self.thread:016x}"


class Label:
    __slots__ = ("color", "id", "list_visibility", "message_visibility", "name", "type")

    def __init__(self, key: str, name: str, kind: str) -> None:
        self.id = key
        self.name = name
        self.type = kind
        self.list_visibility = "labelShow"
        self.message_visibility = "hide" if key.startswith("CATEGORY_") else "show"
        self.color: dict[str, str] | None = None


class Event(NamedTuple):
    """One record of the history. `labels` are the message's labels after it."""

    number: int
    kind: str  # "messagesAdded", "messagesDeleted", "labelsAdded", "labelsRemoved"
    message: int
    thread: int
    labels: frozenset[str]
    changed: tuple[str, ...] = ()


class Mailbox:
    """A person's mailbox. Every method may be called from any thread."""

    def __init__(self, address: str, clock: Callable[[], float], *, licensed: bool = True) -> None:
        self.address = address
        self.licensed = licensed  # False: the user exists and has no Gmail
        self.lock = threading.RLock()
        self.messages: dict[int, Message] = {}
        self.labels: dict[str, Label] = {key: Label(key, key, "system") for key in SYSTEM_LABELS}
        self.filters: dict[str, dict[str, Any]] = {}  # as settings.filters tells them, by id
        self.vacation: dict[str, Any] = {"enableAutoReply": False}
        self.events: list[Event] = []
        self._clock = clock
        self._by_date: list[Message] = []
        self._threads: dict[int, int] = {}  # hash of a Message-ID -> its thread
        self._interned: dict[frozenset[str], frozenset[str]] = {}
        self._history = 9_007_199_254_740_993  # beyond what a double holds: ids of this kind must stay text
        self._oldest = self._history  # an older start has expired
        self._next_label = 1
        self._last_id = 0

    # Messages ------------------------------------------------------------------------------------

    def add(self, raw: bytes, labels: Iterable[str], date: int | None = None, thread: str | None = None) -> Message:
        """Put a message in, byte for byte. `date` in milliseconds since 1970; None: now."""
        with self.lock:
            wanted = self._known(labels)
            now = int(self._clock() * 1000)
            number = self._last_id = max(now << 20, self._last_id + 1)  # as Gmail's own: time, then a count
            message = Message(number, self._thread(raw, number, thread), raw, wanted, now if date is None else date)
            self.messages[number] = message
            bisect.insort(self._by_date, message, key=_order)
            self._record("messagesAdded", message)
            return message

    def get(self, key: str) -> Message:
        """The message of this id; ApiError 400 for no id at all, 404 for one that is not there."""
        if not re.fullmatch(r"[0-9a-f]{1,16}", key):
            raise bad_request("Invalid id value")
        with self.lock:
            message = self.messages.get(int(key, 16))
        if message is None:
            raise not_found()
        return message

    def delete(self, key: str) -> None:
        """Delete for good, not into the trash."""
        with self.lock:
            message = self.get(key)
            del self.messages[message.id]
            del self._by_date[bisect.bisect_left(self._by_date, _order(message), key=_order)]
            self._record("messagesDeleted", message)

    def modify(self, key: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Message:
        """Change labels. What is not a change leaves no history."""
        with self.lock:
            message = self.get(key)
            added = self._known(add) - message.labels
            removed = self._known(remove) & message.labels
            if added:
                message.labels = self._intern(message.labels | added)
                self._record("labelsAdded", message, added)
            if removed:
                message.labels = self._intern(message.labels - removed)
                self._record("labelsRemoved", message, removed)
            return message

    def _known(self, labels: Iterable[str]) -> frozenset[str]:
        wanted = frozenset(labels)
        for label in sorted(wanted):
            if label not in self.labels:
                raise bad_request(f"Invalid label: {label}")
        return self._intern(wanted)

    def _intern(self, labels: frozenset[str]) -> frozenset[str]:
        return self._interned.setdefault(labels, labels)

    def _thread(self, raw: bytes, number: int, thread: str | None) -> int:
        own, parents = 0, []
        for name, value in _HEADER.findall(raw[: _head_length(raw)]):
            ids = [hash(found) for found in _MSGID.findall(value)]
            if name.lower() == b"message-id":
                own = ids[0] if ids else 0
            else:
                parents.extend(ids)
        if thread is not None:
            chosen = int(thread, 16)
        else:
            chosen = next((self._threads[p] for p in parents if p in self._threads), number)
        if own:
            self._threads.setdefault(own, chosen)
        return chosen

    # Listing -------------------------------------------------------------------------------------

    def newest_first(self, before: tuple[int, int] | None = None) -> Iterator[Message]:
        """Every message, newest first; with `before`, those that come after that place in the listing."""
        at = len(self._by_date)
        if before is not None:
            at = bisect.bisect_left(self._by_date, before, key=_order)
        for position in range(at - 1, -1, -1):
            yield self._by_date[position]

    # Labels --------------------------------------------------------------------------------------

    def create_label(self, name: str) -> Label:
        """A new label of the user's. Gmail's rules: not empty, not one that exists, at most 225 characters."""
        with self.lock:
            self._check_name(name)
            label = Label(f"Label_{self._next_label}", name, "user")
            self._next_label += 1
            self.labels[label.id] = label
            return label

    def rename_label(self, key: str, name: str) -> Label:
        with self.lock:
            label = self.label(key)
            if label.type == "system":
                raise bad_request("Invalid update to system label.")
            if name != label.name:
                self._check_name(name)
                label.name = name
            return label

    def delete_label(self, key: str) -> None:
        with self.lock:
            label = self.label(key)
            if label.type == "system":
                raise bad_request("Invalid delete request.")
            for message in [m for m in self.messages.values() if key in m.labels]:
                self.modify(message.key, remove=[key])
            del self.labels[key]

    def label(self, key: str) -> Label:
        label = self.labels.get(key)
        if label is None:
            raise not_found()
        return label

    def label_named(self, name: str) -> Label | None:
        """The label of that name, whatever the case; None when there is none."""
        wanted = name.casefold()
        return next((label for label in self.labels.values() if label.name.casefold() == wanted), None)

    def _check_name(self, name: str) -> None:
        if not name.strip() or len(name) > 225:
            raise bad_request("Invalid label name")
        if self.label_named(name) is not None:
            raise ApiError(409, "aborted", "Label name exists or conflicts")

    # History -------------------------------------------------------------------------------------

    @property
    def history_id(self) -> int:
        return self._history

    def since(self, start: int) -> list[Event]:
        """What happened after `start`; ApiError 404 if that has expired or never was."""
        with self.lock:
            if start < self._oldest or start > self._history:
                raise not_found()
            return self.events[bisect.bisect_right(self.events, start, key=lambda event: event.number) :]

    def expire_history(self) -> None:
        """Forget the history up to now, as Gmail does after a week or, rarely, hours."""
        with self.lock:
            self.events.clear()
            self._history += 1
            self._oldest = self._history

    def _record(self, kind: str, message: Message, changed: Iterable[str] = ()) -> None:
        self._history += 1 + (message.id ^ self._history) % 7  # numbers grow and leave gaps
        message.history = self._history
        self.events.append(
            Event(self._history, kind, message.id, message.thread, message.labels, tuple(sorted(changed)))
        )


def _order(message: Message) -> tuple[int, int]:
    return message.date, message.id


def _head_length(raw: bytes) -> int:
    ends = [at for at in (raw.find(b"\r\n\r\n"), raw.find(b"\n\n")) if at >= 0]
    return min(ends, default=len(raw)) + 2
