"""A writer that dies at any of its requests, and a homeserver that does: the next run sets everything right."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from liberate_matrix.contents import key_of
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.pictures import PACKS
from liberate_matrix.sandbox import Synapse
from liberate_matrix.settings import MatrixSettings
from matrix_kit import Company, Reader

from liberate.chat import Bookmark, File, Paragraph, Reaction, RoomKind, Text
from liberate.errors import TransientError
from liberate.testing.crash import Countdown, Crash, Step, crash_at
from liberate.testing.room_contract import DOT, THUMB, Job, file, item, say

VOUCHING = "join_authorised_via_users_server"  # somebody who may invite: the homeserver chooses among several


def conversation() -> list[Any]:
    """What becomes several requests each: parts, files, reactions, threads with and without a beginning."""
    long = (Paragraph((Text("a long text\n" * 6000),)),)
    return [
        item(say(0, reactions=(Reaction(THUMB, ("U2", "U3")),))),
        item(say(1, author="U3", blocks=long)),
        file("F1", b"notes\n"),
        item(say(2, thread="m0001", files=(File("F1", "notes.txt"), File("", "lost.txt", why="It is lost.")))),
        item(say(3, author="U2", thread="lost", broadcast=True)),
        item(say(4, author="B1", kind="notice")),
    ]


@dataclass
class Trial:
    """A job in a workspace of its own, with what an ordinary member sees of it afterwards."""

    synapse: Synapse
    settings: MatrixSettings
    kind: RoomKind = RoomKind.PUBLIC

    def __post_init__(self) -> None:
        self.company = Company(self.synapse)
        emoji = (("dot", "emoji:dot"), ("gone", "emoji:gone"), ("point", "alias:dot"))
        self.company.workspace = replace(self.company.workspace, picture="picture:team", emoji=emoji)
        self.company.pictures["emoji:dot"] = DOT
        room = self.company.room(self.kind, pins=("m0000",), archived=True, members=("U1", "U2", "U3"))
        room = replace(room, bookmarks=(Bookmark("Handbook", "https://example.test/handbook"),))
        # Equal names would make the addresses of later rooms differ from those of the first.
        self.job = Job(replace(room, name=self.company.tag if room.name else ""), self.company, conversation())

    def run(self, step: Step | None = None) -> None:
        with MatrixDestination(self.settings, step=step) as destination:
            self.job.run(destination)

    def contents(self) -> Any:
        """What anna sees: the events in their order, members, pins; ids by the order in which they first appear."""
        anna = Reader(self.synapse, self.company.anna)
        place = self.job.place
        events = anna.events(place)
        said = [one for one in events if one["type"] in ("m.room.message", "m.reaction", "m.room.redaction")]
        names = {one["event_id"]: f"#{number}" for number, one in enumerate(said)}
        out = [[one["type"], one["sender"], one["origin_server_ts"], one["content"]] for one in said]
        state = [
            [one["type"], one["state_key"], {name: word for name, word in one["content"].items() if name != VOUCHING}]
            for one in events
            if one["type"] != "m.room.create" and "state_key" in one
        ]
        last = {(type_, key): content for type_, key, content in state}
        lines = sorted(json.dumps(one) for one in last.items() if one[0][0] != "m.space.parent")
        told = json.dumps([out, lines, self.looks(anna, last)], sort_keys=True)
        for old, new in [
            *names.items(),
            *((key_of(one), one.id) for one, _ in self.job.bodies),
            *((receipt.id, id_) for id_, receipt in self.job.receipts.items() if receipt.id.startswith("mxc:")),
            *((mxc, "picture") for mxc in set(re.findall(r"mxc://[^/\"]+/[^/\"\\]+", told))),
            (self.company.tag.upper(), "TAG"),
            (self.company.tag, "TAG"),
        ]:
            told = told.replace(old, new)
        said, state, looks = json.loads(told)
        return said, [one for one in state if "m.room.join_rules" not in one], looks

    def looks(self, anna: Reader, state: dict[tuple[str, str], Any]) -> Any:
        """What the space shows of itself, and whose picture is which: the same address is the same picture."""
        out: dict[str, Any] = {"U3": state["m.room.member", self.company.ghost("U3")].get("avatar_url")}
        for type_, space in state:
            if type_ == "m.space.parent":
                out |= {"avatar": anna.state(space, "m.room.avatar"), "emoji": anna.state(space, PACKS[0], "liberate")}
        addresses = [out["U3"], *(one["url"] for one in out.get("emoji", {}).get("images", {}).values())]
        return [out, [addresses.index(one) for one in addresses]]

    def check(self, wanted: Any, told: str) -> None:
        assert self.contents() == wanted, told
        for member in (self.company.anna, self.company.ben):
            assert Reader(self.synapse, member).unread(self.job.place) == {
                "notification_count": 0,
                "highlight_count": 0,
            }, told


@pytest.mark.parametrize(
    ("kind", "every"),
    [
        (RoomKind.PUBLIC, 61),
        (RoomKind.DIRECT, 121),
        pytest.param(RoomKind.PUBLIC, 1, marks=pytest.mark.torture),
        pytest.param(RoomKind.DIRECT, 1, marks=pytest.mark.torture),
    ],
)
@pytest.mark.timeout(3000)
def test_a_writer_that_dies_at_any_request_is_set_right_by_the_next_run(
    synapse: Synapse, settings: MatrixSettings, kind: RoomKind, every: int
) -> None:
    steps: list[str] = []
    with MatrixDestination(settings):  # makes liberate's own account, once for all trials
        pass
    clean = Trial(synapse, settings, kind)
    clean.run(steps.append)
    wanted = clean.contents()
    clean.run()
    clean.check(wanted, "after a second run")
    assert {"after PUT send", "after POST create", "after PUT upload", "after POST createRoom"} <= set(steps)
    changing = [number for number, what in enumerate(steps) if what.startswith("after ")]
    emoji = [number for number in changing if PACKS[0] in steps[number]]
    bookmarks = [number for number in changing if steps[number] == "after PUT send"][-1]
    for number in sorted({*changing[::every], *emoji, bookmarks}):
        trial = Trial(synapse, settings, kind)
        told = f"after a crash at step {number} ({steps[number]})"
        with pytest.raises(Crash):
            trial.run(crash_at(number))
        trial.run()
        trial.check(wanted, told)


@pytest.mark.parametrize(
    "after", [4, *(pytest.param(number, marks=pytest.mark.torture) for number in (1, 2, 3, 5, 6, 7, 8))]
)
def test_a_homeserver_that_dies_and_forgets_its_transactions_gets_nothing_twice(
    synapse: Synapse, settings: MatrixSettings, after: int
) -> None:
    clean = Trial(synapse, settings)
    clean.run()
    wanted = clean.contents()
    trial = Trial(synapse, settings)
    sent = 0

    def die(what: str) -> None:
        nonlocal sent
        sent += what == "after PUT send"
        if sent == after:
            synapse.kill()  # it has the event, and its answer came: but nobody is told of it
            raise Crash(what)

    with pytest.raises(Crash):
        trial.run(die)
    synapse.a_day_later()
    trial.run()
    trial.check(wanted, f"after {after} events")


@pytest.mark.torture
def test_a_homeserver_that_is_gone_for_a_while_is_told_as_that(synapse: Synapse, settings: MatrixSettings) -> None:
    trial = Trial(synapse, settings)
    clean = Trial(synapse, settings)
    clean.run()
    steps = Countdown(40)

    def die(what: str) -> None:
        with suppress(Crash):
            steps(what)
            return
        synapse.kill()

    with pytest.raises(TransientError):
        trial.run(die)
    synapse.start()
    trial.run()
    trial.check(clean.contents(), "after a while")
