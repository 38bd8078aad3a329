"""One source made of several: a vendor's account, whose services are signed in to by themselves, when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from liberate.connector import (
    Account,
    Annotates,
    Collection,
    Cursor,
    Describes,
    HasFilters,
    HasLooks,
    HasVersions,
    Item,
    Kind,
    Listed,
    Loaded,
    Survey,
)
from liberate.errors import AccountError
from liberate.files import Note
from liberate.filters import Filters
from liberate.pim import Looks


class Services:
    """A source with one service for each kind. What the route does not move is never asked for, nor its permission.

    A subclass opens its services: each is a Source with `read_many`, `survey` and `close`, and the further powers of
    its kind.
    """

    def __init__(
        self,
        account: Account,
        kinds: frozenset[Kind],
        opening: Callable[[Kind], Any],
        unentered: Mapping[Kind, Collection],
        counting: frozenset[Kind],
    ) -> None:
        """`kinds` are those that the account can hold, `counting` those whose services count what they have.

        `unentered` stand for services that could not be entered, where nobody said what the route moves.
        """
        self._told = bool(account.kinds)
        self._kinds = (account.kinds or kinds) & kinds
        self._opening = opening
        self._unentered = unentered
        self._counting = counting
        self._open: dict[Kind, Any] = {}

    def close(self) -> None:
        """Close what was opened."""
        for service in self._open.values():
            service.close()

    def _service(self, kind: Kind) -> Any:
        if kind not in self._open:
            self._open[kind] = self._opening(kind)
        return self._open[kind]

    def collections(self) -> Iterator[Collection]:
        """Those of each service. Who was not told what the route moves offers a service that it cannot enter
        as well, if it can enter another: listing it says what is missing."""
        found: list[Collection] = []
        failures: list[AccountError] = []
        for kind in sorted(self._kinds, reverse=True):
            try:
                found += self._service(kind).collections()
            except AccountError as error:
                failures.append(error)
                if self._told:
                    raise
                found += [self._unentered[kind]] if kind in self._unentered else []
        if failures and len(failures) == len(self._kinds):
            raise failures[0]
        yield from found

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """See Source."""
        listed: Iterator[Listed] = self._service(collection.kind).items(collection, since)
        return listed

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """See Source."""
        chunks: Iterator[bytes] = self._service(item.kind).read(item, offset)
        return chunks

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """See ReadsMany."""
        for kind in sorted({item.kind for item in items}):
            yield from self._service(kind).read_many([item for item in items if item.kind is kind])

    def looks(self, collection: Collection) -> Looks:
        """See HasLooks."""
        service = self._service(collection.kind)
        return service.looks(collection) if isinstance(service, HasLooks) else Looks("/".join(collection.path))

    def survey(self) -> Survey:
        """The counts of the services that the route moves; without those of one that cannot be entered."""
        folders: dict[tuple[str, ...], int] = {}
        items: int | None = None
        size: int | None = None
        for kind in sorted(self._kinds & self._counting):
            try:
                found = self._service(kind).survey()
            except AccountError:
                if self._told:
                    raise
                continue
            folders.update(found.folders)
            items = found.items if len(self._kinds) == 1 else None  # with several, not all of them count
            size = found.bytes if found.bytes is not None else size
        return Survey(items, folders, size)

    def filters(self) -> Filters:
        """What the mailbox does by itself; an account without one does nothing."""
        service = self._service(Kind.MAIL) if Kind.MAIL in self._kinds else None
        return service.filters() if isinstance(service, HasFilters) else Filters()

    def describe(self, item: Item) -> Item:
        """See Describes. What its service does not describe, a message, stays as it is."""
        service = self._service(item.kind)
        return service.describe(item) if isinstance(service, Describes) else item

    def versions(self, item: Item) -> Sequence[Item]:
        """See HasVersions."""
        service = self._service(item.kind)
        return service.versions(item) if isinstance(service, HasVersions) else ()

    def notes(self, item: Item) -> Sequence[Note]:
        """See Annotates."""
        service = self._service(item.kind)
        return service.notes(item) if isinstance(service, Annotates) else ()
