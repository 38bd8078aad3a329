"""vCards of version 2.1 (versit, 1996), which phones wrote for decades, in version 3.0 (RFC 2426)."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator

from liberate.pim import Line
from liberate.vcard import card, parts, text

_STRUCTURED = ("N", "ADR", "ORG")
_AS_IT_IS = ("TEL", "EMAIL", "URL", "BDAY", "REV", "UID", "GEO", "TZ")
_HEAD = re.compile(r"(?:(?P<group>[A-Za-z0-9-]+)\.)?(?P<name>[A-Za-z0-9-]+)(?P<params>[^:]*):")
_ENCODINGS = {"QUOTED-PRINTABLE", "BASE64", "B", "7BIT", "8BIT"}


def from_version_2(data: bytes) -> bytes:
    """The card in version 3.0: quoted-printable decoded, its character sets made UTF-8, its parameters named.

    What is no property is left out. A picture inside it stays; a card inside it (AGENT) does not.
    """
    out: list[Line] = []
    depth = 0
    for written in _properties(data):
        head = _HEAD.match(written.decode("latin-1"))
        if head is None:
            continue
        name = head["name"].upper()
        if name in ("BEGIN", "END"):
            depth += 1 if name == "BEGIN" else -1
        elif depth == 1 and name not in ("VERSION", "AGENT"):
            out.append(_newer(name, head["group"] or "", head["params"], written[head.end() :]))
    if not any(one.name == "N" for one in out):
        out.insert(0, Line("N", (), ";;;;"))
    return card(out, "3.0")


def _properties(data: bytes) -> Iterator[bytes]:
    """Each property in one piece: folded lines, and those that quoted-printable or Base64 go on in."""
    held: bytes | None = None
    goes_on = False
    for line in re.split(rb"\r?\n", data):
        if held is not None and (goes_on or line[:1] in (b" ", b"\t")):
            quoted = b"QUOTED-PRINTABLE" in held.split(b":", 1)[0].upper()
            held = held[:-1] + line.lstrip() if goes_on and quoted else held + line.strip()
        else:
            if held:
                yield held
            held = line
        head = held.split(b":", 1)[0].upper()
        goes_on = b"QUOTED-PRINTABLE" in head and held.endswith(b"=")
    if held:
        yield held


def _newer(name: str, group: str, given: str, raw: bytes) -> Line:
    params: list[tuple[str, str]] = []
    charset, encoding = "", ""
    for one in given.strip(";").split(";") if given.strip(";") else []:
        key, equals, value = one.strip().partition("=")
        key = key.upper()
        if not equals:
            key, value = ("ENCODING", key) if key in _ENCODINGS else ("TYPE", key)
        if key == "CHARSET":
            charset = value
        elif key == "ENCODING":
            encoding = value.upper()
        else:
            params += [(key, each) for each in value.strip('"').split(",")]
    if encoding in ("BASE64", "B"):
        packed = re.sub(rb"\s", b"", raw).decode("ascii", "ignore")
        return Line(name, (*params, ("ENCODING", "b")), packed, group)
    if encoding == "QUOTED-PRINTABLE":
        raw = quopri.decodestring(raw)
    value = _decoded(raw, charset)
    if name in _STRUCTURED:
        value = parts(_plain(one) for one in re.split(r"(?<!\\);", value))
    elif name == "CATEGORIES":
        value = ",".join(text(_plain(one)) for one in re.split(r"(?<!\\)[;,]", value))
    elif name not in _AS_IT_IS:
        value = text(_plain(value))
    return Line(name, tuple(params), value.replace("\r\n", " ").replace("\n", " "), group)


def _decoded(raw: bytes, charset: str) -> str:
    for name in (charset, "utf-8"):
        if name:
            try:
                return raw.decode(name)
            except (LookupError, UnicodeDecodeError):
                continue
    return raw.decode("cp1252", "replace")


def _plain(value: str) -> str:
    return re.sub(r"\\([;,\\:])", r"\1", value)
