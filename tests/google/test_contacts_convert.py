"""Google's contacts become vCards, field by field, and other programs read them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import vobject
from liberate_google import contacts_convert as convert
from liberate_google.contacts_convert import Photo
from liberate_google.standin.pim_sample import everything, picture

from liberate.connector import Skipped
from liberate.pim import lines
from liberate.vcard import as_version_3

NAME = {"displayName": "Anna Åker", "givenName": "Anna", "familyName": "Åker"}
GROUPS = {"contactGroups/starred": "Starred", "contactGroups/7": "Board, old"}


def made(groups: dict[str, str] | None = None, photo: Photo | None = None, **fields: Any) -> list[str]:
    """The card's properties, without those that every card has."""
    person = {"resourceName": "people/c7", "names": [NAME]} | fields
    body, _ = convert.card(person, "urn:uuid:1", groups or {}, photo)
    text = body.decode().replace("\r\n ", "").split("\r\n")
    assert text[:2] == ["BEGIN:VCARD", "VERSION:4.0"]
    assert text[-2:] == ["END:VCARD", ""]
    return text[2:-2]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, ["FN:Anna Åker", "N:Åker;Anna;;;"]),
        ({"names": [{"givenName": "A", "honorificPrefix": "Dr"}]}, ["FN:Dr A", "N:;A;;Dr;"]),
        ({"names": [{"unstructuredName": "Anna, Å"}]}, ["FN:Anna\\, Å", "N:;Anna\\, Å;;;"]),
        ({"names": [], "organizations": [{"name": "Bolaget"}]}, ["FN:Bolaget", "ORG:Bolaget"]),
        ({"names": [], "emailAddresses": [{"value": "a@x"}]}, ["FN:a@x", "EMAIL:a@x"]),
        ({"names": []}, ["FN:(no name)"]),
        ({"names": [NAME | {"phoneticGivenName": "Ana"}]}, ["X-PHONETIC-FIRST-NAME:Ana"]),
        ({"nicknames": [{"value": "x", "type": "INITIALS"}, {"value": "y"}]}, ["X-INITIALS:x", "NICKNAME:y"]),
        ({"emailAddresses": [{"value": "a@x", "type": "work"}]}, ["EMAIL;TYPE=work:a@x"]),
        (
            {"emailAddresses": [{"value": "a@x", "metadata": {"primary": True}}, {"value": "b", "type": "Choir, old"}]},
            ["EMAIL;PREF=1:a@x", "ITEM1.EMAIL:b", "ITEM1.X-ABLABEL:Choir\\, old"],
        ),
        ({"phoneNumbers": [{"value": "+46 70", "type": "mobile"}]}, ["TEL;TYPE=cell:+46 70"]),
        ({"phoneNumbers": [{"value": "1", "type": "homeFax"}]}, ["TEL;TYPE=home,fax:1"]),
        ({"phoneNumbers": [{"value": "1", "type": "googleVoice"}]}, ["ITEM1.TEL;TYPE=voice:1"]),
        (
            {"addresses": [{"type": "home", "streetAddress": "A 1;\nB", "city": "C", "countryCode": "SE"}]},
            ["ADR;TYPE=home;CC=SE:;;A 1\\;\\nB;C;;;"],
        ),
        ({"addresses": [{"formattedValue": "Hus,\nby"}]}, ['ADR;LABEL="Hus,^nby":;;Hus\\,\\nby;;;;']),
        ({"urls": [{"value": "https://x.example/a b", "type": "blog"}]}, ["ITEM1.URL:https://x.example/ab"]),
        (
            {"organizations": [{"name": "A;B", "department": "C", "title": "D", "symbol": "AB"}]},
            ["ITEM1.ORG:A\\;B;C", "ITEM1.TITLE:D", "ITEM1.X-GOOGLE-ORGANIZATION-SYMBOL:AB"],
        ),
        ({"occupations": [{"value": "Baker"}]}, ["ROLE:Baker"]),
        ({"birthdays": [{"date": {"year": 1979, "month": 2, "day": 3}}]}, ["BDAY:19790203"]),
        ({"birthdays": [{"date": {"month": 2, "day": 29}}]}, ["BDAY:--0229"]),
        ({"birthdays": [{"date": {"year": 1979, "month": 2}}]}, ["BDAY:1979-02"]),
        ({"birthdays": [{"date": {"year": 1979}}]}, ["BDAY:1979"]),
        ({"birthdays": [{"text": "in May"}]}, ["BDAY;VALUE=text:in May"]),
        ({"birthdays": [{"text": "x"}, {"date": {"month": 5, "day": 1}, "text": "y"}]}, ["BDAY:--0501"]),
        ({"events": [{"type": "anniversary", "date": {"year": 2001, "month": 2, "day": 3}}]}, ["ANNIVERSARY:20010203"]),
        (
            {"events": [{"type": "Name day", "date": {"month": 6, "day": 5}}]},
            ["ITEM1.X-ABDATE;X-APPLE-OMIT-YEAR=1604:1604-06-05", "ITEM1.X-ABLABEL:Name day"],
        ),
        ({"events": [{"type": "x", "date": {"year": 2001, "month": 2, "day": 3}}]}, ["ITEM1.X-ABDATE:2001-02-03"]),
        ({"biographies": [{"value": "a <b>", "contentType": "TEXT_PLAIN"}]}, ["NOTE:a <b>"]),
        ({"biographies": [{"value": "a<br>b", "contentType": "TEXT_HTML"}]}, ["NOTE:a\\nb"]),
        (
            {"biographies": [{"value": "Hi"}], "userDefined": [{"key": "No", "value": "7"}]},
            ["X-GOOGLE-USER-DEFINED;X-KEY=No:7", "NOTE:Hi\\n\\nNo: 7"],
        ),
        ({"relations": [{"person": "Bo", "type": "spouse"}]}, ["RELATED;TYPE=spouse;VALUE=text:Bo"]),
        ({"relations": [{"person": "Bo", "type": "Boss"}]}, ["ITEM1.RELATED;VALUE=text:Bo", "ITEM1.X-ABLABEL:Boss"]),
        ({"imClients": [{"username": "a b@x", "protocol": "jabber"}]}, ["IMPP;X-SERVICE-TYPE=jabber:xmpp:a%20b@x"]),
        ({"imClients": [{"username": "a", "protocol": "My Chat"}]}, ["IMPP;X-SERVICE-TYPE=My Chat:x-my-chat:a"]),
        ({"sipAddresses": [{"value": "a@x"}]}, ["IMPP:sip:a@x"]),
        ({"genders": [{"value": "female"}]}, ["GENDER:F"]),
        ({"genders": [{"value": "own; word"}]}, ["GENDER:O;own\\; word"]),
        ({"interests": [{"value": "x"}], "skills": [{"value": "y"}]}, ["INTEREST:x", "EXPERTISE:y"]),
        ({"locales": [{"value": "sv_SE"}, {"value": "no language!"}]}, ["LANG:sv-SE"]),
        ({"calendarUrls": [{"url": "https://x/c", "type": "freeBusy"}]}, ["FBURL:https://x/c"]),
        ({"externalIds": [{"value": "7", "type": "customer"}]}, ["X-GOOGLE-EXTERNAL-ID;X-TYPE=customer:7"]),
        ({"fileAses": [{"value": "Å, A"}]}, ["X-FILE-AS:Å\\, A"]),
        ({"locations": [{"value": "Desk", "floor": "2"}]}, ['X-GOOGLE-LOCATION;X-TYPE="":Desk\\, 2']),
        ({"metadata": {"sources": [{"updateTime": "2026-01-02T03:04:05.678Z"}]}}, ["REV:20260102T030405Z"]),
    ],
)  # fmt: skip
def test_fields(fields: dict[str, Any], wanted: list[str]) -> None:
    found = made(**fields)
    for line in wanted:
        assert line.replace('X-TYPE=""', "X-TYPE=") in found, found


