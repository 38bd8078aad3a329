"""What each method of the People API answers, to whom."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from liberate_google.standin.errors import ApiError
from liberate_google.standin.people import WEEK, Book, Contact, PeopleStore
from liberate_google.standin.reply import Reply
from liberate_google.standin.routes import Route

Answer = dict[str, Any]
PHOTOS = "/photos/"
_FIELDS = """
addresses ageRanges biographies birthdays calendarUrls clientData coverPhotos emailAddresses events externalIds genders
imClients interests locales locations memberships metadata miscKeywords names nicknames occupations organizations
phoneNumbers photos relations sipAddresses skills urls userDefined
"""
FIELDS = frozenset(_FIELDS.split())
OTHER_FIELDS = frozenset({"emailAddresses", "metadata", "names", "phoneNumbers", "photos"})
_SYSTEM = ("myContacts", "starred", "friends", "family", "coworkers", "blocked", "chatBuddies", "all")
_SOURCE = "READ_SOURCE_TYPE_CONTACT"


class RpcError(ApiError):
    """An error in the form of the newer APIs: with details, and without a list of errors."""

    def answer(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        if self.reason:
            error["details"] = [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": self.reason,
                    "domain": "googleapis.com",
                }
            ]
        return {"error": error}


def _invalid(message: str, reason: str = "") -> RpcError:
    return RpcError(400, reason, message)


class PeopleApi:
    """Answers for the store. `url` is where the stand-in itself is reached."""

    def __init__(self, store: PeopleStore, url: str, clock: Callable[[], float]) -> None:
        self.store = store
        self._url = url
        self._clock = clock
        self.full_syncs: int | None = None  # how many first pages of full listings are still granted

    def perform(self, route: Route, user: str) -> Answer:
        """Carry out a call."""
        method = self._methods.get(route.method)
        if method is None:
            raise RpcError(501, "", f"This stand-in does not play {route.method}.")
        with self.store.lock:
            return method(self, route, self.store.books.get(user) or Book())

    def photo(self, target: str) -> Reply:
        """A contact's picture, for anybody who knows its address. ApiError 404."""
        key = target.partition("?")[0].removeprefix(PHOTOS).partition("=")[0]
        if key not in self.store.photos:
            raise ApiError(404, "notFound", "Not Found")
        return Reply(200, text=self.store.photos[key], headers={"Content-Type": "image/png"})

    # Contacts ------------------------------------------------------------------------------------

    def _connections(self, route: Route, book: Book) -> Answer:
        if route.path["resourceName"] != "people/me":
            raise _invalid('Resource name must be "people/me".')
        mask = _mask(_first(route, "personFields"), FIELDS, "personFields")
        found, more = self._listing(route, book.contacts, ["personFields", "sources", "sortOrder"])
        total = sum(not one.deleted for one in book.contacts.values())
        people = [self._person(one, mask) for one in found]
        return {"connections": people, "totalPeople": total, "totalItems": total} | more

    def _others(self, route: Route, book: Book) -> Answer:
        mask = _mask(_first(route, "readMask"), OTHER_FIELDS, "readMask")
        found, more = self._listing(route, book.others, ["readMask", "sources"])
        people = [self._person(one, mask, other=True) for one in found]
        return {"otherContacts": people, "totalSize": len(book.others)} | more

    def _listing(self, route: Route, contacts: dict[str, Contact], same: list[str]) -> tuple[list[Contact], Answer]:
        size = int(_first(route, "pageSize", "0")) or 100
        if not 1 <= size <= 1000:
            raise _invalid("Page size must be between 1 and 1000.")
        wanted = _first(route, "requestSyncToken") == "true"
        shape = [route.method, str(wanted), *(",".join(route.params.get(name, [])) for name in same)]
        since = self._since(route, shape)
        start, upto = 0, self.store.change
        if "pageToken" in route.params:
            told = _unpack(_first(route, "pageToken"))
            if told.get("shape") != _mark([*shape, str(since)]):
                raise _invalid("Invalid page token.")
            start, upto = int(told["at"]), int(told["upto"])
        elif since is None and self.full_syncs is not None:
            if self.full_syncs <= 0:
                raise RpcError(429, "RATE_LIMIT_EXCEEDED", "Quota exceeded for quota metric 'FULL_SYNC'.")
            self.full_syncs -= 1
        changed = sorted(contacts.values(), key=lambda one: one.change)
        found = [one for one in changed if (not one.deleted if since is None else one.change > since)]
        page = found[start : start + size]
        if start + size < len(found):
            token = {"at": start + size, "upto": upto, "shape": _mark([*shape, str(since)])}
            return page, {"nextPageToken": _pack(token)}
        return page, {"nextSyncToken": self._token(upto, shape)} if wanted else {}

    def _token(self, upto: int, shape: list[str]) -> str:
        return _pack({"sync": upto, "made": self._clock(), "shape": _mark(shape)})

    def _since(self, route: Route, shape: list[str]) -> int | None:
        if "syncToken" not in route.params:
            return None
        told = _unpack(_first(route, "syncToken"))
        if "sync" not in told or told["shape"] != _mark(shape):
            raise _invalid("Sync token does not match the request parameters.")
        if self._clock() - told["made"] > WEEK:
            raise _invalid("Sync token is expired. Clear local cache and retry call.", "EXPIRED_SYNC_TOKEN")
        return int(told["sync"])

    def _get(self, route: Route, book: Book) -> Answer:
        mask = _mask(_first(route, "personFields"), FIELDS, "personFields")
        found = _named(book, route.path["resourceName"])
        if found is None:
            raise RpcError(404, "", "Requested entity was not found.")
        return self._person(found, mask)

    def _batch_get(self, route: Route, book: Book) -> Answer:
        mask = _mask(_first(route, "personFields"), FIELDS, "personFields")
        names = route.params.get("resourceNames", [])
        if not 1 <= len(names) <= 200:
            raise _invalid("Must request between 1 and 200 people.")
        out: list[Answer] = []
        for name in names:
            found = _named(book, name)
            answer: Answer = {"requestedResourceName": name, "httpStatusCode": 200 if found else 404}
            if found is None:
                answer["status"] = {"code": 5, "message": "Requested entity was not found."}
            else:
                answer["person"] = self._person(found, mask)
            out.append(answer)
        return {"responses": out}

    def _person(self, one: Contact, mask: Iterable[str], *, other: bool = False) -> Answer:
        source = {"type": "OTHER_CONTACT" if other else "CONTACT", "id": one.id}
        answer: Answer = {
            "resourceName": f"{'otherContacts' if other else 'people'}/c{one.number}",
            "etag": f"%EgU{one.change:x}",
        }
        about: Answer = {
            "sources": [source | {"etag": f"#{one.change:x}", "updateTime": _time(one.updated)}],
            "objectType": "PERSON",
        }
        if one.former:
            about["previousResourceNames"] = [f"people/c{number}" for number in one.former]
        if one.deleted:
            about["deleted"] = True
            return answer | {"metadata": about}
        fields = dict(one.fields)
        if not other:
            groups = ["myContacts", *one.groups]
            fields["memberships"] = [
                {
                    "contactGroupMembership": {
                        "contactGroupId": key,
                        "contactGroupResourceName": f"contactGroups/{key}",
                    }
                }
                for key in groups
            ]
        drawn = {"url": f"{self._url}{PHOTOS}letter=s100", "default": True}
        fields["photos"] = [{"url": f"{self._url}{PHOTOS}{one.photo}=s100"} if one.photo else drawn]
        for name in sorted(set(mask) & set(fields)):
            answer[name] = [
                {"metadata": ({"primary": True} if at == 0 else {}) | {"source": source}} | value
                for at, value in enumerate(fields[name])
            ]
        if "metadata" in mask:
            answer["metadata"] = about
        return answer

    # Groups --------------------------------------------------------------------------------------

    def _groups(self, route: Route, book: Book) -> Answer:
        size = int(_first(route, "pageSize", "0")) or 30
        if not 1 <= size <= 1000:
            raise _invalid("Page size must be between 1 and 1000.")
        told = [
            {"name": key, "formattedName": key.capitalize(), "groupType": "SYSTEM_CONTACT_GROUP", "key": key}
            for key in _SYSTEM
        ]
        told += [
            {"name": name, "formattedName": name, "groupType": "USER_CONTACT_GROUP", "key": key}
            for key, name in book.groups.items()
        ]
        start = int(_unpack(_first(route, "pageToken"))["at"]) if "pageToken" in route.params else 0
        answer: Answer = {
            "contactGroups": [
                {"resourceName": f"contactGroups/{one.pop('key')}", "etag": "fz+cr"} | one
                for one in told[start : start + size]
            ],
            "totalItems": len(told),
        }
        if start + size < len(told):
            return answer | {"nextPageToken": _pack({"at": start + size})}
        return answer | {"nextSyncToken": _pack({"groups": self.store.change})}

    _methods: ClassVar[dict[str, Callable[[PeopleApi, Route, Book], Answer]]] = {
        "people.connections.list": _connections,
        "people.get": _get,
        "people.getBatchGet": _batch_get,
        "otherContacts.list": _others,
        "contactGroups.list": _groups,
    }


def _named(book: Book, name: str) -> Contact | None:
    return next(
        (one for one in book.contacts.values() if f"people/c{one.number}" == name and not one.deleted),
        None,
    )


def _mask(text: str, known: frozenset[str], parameter: str) -> list[str]:
    wanted = [one for one in text.split(",") if one]
    if not wanted:
        raise _invalid(f"{parameter} mask is required. Please specify one or more valid paths.")
    for one in wanted:
        if one not in known:
            raise _invalid(f'Invalid {parameter} mask path: "{one}".')
    return wanted


def _first(route: Route, name: str, default: str = "") -> str:
    return route.params.get(name, [default])[0]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _mark(shape: list[str]) -> str:
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:8]


def _pack(told: Answer) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()


def _unpack(token: str) -> Answer:
    try:
        found = json.loads(base64.urlsafe_b64decode(token))
        if isinstance(found, dict):
            return found
    except ValueError:
        pass
    raise _invalid("Invalid token.")
