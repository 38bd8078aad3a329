"""A conversation's messages oldest first, its threads among them by their time, from pages that come otherwise.

conversations.history gives what the room shows, the newest first in each page; with `oldest` and without `latest`
it gives those messages that are closest to `oldest`, so that history can be read forward
(github.com/slackhq/slack-api-docs/issues/4, and the method's own example of reading one message). Whether it does
is asked of it, once a listing: where it gives the newest instead, all pages are put on disk first. Answers come by
conversations.replies, thread by thread, oldest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from liberate.errors import TransientError
from liberate_slack.client import Answer, Client, next_cursor
from liberate_slack.convert import micros, stamp
from liberate_slack.cursor import THREADS
from liberate_slack.letters import dicts_of
from liberate_slack.listing import Found
from liberate_slack.problems import NO_ROOM, Failure
from liberate_slack.spool import Spool

BEGINNING = 1_000_000  # microseconds: before any message, and not the 0 that Slack takes for "not said"
_KEPT = 4 * THREADS  # threads that are remembered


@dataclass(frozen=True, slots=True)
class Pause:
    """Everything up to this time was told: a good place to begin again."""

    until: int
    open: tuple[int, ...]  # first messages of threads that go on after it


class NoRoom(Exception):
    """Slack does not let us read the conversation."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure


Told: TypeAlias = Found | Pause


