"""What a connector is. This file is the whole contract; read it first.

A Source is read with three calls, a Destination is written with five; everything else is an
optional power, a small Protocol that the core asks for with isinstance. Every worker thread opens
its own Source and Destination and closes them again, so no connector has to be thread-safe. A
connector raises the errors of liberate.errors and nothing else on purpose; it never waits and
never repeats a call by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NewType, Protocol, TypeAlias, runtime_checkable

from liberate.chat import Author, Recalled, Room
from liberate.errors import ItemError
from liberate.files import Grant, Note
from liberate.filters import Filters
from liberate.naming import Rules
from liberate.pim import Fate, Looks

Cursor = NewType("Cursor", str)
"""A place in a listing, opaque to all but the source that gave it."""

Place = NewType("Place", str)
"""Where a collection lands, opaque to all but the destination that gave it."""


class Kind(StrEnum):
    """Each kind is a byte stream in its own standard format."""

    FILE = "file"  # any bytes
    MAIL = "mail"  # RFC 5322
    EVENT = "event"  # RFC 5545
    CONTACT = "contact"  # RFC 6350
    CHAT = "chat"  # liberate.chat JSON: no standard exists


class Evidence(StrEnum):
    """What a destination proved about an item it says it holds, strongest first."""

    READ_BACK = "read-back"  # we read it and hashed it
    STORED = "stored-digest"  # the server hashed what it stored
    RECEIVED = "received-digest"  # the server hashed what it received
    SIZE = "size"  # the server told the size of what it stored
    NONE = "none"  # the server only said yes


@dataclass(frozen=True, slots=True)
class Account:
    """One person's (or shared) account at one service."""

    name: str  # as the service knows it: an address, a user name; "" where there is only one
    secret: str | None = field(default=None, repr=False)  # their own password or token, if the plan has one
    kind: Literal["person", "shared", "group", "room"] = "person"  # shared: a shared drive, library or mailbox
    kinds: frozenset[Kind] = frozenset()  # what the route moves: nothing else need be asked for; empty: not told


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder tree, mailbox, calendar, address book or room."""

    id: str  # unique in the account, the same at every listing
    path: tuple[str, ...]  # its name as people read it, outermost first, unescaped; () is the root
    kind: Kind
    ordered: bool = False  # its items must arrive in the order they are listed
    role: str | None = None  # what it is for, where the service says so: liberate.mail.Role for mail
    count: int | None = None  # how many items it holds, where that costs nothing; for progress only


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to move, described; Source.read gives its bytes."""

    id: str  # unique in its collection, the same at every listing, and enough for Source.read to find it
    kind: Kind
    version: str  # changes whenever the bytes do; "" where they never do
    name: str = ""  # what people call it; "" where its kind has no names or they are private (mail)
    size: int | None = None  # exact number of bytes that read gives; None: not known beforehand
    modified: datetime | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    """Those that cost nothing: {"sha256": hex, "sha1": hex, "md5": hex}, which the core compares with the bytes that
    arrive. A digest that hashlib does not know is compared by the source itself, which then raises IntegrityError."""
    refs: tuple[str, ...] = ()  # ids of items that go first: thread root, attachment
    facts: Any = None  # MailFacts, FileFacts ...: what travels beside the bytes
    facts_version: str = ""  # changes whenever the facts do: a change without new bytes
    repeatable: bool = True  # False: the bytes differ at every download


