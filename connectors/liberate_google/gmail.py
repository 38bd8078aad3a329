"""A Gmail mailbox as a source: every message once, its labels as facts, and what changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from liberate.connector import Account, Collection, Cursor, Gone, Item, Kind, Listed, Loaded, Skipped, Survey
from liberate.filters import Filters
from liberate_google import auth, convert, rules
from liberate_google.bodies import Bodies, pages
from liberate_google.client import Failure, GmailClient
from liberate_google.convert import Label, Trouble
from liberate_google.listing import LabelTable
from liberate_google.pace import Pacer, ladder, shared
from liberate_google.settings import GoogleSettings

MAILBOX = "mail"
_HISTORY = ["messageAdded", "messageDeleted", "labelAdded", "labelRemoved"]
_DELETED_LABEL = (Trouble.REFUSED, Trouble.GONE)  # what a listing by a label answers that is no more
_MOST_CHANGES = 100_000  # beyond that a full listing is cheaper, and smaller in memory

State: TypeAlias = "frozenset[str] | None"
"""A message's labels as the history leaves them; None: it is gone."""


class GmailSource:
    """One person's mail. Reads only: the scope it asks for allows nothing else."""

    def __init__(self, settings: GoogleSettings, account: Account, pacer: Pacer | None = None) -> None:
        if pacer is None:
            rates = ladder(
                settings.price_list,
                published=settings.endpoint is None,
                user_units=settings.units_per_minute,
                project_units=settings.project_units_per_minute,
            )
            pacer = shared(auth.project(settings), rates)
        self._client = GmailClient(settings, account, pacer)
        self._known: dict[str, Label] | None = None
        self._bodies = Bodies(self._client, settings.batch, self._labels)

    def close(self) -> None:
        self._client.close()

    # Listing -------------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """The mailbox: Gmail keeps each message once, and labels are facts about it."""
        yield Collection(MAILBOX, (), Kind.MAIL, count=self._profile().get("messagesTotal"))

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """Every message, oldest first, or what changed since the cursor.

        Labels come from one cheap listing for each label, never from a get of each message. What
        changes while we list is taken from the history. The received time is not known before
        the message is read: facts.received is None here, and read_many fills it in.
        """
        self._bodies.forget_sizes()
        labels = self._labels(True)
        start = _start(since, labels)
        if start is not None:
            found = self._changes(start)
            if found is not None:
                changed, now = found
                for key, bears in changed.items():
                    yield Gone(key) if bears is None else _item(key, bears, labels)
                yield _cursor(now, labels)
                return
        yield from self._everything(labels)

    def _everything(self, labels: Mapping[str, Label]) -> Iterator[Listed]:
        start = self._profile().get("historyId")  # before the listing, so that nothing falls in between
        table = LabelTable()
        for page in pages(self._client, includeSpamTrash=True):
            table.extend(page)
        table.seal()
        for label in labels.values():
            if convert.matters(label):
                for page in pages(self._client, _DELETED_LABEL, labelIds=[label.id], includeSpamTrash=True):
                    table.label(label.id, page)
        late: dict[str, frozenset[str]] = {}
        gone: set[str] = set()
        changes = self._changes(str(start)) if start else None
        if changes is not None:
            changed, start = changes
            for key, bears in changed.items():
                if bears is None:
                    gone.add(key)
                elif not table.put(key, bears):
                    late[key] = bears
        for key, bears in table.oldest_first():
            if key not in gone:
                yield _item(key, bears, labels)
        for key, bears in late.items():
            yield _item(key, bears, labels)
        if start:
            yield _cursor(str(start), labels)

    def _changes(self, start: str) -> tuple[dict[str, State], str] | None:
        """What the history says of each message since `start`, and up to where.

        None: it has expired, or tells of so much that a full listing is cheaper.

        Every page is asked for with the first start; the history's end is taken from the first page,
        so that a change made while we read is told again rather than lost. A page may be empty and
        not be the last.
        """
        changed: dict[str, State] = {}
        unsure: set[str] = set()
        sets: dict[frozenset[str], frozenset[str]] = {}
        end: str | None = None
        token: str | None = None
        while True:
            request = self._client.history.list(
                userId="me", startHistoryId=start, historyTypes=_HISTORY, maxResults=500, pageToken=token
            )
            answer = self._client.call("history.list", request, expect=(Trouble.GONE,))
            if isinstance(answer, Failure):
                return None
            end = end or str(answer.get("historyId", start))
            for record in answer.get("history", ()):
                for key, bears in _told(record):
                    unsure.discard(key)
                    if bears is _UNSURE:
                        unsure.add(key)
                        changed[key] = frozenset()
                    else:
                        changed[key] = None if bears is None else sets.setdefault(bears, bears)
            token = answer.get("nextPageToken")
            if len(changed) > _MOST_CHANGES:
                return None
            if not token:
                break
        for key in unsure:
            changed[key] = self._ask_labels(key)
        return changed, end

    def _ask_labels(self, key: str) -> State:
        request = self._client.messages.get(userId="me", id=key, format="minimal", fields="id,labelIds")
        answer = self._client.call("messages.get", request, expect=(Trouble.GONE,))
        return None if isinstance(answer, Failure) else frozenset(answer.get("labelIds", ()))

    def _profile(self) -> dict[str, Any]:
        return self._client.ask("getProfile", self._client.users.getProfile(userId="me"))

    def _labels(self, afresh: bool) -> dict[str, Label]:
        if self._known is None or afresh:
            request = self._client.labels.list(userId="me")
            self._known = convert.labels_of(self._client.ask("labels.list", request))
        return self._known

    def filters(self) -> Filters:
        """The mailbox's filters and its vacation responder. The scope that reads mail reads these too."""
        settings = self._client.settings
        found = self._client.ask("settings.filters.list", settings.filters().list(userId="me"))
        vacation = self._client.ask("settings.getVacation", settings.getVacation(userId="me"))
        return rules.filters(found, vacation, self._labels(True))

    # Reading -------------------------------------------------------------------------------------

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Bodies in batches, with size, received time and labels as of now. Large ones are None: read them."""
        return self._bodies.read_many(items)

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """One message, streamed: a few hundred kB of memory whatever its size."""
        return self._bodies.read(item, offset)

    def survey(self) -> Survey:
        """Gmail's own counts: all messages, and those under each label that is a folder."""
        labels = {
            key: folders[0].path
            for key, label in self._labels(True).items()
            if (folders := convert.facts([key], {key: label}).folders) and folders[0].path
        }
        wanted = {key: self._client.labels.get(userId="me", id=key) for key in labels}
        counts: dict[tuple[str, ...], int] = {}
        keys = list(wanted)
        for at in range(0, len(keys), 50):
            part = {key: wanted[key] for key in keys[at : at + 50]}
            told = self._client.batch("labels.get", part) or {}
            for key in part:
                answer = told.get(key)
                if answer is None or isinstance(answer, Failure):
                    answer = self._client.call("labels.get", wanted[key], expect=(Trouble.GONE,))
                if not isinstance(answer, Failure):
                    counts[labels[key]] = counts.get(labels[key], 0) + int(answer.get("messagesTotal", 0))
        return Survey(int(self._profile().get("messagesTotal", 0)), counts)


