"""A workspace that leaves Slack for a homeserver, and what one of its people sees there afterwards.

What is read back comes over the client-server API, with an ordinary member's token; what it is compared with comes
from the export. Neither passes through what the connector to Matrix makes of a message.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from command_kit import Commanded
from liberate_matrix import registration
from liberate_matrix.sandbox import SERVER_NAME, Member, Synapse
from liberate_slack.settings import SlackExportSettings
from liberate_slack.source import SlackExportSource
from liberate_slack.standin.api import USER_TOKEN, SlackStandin
from liberate_slack.standin.export import Made, Shape, make_export
from liberate_slack.standin.files_server import FileServer
from liberate_slack.standin.workspace import Workspace as SlackWorkspace

from liberate.chat import Author, Message, Room, plain, shown, told
from liberate.connector import Account, Item, Kind
from liberate.testing.postgresql import USER, running
from liberate.testing.room_contract import DOT

V3 = "/_matrix/client/v3"
_PLAN = """\
[job]
name = "solros"
[connections.slack]
{slack}
ca_file = "ca.pem"
[connections.chat]
connector = "matrix"
url = "{server}"
registration = "registration.yaml"
[[routes]]
from = "slack"
to = "chat"
kinds = ["chat"]
[people]
table = "people.csv"
"""
_EXPORT = """\
connector = "slack-export"
path = "export.zip"
endpoint = "{files}\""""
_APP = """\
connector = "slack"
token = {{ file = "token" }}
endpoint = "{api}"
files_endpoint = "{files}\""""
_LISTED = "C0CHANNEL0"  # the room with bookmarks
_SUN, _FACE = DOT, DOT + b"face"
_PEOPLE = ("anna", "bo", "cleo")
"""Who has an account at the homeserver; all others of the workspace have none."""


class Seen(NamedTuple):
    """A message as its room shows it, with nothing in it that the homeserver chose itself."""

    id: str  # at the source
    sender: str  # their name
    time: int  # milliseconds
    text: str
    kind: str
    files: tuple[tuple[str, str, str], ...]  # each one's name, SHA-256 and message type
    thread: str  # id, at the source, of the message that began its thread
    shared: bool  # a reply that stands in the room besides
    reactions: frozenset[tuple[str, str]]  # what, and whose


# What was said ------------------------------------------------------------------------------------


@dataclass
class Said:
    """The workspace as its export tells it."""

    made: Made
    rooms: dict[str, Room] = field(default_factory=dict)
    messages: dict[str, list[Seen]] = field(default_factory=dict)  # by room, in the order in which they were said
    authors: dict[str, Author] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)  # what those with an account are called there, by address

    @classmethod
    def of(cls, made: Made, settings: SlackExportSettings, own: dict[str, str]) -> Said:
        out = cls(made, own=own)
        source = SlackExportSource(settings, Account(""))
        try:
            for collection in source.collections():
                out.rooms[collection.id] = source.room(collection)
                items = [one for one in source.items(collection, None) if isinstance(one, Item)]
                arrived = {one.id for one in items if one.kind is Kind.FILE}
                spoken = [Message.load(b"".join(source.read(one))) for one in items if one.kind is Kind.CHAT]
                for one in spoken:
                    for id_ in (one.author, *(who for each in one.reactions for who in each.authors)):
                        out.authors[id_] = source.author(id_)
                seen = [out._seen(one, arrived, {each.id for each in spoken}) for one in spoken]
                out.messages[collection.id] = sorted(seen, key=lambda one: _order(one.id))
        finally:
            source.close()
        return out

    def name(self, author: str) -> str:
        one = self.authors[author]
        return self.own.get(one.email) or one.name

    def _seen(self, one: Message, arrived: set[str], there: set[str]) -> Seen:
        files = tuple(
            (
                file.name,
                sha256(self.made.files[file.id.rpartition(":")[2]]).hexdigest(),
                _media(file.media_type),
            )
            for file in one.files
            if file.id in arrived
        )
        reactions = {(shown(each.emoji), self.name(who)) for each in one.reactions for who in each.authors}
        assert not one.thread or one.thread in there
        notice = one.kind == "notice" or one.change is not None
        return Seen(
            one.id,
            self.name(one.author),
            int(one.id.rpartition("/")[2].partition("~")[0].replace(".", "")[:-3]),
            plain(told(one, arrived)),
            "m.notice" if notice else {"emote": "m.emote"}.get(one.kind, "m.text"),
            files,
            one.thread,
            one.broadcast,
            frozenset(reactions),
        )


