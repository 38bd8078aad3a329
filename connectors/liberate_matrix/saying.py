"""Sending one message: its events in their order, what stands already left alone, then what people put on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from liberate.chat import Message, RoomKind
from liberate.connector import Receipt, Slot
from liberate.errors import ItemError
from liberate_matrix.client import Client
from liberate_matrix.closing import Closing
from liberate_matrix.contents import FORM, SOURCE, Put, key_of, planned, puts, reaction, version_of
from liberate_matrix.convert import clean, edit, in_thread
from liberate_matrix.people import People
from liberate_matrix.refusals import DeviceGone
from liberate_matrix.rooms import Opened, Rooms
from liberate_matrix.standing import Part, Standing, mark_of

_MISSING = "The message that began this thread is not in the history that was moved."


class Saying:
    """What `write` does with a message."""

    def __init__(self, client: Client, people: People, rooms: Rooms, closing: Closing) -> None:
        self._client = client
        self._people = people
        self._rooms = rooms
        self._closing = closing

    def say(self, opened: Opened, slot: Slot, message: Message, standing: Standing) -> Receipt:
        """Send what is not standing, change what stands in another version, and empty what is no longer part of it."""
        version = version_of(slot.item.version)
        files = {one.id: slot.refs[one.id] for one in message.files if one.id in slot.refs}
        begun = slot.replaces is not None and "t0" in standing.parts
        plan = planned(message, key_of(slot.item), version, files, opened.names, begun=begun)
        edited = slot.replaces is not None and message.edited is not None
        ts = opened.stamp(message.edited if edited and message.edited else message.time)
        sender = self._speaker(opened, message.author, ts)
        root = self._root(opened, slot, message, ts)
        ids: list[str] = []
        for one in plan:
            there = standing.parts.get(one.label)
            if there is None:
                relation = self._relation(opened, one.label, root, ids)
                content = {**one.content, **({"m.relates_to": relation} if relation else {})}
                id_ = self.send(opened, sender, "m.room.message", _txn(slot, one.label, version), content, ts)
            elif there.version == version:
                id_ = there.id
            else:
                id_ = there.id
                changed = edit(one.content, id_) | {SOURCE: one.content[SOURCE]}
                # Of edits the latest holds; and the same words once more, after other ones, are another edit.
                txn = _txn(slot, one.label, f"{version}.{version_of(there.edit)}" if there.edit else version)
                self.send(opened, there.sender, "m.room.message", txn, changed, max(ts, there.ts + 1))
            standing.parts[one.label] = Part(id_, version, there.sender if there is not None else sender)
            if root and one.label != "b" and slot.replaces is None:
                opened.tails[root] = id_
            ids.append(id_)
        for label in standing.parts.keys() - {one.label for one in plan}:
            left = standing.parts.pop(label)
            self._empty(opened, left.sender, _txn(slot, f"gone.{label}", version), left.id, ts)
        wanted = [one for one in puts(message.reactions) if one.label not in standing.reactions]
        self.react(opened, slot, ids[0], wanted, ts)
        if slot.replaces is not None:
            self._keep(opened, slot, ids[0], {one.label for one in puts(message.reactions)})
        return Receipt(ids[0], opened.place)

    def react(self, opened: Opened, slot: Slot, of: str, wanted: Sequence[Put], ts: int | None = None) -> None:
        """Put these reactions on the event, at the time of what they are put on, as far as they are not there."""
        if not wanted:
            return
        late = ts is None or slot.replaces is not None
        if ts is None:
            ts = int(self._client.event(opened.owner, opened.place, of)["origin_server_ts"])
        facts = version_of(slot.item.facts_version)
        for one in wanted:
            sender = self._speaker(opened, one.author, ts)
            content = reaction(one, of, key_of(slot.item))
            label = one.label
            while True:
                txn = _txn(slot, label, facts)
                id_ = self.send(opened, sender, "m.reaction", txn, content, ts, fine=("M_DUPLICATE_ANNOTATION",))
                if not late or not id_ or mark_of(self._client.event(opened.owner, opened.place, id_)) is not None:
                    break
                # Put on, taken away and put on again: the homeserver knows the request, and what came of it is empty.
                label = f"{one.label}.{version_of(id_)}"

    def take_back(self, opened: Opened, slot: Slot, of: str, unwanted: Sequence[Put]) -> None:
        """Take away these reactions; those that are away already, or were put there by people, stay as they are."""
        if not unwanted:
            return
        labels = {one.label for one in unwanted}
        self._take(opened, slot, of, lambda label: label in labels)

    def _keep(self, opened: Opened, slot: Slot, of: str, labels: set[str]) -> None:
        """Take away all reactions but these from a message that was edited: some may be gone since."""
        self._take(opened, slot, of, lambda label: label not in labels)

    def _take(self, opened: Opened, slot: Slot, of: str, unwanted: Callable[[str], bool]) -> None:
        for event in list(self._client.relations(opened.owner, opened.place, of, "m.annotation")):
            mark = mark_of(event)
            if mark is not None and mark.get("key") == key_of(slot.item) and unwanted(mark["part"]):
                txn = _txn(slot, f"gone.{mark['part']}", version_of(event["event_id"]))
                self._empty(opened, event["sender"], txn, event["event_id"], event["origin_server_ts"])

    def _empty(self, opened: Opened, sender: str, txn: str, id_: str, ts: int) -> None:
        """Empty an event. One that is empty or gone already is fine."""
        self.send(opened, sender, "m.room.redaction", txn, {"redacts": id_}, ts, fine=("M_NOT_FOUND",))

    # Threads -------------------------------------------------------------------------------------

    @staticmethod
    def _relation(opened: Opened, label: str, root: str, ids: Sequence[str]) -> dict[str, Any]:
        if not root:
            return {}
        if label == "b":  # in the room, as an answer to what stands in the thread
            return {"m.in_reply_to": {"event_id": ids[0]}}
        return in_thread(root, opened.tails.get(root, root))

    def _root(self, opened: Opened, slot: Slot, message: Message, ts: int) -> str:
        """The event that began the message's thread; one that says so where it never came."""
        if not message.thread:
            return ""
        if message.thread in slot.refs:
            return slot.refs[message.thread].id
        if opened.stand_ins is None:
            opened.stand_ins = self._stand_ins(opened)
        if message.thread not in opened.stand_ins:
            bot = self._client.bot
            self._rooms.join(opened, bot, ts)
            content = {
                "msgtype": "m.notice",
                "body": _MISSING,
                "m.mentions": {},
                SOURCE: {"v": FORM, "part": "root", "thread": clean(message.thread)},
            }
            txn = f"liberate{FORM}.root.{version_of(message.thread)}"
            opened.stand_ins[message.thread] = self.send(opened, bot, "m.room.message", txn, content, ts)
        return opened.stand_ins[message.thread]

    def _stand_ins(self, opened: Opened) -> dict[str, str]:
        """All that stands for first messages that never came: liberate's own account says little else."""
        wanted = {"types": ["m.room.message"], "senders": [self._client.bot]}
        out = {}
        for event in self._client.history(opened.owner, opened.place, wanted):
            mark = mark_of(event)
            if mark is not None and mark["part"] == "root":
                out[str(mark.get("thread"))] = str(event["event_id"])
        return out

    # Requests ------------------------------------------------------------------------------------

    def _speaker(self, opened: Opened, author: str, ts: int) -> str:
        """The author's account, in the room."""
        user = opened.names.user(author)
        self._people.ready(user, opened.cast, author)
        if user not in opened.joined:
            member = not self._people.ghost(user) and author in opened.room.members
            if opened.room.kind is RoomKind.PUBLIC and member and self._people.at_home(opened.cast, author):
                with suppress(ItemError):  # banned, say: closing the room tells it
                    # They come into the space in any case. From there the room is open to them, without an invitation.
                    self._rooms.join_space(opened.room.workspace, user)
            self._rooms.join(opened, user, ts, to_speak=True)
        return user

    def send(
        self,
        opened: Opened,
        sender: str,
        type_: str,
        txn: str,
        content: Mapping[str, Any],
        ts: int,
        fine: tuple[str, ...] = (),
    ) -> str:
        """Say something in the room, also where nobody may write until it is closed again; the event's id."""
        try:
            answer = self._client.send(sender, opened.place, type_, txn, content, ts, fine)
        except DeviceGone:
            self._people.forget(sender)
            raise
        except ItemError as error:
            if error.code != "forbidden" or not self._closing.lift(opened):
                raise
            answer = self._client.send(sender, opened.place, type_, txn, content, ts, fine)
        return str(answer.body.get("event_id", ""))


def _txn(slot: Slot, label: str, version: str) -> str:
    """A transaction's id: of this conversion, this item, this part and this version, and no other."""
    return f"liberate{FORM}.{key_of(slot.item)}.{label}.{version}"
