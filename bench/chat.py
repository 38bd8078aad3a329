"""How fast messages get into rooms of a real Synapse, beside a bare loop of the same requests in the same run."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from liberate_matrix import registration
from liberate_matrix.client import DEVICE
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.sandbox import SERVER_NAME, Synapse
from liberate_matrix.settings import MatrixSettings

from bench.ground import Ground, say
from bench.measure import Failed
from bench.report import Findings, Table, at_least, figure
from liberate.chat import Author, ChatFacts, Message, Paragraph, Room, RoomKind, Text, Workspace
from liberate.connector import Item, Kind, Slot
from liberate.ledger_rows import key_of

ROOMS = 8
MESSAGES = 400  # in one room; each of several has its share
_BEGIN = datetime(2019, 5, 4, tzinfo=UTC)
_WORDS = "seed order harvest Tuesday the greenhouse members vote minutes budget " * 2
_SHARE = 0.95  # of the bare loop's pace that shall be left
_TIMES = 2.0  # one room's pace, with eight, where the homeserver allows it: as far as the bare loop gets there


@dataclass(frozen=True, slots=True)
class Pace:
    """Messages a second."""

    bare: float
    liberate: float


class _Cast:
    def author(self, id_: str) -> Author:
        return Author(id_, id_)

    def user(self, id_: str) -> str | None:
        return None

    def picture(self, id_: str) -> bytes | None:
        return None


def chat(ground: Ground) -> Findings:
    """One room, then eight at the same time; the two programs take turns, into new rooms each time."""
    if not Synapse.installed():
        raise Failed("Synapse is not installed: scripts/synapse-venv")
    path = ground.folder("matrix") / "registration.yaml"
    registration.write(path, SERVER_NAME)
    count = max(ROOMS, ground.scaled(MESSAGES))
    with Synapse([path]) as synapse:
        course = _Course(MatrixSettings(url=synapse.url, registration=path), synapse.port, path)
        course.bare(1, ROOMS)  # nothing is in its memory before that
        paces = {}
        for rooms in (1, ROOMS):
            turns = []
            for turn in range(ground.runs):
                turns.append(Pace(course.bare(rooms, count), course.liberate(rooms, count)))
                say(f"  {rooms} rooms, run {turn + 1}: {turns[-1].liberate:.1f}/s, bare {turns[-1].bare:.1f}/s")
            paces[rooms] = turns
    return findings(count, paces)


def findings(count: int, paces: dict[int, Sequence[Pace]]) -> Findings:
    """The table and its targets; the figures are medians."""
    rows, targets = [], []
    for rooms, turns in paces.items():
        bare, ours = (statistics.median(getattr(one, name) for one in turns) for name in ("bare", "liberate"))
        ratio = statistics.median(one.liberate / one.bare for one in turns)
        what = "one room" if rooms == 1 else f"{rooms} rooms at the same time"
        rows.append((what, figure(ours), figure(bare), figure(ratio)))
        targets.append(at_least(f"chat: {what}, share of the bare loop's pace", ratio, _SHARE, ""))
    one, many = (statistics.median(turn.liberate for turn in paces[rooms]) for rooms in (1, ROOMS))
    allowed = statistics.median(turn.bare for turn in paces[ROOMS]) / statistics.median(turn.bare for turn in paces[1])
    targets.append(at_least(f"chat: {ROOMS} rooms beside one", many / one, min(_TIMES, allowed), " x"))
    note = (
        f"{count:,} messages of one line, by two authors, into new rooms of a Synapse on SQLite on this machine, which "
        "needs most of the time itself. The bare loop sends the same requests over one connection for each room, and "
        "neither records nor looks at anything; making rooms and joining them counts for neither."
    )
    columns = ("", "liberate, messages/s", "bare loop, messages/s", "share")
    return Findings((Table("Chat into Matrix", columns, tuple(rows), note),), tuple(targets))


class _Course:
    def __init__(self, settings: MatrixSettings, port: int, path: Path) -> None:
        self._settings = settings
        self._port = port
        self._token = registration.read(path).token
        self._made = 0

    def liberate(self, rooms: int, count: int) -> float:
        """Through the connector, as the core does it: a batch at a time."""

        def ready(destination: MatrixDestination, room: Room) -> Callable[[], object]:
            place = destination.open_room(room, _Cast())
            each = count // rooms
            parts = [self._part(room, place, number) for number in range(-2, each)]
            list(destination.write_many(parts[:2]))  # both authors are in the room
            return lambda: list(destination.write_many(parts[2:]))

        return self._timed(rooms, count, ready)

    def bare(self, rooms: int, count: int) -> float:
        """The same events, by the same people, and nothing else."""

        def ready(destination: MatrixDestination, room: Room) -> Callable[[], object]:
            place = destination.open_room(room, _Cast())
            parts = [self._part(room, place, number) for number in range(-2, 0)]
            list(destination.write_many(parts))
            events = list(destination._client.history(destination._reader(place), place, {"types": ["m.room.message"]}))
            content = events[0]["content"]
            senders = [one["sender"] for one in events]
            return lambda: self._send(place, senders, content, count // rooms)

        return self._timed(rooms, count, ready)

    def _timed(self, rooms: int, count: int, ready: Callable[[MatrixDestination, Room], Callable[[], object]]) -> float:
        begin = threading.Barrier(rooms + 1)
        end = threading.Barrier(rooms + 1)

        def work(room: Room) -> None:
            try:
                with MatrixDestination(self._settings) as destination:
                    run = ready(destination, room)
                    begin.wait()
                    run()
                    end.wait()
            except BaseException:
                begin.abort()
                end.abort()
                raise

        some = [self._room() for _ in range(rooms)]
        with ThreadPoolExecutor(rooms) as workers:
            done = [workers.submit(work, room) for room in some]
            before = seconds = 0.0
            with suppress(threading.BrokenBarrierError):  # its reason is the worker's
                begin.wait()
                before = time.perf_counter()
                end.wait()
                seconds = time.perf_counter() - before
            for one in done:
                one.result()
        return (count // rooms) * rooms / seconds

    def _room(self) -> Room:
        self._made += 1
        return Room(f"C{self._made}", "", RoomKind.GROUP, Workspace("TBENCH", "bench"), members=("U1", "U2"))

    @staticmethod
    def _part(room: Room, place: str, number: int) -> tuple[Slot, bytes]:
        said = (Paragraph((Text(f"{number} {_WORDS}"),)),)
        message = Message(f"m{number}", f"U{number % 2 + 1}", _BEGIN + timedelta(minutes=number), said)
        item = Item(message.id, Kind.CHAT, "1", facts=ChatFacts())
        return Slot(item, place, "", key_of("bench", room.id, message.id), ""), message.dump()  # type: ignore[arg-type]

    def _send(self, place: str, senders: Sequence[str], content: dict[str, object], count: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        body = json.dumps(content).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        for number in range(count):
            asked = {"user_id": senders[number % 2], "device_id": DEVICE, "ts": 1557000000000 + number}
            path = f"/_matrix/client/v3/rooms/{quote(place)}/send/m.room.message/bare{number}?{urlencode(asked)}"
            connection.request("PUT", path, body, headers)
            answer = connection.getresponse()
            if answer.status != 200 or not answer.read():
                raise Failed(f"The homeserver answered {answer.status}.")
        connection.close()
