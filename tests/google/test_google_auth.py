"""Signing in, and what each way of failing tells people to do."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
from google_kit import ANNA, items, listing, mail, opened, patient
from liberate_google import consent
from liberate_google.convert import SCOPE
from liberate_google.gmail import GmailSource
from liberate_google.settings import GoogleSettings
from liberate_google.standin import Fault, GmailStandin
from pydantic import ValidationError

from liberate.connector import Account
from liberate.errors import AccountError, PlanError, TransientError


def first_call(settings: GoogleSettings, account: str = ANNA) -> None:
    source = GmailSource(settings, Account(account), patient())
    try:
        next(source.collections())
    finally:
        source.close()


def with_key(settings: GoogleSettings, tmp_path: Path, **changes: str) -> GoogleSettings:
    info = json.loads((tmp_path / "sa.json").read_text())
    (tmp_path / "other.json").write_text(json.dumps(info | changes))
    return settings.model_copy(update={"service_account_file": tmp_path / "other.json"})


def test_a_service_account_reads_each_mailbox_as_its_person(standin: GmailStandin, settings: GoogleSettings) -> None:
    standin.add_mailbox("bo@solros.example")
    standin.add_message("bo@solros.example", mail(2))
    with opened(standin, settings, "bo@solros.example") as source:
        assert len(items(listing(source))) == 1
    with opened(standin, settings, ANNA) as source:
        assert items(listing(source)) == []


def test_a_missing_delegation_names_the_client_the_scope_and_the_place(
    standin: GmailStandin, settings: GoogleSettings
) -> None:
    [account] = standin.oauth.accounts.values()
    account.delegated.clear()
    with pytest.raises(AccountError) as caught:
        first_call(settings)
    assert caught.value.code == "not-delegated"
    for needed in (account.client_id, SCOPE, "Domain-wide delegation"):
        assert needed in caught.value.todo


def test_an_unknown_person_is_told_from_a_bad_key(
    standin: GmailStandin, settings: GoogleSettings, tmp_path: Path
) -> None:
    with pytest.raises(AccountError) as caught:
        first_call(settings, "nobody@solros.example")
    assert caught.value.code == "no-account"
    other = standin.service_account_file(tmp_path / "second.json")
    stranger = json.loads((tmp_path / "second.json").read_text())["private_key"]
    with pytest.raises(AccountError) as caught:
        first_call(with_key(settings, tmp_path, private_key=stranger))
    assert caught.value.code == "key-refused"
    assert other.email not in str(caught.value)


def test_a_clock_that_is_wrong_is_suspected(standin: GmailStandin, settings: GoogleSettings) -> None:
    real = standin.oauth._clock
    standin.oauth._clock = lambda: real() + 7200
    with pytest.raises(AccountError, match="clock"):
        first_call(settings)


def test_a_token_endpoint_that_fails_is_a_passing_failure(
    standin: GmailStandin, settings: GoogleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)
    standin.faults.add(Fault(503, method="token", times=None))
    with pytest.raises(TransientError):
        first_call(settings)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"client_email": "a"}', "not json"])
def test_a_key_file_that_is_none_is_a_mistake_in_the_plan(
    settings: GoogleSettings, tmp_path: Path, content: str
) -> None:
    (tmp_path / "sa.json").write_text(content)
    with pytest.raises(PlanError, match=r"sa\.json"):
        first_call(settings)


def test_a_key_file_that_is_missing_is_a_mistake_in_the_plan(settings: GoogleSettings, tmp_path: Path) -> None:
    (tmp_path / "sa.json").unlink()
    with pytest.raises(PlanError, match="cannot be read"):
        first_call(settings)


def test_one_persons_consent_reads_their_mail_until_it_is_withdrawn(standin: GmailStandin, tmp_path: Path) -> None:
    token = standin.token_file(tmp_path / f"{ANNA}.json", ANNA)
    settings = GoogleSettings(token_file=tmp_path / "{account}.json", endpoint=standin.url)
    standin.add_message(ANNA, mail(1))
    with opened(standin, settings) as source:
        assert len(items(listing(source))) == 1
        standin.oauth.withdraw(token)
        standin.oauth.expire_all()
        with pytest.raises(AccountError) as caught:
            listing(source)
    assert caught.value.code == "consent-expired"


def test_a_consent_that_was_never_given_says_how_to_ask_for_it(standin: GmailStandin, tmp_path: Path) -> None:
    settings = GoogleSettings(token_file=tmp_path / "none.json", endpoint=standin.url)
    with pytest.raises(AccountError, match=r"python -m liberate_google\.consent client_secrets\.json"):
        first_call(settings)
    (tmp_path / "none.json").write_text('{"refresh_token": "1//secret"}')
    with pytest.raises(PlanError) as caught:
        first_call(settings)
    assert "secret" not in str(caught.value)


def test_a_consent_is_kept_for_its_owner_only(standin: GmailStandin, tmp_path: Path) -> None:
    standin.token_file(tmp_path / "from.json", ANNA)
    given = types.SimpleNamespace(**json.loads((tmp_path / "from.json").read_text()))
    consent.keep(given, tmp_path / "kept.json")
    assert (tmp_path / "kept.json").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.glob(".*")] == []
    with opened(standin, GoogleSettings(token_file=tmp_path / "kept.json", endpoint=standin.url)) as source:
        assert items(listing(source)) == []


def test_asking_for_a_consent_without_a_client_file_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert consent.main([str(tmp_path / "none.json"), str(tmp_path / "token.json")]) == 2
    assert consent.main([]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "either service_account_file"),
        ({"service_account_file": "a", "token_file": "b"}, "either service_account_file"),
        ({"token_file": "b", "endpoint": "http://gmail.example"}, "https://"),
        ({"token_file": "b", "endpoint": "ftp://127.0.0.1"}, "https://"),
        ({"token_file": "b", "batch": 51}, "less than or equal to 50"),
        ({"token_file": "b", "price_list": "2025"}, "before-2026"),
        ({"token_file": "b", "scope": "all"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GoogleSettings.model_validate(given)


def test_every_setting_is_described() -> None:
    assert [name for name, field in GoogleSettings.model_fields.items() if not field.description] == []


def test_the_entry_point_is_light_to_import() -> None:
    heavy = "[name for name in sys.modules if name in ('googleapiclient', 'requests', 'google.auth')]"
    program = f"import sys, liberate_google.connectors; print({heavy})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