def test_groups_become_categories() -> None:
    some = ("starred", "myContacts", "7")
    memberships = [{"contactGroupMembership": {"contactGroupResourceName": f"contactGroups/{one}"}} for one in some]
    assert "CATEGORIES:Board\\, old,Starred" in made(GROUPS, memberships=memberships)


def test_groups_of_the_system_that_say_nothing_are_left_out() -> None:
    told = [
        {"resourceName": "contactGroups/myContacts", "name": "myContacts", "groupType": "SYSTEM_CONTACT_GROUP"},
        {"resourceName": "contactGroups/starred", "name": "starred", "groupType": "SYSTEM_CONTACT_GROUP"},
        {"resourceName": "contactGroups/7", "name": "Board", "groupType": "USER_CONTACT_GROUP"},
        {"resourceName": "contactGroups/8", "name": "Gone", "metadata": {"deleted": True}},
    ]
    assert convert.groups_of(told) == {"contactGroups/starred": "Starred", "contactGroups/7": "Board"}


@pytest.mark.parametrize("data", [None, b"", b"<html>"])
def test_a_picture_that_is_none_is_lost_and_said(data: bytes | None) -> None:
    person = {"resourceName": "people/c7", "names": [NAME]}
    body, lost = convert.card(person, "urn:uuid:1", {}, Photo(data))
    assert b"PHOTO" not in body
    assert lost == ("photo",)


