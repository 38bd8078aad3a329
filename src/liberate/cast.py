"""Who is who in a workspace, for a destination of chat."""

from __future__ import annotations

from contextlib import suppress

from liberate.body import whole
from liberate.chat import Author
from liberate.connector import HasRooms, Item, Kind, Source
from liberate.errors import LiberateError
from liberate.people import same_name
from liberate.sharing import Directory

_LARGEST = 8 << 20  # bytes of a picture


class PeopleCast:
    """See Cast: the source's word, and the people table's by address or id."""

    def __init__(self, pictures: Source, source: HasRooms, directory: Directory) -> None:
        self._pictures = pictures
        self._source = source
        self._directory = directory
        self._known: dict[str, Author] = {}
        self._missing: set[str] = set()  # pictures

    def author(self, id_: str) -> Author:
        found = self._known.get(id_)
        if found is None:
            found = self._known[id_] = self._source.author(id_)
        return found

    def user(self, id_: str) -> str | None:
        author = self.author(id_)
        for name in (author.email, author.id):
            if name and (user := self._directory.people.get(same_name(name))) is not None:
                return user
        return None

    def picture(self, id_: str) -> bytes | None:
        found = None
        if id_ not in self._missing:
            with suppress(LiberateError):  # whatever it is, what was said does not wait for it
                found = whole(self._pictures.read(Item(id_, Kind.FILE, "")), _LARGEST)
        if found is None:
            self._missing.add(id_)
        return found
