"""A person of Google's People API as a vCard (RFC 6350, 6715, 4770). Pure."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from liberate import vcard
from liberate.connector import Item, Kind, Skipped
from liberate.pim import Line, ObjectFacts
from liberate_google import html_text
from liberate_google.calendar_event import text
from liberate_google.contacts_labels import (
    ADDRESSES,
    EMAILS,
    GENDERS,
    MESSENGERS,
    NICKNAMES,
    PHONES,
    RELATIONS,
    URLS,
    Labels,
)

Person = Mapping[str, Any]
"""A Person resource as Google tells it."""

_ORGANISATION = (
    "phoneticName", "domain", "location", "symbol", "jobDescription", "costCenter", "fullTimeEquivalentMillipercent",
    "current", "startDate", "endDate",
)  # fmt: skip
_PHONETIC = {
    "phoneticGivenName": "X-PHONETIC-FIRST-NAME",
    "phoneticMiddleName": "X-PHONETIC-MIDDLE-NAME",
    "phoneticFamilyName": "X-PHONETIC-LAST-NAME",
    "phoneticFullName": "X-PHONETIC-FULL-NAME",
    "phoneticHonorificPrefix": "X-PHONETIC-PREFIX",
    "phoneticHonorificSuffix": "X-PHONETIC-SUFFIX",
}
_SYSTEM_GROUPS = frozenset({"starred", "friends", "family", "coworkers"})  # the others say nothing about a person
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"GIF8": "image/gif"}
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture's bytes, as far as they were to be had."""

    data: bytes | None = None


# Who is who --------------------------------------------------------------------------------------


def contact_id(person: Person) -> str:
    """What stays the same: the id of the contact, which its resource name may not (PersonMetadata)."""
    for source in person.get("metadata", {}).get("sources", ()):
        if source.get("type") in ("CONTACT", "OTHER_CONTACT") and source.get("id"):
            return str(source["id"])
    name = str(person.get("resourceName") or "").rpartition("/")[2]
    return f"{int(name[1:]):x}" if re.fullmatch(r"c\d+", name) else name


def resource_name(contact: str) -> str:
    """The resource name that a contact of this id has at first."""
    return f"people/c{int(contact, 16)}" if re.fullmatch(r"[0-9a-f]{1,16}", contact) else f"people/{contact}"


def uid_of(account: str, contact: str) -> str:
    """The card's UID: the same at every listing."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'https://contacts.google.com/{account.casefold()}/{contact}')}"


def photo_url(person: Person) -> str:
    """Where the picture is that somebody gave the contact; "" for none, or the one that Google draws."""
    for one in person.get("photos", ()):
        if one.get("url") and not one.get("default"):
            return str(one["url"])
    return ""


def groups_of(answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the groups are called that say something about a person, by resource name."""
    out = {}
    for one in answers:
        key = str(one["resourceName"])
        system = one.get("groupType") == "SYSTEM_CONTACT_GROUP"
        if one.get("metadata", {}).get("deleted") or (system and key.rpartition("/")[2] not in _SYSTEM_GROUPS):
            continue
        name = text(one.get("name") or one.get("formattedName")).strip()
        out[key] = name.capitalize() if system else name
    return out


# The card ----------------------------------------------------------------------------------------


