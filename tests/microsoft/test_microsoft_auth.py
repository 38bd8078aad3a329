"""Signing in: an application's secret or certificate, a person's device code, and what refusals say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from liberate_microsoft import auth
from liberate_microsoft.consent import ask, main
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Drive, Fault, GraphStandin
from liberate_microsoft.standin.entra import Entra
from liberate_microsoft.standin.reply import Reply
from microsoft_kit import ANNA, BJORN, calls, items, listing, made_settings, opened
from pydantic import SecretStr, ValidationError

from liberate.connector import Account
from liberate.errors import AccountError, PlanError, TransientError

USUAL = {"tenant": "solros.example", "client_id": "1-2"}


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sign-in is shared between tests."""
    monkeypatch.setattr(auth, "_sign_ins", {})


def consent(standin: GraphStandin, folder: Path, who: str = ANNA) -> MicrosoftSettings:
    settings = made_settings(standin, folder, token_file=folder / "{account}.json")
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        standin.entra.allow(who)

    assert ask(settings, tell) == who
    assert standin.entra.flows[-1].user_code in told[0]
    return settings


def test_an_application_signs_in_once_for_all_its_accounts(standin: GraphStandin, tmp_path: Path) -> None:
    standin.add_person(BJORN)
    settings = made_settings(standin, tmp_path)
    for who in (ANNA, BJORN):
        with opened(settings, who) as source:
            listing(source)
    assert calls(standin, "token") == 1


def test_an_application_signs_in_with_its_certificate(standin: GraphStandin, drive: Drive, tmp_path: Path) -> None:
    drive.add_file("a.txt", b"1")
    thumbprint = standin.key_file(tmp_path / "key.pem")
    settings = made_settings(standin, tmp_path, certificate_file=tmp_path / "key.pem", thumbprint=thumbprint)
    with opened(settings) as source:
        assert len(items(listing(source))) == 1
    standin.key_file(tmp_path / "other.pem")
    settings = made_settings(standin, tmp_path, certificate_file=tmp_path / "key.pem", thumbprint=thumbprint, timeout=9)
    with opened(settings) as source, pytest.raises(AccountError) as told:
        list(source.collections())
    assert told.value.code == "certificate-unknown"


def test_a_key_that_others_can_read_is_refused(standin: GraphStandin, tmp_path: Path) -> None:
    thumbprint = standin.key_file(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o644)
    settings = made_settings(standin, tmp_path, certificate_file=tmp_path / "key.pem", thumbprint=thumbprint)
    with opened(settings) as source, pytest.raises(PlanError, match="chmod 600"):
        list(source.collections())


def test_a_person_consents_by_a_code_and_is_read_with_their_own_rights(
    standin: GraphStandin, drive: Drive, tmp_path: Path
) -> None:
    drive.add_file("a.txt", b"1")
    standin.add_person(BJORN)
    settings = consent(standin, tmp_path)
    kept = tmp_path / f"{ANNA}.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    with opened(settings) as source:
        (item,) = items(listing(source))
        assert b"".join(source.read(item)) == b"1"
    with opened(settings, BJORN) as source, pytest.raises(AccountError) as told:
        list(source.collections())
    assert told.value.code == "consent-needed"
    assert "liberate_microsoft.consent" in told.value.todo


def test_a_token_that_ended_early_is_renewed_once_and_silently(
    standin: GraphStandin, drive: Drive, tmp_path: Path
) -> None:
    drive.add_file("a.txt", b"1")
    for settings in (made_settings(standin, tmp_path), consent(standin, tmp_path)):
        with opened(settings) as source:
            list(source.collections())
            standin.entra.end_tokens()
            assert len(items(listing(source))) == 1


def test_a_consent_that_was_withdrawn_is_told(standin: GraphStandin, drive: Drive, tmp_path: Path) -> None:
    settings = consent(standin, tmp_path)
    with opened(settings) as source:
        list(source.collections())
        standin.entra.withdraw(ANNA)
        with pytest.raises(AccountError) as told:
            listing(source)
    assert told.value.code == "consent-expired"


def test_a_declined_code_is_told(standin: GraphStandin, tmp_path: Path) -> None:
    settings = made_settings(standin, tmp_path, token_file=tmp_path / "t.json")
    with pytest.raises(AccountError):
        ask(settings, lambda _text: standin.entra.refuse())
    assert not (tmp_path / "t.json").exists()


