"""Gets messages out of Gmail, many at a time, and loses none when single ones fail."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from liberate.connector import Item, Loaded
from liberate.errors import AccountError, IntegrityError, ItemError, TransientError
from liberate_google import convert
from liberate_google.client import Answer, Failure, GmailClient
from liberate_google.convert import Label, Trouble
from liberate_google.listing import SizeClasses
from liberate_google.stream import RawField, decode_base64url

FIELDS = "id,labelIds,internalDate"  # of every message; "raw" too where its bytes fit into memory

Form: TypeAlias = Literal["raw", "minimal"]

LIMITS = (128 << 10, 512 << 10, 2 << 20)
"""Size classes in bytes. What exceeds the last is streamed; a batch holds about its bytes six times over."""

BATCH_BYTES = 50 * LIMITS[0]  # the most that the messages of one batch can come to

_ROUNDS = 4  # the batch, then three times whatever failed, one by one
_LEAST_BATCH = 5  # to which "too many concurrent requests" may bring us: parts of a batch run at once
_DOWN = 3  # messages in a row, asked for one by one, that fail in passing: it is not them, it is the service
_HOPELESS = 10  # failed preconditions in a row that mean there is no mailbox, not a mood


class Bodies:
    """Reads the messages of one mailbox. `labels(True)` asks Gmail again which labels there are."""

    def __init__(self, client: GmailClient, batch: int, labels: Callable[[bool], dict[str, Label]]) -> None:
        self._client = client
        self._batch = batch
        self._labels = labels
        self._sizes: SizeClasses | None = None
        self._preconditions = 0  # in a row

    def forget_sizes(self) -> None:
        """New messages may have come: ask again which are large."""
        self._sizes = None

    # Many ----------------------------------------------------------------------------------------

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Each item once, or an error at the end of those that could be had.

        A part of a batch fails alone, and nobody repeats it for us; what failed in passing is asked
        for again by itself. What still fails then raises TransientError.
        """
        if self._sizes is None:
            self._sizes = self._ask_sizes()
        room: list[Item] = []
        large: list[Item] = []  # streamed later; only when they were received is asked here
        taken = 0
        for item in items:
            bound = self._sizes.bound(item.id, LIMITS[-1] + 1)
            if bound > LIMITS[-1]:
                large.append(item)
                continue
            most = min(self._batch, self._client.pacer.room("messages.get"))
            if room and (taken + bound > BATCH_BYTES or len(room) >= most):
                yield from self._group(room)
                room, taken = [], 0
            room.append(item)
            taken += bound
        if room:
            yield from self._group(room)
        most = min(self._batch, self._client.pacer.room("messages.get"))
        for at in range(0, len(large), most):
            yield from self._group(large[at : at + most], "minimal")

    def _group(self, items: Sequence[Item], form: Form = "raw") -> Iterator[Loaded]:
        waiting = {item.id: item for item in items}
        last: Failure | None = None
        for tries in range(1, _ROUNDS + 1):
            failed = 0  # in a row, since this round began
            for key, outcome in self._round(list(waiting), form, together=tries == 1):
                loaded = self._loaded(waiting[key], outcome, form, last_try=tries > 1)
                if loaded is not None:
                    del waiting[key]
                    failed = -len(items)  # the service is up, so the rest is worth asking for
                    yield loaded
                elif isinstance(outcome, Failure):
                    last = outcome
                    failed += 1
                    if tries > 1 and failed >= _DOWN and outcome.passing:
                        raise self._giving_up(last)  # the engine knows how to wait
                    if outcome.trouble is Trouble.CROWD:
                        self._batch = max(_LEAST_BATCH, min(self._batch, len(items) // 2))
            if not waiting:
                return
            if last is not None and tries < _ROUNDS:
                self._client.pause(last, tries)
        raise self._giving_up(last)

    def _round(self, keys: Sequence[str], form: Form, *, together: bool) -> Iterator[tuple[str, Answer | Failure]]:
        if together and len(keys) > 1:
            outcomes = self._client.batch("messages.get", {key: self._get(key, form) for key in keys})
            if outcomes is not None:
                yield from outcomes.items()
                return
            self._batch = max(1, len(keys) // 2)  # Google was seen to lower its limit from 100 to 50
        for key in keys:
            yield key, self._client.attempt("messages.get", self._get(key, form))

    def _get(self, key: str, form: Form) -> Any:
        fields = f"{FIELDS},raw" if form == "raw" else FIELDS
        return self._client.messages.get(userId="me", id=key, format=form, fields=fields)

    def _giving_up(self, last: Failure | None) -> Exception:
        if last is None:
            return TransientError(f"Gmail's answers for {self._client.account} could not be read.")
        return last.error(self._client.account)

    def _loaded(self, item: Item, outcome: Answer | Failure, form: Form, *, last_try: bool) -> Loaded | None:
        """What the outcome means for the item; None: ask once more."""
        if isinstance(outcome, Failure):
            if outcome.trouble is Trouble.SIGN_IN and not last_try:
                return None  # the token ended while the batch was on its way; a call by itself renews it
            if outcome.trouble is Trouble.PRECONDITION and not last_try:
                return None
            if outcome.passing:
                return None
            return Loaded(item, self._refusal(outcome))
        self._preconditions = 0
        if outcome.get("id", item.id) != item.id:
            return None
        if form == "minimal":
            return Loaded(self._told(item, outcome), None)
        if not outcome.get("raw"):
            return Loaded(self._told(item, outcome), convert.empty())
        try:
            body = decode_base64url(outcome["raw"])
        except IntegrityError as error:
            return Loaded(item, ItemError("damaged-source", str(error))) if last_try else None
        return Loaded(replace(self._told(item, outcome), size=len(body)), body)

    def _refusal(self, failure: Failure) -> ItemError:
        """The error of this one message; raises what concerns the whole account."""
        if failure.trouble is Trouble.PRECONDITION:
            self._preconditions += 1
            if self._preconditions >= _HOPELESS:
                raise convert.no_mailbox(self._client.account)
        elif failure.trouble not in (Trouble.GONE, Trouble.REFUSED):
            raise failure.error(self._client.account)
        return convert.item_error(failure.trouble, failure.status, failure.why)

    def _told(self, item: Item, answer: Answer) -> Item:
        """The item with what the answer knows better than the listing did."""
        bears = answer.get("labelIds", ())
        labels = self._labels(False)
        if any(key not in labels for key in bears):
            labels = self._labels(True)
        facts = convert.facts(bears, labels, convert.received(answer.get("internalDate")))
        return replace(item, facts=facts, facts_version=convert.facts_version(facts))

    # One -----------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """The message's bytes from `offset` on, decoded while they arrive. Gmail knows no ranges: it starts over."""
        path = f"gmail/v1/users/me/messages/{item.id}"
        with self._client.stream(path, {"format": "raw", "fields": "id,raw", "alt": "json"}) as pieces:
            if isinstance(pieces, Failure):
                if pieces.passing or pieces.trouble is Trouble.SIGN_IN:
                    raise pieces.error(self._client.account)
                raise self._refusal(pieces)
            field = RawField()
            for piece in _all(pieces, field):
                if offset >= len(piece):
                    offset -= len(piece)
                elif offset:
                    yield piece[offset:]
                    offset = 0
                else:
                    yield piece
            if not field.found:
                raise convert.empty()

    # Sizes ---------------------------------------------------------------------------------------

    def _ask_sizes(self) -> SizeClasses:
        """Which messages are large, at 5 units for 500 of them: a get of each would cost 20."""
        sizes = SizeClasses()
        for limit in LIMITS:
            found = False
            try:
                for page in pages(self._client, q=f"larger:{limit}", includeSpamTrash=True):
                    sizes.add(limit, page)
                    found |= bool(page)
            except AccountError as error:
                if error.code != "source-refused":
                    raise
                sizes.unknown = True  # a server that cannot search: stream every message, to be safe
                break
            if not found:
                sizes.add(limit, ())
                break  # nothing is larger than this, so nothing is larger than more
        return sizes


def _all(pieces: Iterable[bytes], field: RawField) -> Iterator[bytes]:
    for piece in pieces:
        yield from field.feed(piece)
    field.finish()


def pages(client: GmailClient, ends: Container[Trouble] = (), **params: Any) -> Iterator[list[str]]:
    """The ids of a messages.list, page by page. Trouble that `ends` it counts as its last page."""
    token: str | None = None
    while True:
        request = client.messages.list(
            userId="me", maxResults=500, pageToken=token, fields="messages/id,nextPageToken", **params
        )
        answer = client.call("messages.list", request, ends)
        if isinstance(answer, Failure):
            return
        yield [str(message["id"]) for message in answer.get("messages", ())]
        token = answer.get("nextPageToken")
        if not token:
            return
