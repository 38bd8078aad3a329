"""An organisation's Drives, made up: people, a shared drive, files of all kinds, sharing among them, awkward names.

The same for the same seed, whenever it is made: ids, names, bytes and times.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from liberate_google.standin.content import Made, Stored
from liberate_google.standin.drive import DriveFile
from liberate_google.standin.sample import PEOPLE
from liberate_google.standin.server import GoogleStandin

AWKWARD = (
    "a/b.txt",
    "back\\slash.txt",
    "Café.txt",
    unicodedata.normalize("NFD", "Café.txt"),
    "README.md",
    "readme.MD",
    "ö" * 148 + ".txt",  # 300 bytes
    "ends with a dot.",
    "ends with a space ",
    " begins with one",
    ".htaccess",
    "x.part",
    "CON",
    "aux.txt",
    "🌻 Sommerfest.txt",
    "two\nlines.txt",
    "..",
    "...",
    ".",
    'who? what: "this" <or> that|*.txt',
    "100%25.txt",
    "総会のお知らせ.txt",
)
"""Names that are legal in Drive and trouble elsewhere."""

SHARED_DRIVE = "Verksamhet & ekonomi"
_FOLDERS = ("Årsmöten", "Bokföring", "Foton", "Avtal", "Projekt", "Protokoll", "Utkast", "2024", "2025", "2026")
_WORDS = ("rapport", "budget", "avtal", "protokoll", "kvitto", "foto", "plan", "lista", "offert", "karta")
_ENDINGS = (
    ("pdf", "application/pdf"),
    ("jpg", "image/jpeg"),
    ("png", "image/png"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("csv", "text/csv"),
    ("zip", "application/zip"),
    ("", "application/octet-stream"),
)
_FIRST, _LAST = 1_546_300_800.0, 1_767_225_600.0  # 2019 to 2026, seconds since 1970


@dataclass(frozen=True, slots=True)
class Organisation:
    """What was made."""

    people: tuple[str, ...]  # addresses
    shared_drive: str  # its id; its name is SHARED_DRIVE
    board: str  # address of a group
    outsider: str  # address of somebody elsewhere, with whom some files are shared


def sample_organisation(
    standin: GoogleStandin,
    domain: str = "solros.example",
    *,
    files: int = 120,
    size: int = 4_000_000,
    names: Sequence[str] = AWKWARD,
    seed: int = 7,
) -> Organisation:
    """Fill six people's Drives and a shared drive with about `files` files of `size` bytes together.

    Besides the files with bytes there are folders and, for each drive, a handful of Google's own documents,
    shortcuts and what cannot be moved. `names` are given to files, and some to folders, in the first person's
    Drive all of them and in the others' some. People who have no Drive yet get one; mailboxes are left alone.
    """
    store = standin.drive
    people = [f"{person.local}@{domain}" for person in PEOPLE]
    for address in people:
        store.add_user(address)
    board, outsider = f"styrelsen@{domain}", "revisor@byra.example"
    store.add_group(board, people[:3])
    store.admins.add(people[0])
    members = {people[0]: "organizer", board: "fileOrganizer"} | dict.fromkeys(people[3:], "writer")
    shared = store.add_shared_drive(SHARED_DRIVE, members)
    owners = [*people, shared]
    maker = _Maker(standin, seed, people, board, outsider)
    sizes = _sizes(random.Random(f"{seed}:sizes"), max(len(owners), files), size)  # noqa: S311 - the same at every call
    for at, owner in enumerate(owners):
        mine = sizes[at :: len(owners)]
        odd = list(names) if at == 0 else list(names)[at :: len(owners)]
        maker.fill(owner, mine, odd)
    return Organisation(tuple(people), shared, board, outsider)


def _sizes(chance: random.Random, count: int, total: int) -> list[int]:
    """So many sizes that come to the total: most small, a few large, some empty."""
    weights = [0.0 if at % 40 == 39 else chance.lognormvariate(0, 1.6) for at in range(count)]
    sizes = [int(total * weight / sum(weights)) for weight in weights]
    sizes[0] += total - sum(sizes)
    return sizes


class _Maker:
    def __init__(self, standin: GoogleStandin, seed: int, people: list[str], board: str, outsider: str) -> None:
        self._store = standin.drive
        self._seed = seed
        self._people = people
        self._board = board
        self._outsider = outsider

    def fill(self, owner: str, sizes: list[int], odd: list[str]) -> None:
        """One drive."""
        chance = random.Random(f"{self._seed}:{owner}")  # noqa: S311
        is_person = owner in self._people
        folders = self._folders(owner, chance, max(4, len(sizes) // 12))
        strange = self._store.add_folder(owner, "Odd names", parent=folders[0], modified=_when(chance))
        made: list[str] = []
        names = list(odd)
        for number, size in enumerate(sizes):
            parent = chance.choice(folders)
            ending, mime = chance.choice(_ENDINGS)
            name = f"{chance.choice(_WORDS)} {number:04d}{'.' if ending else ''}{ending}"
            if names:
                name, parent = names.pop(0), strange
            content = Made(f"{self._seed}:{owner}:{number}", size) if size >= 512 else Stored(chance.randbytes(size))
            key = self._store.add_file(owner, name, content, parent=parent, mime=mime, modified=_when(chance))
            made.append(key)
            self._touch(self._store.files[key], owner, chance, is_person)
        for name in names:  # more odd names than files: small ones besides
            self._store.add_file(owner, name, name.encode(), parent=strange, mime="text/plain", modified=_when(chance))
        for name in odd[:3]:
            self._store.add_folder(owner, name, parent=strange, modified=_when(chance))
        self._twins(owner, strange, chance)
        self._documents(owner, folders, chance)
        self._shortcuts(owner, folders, made, chance)
        if is_person:
            self._share(owner, folders, made, chance)

    def _folders(self, owner: str, chance: random.Random, count: int) -> list[str]:
        out: list[str] = []
        for number in range(count):
            above = chance.choice(out) if out and chance.random() < 0.7 else None
            name = _FOLDERS[number % len(_FOLDERS)] + ("" if number < len(_FOLDERS) else f" {number}")
            out.append(self._store.add_folder(owner, name, parent=above, modified=_when(chance)))
        return out

    def _touch(self, file: DriveFile, owner: str, chance: random.Random, is_person: bool) -> None:
        if is_person and chance.random() < 0.08:
            file.starred.add(owner)
        if chance.random() < 0.06:
            file.description = "Fråga Åsa innan den ändras."
        if chance.random() < 0.05:
            when = datetime.fromtimestamp(file.modified, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            file.comments.append(
                {
                    "kind": "drive#comment",
                    "id": f"AAA{file.number}",
                    "author": {"kind": "drive#user", "displayName": "Björn Hjälmarsson", "me": False},
                    "content": "Stämmer summan?",
                    "createdTime": when,
                    "modifiedTime": when,
                    "deleted": False,
                    "replies": [],
                }
            )
        if chance.random() < 0.03:
            self._store.trash(file.id)

    def _twins(self, owner: str, parent: str, chance: random.Random) -> None:
        for number in range(2):
            self._store.add_file(
                owner, "same name", f"{owner} {number}".encode(), parent=parent, modified=_when(chance)
            )
        self._store.add_folder(owner, "same name", parent=parent, modified=_when(chance))
        self._store.add_document(owner, "Stadgar", text="§ 1 Namn", parent=parent, modified=_when(chance))
        self._store.add_file(owner, "Stadgar.odt", b"an old copy", parent=parent, modified=_when(chance))

    def _documents(self, owner: str, folders: list[str], chance: random.Random) -> None:
        for kind in ("document", "spreadsheet", "presentation", "drawing", "script", "form", "site", "map"):
            self._store.add_document(
                owner, f"{chance.choice(_WORDS)} ({kind})", kind, f"{owner}\n{kind}\nÅÄÖ & <sådant>",
                parent=chance.choice(folders), modified=_when(chance),
            )  # fmt: skip

    def _shortcuts(self, owner: str, folders: list[str], made: list[str], chance: random.Random) -> None:
        inner = folders[-1]
        self._store.add_shortcut(owner, "to a file", made[0], parent=inner)
        above = next((folder.id for folder in self._store.above(self._store.files[inner])), folders[0])
        self._store.add_shortcut(owner, "to where it stands", above, parent=inner)
        self._store.add_shortcut(owner, "to nothing", f"1{chance.randrange(10**30):030d}xx", parent=inner)

    def _share(self, owner: str, folders: list[str], made: list[str], chance: random.Random) -> None:
        others = [one for one in self._people if one != owner]
        common = folders[1]
        self._store.share(common, chance.choice(others), "writer")
        self._store.share(folders[2], self._board, "reader")
        guest = next(one.who for one in self._store.files[common].permissions)
        self._store.add_file(guest, f"from {guest}.txt", b"put here by a colleague", parent=common)
        for key in made[: max(2, len(made) // 20)]:
            what = chance.randrange(4)
            if what == 0:
                self._store.share(key, "", "reader", "anyone")
            elif what == 1:
                self._store.share(key, self._outsider, "commenter")
            elif what == 2:
                self._store.share(key, owner.rpartition("@")[2], "reader", "domain")
            else:
                self._store.share(key, chance.choice(others), "reader", expires="2031-01-31T00:00:00.000Z")


def _when(chance: random.Random) -> float:
    return round(chance.uniform(_FIRST, _LAST), 3)
