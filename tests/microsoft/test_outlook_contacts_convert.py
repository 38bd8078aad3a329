"""What each field of a Graph contact becomes."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import vobject
from graph_schema import VARIABLE
from liberate_microsoft import contacts_convert
from liberate_microsoft.contacts_convert import Photo, birthday, uid
from liberate_microsoft.standin import PimBox, pim_shapes
from liberate_microsoft.standin.pim_sample import sample_contacts

from liberate.pim import content_digest
from liberate.vcard import as_version_3


def written(raw: dict[str, Any], photo: Photo | None = None) -> list[str]:
    body = contacts_convert.made({"id": "AAkA1", **raw}, photo).body
    assert content_digest(body)
    vobject.readOne(as_version_3(body).decode())
    found = body.decode().replace("\r\n ", "").split("\r\n")
    assert found[:3] == ["BEGIN:VCARD", "VERSION:4.0", f"UID:{uid('AAkA1')}"]
    return found[3:-2]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"displayName": "Anna, B; C"}, ["FN:Anna\\, B\\; C"]),
        ({"displayName": None, "givenName": "Anna", "surname": "Å"}, ["FN:Anna Å", "N:Å;Anna;;;"]),
        ({"companyName": "Seeds"}, ["FN:Seeds", "ORG:Seeds"]),
        ({"emailAddresses": [{"address": "a@b.example"}]}, ["FN:a@b.example", "EMAIL;PREF=1:a@b.example"]),
        ({"mobilePhone": "1"}, ["FN:1", "TEL;TYPE=cell:1"]),
        ({}, ["FN:?"]),
        (
            {"displayName": "x", "title": "Dr.", "givenName": "G", "middleName": "M", "surname": "S",
             "generation": "III"}, ["FN:x", "N:S;G;M;Dr.;III"],
        ),
        ({"displayName": "x", "nickName": "y"}, ["FN:x", "NICKNAME:y"]),
        (
            {"displayName": "x", "emailAddresses": [{"name": "At work", "address": "a@b.example"},
                                                    {"name": "x", "address": "c@d.example"}]},
            ["FN:x", "mail1.EMAIL;PREF=1:a@b.example", "mail1.X-ABLABEL:At work", "EMAIL:c@d.example"],
        ),
        (
            {"displayName": "x", "businessPhones": ["1", "2"], "homePhones": ["3"], "mobilePhone": "4"},
            ["FN:x", "TEL;TYPE=work,voice:1", "TEL;TYPE=work,voice:2", "TEL;TYPE=home,voice:3", "TEL;TYPE=cell:4"],
        ),
        (
            {"displayName": "x", "homeAddress": {"street": "S 1\r\nB", "city": "C", "state": "T", "postalCode": "9",
                                                 "countryOrRegion": "L"}, "businessAddress": {}, "otherAddress": None},
            ["FN:x", "ADR;TYPE=home:;;S 1\\nB;C;T;9;L"],
        ),
        (
            {"displayName": "x", "companyName": "A;B", "department": "D, E", "jobTitle": "J", "profession": "P",
             "officeLocation": "O"}, ["FN:x", "ORG:A\\;B;D\\, E", "TITLE:J", "ROLE:P", "X-OFFICE-LOCATION:O"],
        ),
        (
            {"displayName": "x", "spouseName": "S", "manager": "M", "assistantName": "A", "children": ["C", "D"]},
            ["FN:x", "RELATED;TYPE=spouse;VALUE=text:S", "RELATED;TYPE=x-manager;VALUE=text:M",
             "RELATED;TYPE=agent;VALUE=text:A", "RELATED;TYPE=child;VALUE=text:C", "RELATED;TYPE=child;VALUE=text:D"],
        ),
        ({"displayName": "x", "imAddresses": ["sip:a@b", "a b"]}, ["FN:x", "IMPP:sip:a@b", "IMPP:im:a%20b"]),
        ({"displayName": "x", "businessHomePage": "https://x.example"}, ["FN:x", "URL;TYPE=work:https://x.example"]),
        ({"displayName": "x", "personalNotes": "a\r\nb"}, ["FN:x", "NOTE:a\\nb"]),
        ({"displayName": "x", "categories": ["a,b", "c"]}, ["FN:x", "CATEGORIES:a\\,b,c"]),
        ({"displayName": "x", "fileAs": "X, Y"}, ["FN:x", "X-EVOLUTION-FILE-AS:X\\, Y"]),
        ({"displayName": "x", "initials": "X.Y."}, ["FN:x", "X-INITIALS:X.Y."]),
        (
            {"displayName": "x", "yomiGivenName": "g", "yomiSurname": "s", "yomiCompanyName": "c"},
            ["FN:x", "X-PHONETIC-FIRST-NAME:g", "X-PHONETIC-LAST-NAME:s", "X-PHONETIC-ORG:c"],
        ),
        ({"displayName": "x", "birthday": "1980-02-29T00:00:00Z"}, ["FN:x", "BDAY:19800229"]),
        ({"displayName": "x", "birthday": "1604-05-01T00:00:00Z"}, ["FN:x", "BDAY:--0501"]),
        ({"displayName": "x", "lastModifiedDateTime": "2026-01-02T03:04:05Z"}, ["FN:x", "REV:20260102T030405Z"]),
    ],
)  # fmt: skip
def test_a_field_becomes_its_properties(fields: dict[str, Any], wanted: list[str]) -> None:
    assert written(fields) == wanted


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("1980-05-01T00:00:00Z", date(1980, 5, 1)),  # midnight as it is
        ("1980-05-01T11:59:00Z", date(1980, 5, 1)),  # as Outlook on the web writes it
        ("1980-04-30T22:00:00Z", date(1980, 5, 1)),  # midnight in Berlin
        ("1980-05-01T07:00:00Z", date(1980, 5, 1)),  # midnight in Los Angeles
        ("1980-04-30T15:00:00Z", date(1980, 5, 1)),  # midnight in Tokyo
        ("1980-12-31T23:00:00Z", date(1981, 1, 1)),
        ("0001-01-01T00:00:00Z", None), (None, None), ("", None), ("once", None),
    ],
)  # fmt: skip
def test_a_birthday_is_the_day_that_is_meant(told: Any, wanted: date | None) -> None:
    assert birthday(told) == wanted


def test_a_picture_is_in_the_card_and_one_that_failed_is_told() -> None:
    found = written({"displayName": "x"}, Photo(b"\x89PNG", "image/png"))
    assert found == ["FN:x", "PHOTO:data:image/png;base64,iVBORw=="]
    assert written({"displayName": "x"}, Photo(b"x", "text/html"))[1].startswith("PHOTO:data:image/jpeg;")
    made = contacts_convert.made({"id": "1", "displayName": "x"}, Photo(failed=True))
    assert made.lost == ("photo",)
    assert b"PHOTO" not in made.body


def test_a_uid_is_the_same_for_ever_and_each_has_its_own() -> None:
    assert uid("AAkA1") == "urn:uuid:de3c80bb-014c-520d-beda-935ee8afd792"
    assert uid("AAkA1") != uid("AAkA2")


def test_an_independent_library_reads_every_field_in_the_older_version() -> None:
    box = PimBox("anna@solros.example", "Anna", lambda: 1_780_000_000.0)
    sample_contacts(box)
    raw = pim_shapes.contact(box, next(iter(box.contacts.values())), immutable=True)
    card = vobject.readOne(as_version_3(contacts_convert.made(raw, Photo(b"\x89PNG", "image/png")).body).decode())
    name = card.n.value
    assert (name.prefix, name.given, name.additional, name.family, name.suffix) == (
        "Dr.", "Eleni", "Maria", "Papadopoulou", "Jr.",
    )  # fmt: skip
    assert card.fn.value == "Dr. Eleni Papadopoulou"
    assert [one.value for one in card.contents["email"]] == ["eleni@solros.example", "eleni@home.example"]
    assert card.org.value == ["Solros; Odling", "Board, East"]
    assert card.bday.value == "19800229"
    assert card.note.value == "Line one\nline two; with, marks"
    assert card.categories.value == ["Board", "Friends, old"]
    work, home, other = (one.value for one in card.contents["adr"])
    assert (work.street, work.city, work.code, work.country) == ("Storgatan 1\nHouse 2", "Umeå", "903 26", "Sweden")
    assert (home.city, other.city) == ("Athens", "Thessaloniki")
    assert card.photo.value == b"\x89PNG"
    assert len(card.contents["tel"]) == 4


def _recorded(name: str) -> Any:
    folder = Path(os.environ.get(VARIABLE, "")).parent / "graph-recorded"
    if not os.environ.get(VARIABLE) or not folder.is_dir():
        pytest.skip(f"{VARIABLE} names no folder of schemas beside recorded answers")
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize(
    "name", ["response-contacts.json", "response-contacts-next-page.json", "response-contacts-minimal-json.json"]
)
def test_contacts_recorded_from_the_service_are_taken_unchanged(name: str) -> None:
    told = _recorded(name)
    assert len(told["value"]) == 10
    for raw in told["value"]:
        made = contacts_convert.made(raw)
        card = vobject.readOne(as_version_3(made.body).decode())
        assert card.fn.value == raw["displayName"]
        assert made.uid == uid(raw["id"])
        assert made.lost == ()
        assert made.modified is not None
        mails = [one.value for one in card.contents.get("email", ())]
        assert mails == [one["address"] for one in raw["emailAddresses"]]
        assert [one.value for one in card.contents.get("tel", ())] == list(filter(None, [raw.get("mobilePhone")]))
