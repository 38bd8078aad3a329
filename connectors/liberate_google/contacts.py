"""A person's Google contacts as a source: each card once, with its picture, and what changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from liberate.connector import (
    Account,
    Collection,
    Cursor,
    Gone,
    Item,
    Kind,
    Listed,
    Loaded,
    Skipped,
    Survey,
    Whole,
)
from liberate.errors import ItemError
from liberate.pim import Looks
from liberate_google import contacts_convert as convert
from liberate_google.client import Failure
from liberate_google.contacts_convert import Person
from liberate_google.convert import Trouble
from liberate_google.pace import Pacer
from liberate_google.photos import Photos
from liberate_google.pim_client import OtherContactsClient, PeopleClient, people_pacer
from liberate_google.recent import Recent
from liberate_google.settings import GoogleSettings

CONTACTS, OTHERS = "contacts:mine", "contacts:other"
PAGE = 1000
FIELDS = (
    "addresses,biographies,birthdays,calendarUrls,clientData,coverPhotos,emailAddresses,events,externalIds,genders,"
    "imClients,interests,locales,locations,memberships,metadata,miscKeywords,names,nicknames,occupations,"
    "organizations,phoneNumbers,photos,relations,sipAddresses,skills,urls,userDefined"
)
OTHER_FIELDS = "emailAddresses,metadata,names,phoneNumbers,photos"
_SOURCES = "READ_SOURCE_TYPE_CONTACT"  # what the person wrote down, and not what others tell of themselves
_FORM = "1"  # another one of these numbers: the same contact makes another card than before
_STALE = (Trouble.GONE, Trouble.REFUSED)  # what a sync token that has expired, or is none, is answered with
_TOGETHER = 200  # resource names in one people.getBatchGet
_LOOKED_UP = 400  # contacts that are asked for by name; for more, all of them are listed again


class ContactsSource:
    """Reads only: the scopes it asks for allow nothing else."""

    def __init__(self, settings: GoogleSettings, account: Account, pacer: Pacer | None = None) -> None:
        self._settings = settings
        self._account = account
        self._pacer = pacer or people_pacer(settings)
        self._client = PeopleClient(settings, account, self._pacer)
        self._others: OtherContactsClient | None = None
        self._photos = Photos(settings, self._pacer.sleep)
        self._recent = Recent()
        self._groups: dict[str, str] | None = None

    def close(self) -> None:
        self._client.close()
        self._photos.close()
        if self._others is not None:
            self._others.close()

    # What there is -------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """One address book, and another one of whom Google noted down by itself where the settings say so."""
        self._known_groups(afresh=True)  # whether we may look shows here
        yield Collection(CONTACTS, ("Contacts",), Kind.CONTACT)
        if self._settings.other_contacts:
            yield Collection(OTHERS, ("Other contacts",), Kind.CONTACT)

    def looks(self, collection: Collection) -> Looks:
        """Google's address books have no colours."""
        return Looks("/".join(collection.path), components=frozenset())

    def survey(self) -> Survey:
        """People API counts the contacts with the first page of a listing."""
        request = self._client.connections.list(
            resourceName="people/me", personFields="metadata", pageSize=1, sources=_SOURCES
        )
        answer = self._client.ask("people.connections.list", request)
        return Survey(int(answer.get("totalItems") or answer.get("totalPeople") or 0), {})

    def _known_groups(self, *, afresh: bool = False) -> dict[str, str]:
        if self._groups is None or afresh:
            found: list[dict[str, Any]] = []
            token: str | None = None
            while True:
                request = self._client.groups.list(
                    pageSize=PAGE, groupFields="groupType,metadata,name", pageToken=token
                )
                answer = self._client.ask("contactGroups.list", request)
                found += answer.get("contactGroups", ())
                token = answer.get("nextPageToken")
                if not token:
                    break
            self._groups = convert.groups_of(found)
        return self._groups

    # Listing -------------------------------------------------------------------------------------

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """Every contact, or those that changed since the cursor.

        A sync token is good for seven days. The cursor knows the groups of its time: their names stand in the
        cards, and Google does not tell of a card whose group was renamed.
        """
        groups = self._known_groups(afresh=True)
        others = collection.id == OTHERS
        if not others and not self._settings.other_contacts:
            yield _not_moving()
        token = _start(since, groups)
        if token is not None:
            pages = self._pages(others=others, sync=token)
            first = next(pages)
            if first is not None:
                yield from self._changes(first, pages, groups, others=others)
                return
        seen: set[str] = set()
        token = None
        for page in self._pages(others=others):
            for person in _people(page or {}):
                key = _key(person, others=others)
                if key not in seen and not _deleted(person):
                    seen.add(key)
                    yield from self._listed(person, key, groups)
            token = (page or {}).get("nextSyncToken")
        yield Whole()
        if token:
            yield _cursor(str(token), groups)

    def _changes(
        self,
        first: Mapping[str, Any],
        rest: Iterator[Mapping[str, Any] | None],
        groups: dict[str, str],
        *,
        others: bool,
    ) -> Iterator[Listed]:
        there: set[str] = set()
        gone: set[str] = set()
        page: Mapping[str, Any] | None = first
        token = None
        while page is not None:
            for person in _people(page):
                key = _key(person, others=others)
                if _deleted(person):
                    gone.add(key)
                elif key not in there:
                    there.add(key)
                    yield from self._listed(person, key, groups)
            token = page.get("nextSyncToken")
            page = next(rest, None)
        for key in sorted(gone - there):  # who got another resource name is told as deleted under the old one
            yield Gone(key)
        if token:
            yield _cursor(str(token), groups)

    def _listed(self, person: Person, key: str, groups: Mapping[str, str]) -> Iterator[Listed]:
        made = self._made(person, key, groups)
        yield made if isinstance(made, Skipped) else made[0]

    def _made(self, person: Person, key: str, groups: Mapping[str, str]) -> tuple[Item, bytes] | Skipped:
        url = convert.photo_url(person)
        photo = convert.Photo(self._photos.get(url)) if url else None
        made = convert.item(person, key, self._account.name, groups, photo)
        if not isinstance(made, Skipped):
            self._recent.keep(made[0].id, made[0].version, made[1])
        return made

    def _pages(self, *, others: bool, sync: str | None = None) -> Iterator[Mapping[str, Any] | None]:
        """The pages of a listing, asked for in the same words each time. None: the sync token fits no more."""
        token: str | None = None
        while True:
            more = {"pageSize": PAGE, "requestSyncToken": True, "pageToken": token, "syncToken": sync}
            if others:
                client: PeopleClient = self._other_client()
                method = "otherContacts.list"
                request = client.other_contacts.list(readMask=OTHER_FIELDS, sources=_SOURCES, **more)
            else:
                client = self._client
                method = "people.connections.list"
                request = client.connections.list(
                    resourceName="people/me", personFields=FIELDS, sources=_SOURCES, **more
                )
            answer = client.call(method, request, _STALE if sync else ())
            if isinstance(answer, Failure):
                yield None
                return
            yield answer
            token = answer.get("nextPageToken")
            if not token:
                return

    def _other_client(self) -> OtherContactsClient:
        if self._others is None:
            self._others = OtherContactsClient(self._settings, self._account, self._pacer)
        return self._others

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """The card as it was listed, or as it is now."""
        (loaded,) = self.read_many([item])
        if isinstance(loaded.body, ItemError):
            raise loaded.body
        if loaded.body is not None:
            yield loaded.body[offset:]

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Those listed lately cost no call."""
        missing = []
        for item in items:
            body = self._recent.get(item.id, item.version)
            if body is not None:
                yield Loaded(item, body)
            else:
                missing.append(item)
        if missing:
            found = self._found([item.id for item in missing])
            for item in missing:
                now = found[item.id]
                yield Loaded(item, now if isinstance(now, ItemError) else now[1])

    def describe(self, item: Item) -> Item:
        """The contact as it is now. Raises ItemError("gone")."""
        now = self._found([item.id])[item.id]
        if isinstance(now, ItemError):
            raise now
        return now[0]

    def _found(self, keys: Sequence[str]) -> dict[str, tuple[Item, bytes] | ItemError]:
        """Each contact as it is now; whom Google does not know by the first name of theirs is looked for."""
        groups = self._known_groups()
        left = set(keys)
        out: dict[str, tuple[Item, bytes] | ItemError] = {}

        def take(person: Person, *, others: bool) -> None:
            key = _key(person, others=others)
            if key in left and not _deleted(person):
                left.discard(key)
                made = self._made(person, key, groups)
                out[key] = ItemError(made.code, made.why, made.todo) if isinstance(made, Skipped) else made

        mine = sorted(key for key in left if key.startswith("mine/"))
        for at in range(0, len(mine) if len(mine) <= _LOOKED_UP else 0, _TOGETHER):
            names = [convert.resource_name(key.partition("/")[2]) for key in mine[at : at + _TOGETHER]]
            request = self._client.people.getBatchGet(resourceNames=names, personFields=FIELDS, sources=_SOURCES)
            for one in self._client.ask("people.getBatchGet", request).get("responses", ()):
                if one.get("person"):
                    take(one["person"], others=False)
        for others, prefix in ((False, "mine/"), (True, "other/")):
            if any(key.startswith(prefix) for key in left):
                for page in self._pages(others=others):
                    for person in _people(page or {}):
                        take(person, others=others)
        for key in left:
            out[key] = ItemError("gone", "The contact was deleted at Google after it was listed.")
        return out


def _people(page: Mapping[str, Any]) -> Sequence[Person]:
    found: Sequence[Person] = page.get("connections") or page.get("otherContacts") or ()
    return found


def _key(person: Person, *, others: bool) -> str:
    return f"{'other' if others else 'mine'}/{convert.contact_id(person)}"


def _deleted(person: Person) -> bool:
    return bool(person.get("metadata", {}).get("deleted"))


def _not_moving() -> Skipped:
    return Skipped(
        "other-contacts",
        "other-contacts",
        "Those whom Google noted down by itself, under Other contacts, do not come along.",
        "Set other_contacts = true if they shall; or save those who matter in Google Contacts first.",
    )


def _marks(groups: Mapping[str, str]) -> list[str]:
    """A few hex digits for each group, by id and name."""
    return sorted(
        hashlib.sha256(f"{key}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
        for key, name in groups.items()
    )


def _cursor(token: str, groups: Mapping[str, str]) -> Cursor:
    told = {"as": _FORM, "token": token, "groups": _marks(groups)}
    return Cursor(json.dumps(told, separators=(",", ":")))


def _start(since: Cursor | None, groups: Mapping[str, str]) -> str | None:
    """The sync token to go on with; None: list everything."""
    try:
        found = json.loads(since) if since is not None else {}
        if found["as"] == _FORM and set(found["groups"]) <= set(_marks(groups)):
            return str(found["token"])
    except (ValueError, KeyError, TypeError):
        return None
    return None
