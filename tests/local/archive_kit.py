"""A workspace to archive, and what carries it into an archive as the core does."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from liberate_local.chat_archive import ChatArchive

from liberate.chat import (
    Block,
    Bookmark,
    Bullets,
    Change,
    Code,
    Emoji,
    File,
    Heading,
    Link,
    Mention,
    Paragraph,
    Quote,
    Reaction,
    RoomKind,
    Rule,
    Style,
    Table,
    Text,
)
from liberate.connector import Item, Kind, Place, Receipt, Slot
from liberate.ledger_rows import key_of
from liberate.testing.memory_chat import BEGIN, ChatShelf, ChatSource, ShelfCast


def png(width: int, height: int) -> bytes:
    """A picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    line = b"\0" + bytes((200, 120, 40)) * width
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(line * height)) + chunk(b"IEND", b"")


def line(text: str) -> Paragraph:
    """A paragraph of plain words."""
    return Paragraph((Text(text),))


EVERY_BLOCK: tuple[Block, ...] = (
    Heading((Text("What we decided"),)),
    Paragraph(
        (
            Text("We keep "), Text("both", frozenset({Style.BOLD})), Text(" greenhouses, see "),
            Link("https://solros.example/plan?x=1&y=2", "the plan"), Text(", "), Mention("room", "C2", "#board"),
            Text(" and "), Mention("author", "U1", "@Anna"), Text(" or "), Mention("message", "C1/m4", "her message"),
            Emoji("tada", "🎉"), Emoji("solros"),
        )
    ),
    Bullets(((line("Tomatoes"), Bullets(((line("San Marzano"),),))), (line("Cucumbers"),))),
    Bullets(((line("first"),), (line("second"),)), 3),
    Quote((line("A garden is never finished.\nNor is a co-op."),)),
    Code("if bed.litres > 10 and True:\n    pass", "python"),
    Table(((((Text("Bed"),)), ((Text("Litres"),))), (((Text("1"),)), ((Text("12.5"),))))),
    Rule(),
)  # fmt: skip


def workspace() -> ChatShelf:
    """A small co-op: a public room with threads and files, a private one, a conversation, an archived room."""
    shelf = ChatShelf()
    shelf.person("U1", "Anna Lindqvist", full_name="Anna Lindqvist", email="anna@solros.example")
    shelf.person("U2", "Bo")
    shelf.person("U3", "Çelik & Söner", former=True)
    shelf.person("B1", "Bookings", kind="program")
    general = shelf.room(
        "C1", "general", topic="All of us", purpose="News", members=("U1", "U2", "U3"), creator="U1", created=BEGIN,
        bookmarks=(Bookmark("Statutes", "https://solros.example/statutes"),),
    )  # fmt: skip
    board = shelf.room("C2", "board", RoomKind.PRIVATE, members=("U1", "U2"))
    direct = shelf.room("D1", "", RoomKind.DIRECT, members=("U1", "U2"))
    old = shelf.room("C3", "garden-2024", archived=True, members=("U1",))
    shelf.say(general, "U1", change=Change("joined"))
    shelf.say(general, "U2", change=Change("joined", author="U3"))
    shelf.say(general, "U1", change=Change("topic", "All of us"))
    liked = (Reaction(Emoji("+1", "👍"), ("U2", "U3")), Reaction(Emoji("solros"), ("U1",)))
    root = shelf.say(general, "U1", "The boiler arrives on Thursday.", reactions=liked, pinned=True)
    shelf.say(general, "U1", "Bring the key.")
    picture = shelf.upload(general, "F1", "boiler room.png", png(120, 80), "image/png")
    shelf.say(general, "U2", "This is the cellar:", thread=root.id, files=(picture,))
    shelf.say(general, "U3", "Thank you!", thread=root.id, edited=BEGIN + timedelta(hours=1))
    shelf.say(general, "U1", "Then it is decided.", thread=root.id, broadcast=True)
    paper = shelf.upload(general, "F2", "minutes.odt", b"minutes" * 50)
    twin = shelf.upload(general, "F3", "minutes.odt", b"other minutes")
    lost = File("", "plan.pdf", "application/pdf", 1234, "", "Slack no longer had its bytes.")
    shelf.say(general, "U2", *EVERY_BLOCK, files=(paper, twin, lost))
    shelf.say(general, "B1", "Room 2 is booked.", kind="notice")
    shelf.say(general, "U2", "waves", kind="emote")
    shelf.say(general, "U3", "In April.", time=BEGIN + timedelta(days=40))
    shelf.say(general, "U2", "Nobody knows what this answers.", thread="m0", time=BEGIN + timedelta(days=41))
    shelf.say(board, "U1", "The budget is tight.", Paragraph((Mention("message", "C1/m4", "the boiler"),)))
    shelf.say(direct, "U2", "Are you coming?")
    shelf.say(old, "U1", "The last harvest.", time=BEGIN - timedelta(days=400))
    return shelf


