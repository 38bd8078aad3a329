"""Folders of others that show in an account: what is moved never comes into them, for others would see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from liberate_nextcloud.connectors import nextcloud
from liberate_nextcloud.destination import NextcloudDestination
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin
from liberate_nextcloud.standin.cloud import ALL, Mount
from nextcloud_kit import APP_SECRET, ROOT, USERS, Bytes, Somebody, file, folder, nobody
from pydantic import SecretStr

import liberate
from liberate.connector import NAME_TAKEN, Account, Collection, Kind, Place, inside
from liberate.errors import AccountError, ItemError
from liberate.files import FileFacts, FilePolicy, Grant, Role
from liberate.moves import Plan
from liberate.people import Person
from liberate.testing.memory import connector
from liberate.testing.memory_shelf import Shelf
from liberate.testing.memory_tree import MemoryFileSource
from liberate.testing.plans import plan


@pytest.fixture
def ben(standin: NextcloudStandin) -> Somebody:
    return Somebody(standin.url, "ben", USERS["ben"])


def team(standin: NextcloudStandin, name: str) -> NextcloudDestination:
    """A Team folder, which anna writes."""
    settings = NextcloudSettings(
        url=standin.url, appapi_secret=SecretStr(APP_SECRET), team_folders_as="anna", admin_user="admin"
    )
    return NextcloudDestination(settings, Account(f"team:{name}", kind="shared"), gate=Gate())


@pytest.fixture(params=["shared by somebody", "a Team folder"])
def shown(request: pytest.FixtureRequest, standin: NextcloudStandin, ben: Somebody) -> str:
    """The name of a folder in anna's home that is not hers alone."""
    standin.add_user("admin", "admin-login", admin=True)
    if request.param == "shared by somebody":
        ben.mkdir("Photos")
        ben.share("Photos", "anna")
    else:
        with team(standin, "Photos"):
            pass
    return "Photos"


def test_a_folder_of_others_is_not_used_though_it_has_the_name(destination: NextcloudDestination, shown: str) -> None:
    home = Place("")
    (held,) = destination.held(home)
    assert (held.name, held.folder, held.foreign) == (shown, True, True)
    slot = folder(home, shown)
    with pytest.raises(ItemError) as told:
        destination.make_folder(slot)
    assert told.value.code == NAME_TAKEN
    assert destination.find([slot], nobody) == {}


def test_a_folder_that_its_owner_shares_with_others_is_not_used_though_it_has_the_name(
    destination: NextcloudDestination, owner: Somebody
) -> None:
    home = Place("")
    for name, to in (("Board", "ben"), ("Plans", "")):
        owner.mkdir(name)
        if to:
            owner.share(name, to)
    with pytest.raises(ItemError) as told:
        destination.make_folder(folder(home, "Board"))
    assert told.value.code == NAME_TAKEN
    assert destination.make_folder(folder(home, "Plans")).id


def test_a_file_of_others_is_not_taken_for_ours_though_it_has_the_bytes(
    destination: NextcloudDestination, ben: Somebody
) -> None:
    ben.put("a.txt", b"the same")
    ben.share("a.txt", "anna")
    assert destination.find([file(Place(""), "a.txt", b"the same")], nobody) == {}


def test_a_place_in_a_folder_of_others_stops_the_account_before_anything_is_written(
    destination: NextcloudDestination, shown: str, owner: Somebody
) -> None:
    for path in ((shown,), (shown, "Work"), (shown, "Work", "Deep")):
        with pytest.raises(AccountError) as told:
            destination.prepare(Collection("work", path, Kind.FILE))
        assert told.value.code == "foreign-folder"
        with pytest.raises(AccountError):
            list(destination.held(Place("/".join(path))))
    assert owner.tree() == {shown: None}