def test_a_picture_that_google_draws_is_none() -> None:
    assert convert.photo_url({"photos": [{"url": "https://x/y", "default": True}]}) == ""
    assert convert.photo_url({"photos": [{"url": "https://x/y"}]}) == "https://x/y"


def test_a_contact_with_everything_is_read_by_another_library() -> None:
    data = picture(3)
    body, lost = convert.card({"resourceName": "people/c7", **everything()}, "urn:uuid:1", GROUPS, Photo(data))
    assert lost == ()
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))
    found = vobject.readOne(as_version_3(body).decode())
    assert found.fn.value == "Dr Zoé Ann-Marie Lefèvre; fil. dr"
    assert (found.n.value.given, found.n.value.family, found.n.value.additional) == ("Zoé", "Lefèvre", "Ann-Marie")
    assert [one.value for one in found.contents["email"]] == ["zoe@home.example", "zoe@kör.example"]
    assert found.contents["email"][1].group.lower() == "item1"
    assert [one.value for one in found.contents["x-ablabel"]][:2] == ["Kören", "Stugan"]
    assert [one.value for one in found.contents["tel"]] == ["+46 70 123 45 67", "08-123", "112"]
    address = found.contents["adr"][0].value
    assert (address.street, address.box, address.code) == ("Storgatan 1; 2 tr", "Box 5", "411 01")
    assert found.contents["org"][0].value == ["Solros ek. för.", "Styrelsen"]
    assert found.photo.value == data
    assert "Medlemsnummer: 1017" in found.note.value
    photo = next(one for one in lines(body) if one.name == "PHOTO")
    assert base64.b64decode(photo.value.partition("base64,")[2]) == data


@pytest.mark.parametrize(
    ("person", "key"),
    [
        ({"resourceName": "people/c255"}, "ff"),
        ({"resourceName": "people/c9", "metadata": {"sources": [{"type": "CONTACT", "id": "ff"}]}}, "ff"),
        ({"resourceName": "people/c9", "metadata": {"sources": [{"type": "PROFILE", "id": "1"}]}}, "9"),
        ({"resourceName": "people/me-and-you"}, "me-and-you"),
    ],
)
def test_a_contact_is_known_by_the_id_that_stays(person: dict[str, Any], key: str) -> None:
    assert convert.contact_id(person) == key
    assert convert.resource_name("ff") == "people/c255"


def test_a_contact_that_cannot_be_read_is_told_with_its_reason_and_nothing_of_its_text() -> None:
    person = {"resourceName": "people/c7", "names": [NAME], "birthdays": [{"date": {"year": "secret"}}]}
    found = convert.item(person, "mine/7", "anna@x", {}, None)
    assert isinstance(found, Skipped)
    assert (found.id, found.code) == ("mine/7", "unreadable-contact")
    assert "secret" not in found.why


def test_the_uid_is_the_same_each_time_and_another_for_another_account() -> None:
    uid = convert.uid_of("Anna@x.example", "mine/7")
    assert uid.startswith("urn:uuid:")
    assert convert.uid_of("anna@x.example", "mine/7") == uid
    assert len({uid, convert.uid_of("anna@x.example", "mine/8"), convert.uid_of("bo@x.example", "mine/7")}) == 3