_UNSURE: frozenset[str] = frozenset({"\0"})


def _told(record: Mapping[str, Any]) -> Iterator[tuple[str, State]]:
    """What one history record says: each message and its labels after it, _UNSURE where it does not tell.

    Gmail leaves labelIds out of a message that has none; but whether their absence always means
    that is nowhere promised, so such a message is asked for by itself. There are few of them.
    """
    for kind in ("messagesAdded", "labelsAdded", "labelsRemoved"):
        for change in record.get(kind, ()):
            message = change["message"]
            bears = frozenset(message["labelIds"]) if "labelIds" in message else None
            moved = frozenset(change.get("labelIds", ()))
            if bears is None:
                yield message["id"], _UNSURE
            elif kind == "labelsAdded":
                yield message["id"], bears | moved
            elif kind == "labelsRemoved":
                yield message["id"], bears - moved
            else:
                yield message["id"], bears
    for change in record.get("messagesDeleted", ()):
        yield change["message"]["id"], None


def _item(key: str, bears: frozenset[str], labels: Mapping[str, Label]) -> Listed:
    if convert.CHAT in bears:
        return Skipped(
            key,
            "chat",
            "This is an old chat that Gmail shows among the mail; it holds no message that could be moved.",
            "Chats can be had with Google Takeout.",
        )
    facts = convert.facts(bears, labels)
    return Item(key, Kind.MAIL, "", facts=facts, facts_version=convert.facts_version(facts))


def _cursor(history: str, labels: Mapping[str, Label]) -> Cursor:
    return Cursor(f"history:{history}:{','.join(_marks(labels))}")


def _start(since: Cursor | None, labels: Mapping[str, Label]) -> str | None:
    """Where the history goes on; None: list everything.

    The history does not tell that a label was renamed or deleted, which moves every message that
    bore it. The cursor knows the labels of its time, and fits only while they all still stand.
    """
    if since is None:
        return None
    name, _, rest = since.partition(":")
    history, _, marks = rest.partition(":")
    if name != "history" or not history.isdigit():
        return None
    return history if set(filter(None, marks.split(","))) <= set(_marks(labels)) else None


def _marks(labels: Mapping[str, Label]) -> list[str]:
    """A few hex digits for each of the person's own labels, by id and name."""
    return sorted(
        hashlib.sha256(f"{label.id}\0{label.name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
        for label in labels.values()
        if label.user
    )
