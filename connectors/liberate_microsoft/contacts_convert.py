"""Graph's contacts as vCards of version 4.0. Pure."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeAlias
from urllib.parse import quote

from liberate import vcard
from liberate.pim import Line
from liberate_microsoft import times
from liberate_microsoft.objects import Made

Json: TypeAlias = Mapping[str, Any]

FIELDS = (
    "id,createdDateTime,lastModifiedDateTime,categories,parentFolderId,birthday,fileAs,displayName,givenName,initials,"
    "middleName,nickName,surname,title,yomiGivenName,yomiSurname,yomiCompanyName,generation,imAddresses,jobTitle,"
    "companyName,department,officeLocation,profession,businessHomePage,assistantName,manager,homePhones,mobilePhone,"
    "businessPhones,spouseName,personalNotes,children,emailAddresses,homeAddress,businessAddress,otherAddress"
)
_OURS = uuid.UUID("8f3d2c0e-5a52-4f0c-9d5e-0c5b7a1e6b21")  # for UIDs made of Graph's ids
_NO_YEAR = 1604  # what Outlook writes for a birthday without a year
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:\S")


@dataclass(frozen=True, slots=True)
class Photo:
    """The picture of a contact: its bytes, or why there are none."""

    data: bytes = b""
    media: str = ""
    failed: bool = False


def uid(id_: str) -> str:
    """The UID of a contact, the same for ever: Graph has none, so it is made of the id."""
    return f"urn:uuid:{uuid.uuid5(_OURS, id_)}"


def birthday(told: Any) -> date | None:
    """The day that is meant by a birthday, which Graph gives as a time in UTC.

    Programs put midnight there, of UTC or of where somebody was, or some minute before noon: the nearest day it is.
    """
    moment = times.instant(told)
    if moment is None or moment.year <= 1:  # 0001-01-01 stands for none
        return None
    return times.nearest(moment) if moment.date() < date.max - timedelta(days=1) else moment.date()


def made(raw: Json, photo: Photo | None = None) -> Made:
    """The card of a contact."""
    photo = photo or Photo()
    name = uid(str(raw["id"]))
    lost = ("photo",) if photo.failed else ()
    body = vcard.card(_lines(raw, name, photo))
    return Made(name, body, lost, times.instant(raw.get("lastModifiedDateTime")))


def _lines(raw: Json, name: str, photo: Photo) -> Iterator[Line]:
    yield vcard.line("UID", name)
    yield from _names(raw)
    yield from _reached(raw)
    yield from _work(raw)
    born = birthday(raw.get("birthday"))
    if born is not None:
        yield vcard.line("BDAY", f"--{born:%m%d}" if born.year == _NO_YEAR else f"{born:%Y%m%d}")
    for field, kind in (("spouseName", "spouse"), ("manager", "x-manager"), ("assistantName", "agent")):
        if one := _text(raw, field):
            yield vcard.line("RELATED", vcard.text(one), {"TYPE": kind, "VALUE": "text"})
    for child in _texts(raw, "children"):
        yield vcard.line("RELATED", vcard.text(child), {"TYPE": "child", "VALUE": "text"})
    if note := str(raw.get("personalNotes") or "").strip():
        yield vcard.line("NOTE", vcard.text(note))
    if categories := _texts(raw, "categories"):
        yield vcard.line("CATEGORIES", vcard.texts(categories))
    if photo.data:
        media = photo.media if re.fullmatch(r"image/[a-z0-9.+-]+", photo.media) else "image/jpeg"
        yield vcard.line("PHOTO", f"data:{media};base64,{base64.b64encode(photo.data).decode()}")
    changed = times.instant(raw.get("lastModifiedDateTime"))
    if changed is not None:
        yield vcard.line("REV", f"{changed:%Y%m%dT%H%M%SZ}")


def _names(raw: Json) -> Iterator[Line]:
    shown = _text(raw, "displayName") or " ".join(filter(None, (_text(raw, "givenName"), _text(raw, "surname"))))
    mails = [str(_table(one).get("address") or "") for one in _list(raw.get("emailAddresses"))]
    spare = (shown, _text(raw, "fileAs"), _text(raw, "companyName"), _text(raw, "nickName"), *mails)
    yield vcard.line("FN", vcard.text(next(filter(None, spare), "")))
    parts = [_text(raw, one) for one in ("surname", "givenName", "middleName", "title", "generation")]
    if any(parts):
        yield vcard.line("N", vcard.parts(parts))
    if nick := _text(raw, "nickName"):
        yield vcard.line("NICKNAME", vcard.text(nick))
    for field, name in (
        ("initials", "X-INITIALS"),
        ("yomiGivenName", "X-PHONETIC-FIRST-NAME"),
        ("yomiSurname", "X-PHONETIC-LAST-NAME"),
        ("yomiCompanyName", "X-PHONETIC-ORG"),
        ("fileAs", "X-EVOLUTION-FILE-AS"),
    ):
        if value := _text(raw, field):
            yield vcard.line(name, vcard.text(value))


def _reached(raw: Json) -> Iterator[Line]:
    first = True
    for number, one in enumerate(map(_table, _list(raw.get("emailAddresses"))), 1):
        address = str(one.get("address") or "").strip()
        if not address:
            continue
        name = str(one.get("name") or "").strip()
        group = f"mail{number}" if name and name not in (address, _text(raw, "displayName")) else ""
        yield vcard.line("EMAIL", vcard.text(address), {"PREF": "1"} if first else {}, group)
        if group:
            yield vcard.line("X-ABLABEL", vcard.text(name), group=group)
        first = False
    for field, kinds in (("businessPhones", ("work", "voice")), ("homePhones", ("home", "voice"))):
        for number_ in _texts(raw, field):
            yield vcard.line("TEL", vcard.text(number_), {"TYPE": kinds})
    if mobile := _text(raw, "mobilePhone"):
        yield vcard.line("TEL", vcard.text(mobile), {"TYPE": "cell"})
    for field, kind in (("businessAddress", "work"), ("homeAddress", "home"), ("otherAddress", "")):
        told = _table(raw.get(field))
        parts = [_text(told, one) for one in ("street", "city", "state", "postalCode", "countryOrRegion")]
        if any(parts):
            yield vcard.line("ADR", vcard.parts(["", "", *parts]), {"TYPE": kind} if kind else {})
    for address in _texts(raw, "imAddresses"):
        uri = address if _SCHEME.match(address) else f"im:{quote(address, safe='@')}"
        yield vcard.line("IMPP", uri)
    if page := _text(raw, "businessHomePage"):
        yield vcard.line("URL", page, {"TYPE": "work"})


def _work(raw: Json) -> Iterator[Line]:
    company, department = _text(raw, "companyName"), _text(raw, "department")
    if company or department:
        yield vcard.line("ORG", vcard.parts([company, department] if department else [company]))
    for field, name in (("jobTitle", "TITLE"), ("profession", "ROLE"), ("officeLocation", "X-OFFICE-LOCATION")):
        if value := _text(raw, field):
            yield vcard.line(name, vcard.text(value))


def _text(raw: Json, name: str) -> str:
    return str(raw.get(name) or "").strip()


def _texts(raw: Json, name: str) -> list[str]:
    return [str(one).strip() for one in _list(raw.get(name)) if one and str(one).strip()]


def _table(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