def small() -> ChatShelf:
    """A public and a private room that link to each other, with a thread and two files of one name."""
    shelf = ChatShelf()
    shelf.person("U1", "Anna")
    general = shelf.room("C1", "general", members=("U1", "U2"))
    board = shelf.room("C2", "board", RoomKind.PRIVATE, members=("U1",))
    root = shelf.say(general, "U1", "The boiler.", Paragraph((Mention("message", "C2/m4", "the budget"),)), pinned=True)
    shelf.say(general, "U2", "Here:", thread=root.id, files=(shelf.upload(general, "F1", "a.png", png(9, 9)),))
    shelf.say(general, "U2", "And here.", files=(shelf.upload(general, "F2", "A.PNG", b"other"),))
    shelf.say(board, "U1", "The budget.", Paragraph((Mention("message", "C1/m1", "the boiler"),)))
    return shelf


@contextmanager
def archive(root: Path, step: Callable[[str], None] = lambda _what: None) -> Iterator[ChatArchive]:
    """An opening of an archive."""
    opened = ChatArchive(root, ZoneInfo("Europe/Stockholm"), "Europe/Stockholm", step)
    try:
        yield opened
    finally:
        opened.close()


def slot(item: Item, place: Place, room: str, replaces: Receipt | None = None) -> Slot:
    """A slot as the core makes it."""
    return Slot(item, place, "", key_of("account", room, item.id), replaces=replaces)


def carry(shelf: ChatShelf, opened: ChatArchive) -> dict[str, Receipt]:
    """Bring into an archive what is not there yet, and close every room; the receipts by the ids of their items."""
    source, cast = ChatSource(shelf), ShelfCast(shelf, {"U1": "anna"})
    receipts: dict[str, Receipt] = {}
    for collection in source.collections():
        room = source.room(collection)
        place = opened.open_room(room, cast)
        items = [one for one in source.items(collection, None) if isinstance(one, Item)]
        slots = {one.id: slot(one, place, collection.id) for one in items}
        there = opened.find(list(slots.values()), lambda _place, _ids: set())
        missing = [one for one in slots.values() if one.key not in there]
        written = opened.write_many(iter([(one, b"".join(source.read(one.item))) for one in missing]))
        for one, outcome in written:
            assert isinstance(outcome, Receipt)
            there[one.key] = outcome
        receipts |= {id_: there[one.key] for id_, one in slots.items()}
        pinned = {id_: receipts[id_] for id_ in room.pins}
        opened.close_room(place, room, pinned)
    return receipts


def standing(root: Path) -> dict[str, bytes]:
    """Every file of an archive but for the tables, which can be made again."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and ".index.sqlite" not in path.name]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def files_of(shelf: ChatShelf, room: str) -> dict[str, bytes]:
    """The bytes of the files in a room, by the ids of their items."""
    source = ChatSource(shelf)
    (collection,) = (one for one in source.collections() if one.id == room)
    items = [one for one in source.items(collection, None) if isinstance(one, Item) and one.kind is Kind.FILE]
    return {one.id: b"".join(source.read(one)) for one in items}


def run(argument: str, step: Callable[[str], None]) -> None:
    """A job for processes that are killed: see liberate.testing.crash."""
    with archive(Path(argument), step) as opened:
        carry(small(), opened)