def test_a_folder_of_others_that_came_in_the_place_of_ours_is_not_written_to(
    settings: NextcloudSettings, secret: str, owner: Somebody, ben: Somebody
) -> None:
    def opened() -> NextcloudDestination:
        return NextcloudDestination(settings, Account("anna", secret), gate=Gate())

    with opened() as destination:
        place = destination.prepare(ROOT)
        destination.make_folder(folder(place, "Deep"))
        destination.write(file(inside(place, "Deep"), "a.txt", b"a"), Bytes(b"a"))
    owner.remove("Work")
    ben.mkdir("Work")
    ben.share("Work", "anna")
    with opened() as destination, pytest.raises(AccountError) as told:
        list(destination.held(inside(place, "Deep")))
    assert told.value.code == "foreign-folder"
    assert ben.tree() == {"Work": None}


def test_a_team_folder_is_no_folder_of_others_to_its_own_account(standin: NextcloudStandin) -> None:
    standin.add_user("admin", "admin-login", admin=True)
    for _ in range(2):
        with team(standin, "Board") as destination:
            place = destination.prepare(ROOT)
            assert destination.make_folder(folder(place, "Minutes")).id
            assert [held.foreign for held in destination.held(place)] == [False]


def test_an_external_storage_is_the_accounts_own_only_if_the_plan_names_it(
    standin: NextcloudStandin, settings: NextcloudSettings, secret: str
) -> None:
    storage = Mount(standin.cloud.store.root("nas"), ALL, "external")
    standin.cloud.mount_sources.append(lambda _user: {"NAS": storage})
    with NextcloudDestination(settings, Account("anna", secret), gate=Gate()) as destination:
        assert [held.foreign for held in destination.held(Place(""))] == [True]
    named = settings.model_copy(update={"folder": "NAS/Drive"})
    for _ in range(2):
        with NextcloudDestination(named, Account("anna", secret), gate=Gate()) as destination:
            place = destination.prepare(Collection("", (), Kind.FILE))
            assert destination.make_folder(folder(place, "Plans")).id
            assert [held.foreign for held in destination.held(place)] == [False]


def one_folder(tmp_path: Path, standin: NextcloudStandin, shelf: Shelf) -> Plan:
    """Of anna's, with a file in it."""
    there = shelf.collection(kind=Kind.FILE)
    shelf.folder(there, "F", "Board")
    shelf.file(there, "a", "a.txt", b"a", "F")
    return plan(
        tmp_path / "job",
        connector("source", source=lambda _account: MemoryFileSource(shelf)),
        nextcloud,
        destination_settings=NextcloudSettings(url=standin.url, appapi_secret=SecretStr(APP_SECRET)),
        people=[Person("anna@x", "anna"), Person("ben@x", "ben", action="skip")],
        files=FilePolicy(shares=frozenset({"people"}), deleted="trash"),
    )


@pytest.mark.parametrize("size", [1, 15_000_000])
def test_a_newer_version_does_not_come_into_a_folder_of_others_that_came_in_the_place_of_ours(
    tmp_path: Path, standin: NextcloudStandin, owner: Somebody, ben: Somebody, size: int
) -> None:
    shelf = Shelf()
    moving = one_folder(tmp_path, standin, shelf)
    liberate.migrate(moving, workers=1)
    owner.remove("Board")
    ben.mkdir("Board")
    ben.share("Board", "anna")
    shelf.file(shelf.collection(kind=Kind.FILE), "a", "a.txt", b"b" * size, "F")
    (account,) = liberate.migrate(moving, workers=1).accounts
    assert account.stopped is not None
    assert account.stopped[0] == "foreign-folder"
    assert ben.tree() == {"Board": None}


