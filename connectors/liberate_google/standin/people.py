"""The stand-in's address books: contacts, their pictures, groups, and in which order they changed."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

PNG = b"\x89PNG\r\n\x1a\n"
WEEK = 7 * 24 * 3600.0


@dataclass(slots=True)
class Contact:
    """Somebody in an address book. `fields` are those of the Person resource, without their metadata."""

    id: str  # hexadecimal digits
    fields: dict[str, list[dict[str, Any]]]
    groups: list[str] = field(default_factory=list)
    photo: str = ""  # key of its picture; "" for none but the one that Google draws
    number: int = 0  # in its resource name
    change: int = 0
    updated: float = 0.0
    deleted: bool = False
    former: list[int] = field(default_factory=list)  # numbers that it had before


@dataclass(slots=True)
class Book:
    """One person's contacts."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    others: dict[str, Contact] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)  # names by id


class PeopleStore:
    """All address books of the organisation."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.lock = threading.RLock()
        self.books: dict[str, Book] = {}
        self.photos: dict[str, bytes] = {}
        self.change = 0
        self._numbers = itertools.count(1)

    def add_user(self, address: str) -> Book:
        """Somebody with an address book; the same one each time."""
        return self.books.setdefault(address.lower(), Book())

    def add(
        self, user: str, *, photo: bytes | None = None, groups: Iterable[str] = (), other: bool = False, **fields: Any
    ) -> str:
        """A new contact; its id. Groups are names, made where they are missing, or "starred"."""
        with self.lock:
            book = self.add_user(user)
            mark = hashlib.sha256(f"{user} {next(self._numbers)}".encode()).hexdigest()[:15].lstrip("0")
            found = Contact(mark, fields, [self.group(user, one) for one in groups], number=int(mark, 16))
            if photo is not None:
                found.photo = hashlib.sha256(photo + mark.encode()).hexdigest()[:24]
                self.photos[found.photo] = photo
            (book.others if other else book.contacts)[mark] = found
            self._touch(found)
            return mark

    def edit(self, user: str, id_: str, **fields: Any) -> None:
        """Change fields of a contact; None takes one away."""
        with self.lock:
            found = self.books[user.lower()].contacts[id_]
            for key, value in fields.items():
                if value is None:
                    found.fields.pop(key, None)
                else:
                    found.fields[key] = value
            self._touch(found)

    def move(self, user: str, id_: str) -> None:
        """Give a contact another resource name, as happens when it is linked with a profile."""
        with self.lock:
            found = self.books[user.lower()].contacts[id_]
            found.former.append(found.number)
            found.number = next(self._numbers) + 10**15
            self._touch(found)

    def delete(self, user: str, id_: str) -> None:
        with self.lock:
            found = self.books[user.lower()].contacts[id_]
            found.deleted = True
            self._touch(found)

    def group(self, user: str, name: str) -> str:
        """The id of somebody's group of that name."""
        book = self.add_user(user)
        if name in ("starred", "friends", "family", "coworkers"):
            return name
        for key, known in book.groups.items():
            if known == name:
                return key
        key = hashlib.sha256(f"{user} {name}".encode()).hexdigest()[:14]
        book.groups[key] = name
        return key

    def _touch(self, contact: Contact) -> None:
        self.change += 1
        contact.change = self.change
        contact.updated = self._clock()
