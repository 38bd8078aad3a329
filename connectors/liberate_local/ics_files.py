"""Calendar files taken apart: one object for each UID, its bytes as they stand in the file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from liberate.vtimezone import vtimezone, zone_name

_KINDS = (b"VEVENT", b"VTODO", b"VJOURNAL")
_EDGE = re.compile(rb"(BEGIN|END):[ \t]*([A-Za-z0-9-]+)[ \t]*\r?\n?$", re.IGNORECASE)
_ZONE = re.compile(rb';TZID=(?:"([^"\r\n]*)"|([^":;,\r\n]*))', re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Piece:
    """One component of a calendar file."""

    at: int  # where it begins in the file
    size: int
    digest: str  # SHA-256 of its bytes
    kind: str  # "VEVENT"
    uid: str  # as it is meant; made from the bytes where there is none
    recurrence: str  # "" for the series itself
    rank: tuple[int, str]  # of two that are the same, the one with the higher is newer
    made_uid: bool  # it has none of its own


@dataclass(frozen=True, slots=True)
class Object:
    """What becomes one object of a calendar."""

    id: str  # unique in its file
    uid: str
    pieces: tuple[Piece, ...]

    @property
    def version(self) -> str:
        joined = " ".join(piece.digest for piece in self.pieces)
        return hashlib.sha256(joined.encode()).hexdigest()[:32]


@dataclass(slots=True)
class Index:
    """What a calendar file holds."""

    objects: list[Object] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)  # ids of what stands there twice, byte for byte
    zones: dict[str, bytes] = field(default_factory=dict)  # definitions of time zones, by their names there
    said: dict[str, str] = field(default_factory=dict)  # what the file says of itself: "X-WR-CALNAME"
    kinds: set[str] = field(default_factory=set)
    is_calendar: bool = False


def index_of(file: BinaryIO) -> Index:
    """Read the file once from its beginning. Nothing is kept of it but where things stand."""
    out = Index()
    pieces: list[Piece] = []
    for kind, at, raw in _parts(file, out):
        if kind == b"VTIMEZONE":
            name = _value(raw, b"TZID")
            out.zones.setdefault(name, raw)
        else:
            pieces.append(_piece(kind.decode(), at, raw))
            out.kinds.add(kind.decode())
    _group(out, pieces)
    return out


def _parts(file: BinaryIO, out: Index) -> Iterator[tuple[bytes, int, bytes]]:
    """The components below each VCALENDAR with where they begin; what the calendar says of itself goes to `out`."""
    stack: list[bytes] = []
    lines: list[bytes] = []
    at = start = 0
    for line in file:
        here, at = at, at + len(line)
        edge = _EDGE.match(line.removeprefix(_BOM) if here == 0 else line)
        if edge is not None and edge[1].upper() == b"BEGIN":
            name = edge[2].upper()
            if name == b"VCALENDAR":  # also where the one before it was never ended
                if len(stack) > 1 and lines:
                    yield stack[1], start, b"".join(lines)
                out.is_calendar = True
                stack, lines = [name], []
                continue
            stack.append(name)
            if len(stack) == 2:
                start, lines = here, []
        if len(stack) > 1:
            lines.append(line)
        elif stack:
            _of_itself(out, line)
        if edge is not None and edge[1].upper() == b"END" and stack:
            name = stack.pop()
            if len(stack) == 1 and (name in _KINDS or name == b"VTIMEZONE"):
                yield name, start, b"".join(lines)
            if len(stack) == 1:
                lines = []
    if len(stack) > 1 and stack[1] in _KINDS:  # the file was cut off here
        yield stack[1], start, b"".join(lines)


def _of_itself(out: Index, line: bytes) -> None:
    name, colon, value = line.decode("utf-8", "replace").strip().partition(":")
    if colon:
        out.said.setdefault(name.partition(";")[0].upper(), re.sub(r"\\(.)", _plain, value))


def _plain(found: re.Match[str]) -> str:
    return "\n" if found[1] in "nN" else found[1]


def _value(raw: bytes, name: bytes) -> str:
    """The value of a component's own property; "" if it has none."""
    depth = 0
    for line in _FOLD.sub(b"", raw).splitlines():
        upper = line[:6].upper()
        depth += upper.startswith(b"BEGIN:") - upper.startswith(b"END:")
        if depth == 1 and re.match(rb"%s[;:]" % name, line, re.IGNORECASE):
            value = line[_value_at(line) :].decode("utf-8", "surrogateescape").strip()
            return re.sub(r"\\(.)", _plain, value)
    return ""