@pytest.mark.parametrize("by", ["undo", "the source"])
def test_a_file_of_others_is_not_taken_away_though_it_stands_where_ours_did_with_the_same_bytes(
    tmp_path: Path, standin: NextcloudStandin, owner: Somebody, ben: Somebody, by: str
) -> None:
    shelf = Shelf()
    moving = one_folder(tmp_path, standin, shelf)
    liberate.migrate(moving, workers=1)
    owner.remove("Board")
    ben.mkdir("Board")
    ben.put("Board/a.txt", b"a")
    ben.share("Board", "anna")
    if by == "undo":
        liberate.undo(moving)
    else:
        shelf.remove(shelf.collection(kind=Kind.FILE), "a")
        liberate.migrate(moving, workers=1)
    assert ben.tree() == {"Board": None, "Board/a.txt": b"a"}


def test_what_its_owner_gave_to_somebody_is_not_taken_from_them_when_the_source_renames_it(
    tmp_path: Path, standin: NextcloudStandin, owner: Somebody, ben: Somebody
) -> None:
    shelf = Shelf()
    moving = one_folder(tmp_path, standin, shelf)
    liberate.migrate(moving, workers=1)
    ben.mkdir("Bens")
    ben.share("Bens", "anna")
    owner.rename("Board/a.txt", "Bens/a.txt")
    shelf.describe(shelf.collection(kind=Kind.FILE), "a", name="b.txt")
    liberate.migrate(moving, workers=1)
    assert ben.tree() == {"Bens": None, "Bens/a.txt": b"a"}


@pytest.mark.parametrize("goes", ["renamed", "removed"])
def test_a_folder_that_its_owner_put_in_the_place_of_ours_is_not_shared_for_it(
    tmp_path: Path, standin: NextcloudStandin, owner: Somebody, ben: Somebody, goes: str
) -> None:
    shelf = Shelf()
    moving = one_folder(tmp_path, standin, shelf)
    liberate.migrate(moving, workers=1)
    if goes == "renamed":
        owner.rename("Board", "Old")
    else:
        owner.remove("Board")
    owner.mkdir("Board")
    owner.put("Board/private.txt", b"private")
    facts = FileFacts(folder=True, grants=(Grant("user", "ben@x", Role.READER),))
    shelf.describe(shelf.collection(kind=Kind.FILE), "F", facts=facts)
    liberate.migrate(moving, workers=1)
    assert ben.tree() == ({"Old": None, "Old/a.txt": b"a"} if goes == "renamed" else {})


@pytest.mark.parametrize("first", [True, False], ids=["one after the other", "together"])
def test_people_whose_folders_have_one_name_keep_to_their_own(
    tmp_path: Path, standin: NextcloudStandin, owner: Somebody, ben: Somebody, first: bool
) -> None:
    """Each shares theirs with the other: whoever is moved later finds a folder of that name in their home."""
    shelves = {"anna@x": Shelf(), "ben@x": Shelf()}
    for name, to in (("anna@x", "ben@x"), ("ben@x", "anna@x")):
        there = shelves[name].collection(kind=Kind.FILE)
        shelves[name].folder(there, "F", "Photos")
        shelves[name].describe(there, "F", facts=FileFacts(folder=True, grants=(Grant("user", to, Role.WRITER),)))
        shelves[name].file(there, "a", f"{name}.jpg", name.encode(), "F")

    def move(left_out: str = "") -> None:
        moving = plan(
            tmp_path / "job",
            connector("source", source=lambda account: MemoryFileSource(shelves[account.name])),
            nextcloud,
            destination_settings=NextcloudSettings(url=standin.url, appapi_secret=SecretStr(APP_SECRET)),
            people=[Person(f"{one}@x", one, action="skip" if one == left_out else "move") for one in ("anna", "ben")],
            files=FilePolicy(shares=frozenset({"people"})),
        )
        liberate.migrate(moving, workers=1)

    if first:
        move("ben")
    move()
    his, annas = ("Photos (2)", "Photos") if first else ("Photos", "Photos (2)")
    assert {path for path, body in owner.tree().items() if body} == {"Photos/anna@x.jpg", "Photos (2)/ben@x.jpg"}
    assert {path for path, body in ben.tree().items() if body} == {f"{his}/ben@x.jpg", f"{annas}/anna@x.jpg"}