@dataclass(frozen=True, slots=True)
class Gone:
    """An item that the source listed before and no longer has."""

    id: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something the source holds and does not hand over, with the reason; it is counted and listed."""

    id: str
    code: str
    why: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """The listing that ends here named everything: what was listed in earlier runs and not in this one is gone.

    Comes last, but for a Cursor behind it. Only of collections whose items can be known to be gone by that.
    """


@dataclass(frozen=True, slots=True)
class Renumbered:
    """From here on, what was listed in earlier runs comes under new ids (IMAP: UIDVALIDITY changed).

    The core then recognises by content what it has moved already, so that nothing arrives twice.
    """


Listed: TypeAlias = Item | Gone | Skipped | Whole | Renumbered | Cursor
"""What a listing yields. A Cursor says: everything before it has been listed; start here next time."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a destination says it holds."""

    id: str  # unique in its place
    place: Place
    size: int | None = None  # bytes, as the destination reports them
    digests: Mapping[str, str] = field(default_factory=dict)  # computed by the destination from what it stored
    evidence: Evidence = Evidence.NONE
    version: str = ""  # changes when somebody changes the bytes there, if not within one second; "": it does not say


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one item goes: decided and recorded before its first byte is sent."""

    item: Item  # with the size and digests of the bytes sent, as far as they are known
    place: Place
    name: str  # legal and unique in that place; "" where the place numbers items itself
    key: str  # 32 hex digits, the same at every attempt: an idempotency key
    mark: str | None = None  # what Marked.mark said before the first attempt
    refs: Mapping[str, Receipt] = field(default_factory=dict)
    replaces: Receipt | None = None
    """What an earlier version of the item left under this very name, with its digests as far as they are known: a
    version may stay the same within one second, and where it does, only the bytes tell whose they are."""


NAME_TAKEN = "name-taken"
"""The code of an ItemError: the slot's name is somebody else's there, who keeps it. The core chooses another name."""
ROOM_LEFT = "room-left"
"""The code of an AccountError of `open_room`: everybody has left the room since it was closed last."""
CHANGED_THERE = "changed-there"
"""The code of an ItemError: what the slot replaces, or what is to be removed, is no longer what we left there."""

Outcome: TypeAlias = tuple[Slot, Receipt | ItemError]
Taken: TypeAlias = Callable[[Place, Sequence[str]], set[str]]
"""Of these receipt ids in this place, those that already belong to other items."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What ReadsMany yields for one item."""

    item: Item  # the item asked for; it may know more than the one listed (size, received time)
    body: bytes | ItemError | None  # None: too large to hold in memory; call read(item) for it


class Body(Protocol):
    """The bytes on their way: counted, hashed, never silently short.

    read(n) gives at most n bytes, b"" at the end only. It raises when the source ends early or
    fails; a destination lets that through and leaves nothing behind.
    """

    size: int | None  # exact; None: not known until the end

    def read(self, n: int = -1, /) -> bytes: ...


class Source(Protocol):
    def collections(self) -> Iterator[Collection]:
        """Every collection of the account, each once."""
        ...

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """What the collection holds; with `since`, what changed after that cursor.

        A cursor that has expired or fits no more is answered by listing everything: the core knows
        what it has. read and read_many may be called between two steps of this iterator. Memory
        stays bounded whatever the number of items.
        """
        ...

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """The item's bytes from `offset` on, unaltered, in chunks. Raises ItemError("gone") if it is not there."""
        ...


class Destination(Protocol):
    line_ends: Literal["any", "crlf"]
    """Of mail: "crlf" where bodies shall arrive with every line end as CRLF (IMAP)."""

    @property
    def rules(self) -> Rules:
        """What names this destination takes. Asked only when something is named, so it may cost a look."""
        ...

    def prepare(self, collection: Collection) -> Place:
        """Make the collection or find it again; `path` is legal under `rules`. The same place each time."""
        ...

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """What earlier attempts left in these slots, by slot key.

        A slot is missing from the answer only if nothing of it surely arrived; when unsure, raise
        TransientError. A receipt is given to one slot only, and never one that is `taken`.
        """
        ...

    def write(self, slot: Slot, body: Body) -> Receipt:
        """Store the whole item or nothing."""
        ...

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """The bytes as the destination now gives them. Raises ItemError("gone") if they are no longer there."""
        ...


# Optional powers ---------------------------------------------------------------------------------