def _order(id_: str) -> tuple[int, str]:
    """When Slack says that it was said, to the microsecond, and which of those of one moment it is."""
    ts, _, twin = id_.rpartition("/")[2].partition("~")
    return int(ts.replace(".", "")), twin


def _media(media_type: str) -> str:
    kind = media_type.partition("/")[0]
    return f"m.{kind}" if kind in ("image", "video", "audio") else "m.file"


# What is seen -------------------------------------------------------------------------------------


class Colleague:
    """One of the people who left, at the homeserver, with no more rights than anybody."""

    def __init__(self, synapse: Synapse, member: Member) -> None:
        self.id = member.id
        self._synapse = synapse
        self._token = member.token
        self._names: dict[str, str] = {}

    def ask(self, path: str, **params: Any) -> Any:
        asked = "&".join(f"{name}={quote(str(value))}" for name, value in params.items())
        return self._synapse.ask("GET", path + (f"?{asked}" if asked else ""), None, self._token)

    def room(self, workspace: str, room: str) -> str:
        """The id of the room that a conversation of the workspace became."""
        alias = f"#slack_{workspace.lower()}_{room.lower()}:{self._synapse.server_name}"
        return str(self.ask(f"{V3}/directory/room/{quote(alias)}")["room_id"])

    def events(self, place: str) -> list[dict[str, Any]]:
        """Everything in the room, oldest first."""
        out: list[dict[str, Any]] = []
        start: dict[str, str] = {}
        while True:
            told = self.ask(f"{V3}/rooms/{quote(place)}/messages", dir="f", limit=500, **start)
            out += told["chunk"]
            if not told.get("end"):
                return out
            start = {"from": told["end"]}

    def say(self, place: str, text: str) -> None:
        path = f"{V3}/rooms/{quote(place)}/send/m.room.message/1"
        self._synapse.ask("PUT", path, {"msgtype": "m.text", "body": text}, self._token)

    def state(self, place: str, type_: str, key: str = "") -> Any:
        return self.ask(f"{V3}/rooms/{quote(place)}/state/{type_}/{quote(key)}")

    def related(self, place: str, event: str, how: str) -> list[dict[str, Any]]:
        """What relates to an event in that way."""
        path = f"/_matrix/client/v1/rooms/{quote(place)}/relations/{quote(event)}/{how}"
        return list(self.ask(path, limit=500)["chunk"])

    def name(self, user: str) -> str:
        if user not in self._names:
            self._names[user] = self.ask(f"{V3}/profile/{quote(user)}")["displayname"]
        return self._names[user]

    def bytes_of(self, mxc: str) -> bytes:
        path = f"/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}"
        return bytes(self._synapse.ask("GET", path, None, self._token))

    def conversation(self, place: str) -> list[Seen]:
        """The room's messages in the order in which it shows them."""
        events = [one for one in self.events(place) if not _lists_bookmarks(one)]
        origins = {one["event_id"]: _source(one) for one in events if one["type"] == "m.room.message"}
        assert len(origins) == len({(one["id"], one["part"]) for one in origins.values()}), "something is there twice"
        together: dict[str, list[dict[str, Any]]] = {}
        for one in events:
            if one["type"] == "m.room.message":
                together.setdefault(_source(one)["id"], []).append(one)
        reacted: dict[str, list[dict[str, Any]]] = {}
        for one in events:
            if one["type"] == "m.reaction":
                reacted.setdefault(one["content"]["m.relates_to"]["event_id"], []).append(one)
        return [self._seen(place, id_, some, origins, reacted) for id_, some in together.items()]

    def _seen(
        self,
        place: str,
        id_: str,
        events: list[dict[str, Any]],
        origins: dict[str, Any],
        reacted: dict[str, list[dict[str, Any]]],
    ) -> Seen:
        first = events[0]["event_id"]
        reactions = reacted.get(first, [])
        if reactions:
            found = {one["event_id"] for one in self.related(place, first, "m.annotation")}
            assert found == {one["event_id"] for one in reactions}, id_
            assert {one["origin_server_ts"] for one in reactions} == {events[0]["origin_server_ts"]}, id_
        pairs = [(one["content"]["m.relates_to"]["key"], self.name(one["sender"])) for one in reactions]
        assert len(set(pairs)) == len(pairs), "somebody reacted twice"
        assert {(one["sender"], one["origin_server_ts"]) for one in events} == {
            (events[0]["sender"], events[0]["origin_server_ts"])
        }, id_
        in_thread = [one for one in events if one["content"].get("m.relates_to", {}).get("rel_type") == "m.thread"]
        roots = {origins[one["content"]["m.relates_to"]["event_id"]]["id"] for one in in_thread}
        assert len(roots) <= 1, id_
        beside = [one for one in events if one not in in_thread] if in_thread else []
        shown_there = in_thread or events
        for one in beside:
            assert one["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == first, id_
            assert one["content"]["body"] == shown_there[0]["content"]["body"], id_
        media = [one["content"] for one in shown_there if "url" in one["content"]]
        texts = [one["content"] for one in shown_there if "url" not in one["content"]]
        captions = [one["body"] for one in media if one["body"] != one["filename"]]
        return Seen(
            id_,
            self.name(events[0]["sender"]),
            events[0]["origin_server_ts"],
            "".join([*(one["body"] for one in texts), *captions]),
            texts[0]["msgtype"] if texts else "m.text",
            tuple((one["filename"], self._digest(one["url"]), one["msgtype"]) for one in media),
            roots.pop() if roots else "",
            bool(beside),
            frozenset(pairs),
        )

    def _digest(self, mxc: str) -> str:
        return sha256(self.bytes_of(mxc)).hexdigest()

    def unread(self) -> dict[str, Any]:
        """Of all rooms that somebody is in, those with anything that they have not read, or were told of."""
        wanted = {"room": {"timeline": {"limit": 1, "unread_thread_notifications": True}}}
        told = self.ask(f"{V3}/sync", filter=json.dumps(wanted))["rooms"]
        assert not told.get("invite"), "somebody was left at the door"
        out = {}
        for place, room in told["join"].items():
            counts = [room["unread_notifications"], *room.get("unread_thread_notifications", {}).values()]
            if any(count for one in counts for count in one.values()):
                out[place] = counts
        return out


def _source(event: dict[str, Any]) -> dict[str, Any]:
    source: dict[str, Any] = event["content"]["org.liberate.source"]
    return source


def _lists_bookmarks(event: dict[str, Any]) -> bool:
    return bool(event["content"].get("org.liberate.source", {}).get("part") == "bookmarks")


# The move -----------------------------------------------------------------------------------------


@dataclass
class Workspace(Commanded):
    """The workspace on its way."""

    synapse: Synapse
    said: Said
    people: dict[str, Colleague]
    files: FileServer
    looks: bool  # whether the door tells how people and the workspace look, and of bookmarks

    def place(self, room: str) -> str:
        return self.people["anna"].room(self.said.rooms[room].workspace.id, room)

    def check(self) -> None:
        """Everybody sees what was said, and nothing else, nobody has anything unread, and nobody sees more."""
        anna = self.people["anna"]
        for id_, wanted in self.said.messages.items():
            seen = anna.conversation(self.place(id_))
            assert [one.id for one in seen] == [one.id for one in wanted], f"what is in {id_}, or its order"
            for was, now in zip(wanted, seen, strict=True):
                assert now == was
        for name, colleague in self.people.items():
            assert colleague.unread() == {}, name
        if self.looks:
            self._looks()

    def _looks(self) -> None:
        """Ghosts have their faces, the space has the workspace's picture and emoji, and a room its bookmarks."""
        anna, place = self.people["anna"], self.place(_LISTED)
        events = [one for id_ in self.said.rooms for one in anna.events(self.place(id_))]
        ghosts = {one["sender"] for one in events if "_u0member" in one["sender"] and one["type"] == "m.room.message"}
        assert ghosts
        for one in ghosts:
            assert anna.bytes_of(anna.ask(f"{V3}/profile/{quote(one)}")["avatar_url"]) == _FACE
        (space,) = {one["state_key"] for one in anna.events(place) if one["type"] == "m.space.parent"}
        assert anna.bytes_of(anna.state(space, "m.room.avatar")["url"]) == _SUN
        for type_ in ("m.room.image_pack", "im.ponies.room_emotes"):
            images = anna.state(space, type_, "liberate")["images"]
            assert {code: anna.bytes_of(one["url"]) for code, one in images.items()} == {"sol": _SUN, "solros": _SUN}
        (notice,) = [one for one in events if _lists_bookmarks(one)]
        assert notice["content"]["body"] == "Bookmarks of this room:\n• Handbook (https://solros.example/handbook)"
        assert anna.state(place, "m.room.pinned_events")["pinned"][-1] == notice["event_id"]

    def fingerprint(self) -> str:
        """Every event of every room, its id included: what must not change when nothing is new."""
        anna = self.people["anna"]
        told = {id_: [one["event_id"] for one in anna.events(self.place(id_))] for id_ in self.said.rooms}
        return json.dumps(told, sort_keys=True)


@contextmanager
def leaving(
    folder: Path, shape: Shape, door: Literal["export", "app"] = "export", database: str = "sqlite"
) -> Iterator[Workspace]:
    """A workspace of that shape, a homeserver with nothing on it but three accounts, and a plan.

    The workspace's messages come by its export, or by an app that asks Slack's Web API; both say the same.
    The homeserver keeps all in SQLite, or in a PostgreSQL of its own.
    """
    registration.write(folder / "registration.yaml", SERVER_NAME)
    with ExitStack() as up:
        files = up.enter_context(FileServer())
        postgresql = f"{USER}@{up.enter_context(running())}" if database == "postgresql" else ""
        synapse = up.enter_context(Synapse([folder / "registration.yaml"], postgresql=postgresql))
        made = make_export(folder / "export.zip", replace(shape, files=files.url))
        files.ca_file(folder / "ca.pem")
        files.files.update(made.files)
        slack = _EXPORT.format(files=files.url)
        if door == "app":
            api = up.enter_context(SlackStandin(replace(shape, files=files.url)))
            _decorate(api.workspace, files)
            files.tokens.add(USER_TOKEN)
            (folder / "token").touch(0o600)
            (folder / "token").write_text(USER_TOKEN)
            slack = _APP.format(api=api.url, files=files.url)
        (folder / "liberate.toml").write_text(_PLAN.format(slack=slack, server=synapse.url))
        users = json.loads(zipfile.ZipFile(folder / "export.zip").read("users.json"))
        address = {one["name"]: one.get("profile", {}).get("email") for one in users}
        people = {name: Colleague(synapse, synapse.member(name)) for name in _PEOPLE}
        rows = [f"{address[name]},{one.id},person" for name, one in people.items()]
        (folder / "people.csv").write_text("\n".join(["source,destination,kind", *rows]) + "\n")
        settings = SlackExportSettings(path=str(folder / "export.zip"), endpoint=files.url, ca_file=folder / "ca.pem")
        said = Said.of(made, settings, {address[name]: name for name in people})
        yield Workspace(folder, {}, synapse, said, people, files, door == "app")


def _decorate(slack: SlackWorkspace, files: FileServer) -> None:
    """Give the workspace what its export does not have."""
    files.public |= {"/sun.png": _SUN, "/face.png": _FACE}
    slack.icon = {"image_original": f"{files.url}/sun.png"}
    slack.emoji = {"solros": f"{files.url}/sun.png", "sol": "alias:solros", "gone": f"{files.url}/gone.png"}
    slack.bookmarks[_LISTED] = [{"title": "Handbook", "type": "link", "link": "https://solros.example/handbook"}]
    for user in slack.users.values():
        user["profile"]["image_512"] = f"{files.url}/face.png"