def test_the_command_for_consent_writes_the_file(
    standin: GraphStandin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Entra._device

    def typed_in_at_once(entra: Entra, form: dict[str, str]) -> Reply:
        reply = shown(entra, form)
        entra.allow(ANNA)
        return reply

    monkeypatch.setattr(Entra, "_device", typed_in_at_once)
    authority = standin.ca_file(tmp_path / "ca.pem")
    where = ["--endpoint", standin.url, "--ca-file", str(authority)]
    assert main([standin.entra.tenant, standin.entra.client_id, str(tmp_path / "t.json"), *where]) == 0
    out = capsys.readouterr().out
    assert "enter the code" in out
    assert ANNA in out
    assert json.loads((tmp_path / "t.json").read_text())["RefreshToken"]
    assert main([standin.entra.tenant, "an-other-app", str(tmp_path / "u.json"), *where]) == 2


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_secret": SecretStr("wrong~secret")}, "secret-refused"),
        ({"client_id": "99999999-0000-4000-8000-000000000000"}, "no-application"),
        ({"tenant": "nobody.example"}, "no-tenant"),
    ],
)
def test_each_refusal_says_what_to_correct(
    standin: GraphStandin, tmp_path: Path, changed: dict[str, Any], code: str
) -> None:
    with opened(made_settings(standin, tmp_path, **changed)) as source, pytest.raises(AccountError) as told:
        list(source.collections())
    assert told.value.code == code
    assert told.value.todo
    assert "wrong~secret" not in f"{told.value} {told.value!r}"


def test_a_sign_in_that_does_not_work_just_now_is_passing(standin: GraphStandin, tmp_path: Path) -> None:
    for fault in (Fault(method="token", status=503, retry_after="41"), Fault(method="token", breaks="reset")):
        standin.faults.add(fault)
        with opened(made_settings(standin, tmp_path)) as source, pytest.raises(TransientError) as told:
            list(source.collections())
        assert told.value.retry_after == (41 if fault.status == 503 and not fault.breaks else None)


def test_a_certificate_that_is_not_trusted_stops_the_account(standin: GraphStandin, tmp_path: Path) -> None:
    with GraphStandin() as other:
        settings = made_settings(standin, tmp_path).model_copy(
            update={"ca_file": other.ca_file(tmp_path / "other.pem")}
        )
        with opened(settings) as source, pytest.raises(AccountError) as told:
            list(source.collections())
    assert told.value.code == "certificate-refused"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"client_secret": SecretStr("a"), "token_file": "t"},
        {"certificate_file": "c.pem"},
        {"token_file": "t", "endpoint": "https://graph.microsoft.com"},
        {"token_file": "t", "endpoint": "http://127.0.0.1:1"},
        {"token_file": "t", "ca_file": "ca.pem"},
        {"token_file": "t", "tenant": "a/b"},
        {"certificate_file": "c.pem", "thumbprint": "xyz"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MicrosoftSettings(**{**USUAL, **wrong})


def test_the_traffic_is_decorated(standin: GraphStandin, settings: MicrosoftSettings) -> None:
    with opened(settings) as source:
        list(source.collections())
    assert {one.headers["user-agent"] for one in standin.requests} == {"NONISV|solros.example|liberate/1.0"}


def test_an_account_of_a_kind_that_has_no_drive_is_refused(settings: MicrosoftSettings) -> None:
    with opened(settings, Account("room@solros.example", kind="room")) as source, pytest.raises(PlanError):
        list(source.collections())


@pytest.mark.parametrize(
    "content",
    [b"", b"not PEM", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n"],
)
def test_a_key_file_that_holds_no_key_is_told(standin: GraphStandin, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    thumbprint = standin.key_file(path)
    path.write_bytes(content)
    settings = made_settings(standin, tmp_path, certificate_file=path, thumbprint=thumbprint)
    with opened(settings) as source, pytest.raises(PlanError, match=r"key\.pem"):
        list(source.collections())


@pytest.mark.parametrize("content", ["[]", "{", "rubbish", '{"Account": []}'])
def test_a_token_file_that_holds_no_consent_is_told(standin: GraphStandin, tmp_path: Path, content: str) -> None:
    path = tmp_path / "token.json"
    path.touch(mode=0o600)
    path.write_text(content)
    with opened(made_settings(standin, tmp_path, token_file=path)) as source, pytest.raises(PlanError, match="consent"):
        list(source.collections())