@runtime_checkable
class ReadsMany(Protocol):
    """A source that reads small items faster together."""

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Each item once, in any order. One that cannot be read is Loaded with its ItemError."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """How much a destination likes to be given at once."""

    items: int
    bytes: int  # a body larger than this goes through Destination.write


@runtime_checkable
class WritesMany(Protocol):
    """A destination that takes small items faster together."""

    batch: Batch

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """Store each part as write does, and yield each outcome once, in any order.

        `parts` is pulled as room allows, so several batches may be under way: whatever was pulled
        has its intention recorded. A member that fails, fails alone. An error that is not an
        ItemError ends the call; the core then asks `find` about every part without an outcome.
        """
        ...


@runtime_checkable
class Marked(Protocol):
    """A destination that appends and numbers items itself, so that `find` needs to know where to look from."""

    def mark(self, place: Place) -> str:
        """Where the place ends now, as the server says. Whatever is appended later stands after it."""
        ...


@runtime_checkable
class Copies(Protocol):
    """A destination that can put one stored item into further places without its bytes being sent again."""

    def copy_many(self, parts: Iterable[tuple[Slot, Receipt]]) -> Iterator[Outcome]:
        """Copy what each receipt names into its slot. Outcomes and errors as in write_many."""
        ...


@runtime_checkable
class ReadsBack(Protocol):
    """A destination that gives back many small items faster together."""

    def read_back(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
        """Each receipt once, in any order; None: too large to hold in memory, call read(receipt) for it."""
        ...


# Powers over what a mailbox does by itself ---------------------------------------------------------


@runtime_checkable
class HasFilters(Protocol):
    """A source of mail that knows the account's rules, and its reply while its owner is away."""

    def filters(self) -> Filters:
        """All of them as they are now. Raises AccountError where they may not be read: the mail moves all the same."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What is recorded of the script that liberate put at a destination."""

    digests: frozenset[str] = frozenset()  # script_digest of what was put or meant to be put there
    stood: bool = False  # it stood there
    active: bool = False  # and was the one that acts on mail


@dataclass(frozen=True, slots=True)
class Installed:
    """What became of a script."""

    state: Literal["active", "beside", "edited", "removed", "switched-off"]
    """beside: it is there, and a script of the account's own stays the one that acts; edited, removed, switched-off:
    somebody did that, and it was left so."""
    other: str = ""  # the name of the account's own