class _Card:
    """Properties as they are written, with numbered groups for those that have a label of their own."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._groups = 0

    def add(self, name: str, value: str, params: Mapping[str, Any] | None = None, label: str = "") -> None:
        """A property whose value is escaped already."""
        group = self._group() if label else ""
        self.lines.append(vcard.line(name, value, params, group))
        if label:
            self.lines.append(vcard.line("X-ABLABEL", vcard.text(label), None, group))

    def text(self, name: str, value: Any, params: Mapping[str, Any] | None = None, label: str = "") -> None:
        """A property that is a text; none where there is nothing to say."""
        said = text(value).strip()
        if said:
            self.add(name, vcard.text(said), params, label)

    def group(self, lines: Sequence[tuple[str, str, Mapping[str, Any] | None]]) -> None:
        """Properties that belong together."""
        name = self._group()
        self.lines += [vcard.line(one, value, params, name) for one, value, params in lines]

    def _group(self) -> str:
        self._groups += 1
        return f"ITEM{self._groups}"


def card(
    person: Person, uid: str, groups: Mapping[str, str], photo: Photo | None = None
) -> tuple[bytes, tuple[str, ...]]:
    """The card in version 4.0 and the codes of what it loses. `photo` None: there is none to have.

    Raises ValueError, KeyError or TypeError for what cannot be read.
    """
    lost: set[str] = set()
    out = _Card()
    out.add("UID", uid)
    _names(out, person)
    _reachable(out, person)
    _work(out, person)
    _days(out, person)
    _relations(out, person)
    _person(out, person, lost)
    _categories(out, person, groups)
    _own(out, person)
    _note(out, person)
    if photo is not None:
        media = _media(photo.data)
        if media and photo.data is not None:
            out.add("PHOTO", f"data:{media};base64,{base64.b64encode(photo.data).decode()}")
        else:
            lost.add("photo")
    if (when := revised(person)) is not None:
        out.add("REV", f"{when:%Y%m%dT%H%M%SZ}")
    return vcard.card(out.lines), tuple(sorted(lost))


def revised(person: Person) -> datetime | None:
    """When the contact was last changed."""
    times = [
        datetime.fromisoformat(str(one["updateTime"])[:19]).replace(tzinfo=UTC)
        for one in person.get("metadata", {}).get("sources", ())
        if one.get("updateTime")
    ]
    return max(times, default=None)


def _first(person: Person, name: str) -> Mapping[str, Any]:
    """The one that counts: the primary one, or else the first."""
    found: Sequence[Mapping[str, Any]] = person.get(name, ())
    chosen = [one for one in found if one.get("metadata", {}).get("primary")] or list(found)
    return chosen[0] if chosen else {}


def _names(out: _Card, person: Person) -> None:
    name = _first(person, "names")
    structured = [
        text(name.get(key)).strip()
        for key in ("familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
    ]
    shown = (
        text(name.get("displayName") or name.get("unstructuredName")).strip()
        or " ".join(structured[at] for at in (3, 1, 2, 0, 4) if structured[at])
        or text(_first(person, "nicknames").get("value")).strip()
        or text(_first(person, "organizations").get("name")).strip()
        or text(_first(person, "emailAddresses").get("value")).strip()
        or text(_first(person, "phoneNumbers").get("value")).strip()
        or "(no name)"
    )
    out.text("FN", shown)
    if any(structured):
        out.add("N", vcard.parts(structured))
    elif name:
        out.add("N", vcard.parts(["", shown, "", "", ""]))
    for key, property_ in _PHONETIC.items():
        out.text(property_, name.get(key))
    for one in person.get("nicknames", ()):
        out.text(NICKNAMES.get(str(one.get("type")), "NICKNAME"), one.get("value"))
    out.text("X-FILE-AS", _first(person, "fileAses").get("value"))


def _preferred(one: Mapping[str, Any], others: Sequence[Any]) -> dict[str, Any]:
    return {"PREF": "1"} if len(others) > 1 and one.get("metadata", {}).get("primary") else {}


def _typed(one: Mapping[str, Any], labels: Labels) -> tuple[dict[str, Any], str]:
    """The parameters and the label of something that has a type."""
    kind = text(one.get("type")).strip()
    types, label = labels.of(kind)
    return ({"TYPE": list(types)} if types else {}), label


def _reachable(out: _Card, person: Person) -> None:
    emails, phones = person.get("emailAddresses", ()), person.get("phoneNumbers", ())
    for one in emails:
        params, label = _typed(one, EMAILS)
        if one.get("displayName"):
            params["X-DISPLAY-NAME"] = text(one["displayName"]).replace("\n", " ")
        out.text("EMAIL", one.get("value"), params | _preferred(one, emails), label)
    for one in phones:
        params, label = _typed(one, PHONES)
        out.text("TEL", one.get("value"), params | _preferred(one, phones), label)
    addresses = person.get("addresses", ())
    for one in addresses:
        keys = ("poBox", "extendedAddress", "streetAddress", "city", "region", "postalCode", "country")
        written = [text(one.get(key)).strip() for key in keys]
        whole = text(one.get("formattedValue")).strip()
        if not any(written):
            written[2] = whole
        if not any(written):
            continue
        params, label = _typed(one, ADDRESSES)
        if whole:
            params["LABEL"] = whole
        if one.get("countryCode"):
            params["CC"] = text(one["countryCode"])  # RFC 8605
        out.add("ADR", vcard.parts(written), params | _preferred(one, addresses), label)
    for one in person.get("urls", ()):
        params, label = _typed(one, URLS)
        if one.get("value"):
            out.add("URL", _uri(one["value"]), params, label)
    for one in person.get("imClients", ()):
        if not one.get("username"):
            continue
        params, label = _typed(one, EMAILS)
        protocol = text(one.get("protocol")).strip()
        scheme = MESSENGERS.get(protocol) or "x-" + (re.sub(r"[^a-z0-9.+-]", "-", protocol.lower()) or "other")
        params["X-SERVICE-TYPE"] = text(one.get("formattedProtocol") or protocol)
        out.add("IMPP", f"{scheme}:{quote(text(one['username']), safe='@+._-~:')}", params, label)
    for one in person.get("sipAddresses", ()):
        if one.get("value"):
            params, label = _typed(one, EMAILS)
            address = _uri(one["value"])
            out.add("IMPP", address if address.lower().startswith("sip") else f"sip:{address}", params, label)
    for one in person.get("calendarUrls", ()):
        if one.get("url"):
            busy = one.get("type") == "freeBusy"
            params, label = ({}, "") if busy else _typed(one, EMAILS)
            out.add("FBURL" if busy else "CALURI", _uri(one["url"]), params, label)


def _uri(value: Any) -> str:
    return re.sub(r"\s+", "", text(value)) if "://" in str(value) else vcard.text(text(value).strip())


def _work(out: _Card, person: Person) -> None:
    for one in person.get("organizations", ()):
        lines: list[tuple[str, str, Mapping[str, Any] | None]] = []
        params, label = _typed(one, EMAILS)
        names = [text(one.get("name")).strip(), text(one.get("department")).strip()]
        if any(names):
            lines.append(("ORG", vcard.parts(names if names[1] else names[:1]), params))
        if one.get("title"):
            lines.append(("TITLE", vcard.text(text(one["title"])), None))
        for key in _ORGANISATION:
            if one.get(key):
                value = _date(one[key]) if key.endswith("Date") else text(one[key])
                lines.append((f"X-GOOGLE-ORGANIZATION-{key.upper()}", vcard.text(value), None))
        if label and lines:
            lines.append(("X-ABLABEL", vcard.text(label), None))
        if len(lines) == 1:
            out.add(lines[0][0], lines[0][1], lines[0][2])
        elif lines:
            out.group(lines)
    for one in person.get("occupations", ()):
        out.text("ROLE", one.get("value"))


def _date(told: Mapping[str, Any]) -> str:
    """A date of which parts may not be known (RFC 6350 section 4.3.1); "" for one without any."""
    year, month, day = (int(told.get(key) or 0) for key in ("year", "month", "day"))
    if year and month and day:
        return f"{year:04}{month:02}{day:02}"
    if month and day:
        return f"--{month:02}{day:02}"
    if year and month:
        return f"{year:04}-{month:02}"
    if year:
        return f"{year:04}"
    return f"--{month:02}" if month else f"---{day:02}" if day else ""


def _days(out: _Card, person: Person) -> None:
    birthdays = person.get("birthdays", ())
    dated = next((one for one in birthdays if _date(one.get("date", {}))), None)
    if dated is not None:
        out.add("BDAY", _date(dated["date"]))
    else:
        out.text("BDAY", next((one["text"] for one in birthdays if one.get("text")), ""), {"VALUE": "text"})
    kept = False
    for one in person.get("events", ()):
        date = one.get("date", {})
        written = _date(date)
        if not written:
            continue
        kind = text(one.get("type")).strip()
        if kind == "anniversary" and not kept:
            kept = True
            out.add("ANNIVERSARY", written)
            continue
        label = text(one.get("formattedType") or kind).strip() or "Other"
        if date.get("month") and date.get("day") and not date.get("year"):  # as address books write it
            day = f"1604-{int(date['month']):02}-{int(date['day']):02}"
            out.add("X-ABDATE", day, {"X-APPLE-OMIT-YEAR": "1604"}, label)
        elif len(written) == 8:
            out.add("X-ABDATE", f"{written[:4]}-{written[4:6]}-{written[6:]}", None, label)
        else:
            out.add("X-ABDATE", written, None, label)


def _relations(out: _Card, person: Person) -> None:
    for one in person.get("relations", ()):
        params, label = _typed(one, RELATIONS)
        out.text("RELATED", one.get("person"), params | {"VALUE": "text"}, label)


def _person(out: _Card, person: Person, lost: set[str]) -> None:
    gender = _first(person, "genders")
    if gender.get("value"):
        value = text(gender["value"]).strip()
        sign = GENDERS.get(value)
        out.add("GENDER", sign if sign else f"O;{vcard.text(value)}")
        out.text("X-GOOGLE-ADDRESS-ME-AS", gender.get("addressMeAs"))
    for one in person.get("locales", ()):
        if _LANGUAGE.fullmatch(str(one.get("value") or "").replace("_", "-")):
            out.add("LANG", str(one["value"]).replace("_", "-"))
    for one in person.get("interests", ()):
        out.text("INTEREST", one.get("value"))
    for one in person.get("skills", ()):
        out.text("EXPERTISE", one.get("value"))
    if any(not one.get("default") for one in person.get("coverPhotos", ())):
        lost.add("custom-field")


def _categories(out: _Card, person: Person, groups: Mapping[str, str]) -> None:
    found = set()
    for one in person.get("memberships", ()):
        name = groups.get(str(one.get("contactGroupMembership", {}).get("contactGroupResourceName")))
        if name:
            found.add(name)
    if found:
        out.add("CATEGORIES", vcard.texts(sorted(found)))


def _own(out: _Card, person: Person) -> None:
    """What the standard has no property for, under names of its own."""
    for one in person.get("externalIds", ()):
        out.text("X-GOOGLE-EXTERNAL-ID", one.get("value"), {"X-TYPE": text(one.get("type"))})
    for one in person.get("miscKeywords", ()):
        out.text("X-GOOGLE-KEYWORD", one.get("value"), {"X-TYPE": text(one.get("type"))})
    for one in person.get("clientData", ()):
        out.text("X-GOOGLE-CLIENT-DATA", one.get("value"), {"X-KEY": text(one.get("key"))})
    for one in person.get("locations", ()):
        where = ", ".join(
            text(one[key]) for key in ("value", "buildingId", "floor", "floorSection", "deskCode") if one.get(key)
        )
        out.text("X-GOOGLE-LOCATION", where, {"X-TYPE": text(one.get("type"))})
    for one in person.get("userDefined", ()):
        out.text("X-GOOGLE-USER-DEFINED", one.get("value"), {"X-KEY": text(one.get("key")).replace("\n", " ")})


def _note(out: _Card, person: Person) -> None:
    """What is written about somebody, and below it the fields of the person's own, which no program shows else."""
    said = []
    for one in person.get("biographies", ()):
        value = text(one.get("value")).strip()
        if value:
            said.append(html_text.plain(value) if one.get("contentType") == "TEXT_HTML" else value)
    own = [
        f"{text(one.get('key')).strip()}: {text(one.get('value')).strip()}"
        for one in person.get("userDefined", ())
        if one.get("value")
    ]
    if own:
        said.append("\n".join(own))
    out.text("NOTE", "\n\n".join(said))


def _media(data: bytes | None) -> str:
    """What kind of picture it is; "" for what is none."""
    if data is None:
        return ""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media for magic, media in _MAGIC.items() if data.startswith(magic)), "")


def item(
    person: Person, key: str, account: str, groups: Mapping[str, str], photo: Photo | None
) -> tuple[Item, bytes] | Skipped:
    """The contact as it is listed, with its bytes; or why it does not move."""
    uid = uid_of(account, key)
    try:
        body, lost = card(person, uid, groups, photo)
        when = revised(person)
    except _UNREADABLE as error:
        return Skipped(
            key,
            "unreadable-contact",
            f"Google describes this contact in a way that liberate cannot read ({type(error).__name__}).",
            "Open it in Google Contacts and save it again, or write it anew at the destination.",
        )
    digest = hashlib.sha256(body).hexdigest()
    found = Item(key, Kind.CONTACT, digest, uid, len(body), when, {"sha256": digest}, facts=ObjectFacts(lost))
    return found, body
