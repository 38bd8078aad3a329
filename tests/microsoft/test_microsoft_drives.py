"""Which drive an account means."""

from __future__ import annotations

import pytest
from liberate_microsoft import drives
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Drive, GraphStandin
from liberate_microsoft.standin.shapes import to_link, to_person, to_site_group
from microsoft_kit import ANNA, BJORN, cursor, facts, items, listing, opened

from liberate.connector import Account, Item, Skipped
from liberate.errors import AccountError, PlanError


@pytest.fixture
def board(standin: GraphStandin) -> Drive:
    """A library called "Documents" whose name in addresses is another, of a site with two."""
    site = standin.add_site("sites/Board", "Board")
    made = standin.add_library(site, "Documents", "Shared Documents")
    made.add_file("minutes.txt", b"we met")
    standin.add_library(site, "Plans & drawings").add_file("plan.txt", b"plan")
    return made


def names(settings: MicrosoftSettings, account: str) -> list[str]:
    with opened(settings, Account(account, kind="shared")) as source:
        return [item.name for item in items(listing(source))]


def test_a_library_is_named_by_site_and_name_by_address_or_by_id(
    settings: MicrosoftSettings, standin: GraphStandin, board: Drive
) -> None:
    host = f"https://{standin.host}"
    for one in (
        "sites/Board/Documents",
        "sites/Board/Shared Documents",
        f"{host}/sites/Board/Shared%20Documents",
        f"{host}/sites/Board/Documents",
        board.id,
    ):
        assert names(settings, one) == ["minutes.txt"], one
    assert names(settings, "sites/Board/Plans & drawings") == ["plan.txt"]
    alone = standin.add_site("sites/Choir", "Choir")
    standin.add_library(alone).add_file("song.txt", b"la")
    assert names(settings, "sites/Choir") == ["song.txt"]


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ("sites/Board", "which-library"),
        ("sites/Board/Nothing", "which-library"),
        ("sites/Nowhere/Documents", "no-site"),
        ("https://solros.sharepoint.example/sites/Nowhere", "no-site"),
        ("b!nothing", "not-found"),
    ],
)
def test_a_library_that_is_not_there_is_told(
    settings: MicrosoftSettings, board: Drive, account: str, code: str
) -> None:
    with pytest.raises(AccountError) as told:
        names(settings, account)
    assert told.value.code == code
    if code == "which-library":
        assert board.id in told.value.todo


def test_a_library_without_a_name_is_refused(settings: MicrosoftSettings) -> None:
    with pytest.raises(PlanError):
        names(settings, "")


@pytest.mark.parametrize(
    ("who", "code"),
    [("nobody@solros.example", "no-account"), ("new@solros.example", "no-onedrive"), ("left@solros.example", "locked")],
)
def test_a_person_without_a_drive_is_told(
    settings: MicrosoftSettings, standin: GraphStandin, who: str, code: str
) -> None:
    standin.add_person("new@solros.example", drive=False)
    standin.add_person("left@solros.example")
    standin.people["left@solros.example"].locked = True
    with opened(settings, who) as source, pytest.raises(AccountError) as told:
        list(source.collections())
    assert told.value.code == code
    assert told.value.todo


def test_sites_need_a_permission_of_their_own(settings: MicrosoftSettings, standin: GraphStandin, board: Drive) -> None:
    standin.entra.roles = frozenset({"Files.Read.All"})
    with pytest.raises(AccountError) as told:
        names(settings, "sites/Board/Documents")
    assert told.value.code == "not-permitted"
    assert "Sites.Read.All" in told.value.todo


def test_an_address_is_found_in_any_case(settings: MicrosoftSettings, drive: Drive) -> None:
    drive.add_file("a.txt", b"1")
    with opened(settings, ANNA.title()) as source:
        assert len(items(listing(source))) == 1


def test_a_library_is_nobodys_own_so_that_no_grant_is_lost() -> None:
    told = {"id": "b!1", "owner": {"user": {"displayName": "Anna", "email": ANNA}}, "webUrl": "https://x.example/l"}
    assert drives._drive(told, None, "solros.example").owner == ""
    assert drives._drive(told, "", "solros.example").owner == ANNA


# Who may see a drive as a whole ------------------------------------------------------------------

LIBRARY = Account("sites/Board/Documents", kind="shared")


def said(settings: MicrosoftSettings, account: Account) -> list[Skipped]:
    with opened(settings, account) as source:
        return [one for one in listing(source) if isinstance(one, Skipped)]


@pytest.mark.parametrize("permissions", [True, False])
def test_who_may_see_a_library_is_said_with_what_to_do_about_it(
    settings: MicrosoftSettings, board: Drive, permissions: bool
) -> None:
    board.share(board.root, to_site_group("Board Members", "write"), to_site_group("Board Owners", "owner"))
    chosen = settings.model_copy(update={"permissions": permissions})
    (one,) = said(chosen, LIBRARY)
    assert (one.id, one.code) == (board.root.id, "shared-as-a-whole")
    assert ("Board Members, Board Owners" if permissions else "the members of its site") in one.why
    assert one.todo


def test_a_library_whose_members_are_not_told_still_says_that_it_has_some(
    settings: MicrosoftSettings, board: Drive
) -> None:
    (one,) = said(settings, LIBRARY)
    assert "the members of its site" in one.why


def test_of_many_who_may_see_a_library_some_are_named(settings: MicrosoftSettings, board: Drive) -> None:
    board.share(board.root, *(to_person(f"p{n:02d}@solros.example", "") for n in range(13)))
    (one,) = said(settings, LIBRARY)
    assert "p09@solros.example and 3 more" in one.why
    assert "p10" not in one.why


def test_an_item_of_a_library_has_only_the_grants_that_its_members_do_not_have_anyway(
    settings: MicrosoftSettings, board: Drive
) -> None:
    board.share(board.root, to_site_group("Board Members", "write"))
    (minutes,) = board.files()
    board.share(minutes, to_person(BJORN, "Björn"))
    with opened(settings, LIBRARY) as source:
        (item,) = items(listing(source))
    assert [grant.name for grant in facts(item).grants] == [BJORN]


def test_a_onedrive_is_shared_as_a_whole_only_if_somebody_sees_it(settings: MicrosoftSettings, drive: Drive) -> None:
    drive.add_file("a.txt", b"1")
    drive.share(drive.root, to_link("anonymous"))
    with opened(settings) as source:
        first = listing(source)
        assert [type(one) for one in first if not isinstance(one, str)][:1] == [Item]
        drive.share(drive.root, to_person(BJORN, "Björn", "write"))
        (one,) = (one for one in listing(source, cursor(first)) if isinstance(one, Skipped))
    assert one.code == "shared-as-a-whole"
    assert BJORN in one.why
