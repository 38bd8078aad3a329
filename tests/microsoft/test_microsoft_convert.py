"""Graph's JSON as items and grants: tables of what is told and what it means."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graph_schema import VARIABLE
from liberate_microsoft import convert
from liberate_microsoft.problems import Failure, error, failure, item_error, seconds

from liberate.errors import AccountError, TransientError
from liberate.files import Grant, Role

QUICK = "SgAAAAAAAAAAAAAAAQAAAAAAAAA="
FILE = {"id": "1", "name": "a.txt", "size": 1, "file": {"hashes": {"quickXorHash": QUICK}}}


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2024-02-29T01:02:03Z", datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)),
        ("2024-02-29T01:02:03.1234567Z", datetime(2024, 2, 29, 1, 2, 3, 123456, tzinfo=UTC)),
        ("2024-02-29T01:02:03.5+02:00", datetime(2024, 2, 28, 23, 2, 3, 500000, tzinfo=UTC)),
        ("1601-01-01T00:00:00Z", datetime(1601, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("2023-02-29T01:02:03Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_times(text: Any, when: datetime | None) -> None:
    assert convert.moment(text) == when


@pytest.mark.parametrize(
    ("told", "digests"),
    [
        ({"quickXorHash": QUICK}, {"quickxor": QUICK}),
        ({"sha1Hash": "AB" * 20, "sha256Hash": "CD" * 32}, {"sha1": "ab" * 20, "sha256": "cd" * 32}),
        ({"sha1Hash": "short", "quickXorHash": "", "crc32Hash": "01234567"}, {}),
        (None, {}),
        ("nonsense", {}),
    ],
)
def test_digests(told: Any, digests: dict[str, str]) -> None:
    assert convert.hashes({"file": {"hashes": told}}) == digests


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        (FILE, f"quickxor:{QUICK}:1"),
        ({**FILE, "eTag": "2", "name": "b"}, f"quickxor:{QUICK}:1"),
        ({"size": 9, "file": {}, "cTag": "c1"}, "ctag:c1"),
        ({"size": 0, "file": {}, "cTag": "c1"}, "empty"),
        ({"size": 9, "file": {}}, ""),
    ],
)
def test_versions(raw: dict[str, Any], version: str) -> None:
    assert convert.version(raw) == version


def test_facts_change_their_version_and_bytes_do_not_change_that_of_facts() -> None:
    usual = convert.item(FILE, "F", ())
    for change, parent, grants in (
        ({"name": "b.txt"}, "F", ()),
        ({}, "G", ()),
        ({"description": "x"}, "F", ()),
        ({"fileSystemInfo": {"lastModifiedDateTime": "2024-01-01T00:00:00Z"}}, "F", ()),
        ({}, "F", (Grant("link", "", Role.READER),)),
    ):
        other = convert.item({**FILE, **change}, parent, grants)
        assert other.facts_version != usual.facts_version, (change, parent)
        assert other.version == usual.version
    assert convert.item({**FILE, "eTag": "9", "webUrl": "x"}, "F").facts_version == usual.facts_version


USER = {"user": {"email": "Jo@x.example", "displayName": "Jo"}}


@pytest.mark.parametrize(
    ("permission", "found"),
    [
        ({"roles": ["read"], "grantedToV2": USER}, Grant("user", "jo@x.example", Role.READER)),
        ({"roles": ["read", "write"], "grantedTo": USER}, Grant("user", "jo@x.example", Role.WRITER)),
        ({"roles": ["sp.full control"], "grantedToV2": USER}, Grant("user", "jo@x.example", Role.ORGANIZER)),
        ({"roles": ["sp.limited access"], "grantedToV2": USER}, None),
        ({"roles": [], "grantedToV2": USER}, None),
        ({"roles": ["owner"], "grantedToV2": {"user": {"email": "anna@solros.example"}}}, None),
        ({"roles": ["read"], "grantedToV2": {"user": {"id": "7"}}}, Grant("user", "id:7", Role.READER)),
        (
            {"roles": ["read"], "grantedToV2": {"user": {"id": "7"}, "siteUser": {
                "loginName": "i:0#.f|membership|jo_gmail.com#ext#@solros.onmicrosoft.com"}}},
            Grant("user", "jo@gmail.com", Role.READER),
        ),
        (
            {"roles": ["read"], "grantedToV2": {"siteUser": {"loginName": "c:0-.f|rolemanager|spo-grid-all-users/7"}}},
            Grant("domain", "solros.example", Role.READER),
        ),
        (
            {"roles": ["write"], "grantedToV2": {"siteGroup": {"displayName": "Board Members", "loginName": "B"}}},
            Grant("group", "Board Members", Role.WRITER),
        ),
        (
            {"roles": ["read"], "invitation": {"email": "New@y.example"}},
            Grant("user", "new@y.example", Role.READER),
        ),
        ({"roles": ["read"], "link": {"scope": "anonymous", "type": "view"}}, Grant("link", "", Role.READER)),
        ({"roles": ["read"], "link": {"scope": "anonymous", "type": "view"}, "hasPassword": True}, None),
        (
            {"roles": ["write"], "link": {"scope": "organization", "type": "edit"}},
            Grant("domain", "solros.example", Role.WRITER),
        ),
        (
            {"roles": ["read"], "grantedToV2": USER, "expirationDateTime": "2030-01-01T00:00:00Z"},
            Grant("user", "jo@x.example", Role.READER, datetime(2030, 1, 1, tzinfo=UTC)),
        ),
        (
            {"roles": ["read"], "grantedToV2": USER, "expirationDateTime": "0001-01-01T00:00:00Z"},
            Grant("user", "jo@x.example", Role.READER),
        ),
        (
            {"roles": ["read"], "grantedToV2": USER, "inheritedFrom": {"id": "F"}},
            Grant("user", "jo@x.example", Role.READER),
        ),
    ],
)  # fmt: skip
def test_grants(permission: dict[str, Any], found: Grant | None) -> None:
    got = convert.grants([permission], "solros.example", "anna@solros.example")
    assert got == (frozenset() if found is None else {found})


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "InvalidAuthenticationToken", "token-refused"),
        (403, "accessDenied", "not-permitted"),
        (404, "itemNotFound", "not-found"),
        (400, "invalidRequest", "source-refused"),
    ],
)
def test_errors_of_an_account(status: int, code: str, expected: str) -> None:
    body = json.dumps({"error": {"code": code, "message": "Bearer eyJsecret"}}).encode()
    told = error(failure(status, {}, body), "anna")
    assert isinstance(told, AccountError)
    assert told.code == expected
    assert "eyJsecret" not in str(told)


@pytest.mark.parametrize("status", [0, 408, 423, 429, 500, 502, 503, 504, 509])
def test_passing_errors_carry_the_wait_that_was_asked_for(status: int) -> None:
    told = error(failure(status, {"Retry-After": "12"}, b"<html>"), "anna")
    assert isinstance(told, TransientError)
    assert told.retry_after == 12
    assert item_error(Failure(status)) is None


def test_a_wait_may_be_a_date_and_what_is_neither_is_none() -> None:
    assert seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert (seconds("2.5"), seconds("soon"), seconds(None), seconds("-3")) == (2.5, None, None, 0.0)
    assert (seconds("nan"), seconds("inf")) == (None, None)  # numbers to Python, and no time to wait


def test_answers_recorded_from_the_service_are_taken_unchanged() -> None:
    folder = Path(os.environ.get(VARIABLE, "")).parent / "graph-recorded"
    if not os.environ.get(VARIABLE) or not folder.is_dir():
        pytest.skip(f"{VARIABLE} names no folder of schemas beside recorded answers")
    put = convert.item(json.loads((folder / "response-drive-item-put.json").read_text()), "")
    assert (put.id, put.name, put.size) == ("0123456789abc", "filename.txt", 5)
    user = json.loads((folder / "response-user-expand-with-drive.json").read_text())
    assert user["drive"]["quota"]["used"] >= 0
    told = failure(400, {}, (folder / "response-get-collection-error.json").read_bytes())
    assert told.code
