"""Paths of an account as they stand in requests and answers. Pure."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote, unquote, urlsplit

from liberate.connector import Place, inside

FILES = "/remote.php/dav/files"
UPLOADS = "/remote.php/dav/uploads"
DAV = "/remote.php/dav"

_EARLIEST = 86_401  # Nextcloud answers 500 to anything up to 86400 (MtimeSanitizer), after the file has been written
_LATEST = 2**32 - 1  # later ones are cut by file systems


def quoted(path: str) -> str:
    """A path with everything but its slashes percent-encoded."""
    return quote(path, safe="/")


def files(user: str, place: Place | str, name: str = "") -> str:
    """The quoted request path of what is called `name` in that place; of the place itself without a name."""
    path = inside(Place(place), name) if name else place
    return quoted(f"{FILES}/{user}/{path}")


def upload(user: str, folder: str, name: str = "") -> str:
    return quoted(f"{UPLOADS}/{user}/{folder}" + (f"/{name}" if name else ""))


def below_home(href: str, user: str) -> str | None:
    """The unquoted path below the user's home that an answer's href names; None for one elsewhere.

    Hrefs of SEARCH begin where hrefs of PROPFIND do, or at /files; servers may stand in a folder of their host.
    """
    path = unquote(urlsplit(href).path)
    for root in (f"/dav/files/{user}", f"/files/{user}"):
        head, found, tail = path.partition(root)
        if found and (not tail or tail.startswith("/")) and (root.startswith("/dav") or not head.strip("/")):
            return tail.strip("/")
    return None


def split(path: str) -> tuple[Place, str]:
    """Place and name of a path below the home."""
    place, _, name = path.rpartition("/")
    return Place(place), name


def is_shelf(place: Place) -> bool:
    """Whether a place is a calendar or an address book: no place of files begins with a slash."""
    return str(place).startswith(("/event/", "/contact/"))


def seconds(moment: datetime | None) -> int | None:
    """The time as X-OC-Mtime takes it: clamped to what the server survives."""
    return None if moment is None else min(max(int(moment.timestamp()), _EARLIEST), _LATEST)


def receipt_id(fileid: int, name: str) -> str:
    return f"{fileid}/{name}"


def of_receipt(receipt_id_: str) -> tuple[int, str]:
    """File id and name that a receipt's id holds."""
    number, _, name = receipt_id_.partition("/")
    return int(number) if number.isdigit() else 0, name


def fileid(oc_id: str) -> int:
    """The number in an OC-FileId such as "00001897ockqx2i87ho1"; 0 if there is none."""
    digits = ""
    for char in oc_id.strip():
        if not char.isascii() or not char.isdigit():
            break
        digits += char
    return int(digits) if digits else 0


def etag(text: str) -> str:
    """An ETag without its quotes; proxies that compress make it weak or add to it."""
    return text.strip().removeprefix("W/").strip('"').removesuffix("-gzip")
