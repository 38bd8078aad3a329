"""A workspace leaves Slack for Matrix, by its export or by an app: killed, resumed, with its ledger and without."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any, Literal, TypeAlias

import pytest
from leaving_slack_kit import V3, Workspace, leaving
from liberate_matrix.sandbox import Synapse
from liberate_slack.standin.export import Shape

from liberate.testing.postgresql import programs

PUBLIC = ("C0CHANNEL0", "C0CHANNEL1", "C0CHANNEL2")
BOARD, GROUP, DIRECT, MYSELF, ERASED = "G0BOARD00", "G0MPIM000", "D0DIRECT0", "D0MYSELF0", "D0ERASED0"
ARCHIVED = "C0CHANNEL2"
WHO_SEES = {
    "anna": {*PUBLIC, BOARD, GROUP, DIRECT, MYSELF, ERASED},
    "bo": {*PUBLIC, BOARD, GROUP, DIRECT},
    "cleo": {*PUBLIC, BOARD, GROUP},
}
SMALL = Shape(users=7, messages=43, quiet=4)  # cleo speaks in talks that are not hers
FULL = Shape(users=40, messages=625)
TORTURE = [pytest.mark.torture, pytest.mark.timeout(5400)]
MOVES = [
    # The other tests of Matrix have SQLite: with this one both are in every run.
    pytest.param(SMALL, "export", "postgresql", id="small, by its export, into PostgreSQL"),
    pytest.param(SMALL, "export", "sqlite", id="small, by its export", marks=TORTURE),
    pytest.param(SMALL, "app", "sqlite", id="small, by an app", marks=TORTURE),
    pytest.param(FULL, "export", "sqlite", id="full, by its export", marks=TORTURE),
    pytest.param(FULL, "export", "postgresql", id="full, by its export, into PostgreSQL", marks=TORTURE),
    pytest.param(FULL, "app", "sqlite", id="full, by an app", marks=TORTURE),
]
Door: TypeAlias = Literal["export", "app"]


@pytest.mark.parametrize(("shape", "door", "database"), MOVES)
def test_a_workspace_leaves_slack_whatever_dies_on_the_way(
    tmp_path: Path, shape: Shape, door: Door, database: str
) -> None:
    with moving(tmp_path, shape, door, database) as here:
        total = sum(len(one) for one in here.said.messages.values())
        with here.command("check") as process:
            out, err = process.communicate(timeout=600)
        assert process.returncode == 0, (out, err)
        assert "slack:" in out
        assert "chat:" in out
        assert "messages a second" in out
        assert re.search(r"rooms and the people in them take [1-9][\d,]* joins", out), out
        for percent in (3, 30, 27):  # of the whole, since it was killed last
            assert here.killed(total * percent // 100), "it ended before it could be killed"

        def restart(process: Popen[str]) -> None:
            here.synapse.restart()

        code = here.during(total // 100, restart)
        assert code in (0, 4), "it neither ended well nor asked to be run again"
        code, report = here.run("migrate")
        assert (code, report["accounts"][0]["state"]) == (0, "done"), report
        assert report["accounts"][0]["spent"]["join"] > 0, "of all runs, though some were killed"
        here.check()
        rooms_are_as_they_were(here)
        before = here.fingerprint()
        # A day later, by somebody who has the plan and not the job's folder.
        here.synapse.a_day_later()
        shutil.rmtree(here.folder / "solros.job")
        code, report = here.run("migrate")
        assert (code, report["accounts"][0]["state"]) == (0, "done"), report
        everything_is_there(here)
        assert here.fingerprint() == before
        all_but_one_is_taken_back(here)


def everything_is_there(here: Workspace) -> None:
    """One more run finds nothing to do, and everything is as it was said."""
    code, report = here.run("migrate")
    assert (code, report["changed"]) == (0, False)
    code, report = here.run("verify")
    ((account,),) = (report["accounts"],)
    found = account["verification"]
    assert (code, found["different"], found["missing"]) == (0, 0, 0), found
    assert found["identical"] == account["items"]["moved"]


def all_but_one_is_taken_back(here: Workspace) -> None:
    """What bo has written in since stays where it is; of the rest nobody sees anything any more."""
    bo, board = here.people["bo"], here.place(BOARD)
    bo.say(board, "still here")
    before = [one["event_id"] for one in bo.events(board)]
    with here.command("undo", "--yes") as process:
        out, err = process.communicate(timeout=600)
    assert "Traceback" not in err, err
    assert process.returncode == 1, (out, err)
    assert f"{bo.id} has written in the room since" in " ".join(out.split())
    assert [one["event_id"] for one in bo.events(board)] == before
    for colleague in here.people.values():
        rooms = colleague.ask(f"{V3}/joined_rooms")["joined_rooms"]
        assert board in rooms
        assert len(rooms) == 2  # it and its space


def rooms_are_as_they_were(here: Workspace) -> None:
    """Who is in which room, what it is called, who may write in it, and where people find it."""
    places = {id_: here.place(id_) for id_ in here.said.rooms}
    for name, ids in WHO_SEES.items():
        colleague = here.people[name]
        joined = set(colleague.ask(f"{V3}/joined_rooms")["joined_rooms"])
        assert joined & set(places.values()) == {places[id_] for id_ in ids}, name
        (space,) = joined - set(places.values())
        create = colleague.state(space, "m.room.create")
        assert create["type"] == "m.space"
        children = {one["state_key"] for one in colleague.events(space) if one["type"] == "m.space.child"}
        assert children == {places[id_] for id_ in (*PUBLIC, BOARD)}
    anna, bo = here.people["anna"], here.people["bo"]
    for id_, room in here.said.rooms.items():
        named = id_ in (*PUBLIC, BOARD)
        try:
            called = anna.state(places[id_], "m.room.name")["name"]
        except AssertionError:
            called = ""
        assert called == (room.name if named else ""), id_
    assert anna.state(places["C0CHANNEL0"], "m.room.topic")["topic"] == "All of general\nTalk"
    assert anna.state(places[ARCHIVED], "m.room.power_levels")["events_default"] == 100
    assert anna.state(places["C0CHANNEL0"], "m.room.power_levels")["events_default"] == 0
    assert anna.state(places[BOARD], "m.room.join_rules")["join_rule"] == "invite"
    assert anna.state(places["C0CHANNEL0"], "m.room.join_rules")["join_rule"] == "restricted"
    for one, other in ((anna, bo), (bo, anna)):
        direct = one.ask(f"{V3}/user/{one.id}/account_data/m.direct")
        assert direct[other.id] == [places[DIRECT]]
    refused(bo, places[MYSELF])
    refused(here.people["cleo"], places[DIRECT])


def refused(colleague: Any, place: str) -> None:
    """Whoever was not in a conversation reads nothing of it."""
    with pytest.raises(AssertionError, match="403"):
        colleague.events(place)


@contextmanager
def moving(folder: Path, shape: Shape, door: Door, database: str) -> Iterator[Workspace]:
    if not Synapse.installed():
        why = "Synapse is not installed: scripts/synapse-venv"
        if os.environ.get("LIBERATE_REQUIRE_SYNAPSE"):
            pytest.fail(why)
        pytest.skip(why)
    if database == "postgresql" and programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with leaving(folder, shape, door, database) as here:
        yield here
