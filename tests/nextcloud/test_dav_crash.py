"""Jobs of calendars and contacts that die at any of their steps are set right by the next run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from liberate_nextcloud.beside_files import WholeNextcloud
from liberate_nextcloud.connectors import dav, nextcloud
from liberate_nextcloud.dav_destination import DavDestination
from liberate_nextcloud.dav_sandbox import Radicale
from liberate_nextcloud.dav_settings import DavSettings
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin
from nextcloud_kit import APP_SECRET
from pydantic import SecretStr

import liberate
from liberate.connector import Account, Connector, Destination, Kind
from liberate.files import FilePolicy
from liberate.pim import content_digest
from liberate.report import Report
from liberate.testing.crash import Step, Trial, survives, victims
from liberate.testing.memory import connector
from liberate.testing.memory_shelf import MemorySource, Shelf
from liberate.testing.object_contract import MANY_TIMES, card, event
from liberate.testing.plans import plan


def shelf(*, changed: bool) -> Shelf:
    """A calendar and an address book; `changed`: as they are some days later."""
    made = Shelf()
    work, friends = made.collection("Work", kind=Kind.EVENT), made.collection("Friends", kind=Kind.CONTACT)
    made.put(work, "s", MANY_TIMES, name="series@x")
    made.put(work, "a", event("a@x"), name="a@x")
    made.put(friends, "c", card("c1"), name="c1")
    if changed:
        made.put(work, "a", event("a@x", "Moved to Monday"), name="a@x")
        made.put(work, "b", event("b/../x"), name="b/../x")
        made.remove(work, "s")
    return made


def job(folder: Path, made: Connector, settings: Any, user: str, step: Step, *, changed: bool) -> Report:
    wanted = plan(
        folder,
        connector("source", source=lambda _account: MemorySource(shelf(changed=changed))),
        made,
        destination_settings=settings,
        people=[("", user)],
        files=FilePolicy(deleted="trash"),
    )
    return liberate.migrate(wanted, step=step, workers=1, patience=5)


def on_nextcloud(url: str, folder: Path, user: str, step: Step, *, changed: bool = True) -> Report:
    def opened(settings: NextcloudSettings, account: Account) -> AbstractContextManager[Destination]:
        return WholeNextcloud(settings, account, step=step)

    settings = NextcloudSettings(url=url, appapi_secret=SecretStr(APP_SECRET), connections=1)
    return job(folder, replace(nextcloud, destination=opened), settings, user, step, changed=changed)


def on_radicale(url: str, folder: Path, user: str, step: Step, *, changed: bool = True) -> Report:
    def opened(settings: DavSettings, account: Account) -> AbstractContextManager[Destination]:
        return DavDestination(settings, account, step=step)

    settings = DavSettings(url=url, connections=1, password=SecretStr("secret"))
    return job(folder, replace(dav, destination=opened), settings, user, step, changed=changed)


def in_another_process(argument: Any, step: Step) -> Report:
    """For liberate.testing.crash.Victims."""
    run = on_radicale if argument["server"] == "radicale" else on_nextcloud
    return run(argument["url"], Path(argument["folder"]), argument["user"], step)


def said(objects: dict[str, dict[str, bytes]]) -> dict[str, list[str]]:
    return {name: sorted(content_digest(data) for data in held.values()) for name, held in objects.items()}


def _unwatched(_what: str) -> None:
    """Nobody counts these steps."""


EVERY = pytest.param(1, marks=pytest.mark.torture)


@pytest.mark.parametrize("every", [7, EVERY])
def test_each_event_and_contact_arrives_once_whatever_dies(
    tmp_path: Path, standin: NextcloudStandin, every: int
) -> None:
    def fresh(name: str) -> Trial:
        user = f"u{name}"
        standin.add_user(user, "not used")
        on_nextcloud(standin.url, tmp_path / name, user, _unwatched, changed=False)

        def contents() -> Any:
            return said(standin.objects(user)), said(standin.objects(user, "addressbooks"))

        return Trial(lambda step: on_nextcloud(standin.url, tmp_path / name, user, step), contents)

    taken = survives(fresh, only=lambda number, _what: number % every == 0)
    assert {"after PROPFIND", "after PUT", "after DELETE"} <= set(taken)
    assert standin.mails == []


@pytest.mark.parametrize("every", [7, EVERY])
def test_a_first_run_that_dies_leaves_each_event_once(tmp_path: Path, standin: NextcloudStandin, every: int) -> None:
    def fresh(name: str) -> Trial:
        user = f"u{name}"
        standin.add_user(user, "not used")

        def run(step: Step) -> Report:
            return on_nextcloud(standin.url, tmp_path / name, user, step, changed=False)

        return Trial(run, lambda: (said(standin.objects(user)), said(standin.objects(user, "addressbooks"))))

    taken = survives(fresh, only=lambda number, _what: number % every == 0)
    assert {"after MKCALENDAR", "after MKCOL", "after PUT"} <= set(taken)


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    users = {f"u{name}": "secret" for name in ("clean", *map(str, range(400)))}
    with Radicale(tmp_path_factory.mktemp("radicale"), users) as server:
        yield server


def on_disk(server: Radicale, user: str) -> dict[str, list[str]]:
    out = {}
    for props in (server.folder / "collections" / "collection-root" / user).glob("*/.Radicale.props"):
        name = json.loads(props.read_text())["D:displayname"]
        files = [one for one in props.parent.iterdir() if not one.name.startswith(".")]
        out[name] = sorted(content_digest(one.read_bytes()) for one in files)
    return out


@pytest.mark.parametrize("every", [29, EVERY])
def test_a_process_that_is_killed_leaves_each_event_once_on_radicale(
    tmp_path: Path, radicale: Radicale, every: int
) -> None:
    folder = tmp_path / "jobs"

    def fresh(name: str) -> Trial:
        user = f"u{name}"
        argument = {"server": "radicale", "url": radicale.url, "folder": str(folder / name), "user": user}
        on_radicale(radicale.url, folder / name, user, _unwatched, changed=False)
        return Trial(lambda step: in_another_process(argument, step), lambda: on_disk(radicale, user), argument)

    with victims("test_dav_crash:in_another_process", [str(Path(__file__).parent)]) as some:
        taken = survives(fresh, some, only=lambda number, _what: number % every == 3)
    assert {"after PROPFIND", "after PUT", "after DELETE"} <= set(taken)


def test_undo_takes_back_what_nobody_touched(tmp_path: Path, standin: NextcloudStandin, secret: str) -> None:
    settings = NextcloudSettings(url=standin.url, appapi_secret=SecretStr(APP_SECRET))
    wanted = plan(
        tmp_path / "job",
        connector("source", source=lambda _account: MemorySource(shelf(changed=False))),
        nextcloud,
        destination_settings=settings,
        people=[("", "anna")],
    )
    report = liberate.migrate(wanted, workers=1)
    assert report.accounts[0].evidence == {"stored-digest": 3}
    assert {name: sorted(held) for name, held in standin.objects("anna").items() if held} == {
        "Work": ["a@x", "series@x"]
    }
    (undone,) = liberate.undo(wanted)
    assert (undone.removed, undone.kept) == (3, ())
    assert set(standin.objects("anna")) == {"Personal"}
    liberate.migrate(wanted, workers=1)
    assert standin.mails == []