def _value_at(line: bytes) -> int:
    inside = False
    for at, c in enumerate(line):
        if c == ord('"'):
            inside = not inside
        elif c == ord(":") and not inside:
            return at + 1
    return len(line)


def _piece(kind: str, at: int, raw: bytes) -> Piece:
    digest = hashlib.sha256(raw).hexdigest()
    uid = _value(raw, b"UID")
    sequence = _value(raw, b"SEQUENCE")
    rank = (int(sequence) if sequence.isdigit() else 0, _value(raw, b"LAST-MODIFIED") or _value(raw, b"DTSTAMP"))
    made = uid or f"liberate-{digest[:32]}"
    return Piece(at, len(raw), digest, kind, made, _value(raw, b"RECURRENCE-ID"), rank, not uid)


def _group(out: Index, pieces: list[Piece]) -> None:
    """The series with its changed instances, wherever they stand; what is there once more stands by itself."""
    groups: dict[tuple[str, str], list[Piece]] = {}
    for piece in pieces:
        groups.setdefault((piece.uid, piece.kind), []).append(piece)
    given: set[str] = set()

    def add(uid: str, some: list[Piece]) -> None:
        id_, number = uid, 2
        while id_ in given:
            id_, number = f"{uid} ({number})", number + 1
        given.add(id_)
        out.objects.append(Object(id_, uid, tuple(some)))

    more: list[tuple[str, Piece]] = []
    for (uid, _), some in groups.items():
        chosen: dict[str, Piece] = {}
        for piece in some:
            other = chosen.get(piece.recurrence)
            if other is None:
                chosen[piece.recurrence] = piece
            elif other.digest == piece.digest:
                out.doubles.append(f"{uid} {piece.recurrence} twice {len(out.doubles)}")
            else:
                newer, older = (piece, other) if piece.rank > other.rank else (other, piece)
                chosen[piece.recurrence] = newer
                more.append((uid, older))
        add(uid, sorted(chosen.values(), key=lambda piece: (piece.recurrence != "", piece.at)))
    for uid, piece in more:  # the destination refuses it, since its UID is taken, and it is kept under rejects/
        add(uid, [piece])


def assembled(file: BinaryIO, index: Index, one: Object) -> bytes:
    """The object: its components as they stand in the file, with the time zones that they name, without METHOD."""
    raws = []
    for piece in one.pieces:
        file.seek(piece.at)
        raw = file.read(piece.size).removeprefix(_BOM)
        end = b"\r\n" if b"\r\n" in raw else b"\n"
        if not raw.endswith(b"\n"):
            raw += end
        if piece.made_uid:
            head, _, rest = raw.partition(b"\n")
            raw = head + b"\nUID:" + piece.uid.encode() + end + rest
        raws.append(raw)
    end = b"\r\n" if b"\r\n" in raws[0] else b"\n"
    prodid = index.said.get("PRODID") or "-//liberate//EN"
    opening = [b"BEGIN:VCALENDAR", b"VERSION:2.0", b"PRODID:" + prodid.replace("\n", " ").encode("utf-8", "replace")]
    zones = [_zone(index, name, end) for name in _zones(raws)]
    return b"".join([*(line + end for line in opening), *zones, *raws, b"END:VCALENDAR" + end])


def _zones(raws: list[bytes]) -> list[str]:
    names: dict[str, None] = {}
    for raw in raws:
        for found in _ZONE.finditer(_FOLD.sub(b"", raw)):
            names[(found[1] or found[2] or b"").decode("utf-8", "surrogateescape")] = None
    return [name for name in names if name]


def _zone(index: Index, name: str, end: bytes) -> bytes:
    """The definition that the file has, or ours if it has none and the name is a known one."""
    raw = index.zones.get(name)
    if raw is not None:
        return raw if raw.endswith(b"\n") else raw + end
    known = zone_name(name)
    if known is None:
        return b""
    made = vtimezone(known, 1970).replace(f"TZID:{known}\r\n", f"TZID:{name}\r\n", 1)
    return made.encode("utf-8", "surrogateescape").replace(b"\r\n", end)
