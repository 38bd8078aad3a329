"""Where an account's folders land: each named once for ever, made when first needed."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from liberate.connector import Collection, Destination, Kind, Place
from liberate.errors import AccountError, ItemError
from liberate.ledger import Ledger
from liberate.ledger_rows import Named
from liberate.mail import Folder, Role
from liberate.naming import Rules, encode, fold, unique

_TRIES = 20  # names tried for one folder before it is given up


class Places:
    """The folders of one account at one opened destination.

    A name is recorded before anything is made under it, so that every attempt and every run uses
    the same. Two folders of the source never share a place: where the destination cannot tell them
    apart (case, a special folder's name), the later one gets another name.
    """

    def __init__(self, ledger: Ledger, account: int, destination: Destination, kind: Kind) -> None:
        self._ledger = ledger
        self._account = account
        self._destination = destination
        self._kind = kind
        self._named: dict[tuple[tuple[str, ...], str | None], Named] = {}
        self._made: dict[tuple[tuple[str, ...], str | None], Named] = {}  # found or made since this opening
        self._by_number: dict[int, Named] = {}
        self._rules: Rules | None = None
        self._load()

    def _load(self) -> None:
        self._named = {(one.path, one.role): one for one in self._ledger.named(self._account)}

    @property
    def rules(self) -> Rules:
        """The destination's rules, asked for once."""
        if self._rules is None:
            self._rules = self._destination.rules
        return self._rules

    def of(self, folder: Folder) -> Named:
        """The folder's place, made if need be: the result's `place` is never None.

        Raises ItemError if the destination takes no name that can be found for it.
        """
        key = (folder.path if folder.role is None else (), folder.role)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._make(*key)
            self._by_number[made.id] = made
        return made

    def _make(self, path: tuple[str, ...], role: str | None) -> Named:
        named = self._named.get((path, role)) or self._name(path, role)
        if named.place is not None:
            self._prepare(named)
            return named
        refused: ItemError | None = None
        for _ in range(_TRIES):
            try:
                place = self._prepare(named)
            except ItemError as error:
                if role is not None or refused is not None:
                    raise
                below = self._below(path)
                if below != named.name[:-1]:  # perhaps it was the name of the folder above
                    named = self._rename(named, (*below, named.name[-1]))
                    continue
                refused = error  # the server has a rule that it did not tell: one plainer name, then no more
                named = self._rename(named, (*named.name[:-1], _plain(path)))
                continue
            if self._ledger.prepared(named.id, place):
                named = self._named[path, role] = replace(named, place=place)
                return named
            self._load()
            if role is not None:
                # This server keeps two roles in one folder, or a label's folder is its special one: so be it.
                return next(one for one in self._named.values() if one.place == place)
            siblings = {fold(one.name[-1], self.rules) for one in self._siblings(path)} | {
                fold(named.name[-1], self.rules)
            }
            named = self._rename(named, (*named.name[:-1], unique(named.name[-1], siblings, self.rules)))
        raise ItemError(
            "illegal-name",
            f"The destination takes no name for the folder {'/'.join(path)}.",
            "Rename the folder at the source, then run: liberate retry",
        )

    def _below(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The name of the folder above, which is made for that: a name the destination takes."""
        return self.of(Folder(path[:-1])).name if len(path) > 1 else ()

    def _prepare(self, named: Named) -> Place:
        return self._destination.prepare(
            Collection("/".join(named.path) or str(named.role), named.name, self._kind, role=named.role)
        )

    def _name(self, path: tuple[str, ...], role: str | None) -> Named:
        """Choose and record a legal name, the parents' first."""
        if role is not None:
            named = self._ledger.name(self._account, path, role, (role.capitalize(),))
        elif not path:
            named = self._ledger.name(self._account, path, role, ())
        else:
            above = path[:-1]
            parent: tuple[str, ...] = ()
            if above:
                parent = (self._named.get((above, None)) or self._name(above, None)).name
            name = encode(path[-1], self.rules)
            if not above and name.casefold() in self.rules.reserved_top and len(path) == 1:
                name = encode(path[-1], replace(self.rules, first=self.rules.first | {path[-1][0]}))
            siblings = {fold(one.name[-1], self.rules) for one in self._siblings(path)}
            named = self._ledger.name(self._account, path, role, (*parent, unique(name, siblings, self.rules)))
        self._named[path, role] = named
        return named

    def _siblings(self, path: tuple[str, ...]) -> list[Named]:
        return [
            one
            for one in self._named.values()
            if one.role is None and one.name and one.path != path and one.path[:-1] == path[:-1]
        ]

    def _rename(self, named: Named, name: tuple[str, ...]) -> Named:
        self._ledger.renamed(named.id, name)
        return replace(named, name=name)

    def numbered(self, number: int) -> Named:
        """The folder with this number, found again at the destination since it was opened."""
        made = self._by_number.get(number)
        if made is not None:
            return made
        one = next((one for one in self._named.values() if one.id == number), None)
        if one is None:
            self._load()
            one = next(one for one in self._named.values() if one.id == number)
        try:
            return self.of(Folder(one.path, Role(one.role) if one.role else None))
        except ItemError as error:
            raise AccountError(
                "folder-lost",
                f"The folder {'/'.join(one.name)} was there before, and the destination does not take it any more.",
                "Make a folder of that name by hand, then run the same command again.",
            ) from error


def _plain(path: tuple[str, ...]) -> str:
    """A name that every server takes."""
    letters = "".join(c for c in path[-1] if c.isascii() and c.isalnum())[:40]
    digest = sha256("\x1f".join(path).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{letters or 'folder'}-{digest}"
