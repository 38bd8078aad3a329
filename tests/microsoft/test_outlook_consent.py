"""Mail and files of one account: each with its own permission, whether of an application or of a person."""

from __future__ import annotations

from pathlib import Path

import pytest
from liberate_microsoft import auth
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.consent import ask
from liberate_microsoft.outlook import OutlookSource
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Drive, GraphStandin
from microsoft_kit import ANNA, BJORN, calls, made_settings
from outlook_kit import items, listing, mail, opened

from liberate.connector import Account, Checks, Item, Kind, Surveys
from liberate.errors import AccountError

MAIL, FILES = frozenset({Kind.MAIL}), frozenset({Kind.FILE})


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sign-in is shared between tests."""
    monkeypatch.setattr(auth, "_sign_ins", {})


def consented(standin: GraphStandin, folder: Path, kinds: frozenset[Kind]) -> MicrosoftSettings:
    settings = made_settings(standin, folder, token_file=folder / "{account}.json")
    assert ask(settings, lambda _text: standin.entra.allow(ANNA), kinds) == ANNA
    return settings


def kinds_of(settings: MicrosoftSettings, account: Account) -> list[Kind]:
    """The kinds of what is listed and read, without a failure."""
    assert microsoft.source is not None
    with microsoft.source(settings, account) as source:
        found = []
        for collection in list(source.collections()):
            for item in source.items(collection, None):
                if isinstance(item, Item):
                    assert b"".join(source.read(item))
                    found.append(item.kind)
        return sorted(found)


@pytest.fixture
def both(standin: GraphStandin, drive: Drive) -> None:
    drive.add_file("a.txt", b"1")
    standin.add_mailbox(ANNA).add(mail(1))


@pytest.mark.usefixtures("both")
def test_a_person_consents_to_mail_and_to_files_each_by_itself(standin: GraphStandin, tmp_path: Path) -> None:
    settings = consented(standin, tmp_path, MAIL)
    assert kinds_of(settings, Account(ANNA, kinds=MAIL)) == [Kind.MAIL]
    with pytest.raises(AccountError):
        kinds_of(settings, Account(ANNA, kinds=FILES))
    settings = consented(standin, tmp_path, MAIL | FILES)
    auth._sign_ins.clear()
    assert kinds_of(settings, Account(ANNA, kinds=MAIL | FILES)) == [Kind.FILE, Kind.MAIL]


@pytest.mark.usefixtures("both")
def test_a_person_sees_shared_mailboxes_and_nobody_elses(standin: GraphStandin, tmp_path: Path) -> None:
    settings = consented(standin, tmp_path, MAIL)
    standin.add_mailbox("info@solros.example", shared=True).add(mail(2))
    standin.add_mailbox(BJORN).add(mail(3))
    name = str(tmp_path / f"{ANNA}.json")
    settings = settings.model_copy(update={"token_file": Path(name)})
    sign_in = auth.SignIn(settings, Account(ANNA), Kind.MAIL)
    for who, count in (("info@solros.example", 1), (BJORN, None)):
        source = OutlookSource(settings, Account(who, kind="shared"), sign_in=sign_in)
        try:
            if count is None:
                with pytest.raises(AccountError) as told:
                    listing(source)
                assert told.value.code == "not-permitted"
            else:
                assert len(items(listing(source))) == count
        finally:
            source.close()


def test_who_has_not_consented_is_told_how_to(standin: GraphStandin, tmp_path: Path) -> None:
    settings = made_settings(standin, tmp_path, token_file=tmp_path / "{account}.json")
    with opened(settings) as source, pytest.raises(AccountError) as told:
        list(source.collections())
    assert told.value.code == "consent-needed"
    assert "--kinds mail" in told.value.todo
    assert "mail" in told.value.why


@pytest.mark.usefixtures("both")
def test_what_the_route_does_not_move_is_not_asked_for(standin: GraphStandin, settings: MicrosoftSettings) -> None:
    standin.entra.roles = frozenset({"Mail.Read"})
    assert kinds_of(settings, Account(ANNA, kinds=MAIL)) == [Kind.MAIL]
    assert calls(standin, "delta") == calls(standin, "drive") == 0
    standin.entra.roles = frozenset({"Files.Read.All"})
    standin.entra.end_tokens()
    standin.requests.clear()
    assert kinds_of(settings, Account(ANNA, kinds=FILES)) == [Kind.FILE]
    assert calls(standin, "mailFolders") == 0


@pytest.mark.usefixtures("both")
def test_who_was_told_nothing_reads_both_and_says_what_cannot_be_entered(
    standin: GraphStandin, settings: MicrosoftSettings
) -> None:
    assert kinds_of(settings, Account(ANNA)) == [Kind.FILE, Kind.MAIL]
    standin.entra.roles -= {"Mail.Read"}
    standin.entra.end_tokens()
    assert microsoft.source is not None
    with microsoft.source(settings, Account(ANNA)) as source:
        found = {one.kind: one for one in source.collections()}
        assert set(found) == {Kind.MAIL, Kind.FILE}
        assert len(list(source.items(found[Kind.FILE], None))) > 0
        with pytest.raises(AccountError):
            list(source.items(found[Kind.MAIL], None))
        assert isinstance(source, Surveys)
        assert source.survey().items is None
        assert isinstance(source, Checks)
        with pytest.raises(AccountError):
            list(source.check())
    with pytest.raises(AccountError):
        kinds_of(settings, Account("who@solros.example"))


@pytest.mark.usefixtures("both")
def test_a_check_of_files_finds_the_drive_or_says_why_not(standin: GraphStandin, settings: MicrosoftSettings) -> None:
    assert microsoft.source is not None
    with microsoft.source(settings, Account(ANNA, kinds=FILES)) as source:
        assert isinstance(source, Checks)
        assert list(source.check()) == []
    standin.add_person(BJORN, drive=False)
    with microsoft.source(settings, Account(BJORN, kinds=FILES)) as source:
        assert isinstance(source, Checks)
        with pytest.raises(AccountError) as told:
            list(source.check())
        assert told.value.code == "no-onedrive"


@pytest.mark.usefixtures("both")
def test_one_persons_own_mailbox_needs_no_name(standin: GraphStandin, tmp_path: Path) -> None:
    settings = made_settings(standin, tmp_path, token_file=tmp_path / "mine.json")
    assert ask(settings, lambda _text: standin.entra.allow(ANNA), MAIL) == ANNA
    assert kinds_of(settings, Account("", kinds=MAIL)) == [Kind.MAIL]