class Timeline:
    """One reading of a conversation.

    `begin`: what the room shows after this time is told; `fresh`: answers after this time, which is the same or
    later. `threads`: first messages up to `begin` whose threads are read too; `root` is called with each of them
    that Slack still has. Times are microseconds since 1970.
    """

    def __init__(
        self,
        client: Client,
        channel: str,
        begin: int = BEGINNING,
        fresh: int = BEGINNING,
        threads: tuple[int, ...] = (),
        root: Callable[[dict[str, Any]], None] = lambda _raw: None,
    ) -> None:
        self._client = client
        self._channel = channel
        self.begin = begin
        self.fresh = fresh
        self._given = threads
        self._root = root
        self._spool = Spool()
        self._latest: dict[int, int] = {}  # of threads: when the last answer came
        self.asked: set[int] = set()  # threads up to `begin` that were read, or that Slack no longer has
        self.limited = False  # Slack hides what is older than the plan reaches
        self.pins: int | None = None  # how many things are pinned, where Slack says so
        self.last = 0  # time of the last message told

    def close(self) -> None:
        """Forget what was not told."""
        self._spool.close()

    def told(self) -> Iterator[Told]:
        """The messages, with a Pause now and then. Raises NoRoom before the first one."""
        pages = self._pages()
        first = next(pages)
        for thread in self._given:
            self._read_old(thread)
        for messages, until in chain((first,), pages):
            self._spool.add(messages)
            for raw in messages:
                answered = micros(stamp(raw.get("thread_ts")))
                if answered is not None and answered <= self.begin:
                    self._read_old(answered)  # somebody showed an answer to the room
            while (found := self._spool.pop(until)) is not None:
                self._read_new(found)
                self.last = max(self.last, found.micros)
                yield found
            if until is not None and (pause := self._pause(until)) is not None:
                yield pause

    def lately(self, since: int) -> tuple[int, ...]:
        """First messages before this time, of threads that somebody answered since: as many as a cursor names."""
        found = sorted(((last, one) for one, last in self._latest.items() if one < since <= last), reverse=True)
        return tuple(thread for _, thread in found[:THREADS])

    # What the room shows -------------------------------------------------------------------------

    def _pages(self) -> Iterator[tuple[list[dict[str, Any]], int | None]]:
        """Pages, and until when all is told with them; None: all is told."""
        oldest = self.begin
        look = True
        while True:
            answer = self._history(oldest=_ts(oldest))
            messages = dicts_of(answer.get("messages"))
            if answer.get("has_more") is not True:
                yield messages, None
                return
            times = [at for one in messages if (at := micros(stamp(one.get("ts")))) is not None]
            if not times or (look and self._has_older(oldest, min(times))):
                yield self._backwards(answer), None
                return
            look = False
            if max(times) <= oldest:
                raise TransientError("Slack gives the same messages again and again.")
            oldest = max(times)
            yield messages, oldest

    def _history(self, **params: Any) -> Answer:
        answer = self._client.messages("conversations.history", NO_ROOM, channel=self._channel, **params)
        if isinstance(answer, Failure):
            raise NoRoom(answer)
        self.limited = self.limited or answer.get("is_limited") is True
        if isinstance(answer.get("pin_count"), int):
            self.pins = answer["pin_count"]
        return answer

    def _has_older(self, oldest: int, first: int) -> bool:
        """Whether there are messages before the first one of a page that should begin at `oldest`."""
        answer = self._history(oldest=_ts(oldest), latest=_ts(first))
        return bool(dicts_of(answer.get("messages")))

    def _backwards(self, answer: Answer) -> list[dict[str, Any]]:
        """All pages from the newest one back, into the spool."""
        while True:
            messages = dicts_of(answer.get("messages"))
            self._spool.add(messages)
            if answer.get("has_more") is not True:
                return []
            times = [at for one in messages if (at := micros(stamp(one.get("ts")))) is not None]
            if cursor := next_cursor(answer):
                answer = self._history(oldest=_ts(self.begin), cursor=cursor)
            elif times:
                answer = self._history(oldest=_ts(self.begin), latest=_ts(min(times)))
            else:
                raise TransientError("Slack says that there are more messages and gives none.")

    # Threads -------------------------------------------------------------------------------------

    def _read_new(self, found: Found) -> None:
        """Read the answers to a message whose turn it is, if somebody answered it: they come later."""
        raw = found.value
        if stamp(raw.get("thread_ts")) != stamp(raw.get("ts")) or found.micros <= self.begin:
            return
        latest = micros(stamp(raw.get("latest_reply")))
        if raw.get("reply_count") == 0 or (latest is not None and latest <= self.fresh):
            return
        self._read(found.micros, stamp(raw.get("ts")), latest)

    def _read_old(self, thread: int) -> None:
        """Read the answers to a message that was told in an earlier listing."""
        if thread not in self.asked:
            self.asked.add(thread)
            self._read(thread, _ts(thread), None)

    def _read(self, thread: int, ts: str, latest: int | None) -> None:
        oldest = _ts(self.fresh) if self.fresh >= thread else None
        params: dict[str, Any] = {"oldest": oldest}
        while True:
            answer = self._client.messages(
                "conversations.replies", {"thread_not_found", *NO_ROOM}, channel=self._channel, ts=ts, **params
            )
            if isinstance(answer, Failure):
                if answer.code in NO_ROOM:
                    raise NoRoom(answer)
                return  # deleted meanwhile, with all its answers
            messages = dicts_of(answer.get("messages"))
            replies = []
            for raw in messages:
                at = micros(stamp(raw.get("ts")))
                if at == thread:
                    if thread <= self.begin:
                        self._root(raw)
                        latest = micros(stamp(raw.get("latest_reply"))) or latest
                elif at is not None and at > self.fresh:
                    replies.append(raw)
                    latest = max(latest or 0, at)
            self._spool.add(replies)
            if cursor := next_cursor(answer):
                params["cursor"] = cursor
            elif answer.get("has_more") is True and messages:
                params = {"oldest": stamp(messages[-1].get("ts"))}
            else:
                break
        self._remember(thread, latest or 0)

    def _remember(self, thread: int, latest: int) -> None:
        self._latest[thread] = latest
        if len(self._latest) > 2 * _KEPT:
            kept = sorted(self._latest.items(), key=lambda pair: pair[1], reverse=True)[:_KEPT]
            self._latest = dict(kept)

    def _pause(self, until: int) -> Pause | None:
        """None while more threads go on than a cursor can name."""
        going_on = [thread for thread, latest in self._latest.items() if latest > until]
        return Pause(until, tuple(sorted(going_on))) if len(going_on) <= THREADS else None


def _ts(time: int) -> str:
    return f"{time // 1_000_000}.{time % 1_000_000:06d}"