def script_digest(script: str) -> str:
    """SHA-256 in hex of what a script says, however its lines end."""
    lines = [line.rstrip() for line in script.rstrip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


@runtime_checkable
class TakesFilters(Protocol):
    """A destination of mail that may run Sieve scripts (RFC 5228) on letters as they come."""

    def mailbox(self, place: Place) -> str:
        """What a script calls that place."""
        ...

    def extensions(self) -> frozenset[str] | None:
        """The Sieve extensions that it announces for the account; None: it takes no scripts from us."""
        ...

    def install(self, script: str, before: Standing) -> Installed:
        """Put the script there, and make it act on mail unless the account has an active one of its own.

        It may be called again. What somebody else made, edited, removed or switched off stays as they left it.
        Raises ItemError for a script that the server does not take.
        """
        ...


# Powers over files: names that change, folders that are items, bodies that take hours -------------


@dataclass(frozen=True, slots=True)
class Held:
    """Something that stands at a destination, whoever put it there."""

    place: Place
    name: str
    folder: bool
    id: str  # of a receipt for it
    size: int | None = None  # bytes
    version: str = ""  # as in Receipt
    foreign: bool = False  # a folder of others that only shows here: what came into it, they would see


def inside(place: Place, name: str) -> Place:
    """The place of the folder called `name` in `place`, at a destination that KeepsTrees."""
    return Place(f"{place}/{name}" if place else name)


@runtime_checkable
class KeepsTrees(Protocol):
    """A destination of files. Its folders are items, and everything in it has a name that can change.

    Its places are paths: a folder's place is `inside(slot.place, slot.name)`. What is written has slots
    with legal names, unique among all that liberate puts there. `write` and `write_many` never replace what
    stands under a slot's name, unless it is the receipt that the slot `replaces` in the version that receipt
    has: otherwise the outcome is ItemError(NAME_TAKEN), or ItemError(CHANGED_THERE) for a slot that replaces.
    """

    def held(self, place: Place) -> Iterator[Held]:
        """What stands in the place itself, not below it. A place whose folder is gone is made anew.

        Raises AccountError if the place itself has become foreign.
        """
        ...

    def make_folder(self, slot: Slot) -> Receipt:
        """Make the folder, or find the one of that name, whoever made it.

        NAME_TAKEN if a file has its name, or a folder that others see: one that is foreign, or that its owner shares.
        """
        ...

    def move(self, slot: Slot, receipt: Receipt) -> Receipt:
        """Bring what the receipt names to the slot's place and name, a folder with all that is in it. May be repeated.

        Raises ItemError("gone") if it is no longer there, ItemError(NAME_TAKEN) if the new name is somebody else's.
        """
        ...


@runtime_checkable
class Rehashes(Protocol):
    """A destination that computes digests of what it stores without sending it."""

    def rehash(self, receipts: Iterable[Receipt]) -> Iterator[tuple[Receipt, Mapping[str, str] | ItemError]]:
        """Each receipt once, in any order, with {"sha256": hex} of the bytes stored now; ItemError("gone")."""
        ...


@runtime_checkable
class Inventories(Protocol):
    """A destination that lists a whole tree at little cost."""

    def inventory(self, root: Place) -> Iterator[Held]:
        """Everything below the place, at any depth, in any order. Memory stays bounded."""
        ...


@runtime_checkable
class Removes(Protocol):
    """A destination from which can be taken what we put there and nobody has touched since."""

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        """Remove it, into the trash where there is one. What is gone already is fine.

        `slot.item` has the size and digests of what was written: what has another version than the receipt
        says, and other bytes, raises ItemError(CHANGED_THERE); so does a folder that is not empty.
        """
        ...


@dataclass(frozen=True, slots=True)
class Share:
    """A grant as the destination shall know it: its people mapped."""

    to: Literal["user", "group", "link", "outsider"]
    name: str  # user or group name at the destination; address of an outsider; "" for a link
    grant: Grant


@runtime_checkable
class Shares(Protocol):
    """A destination whose items can be shared with others."""

    share_rate: tuple[int, float] | None
    """How many shares one account may make in how many seconds, as far as that is known; None: as many as it likes."""

    def share(self, receipt: Receipt, share: Share) -> str:
        """Make the share, or find it again; its id there. Without mail to anybody.

        Raises ItemError where it cannot be (nobody of that name, forbidden), TransientError with
        `retry_after` where the server allows only so many in a time.
        """
        ...

    def unshare(self, share_id: str) -> None:
        """Take a share that we made away again. One that is gone already is fine."""
        ...


@runtime_checkable
class Annotates(Protocol):
    """A source that has comments or a description for an item."""

    def notes(self, item: Item) -> Sequence[Note]:
        """The description first, then the comments and answers, oldest first."""
        ...


@runtime_checkable
class TakesNotes(Protocol):
    """A destination that can keep notes with an item."""

    def annotate(self, receipt: Receipt, notes: Sequence[Note]) -> None:
        """Add those that are not there yet: it may be called again after a crash."""
        ...


@runtime_checkable
class Describes(Protocol):
    """A source that can say what one item is like now."""

    def describe(self, item: Item) -> Item:
        """Asked when the bytes were not as the item says. Raises ItemError("gone").

        An item that changed meanwhile comes with its new version. One whose service describes it wrongly
        (SharePoint alters what it stores) comes without the size and digests that do not hold.
        """
        ...


@runtime_checkable
class HasVersions(Protocol):
    """A source that keeps what a file was before."""

    def versions(self, item: Item) -> Sequence[Item]:
        """Its earlier versions, oldest first, without the present one; `read` takes them."""
        ...


@runtime_checkable
class Spacious(Protocol):
    """A destination that knows how much room an account has left."""

    def room(self) -> int | None:
        """Bytes; None: without limit, or not known."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """New facts for something that is already there."""

    slot: Slot  # its item carries the new facts
    receipt: Receipt
    before: Any  # the facts as we last stored them: what somebody changed there since is theirs


@runtime_checkable
class Updates(Protocol):
    """A destination that can change facts without new bytes: flags, labels, times."""

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """Apply the difference between `before` and the slot's facts, and nothing else. May be repeated.

        The receipt of what stood there in the version that was given has the version after the change;
        that of what somebody changed there has the version that was given: it does not become ours.
        """
        ...


@runtime_checkable
class Resumable(Protocol):
    """A destination that takes a large body in pieces and keeps a half-sent one between runs."""

    def piece(self, size: int) -> int | None:
        """How many bytes each piece of a body of `size` bytes has, the last one perhaps fewer; None: use write."""
        ...

    def begin(self, slot: Slot) -> str:
        """Start an upload; its id, which a later process can use."""
        ...

    def received(self, upload: str, piece: int) -> int | None:
        """How many bytes from the start are safely there, whole pieces only; None: it has expired, begin again."""
        ...

    def append(self, upload: str, slot: Slot, offset: int, body: Body) -> None:
        """Store one piece, `body.size` bytes that stand at `offset`. Sent again, it replaces itself.

        The body is read to its end before this returns. The piece may still be on its way then: what becomes of it
        is raised by a later call for this upload, at the latest by `finish`.
        """
        ...

    def finish(self, upload: str, slot: Slot) -> Receipt:
        """Make the pieces one file under the slot's name, as write would. May be repeated."""
        ...

    def abandon(self, upload: str) -> None:
        """Throw a half-sent upload away. One that is gone is fine."""
        ...


# Powers over calendars and address books ----------------------------------------------------------


@runtime_checkable
class HasLooks(Protocol):
    """A source of events or contacts that knows what its calendars and address books look like."""

    def looks(self, collection: Collection) -> Looks:
        """Name, description, colour and time zone as they are now."""
        ...


@runtime_checkable
class KeepsObjects(Protocol):
    """A destination of events and contacts: calendars and address books, one object for each UID in it.

    `prepare` is not called for them. Slots have names made of the item's name, which is its UID. `write` and
    `write_many` never replace what stands there, unless it is the receipt that the slot `replaces`, in the version
    that receipt has or with the digests that it has (see liberate.pim.compared): otherwise the outcome is
    ItemError(CHANGED_THERE). Where the slot replaces nothing and an object of its name or UID stands there already,
    that object's receipt is the outcome if it says the same, and ItemError(UID_TAKEN) if it does not. What a slot
    replaces and is no longer there is ItemError("gone"): whoever deleted it meant it. Nobody is sent an invitation.
    """

    def open_collection(self, key: str, collection: Collection, looks: Looks) -> Place:
        """Make the calendar or address book with this key (32 hex digits), or find it again. The same place each time.

        What its owner changed of its looks since it was made is theirs.
        """
        ...

    def card_version(self, place: Place) -> Literal["3.0", "4.0"]:
        """The version in which an address book wants its contacts."""
        ...

    def mails_reminders(self, place: Place) -> bool:
        """Whether the server would mail an event's reminders to its guests. Such reminders arrive as shown ones."""
        ...

    def remove_collection(self, place: Place) -> None:
        """Remove it if nothing is in it. One that is gone is fine; one that is not empty raises CHANGED_THERE."""
        ...


UID_TAKEN = "uid-taken"
"""The code of an ItemError: an event or contact with this UID stands there already, and says something else."""


# Powers over chat: rooms, and the people who speak in them ----------------------------------------


class Cast(Protocol):
    """Who is who, for a destination of chat. Asked when somebody first appears; never fails."""

    def author(self, id_: str) -> Author:
        """What the source knows of somebody; of whom it knows nothing, a stranger named after the id."""
        ...

    def user(self, id_: str) -> str | None:
        """What the people table calls them at the destination; None for whoever has no row there."""
        ...

    def picture(self, id_: str) -> bytes | None:
        """The bytes of a picture that an Author or a Workspace names; None for one that is not to be had now."""
        ...


@runtime_checkable
class HasRooms(Protocol):
    """A source of chat. Each of its collections is a room, ordered, oldest message first."""

    def room(self, collection: Collection) -> Room:
        """What the room is now. Raises ItemError("gone") for one that the source has no more."""
        ...

    def author(self, id_: str) -> Author:
        """As in Cast."""
        ...


@runtime_checkable
class KeepsRooms(Protocol):
    """A destination of chat. `prepare` is not called for rooms.

    Slots have no names: `write` and `write_many` put each message behind all that the place holds, in the order
    in which they are given, under a key of the slot's that `find` knows again. A message may become several
    things there; what an attempt left unfinished is finished by the next one. `slot.refs` has the receipts of the
    thread's first message and of its files, as far as those have arrived. A slot that `replaces` is an edit.
    """

    def open_room(self, room: Room, cast: Cast) -> Place:
        """Make the room or find it again, before its first message of each turn. The same place each time.

        Raises AccountError(ROOM_LEFT) where nobody is left in it: that stops the run only if there is more to say.
        """
        ...

    def close_room(self, place: Place, room: Room, pinned: Mapping[str, Receipt]) -> Mapping[str, ItemError]:
        """The last things, once every message is there: members, pins, what is unread, archived. May be repeated.

        The ids of members who cannot be in the room, each with the reason: everything else is done.
        """
        ...


@runtime_checkable
class ForecastsRooms(Protocol):
    """A destination of chat that can tell what bringing rooms will take, before it begins."""

    def forecast(self, rooms: Iterable[Room], cast: Cast) -> Iterator[Remark]:
        """What whoever moves these rooms should know. Nothing is made; rooms that are there are taken into account."""
        ...


@runtime_checkable
class Spends(Protocol):
    """A destination of chat that counts what costs its service most, so that a report can say what a move took."""

    def spent(self) -> Mapping[str, int]:
        """How many since it was opened, by the word for one of them, such as "join". Asked when a batch is done."""
        ...


@runtime_checkable
class RemovesRooms(Protocol):
    """A destination of chat whose rooms are taken back whole, and not message by message."""

    def remove_room(self, place: Place, files: Sequence[Receipt]) -> None:
        """Remove the room and these files of it. What is gone already is fine.

        A room in which somebody else has written since raises ItemError(CHANGED_THERE), and so does one
        that liberate did not make: nothing of it is touched.
        """
        ...


@runtime_checkable
class Recalls(Protocol):
    """A destination of chat that tells what it holds, for comparison with what was said at the source."""

    def recall(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, Recalled | ItemError]]:
        """Each receipt of a message once, in any order, as it stands now; ItemError("gone")."""
        ...

    def called(self, place: Place, author: str) -> str:
        """What Recalled calls that author in this room. Asked after `open_room` of this opening."""
        ...


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a check came upon at a service."""

    code: str  # stable
    why: str  # a sentence for whoever moves
    todo: str = ""  # what to do about it; "" for nothing
    stops: bool = False  # a move would fail, or lose something


@runtime_checkable
class Checks(Protocol):
    """An end that can be looked at before anything moves, at most by things of its own that it takes away again."""

    def check(self) -> Iterator[Remark]:
        """What there is to know, in the order in which it is found out. Raises as `write` does."""
        ...


@dataclass(frozen=True, slots=True)
class Survey:
    """What an account holds by the service's own count, without a body read."""

    items: int | None  # None: the service counts bytes only
    folders: Mapping[tuple[str, ...], int] = field(default_factory=dict)  # per folder or label path
    bytes: int | None = None


@runtime_checkable
class Surveys(Protocol):
    """A source that can say what it holds without reading it."""

    def survey(self) -> Survey: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place named on the command line instead of in a plan."""

    settings: Mapping[str, Any]  # for Connector.settings
    account: str = ""


@dataclass(frozen=True, slots=True)
class Connector:
    """The value behind an entry point of the group "liberate.connectors"."""

    name: str
    title: str
    kinds: frozenset[Kind]
    settings: type[Any]  # a liberate.settings.Settings; its fields are the documented settings
    source: Callable[[Any, Account], AbstractContextManager[Source]] | None = None
    destination: Callable[[Any, Account], AbstractContextManager[Destination]] | None = None
    schemes: tuple[str, ...] = ()  # "maildir", "imaps": what `endpoint` understands
    endpoint: Callable[[str], Endpoint] | None = None  # "imaps://anna@mail.example.coop" -> settings and account
    fidelity: Callable[[], Mapping[str, Sequence[Fate]]] | None = None
    """Of a source of events, contacts or filters: what becomes of each field, by a heading such as "Events"."""
