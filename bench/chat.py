"""How fast messages get into rooms of a real Synapse, beside a bare loop of the same requests in the same run."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
_TURNS = 8  # of each program in a run
_OURS, _BARE = "liberate", "bare"
_BEGIN = datetime(2019, 5, 4, tzinfo=UTC)
_WORDS = "seed order harvest Tuesday the greenhouse members vote minutes budget " * 2
_SHARE = 0.95  # of the bare loop's pace that shall be left
_TIMES = 2.0  # one room's pace, with eight; or the same share of what the bare loop gets, if the homeserver allows less


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
    """One room, then eight at the same time; the two programs take turns, in new rooms each run."""
    if not Synapse.installed():
        raise Failed("Synapse is not installed: scripts/synapse-venv")
    path = ground.folder("matrix") / "registration.yaml"
    registration.write(path, SERVER_NAME)
    count = max(ROOMS, ground.scaled(MESSAGES))
    with Synapse([path]) as synapse:
        course = _Course(MatrixSettings(url=synapse.url, registration=path), synapse.port, path)
        course.pace(1, ROOMS)  # nothing is in its memory before that
        paces = {}
        for rooms in (1, ROOMS):
            turns = []
            for turn in range(ground.runs):
                turns.append(course.pace(rooms, count))
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
    targets.append(at_least(f"chat: {ROOMS} rooms beside one", many / one, min(_TIMES, _SHARE * allowed), " x"))
    note = (
        f"{count:,} messages of one line, by two authors, into new rooms of a Synapse on SQLite on this machine, which "
        "needs most of the time itself. The bare loop sends the same requests over one connection for each room, and "
        "neither records nor looks at anything; making rooms and joining them counts for neither. The two take turns "
        f"in the same rooms, {_TURNS} each in a run; a share is the median of the runs."
    )
    columns = ("", "liberate, messages/s", "bare loop, messages/s", "share")
    return Findings((Table("Chat into Matrix", columns, tuple(rows), note),), tuple(targets))


class _Course:
    def __init__(self, settings: MatrixSettings, port: int, path: Path) -> None:
        self._settings = settings
        self._port = port
        self._token = registration.read(path).token
        self._made = 0

    def pace(self, rooms: int, count: int) -> Pace:
        """Both programs write into the same new rooms, `count` messages each in all, and take turns at it.

        A homeserver is not equally fast from one minute to the next, nor is a machine: turns of a few seconds,
        each program as often the first as the second, meet the same moods.
        """
        each = count // rooms
        size = max(1, each // _TURNS)
        turns = [(begin, min(begin + size, each)) for begin in range(0, each, size)]
        barrier = threading.Barrier(rooms)
        spent = {_OURS: 0.0, _BARE: 0.0}

        def work(room: Room) -> None:
            try:
                with MatrixDestination(self._settings) as destination, self._writers(destination, room) as writers:
                    for number, (begin, end) in enumerate(turns):
                        for who in (_OURS, _BARE) if number % 2 else (_BARE, _OURS):
                            barrier.wait()
                            before = time.perf_counter()
                            writers[who](begin, end)
                            if barrier.wait() == 0:  # one of them, when all have done it
                                spent[who] += time.perf_counter() - before
            except BaseException:
                barrier.abort()
                raise

        some = [self._room() for _ in range(rooms)]
        with ThreadPoolExecutor(rooms) as workers:
            done = [workers.submit(work, room) for room in some]
        failed = [error for one in done if (error := one.exception()) is not None]
        for error in sorted(failed, key=lambda one: isinstance(one, threading.BrokenBarrierError)):
            raise error  # the reason first, and not who waited for the one that met it
        return Pace(each * rooms / spent[_BARE], each * rooms / spent[_OURS])

    @contextmanager
    def _writers(self, destination: MatrixDestination, room: Room) -> Iterator[dict[str, Callable[[int, int], None]]]:
        """What writes these messages into the room: liberate as the core does it, a batch at a time, and the bare loop.

        The bare loop sends the same event, by the same people, and nothing else.
        """
        place = destination.open_room(room, _Cast())
        list(destination.write_many([self._part(room, place, -2), self._part(room, place, -1)]))  # both authors join
        events = list(destination._client.history(destination._reader(place), place, {"types": ["m.room.message"]}))
        senders = [one["sender"] for one in events]
        connection = http.client.HTTPConnection("127.0.0.1", self._port)

        def ours(begin: int, end: int) -> None:
            parts = [self._part(room, place, number) for number in range(begin, end)]
            for _, outcome in destination.write_many(parts):
                if isinstance(outcome, Exception):
                    raise outcome

        def bare(begin: int, end: int) -> None:
            self._send(connection, place, senders, events[0]["content"], range(begin, end))

        try:
            yield {_OURS: ours, _BARE: bare}
        finally:
            connection.close()

    def _room(self) -> Room:
        self._made += 1
        return Room(f"C{self._made}", "", RoomKind.GROUP, Workspace("TBENCH", "bench"), members=("U1", "U2"))

    @staticmethod
    def _part(room: Room, place: str, number: int) -> tuple[Slot, bytes]:
        said = (Paragraph((Text(f"{number} {_WORDS}"),)),)
        message = Message(f"m{number}", f"U{number % 2 + 1}", _BEGIN + timedelta(minutes=number), said)
        item = Item(message.id, Kind.CHAT, "1", facts=ChatFacts())
        return Slot(item, place, "", key_of("bench", room.id, message.id), ""), message.dump()  # type: ignore[arg-type]

    def _send(
        self,
        connection: http.client.HTTPConnection,
        place: str,
        senders: Sequence[str],
        content: dict[str, object],
        numbers: range,
    ) -> None:
        body = json.dumps(content).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        for number in numbers:
            asked = {"user_id": senders[number % 2], "device_id": DEVICE, "ts": 1557000000000 + number}
            path = f"/_matrix/client/v3/rooms/{quote(place)}/send/m.room.message/bare{number}?{urlencode(asked)}"
            connection.request("PUT", path, body, headers)
            answer = connection.getresponse()
            if answer.status != 200 or not answer.read():
                raise Failed(f"The homeserver answered {answer.status}.")
