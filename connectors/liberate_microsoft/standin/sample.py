"""A small co-op's files, made up: for the demo, the tutorial and whoever wants to see what a move looks like.

Six people's drives and the library of a SharePoint site, with sharing of every kind, old dates, earlier
versions, and the names that Microsoft allows and others stumble over. The same at every call, byte for byte.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from liberate_microsoft.standin import shapes
from liberate_microsoft.standin.server import GraphStandin
from liberate_microsoft.standin.tree import Blob, Drive, Node

_START = datetime(2019, 3, 4, 9, 30, tzinfo=UTC)

PEOPLE = (
    ("anna", "Anna Åkerström", ("Årsmöte", "Kvitton", "Solceller/Tak")),
    ("bjorn", "Björn Hjälmarsson", ("Odling", "Odling/Frön", "Bilder")),
    ("claire", "Claire Lefèvre", ("Adhérents", "Presse/À relire", "Achats, devis")),
    ("dietrich", "Dietrich Großmann", ("Buchhaltung/2025", "Buchhaltung/2026", "Verträge")),
    ("eleni", "Ελένη Παπαδοπούλου", ("Συνέλευση", "Συνέλευση/Πρακτικά", "Ideas")),
    ("yuki", "森田 ゆき", ("会計", "会計/領収書", "イベント")),
)
LIBRARY = ("Protokoll/2025", "Protokoll/2026", "Stadgar")
_WORDS = ("Budget", "Protokoll", "Devis", "Rechnung", "Πρακτικά", "領収書", "plan", "Photo", "letter", "Übersicht")
_ENDS = (".docx", ".xlsx", ".pdf", ".odt", ".jpg", ".txt", ".csv", ".pptx", ".md", ".png")

AWKWARD = (
    "Cafe\u0301 – menu.txt",  # e and an accent of its own,
    "Caf\u00e9 – menu.txt",  # and the letter with the accent: two names here, one to a server that composes them
    "# 100% & {more} ~ [a];b=c,d'e$f@g!h+i.txt",
    ".htaccess",
    ".hidden",
    "download.part",
    "…and so on.txt",
    "..two dots first.txt",
    "%2e%2e%2f.txt",
    "no\u00a0break, a zero\u200bwidth and \u202eright-to-left.txt",
    "👩🏽‍🌾 harvest 🥕.jpg",
    "Протокол " + "очень длинное название " * 8 + ".docx",  # far more than 255 bytes
    "desktop - Copy (2) (3).ini.txt",
    "-rf",
)
"""Legal in OneDrive; not all are legal everywhere."""


SITE = "Styrelsen"
"""The site with the library; also what the group of its members is called."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was made."""

    addresses: tuple[str, ...]
    library: str  # name of the account of kind "shared"
    board: str  # name of the group with which some things are shared
    files: int  # that can move
    bytes: int
    left_out: int  # of what cannot: notebooks, shortcuts, malware


def sample_organisation(
    standin: GraphStandin, domain: str = "solros.example", *, files: int = 210, total: int = 24 << 20
) -> Sample:
    """Fill a stand-in with so many files of so many bytes in all; with somewhat more of each where few are wanted.

    Besides them there are folders, and in each drive a handful of what does not move. Some files have
    earlier versions, which are not counted.
    """
    names = {local: f"{local}@{domain}" for local, _, _ in PEOPLE}
    dice = random.Random(f"{domain} {files}")  # noqa: S311 - nothing secret is made of it
    site = standin.add_site(f"sites/{SITE}", SITE)
    drives = [(standin.add_person(names[local], name), folders) for local, name, folders in PEOPLE]
    library = standin.add_library(site, "Documents", "Shared Documents")
    drives.append((library, LIBRARY))
    for kind, role in (("Owners", "owner"), ("Members", "write"), ("Visitors", "read")):
        library.share(library.root, shapes.to_site_group(f"{SITE} {kind}", role))
    for drive, _ in drives:
        _oddities(drive, domain, names["anna"])
    odd = [node for drive, _ in drives for node in drive.files()]
    count = max(len(drives), files - len(odd))
    sizes = _sizes(dice, count, max(count, total - sum(node.blob.size for node in odd)))
    for number, (drive, folders) in enumerate(drives):
        people = [one for local, one in names.items() if one != drive.owner]
        _Filling(drive, dice, people, number).fill(folders, sizes[number :: len(drives)])
    every = [node for drive, _ in drives for node in drive.files()]
    left_out = sum(bool(node.facets) for drive, _ in drives for node in drive.nodes.values())
    size = sum(node.blob.size for node in every)
    return Sample(tuple(names.values()), f"sites/{SITE}/Documents", SITE, len(every), size, left_out)


def _sizes(dice: random.Random, count: int, total: int) -> list[int]:
    """So many sizes that come to the total: many small ones, few large ones, as offices have them."""
    weights = [math.exp(dice.gauss(0, 1.6)) for _ in range(count)]
    sizes = [1 + int((total - count) * weight / sum(weights)) for weight in weights]
    sizes[0] += total - sum(sizes)
    return sizes


class _Filling:
    """Fills one drive with what offices have."""

    def __init__(self, drive: Drive, dice: random.Random, people: list[str], number: int) -> None:
        self._drive = drive
        self._dice = dice
        self._people = people  # the others
        self._number = number  # of the drive

    def fill(self, folders: tuple[str, ...], sizes: list[int]) -> None:
        """Files of these sizes, in these folders and, of many files, in further ones."""
        drive, dice = self._drive, self._dice
        made = [drive.root]
        for path in folders:
            above = drive.root
            for level in path.split("/"):
                below = next((one for one in drive.children(above) if one.name == level), None)
                above = below or drive.add_folder(level, above, **_times(dice))
            made.append(above)
        for number in range(len(sizes) // 25):
            made.append(drive.add_folder(f"{dice.choice(_WORDS)} {number}", dice.choice(made), **_times(dice)))
        shared = min(16, max(4, len(sizes) // 11))  # a Nextcloud takes twenty shares of one account in ten minutes
        for number, size in enumerate(sizes):
            name = f"{dice.choice(_WORDS)} {number:03d}{dice.choice(_ENDS)}"
            node = drive.add_file(name, Blob(seed=f"{drive.id}{name}", size=size), dice.choice(made), **_times(dice))
            if number % 17 == 3:
                node.description = f"Version of {node.client_modified:%d.%m.%Y}, see the minutes"
            if number % 9 == 2:
                self._earlier(node)
            if number < shared:
                drive.share(node, self._permission(self._number + number))
        drive.share(made[1], *(shapes.to_person(self._people[n], "", role) for n, role in ((0, "write"), (1, "read"))))
        drive.share(made[2], shapes.to_group(SITE, "read"))

    def _permission(self, number: int) -> dict[str, Any]:
        """One of the ways to share something."""
        one, other = self._dice.sample(self._people, 2)
        ways: tuple[dict[str, Any], ...] = (
            shapes.to_person(one, "", "read"),
            shapes.to_person(one, "", "write"),
            shapes.to_person(one, "", "read", expirationDateTime="2031-01-31T00:00:00Z"),
            shapes.to_link("users", "edit", ((one, ""), (other, ""))),
            shapes.to_group(SITE, "write"),
            shapes.to_link("anonymous"),
            shapes.to_link("organization", "edit"),
        )
        return ways[number % len(ways)]

    def _earlier(self, node: Node) -> None:
        """Two versions that the file had before."""
        at = node.client_modified or _START
        for number in (2, 1):
            blob = Blob(seed=f"{node.id} {number}", size=max(1, node.blob.size - 10 * number))
            node.earlier.append((at - timedelta(days=30 * number), blob))


def _times(dice: random.Random) -> dict[str, datetime]:
    created = _START + timedelta(minutes=dice.randrange(3_000_000))
    return {"client_created": created, "client_modified": created + timedelta(minutes=dice.randrange(100_000))}


def _oddities(drive: Drive, domain: str, somebody: str) -> None:
    odd = drive.add_folder("Odd names & more", client_modified=_START, client_created=_START)
    deep = odd
    for level in range(1, 11):
        deep = drive.add_folder(f"level {level}", deep, client_modified=_START, client_created=_START)
    for number, name in enumerate(AWKWARD):
        drive.add_file(name, f"{drive.name}/{number}: {name}\n".encode(), odd, client_modified=_START)
    drive.add_file("deep down.txt", b"you found it\n", deep, client_modified=_START)
    drive.add_file("empty.txt", b"", odd, client_modified=_START)
    drive.add_file("from long ago.txt", b"1965\n", odd, client_modified=datetime(1965, 7, 1, tzinfo=UTC))
    drive.add_folder("Nothing in it", client_modified=_START, client_created=_START)
    guest = shapes.to_person(f"guest@partner.{domain.rpartition('.')[2]}", "Guest", "read")
    linked = drive.at("Odd names & more/empty.txt")
    for node, one in (
        (linked, shapes.to_link("anonymous")),
        (deep, shapes.to_link("organization", "edit")),
        (odd, guest),
    ):
        if node is not None:
            drive.share(node, one)
    _other(drive, "Notebook", odd, package={"type": "oneNote"})
    _other(drive, "invoice.exe", drive.root, malware={"description": "Win32/Test"})
    if drive.owner and drive.owner != somebody:
        away = {"id": "01AWAY", "name": "Anna's", "folder": {"childCount": 1}, "parentReference": {"driveId": "b!away"}}
        _other(drive, "Anna's folder", drive.root, remoteItem=away)


def _other(drive: Drive, name: str, parent: Node, **facets: object) -> Node:
    return drive.add_file(name, b"it does not move", parent, facets=dict(facets))
