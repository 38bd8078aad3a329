"""vCards (RFC 6350) written property by property, and given in the older version that many servers still want."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from liberate.pim import Line, lines

_FOLDED = 75  # bytes of a line (RFC 6350 section 3.2)
_PLAIN = re.compile(r"[A-Za-z0-9 !#$%&'()*+./<=>?@\[\]^_`{|}~\-\u0080-\U0010ffff]*")


def text(value: str) -> str:
    """A text as the value of a property: escaped, its line ends as \\n (RFC 6350 section 3.4)."""
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    escaped = value.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;").replace("\n", "\\n")
    return "".join(c for c in escaped if c >= " " or c == "\t")


def texts(values: Iterable[str]) -> str:
    """A list of texts, as in CATEGORIES."""
    return ",".join(text(one) for one in values)


def parts(values: Iterable[str]) -> str:
    """A structured value, as in N and ADR."""
    return ";".join(text(one) for one in values)


def line(name: str, value: str, params: Mapping[str, str | Sequence[str]] | None = None, group: str = "") -> Line:
    """A property. `value` is escaped already; values of parameters are not, and are written in quotes if need be."""
    out = []
    for key, given in (params or {}).items():
        for one in [given] if isinstance(given, str) else given:
            out.append((key.upper(), one))
    return Line(name.upper(), tuple(out), value, group)


def card(properties: Iterable[Line], version: str = "4.0") -> bytes:
    """The card of these properties, in their order; VERSION goes first and is not among them."""
    inner = (_written(one) for one in properties)
    return "".join(["BEGIN:VCARD\r\n", f"VERSION:{version}\r\n", *inner, "END:VCARD\r\n"]).encode(
        "utf-8", "surrogateescape"
    )


def _written(one: Line) -> str:
    params: dict[str, list[str]] = {}
    for key, value in one.params:
        params.setdefault(key, []).append(_parameter(value))
    head = f"{one.group}.{one.name}" if one.group else one.name
    head += "".join(f";{key}={','.join(values)}" for key, values in params.items())
    return _folded(f"{head}:{one.value}")


def _parameter(value: str) -> str:
    """A parameter's value; what a parameter cannot hold goes as RFC 6868 says."""
    value = value.replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    value = "".join(c for c in value if c >= " ")
    return value if _PLAIN.fullmatch(value) else f'"{value}"'


def _folded(written: str) -> str:
    """The line in pieces of at most 75 bytes, never cut within a character."""
    if len(written) * 4 <= _FOLDED:
        return written + "\r\n"
    out, size = [], 0
    for c in written:
        width = len(c.encode("utf-8", "surrogateescape"))
        if size + width > _FOLDED:
            out.append("\r\n ")
            size = 1
        out.append(c)
        size += width
    return "".join(out) + "\r\n"


# The older version -------------------------------------------------------------------------------

_DATA = re.compile(
    r"data:(?P<media>[a-z0-9.+-]+/[a-z0-9.+-]+)?(?:;[a-z0-9-]+=[^;,]*)*;base64,(?P<bytes>.*)", re.I | re.S
)


def as_version_3(data: bytes) -> bytes:
    """A card of version 4.0 in version 3.0 (RFC 2426); one of another version is given back as it is.

    Raises ValueError for what is no card.
    """
    given = list(lines(data))
    if not any(one.name == "VERSION" and one.value.strip() == "4.0" for one in given):
        return data
    out = []
    for one in given:
        if one.name not in ("BEGIN", "END", "VERSION"):
            out += [_older(each) for each in _each_nickname(one)]
            out += _label(one)
    if not any(one.name == "N" for one in out):
        out.insert(0, line("N", ";;;;"))  # version 3.0 wants it
    return card(out, "3.0")


def _each_nickname(one: Line) -> list[Line]:
    """Lists of nicknames as one property each: programs of that age, vobject too, read the first of a list only."""
    if one.name != "NICKNAME":
        return [one]
    return [replace(one, value=value) for value in re.findall(r"(?:\\.|[^,\\])+", one.value)] or [one]


def _label(one: Line) -> list[Line]:
    """The address as it stands on an envelope: a property of its own in version 3.0."""
    if one.name != "ADR":
        return []
    types = tuple((key, value) for key, value in one.params if key == "TYPE")
    return [Line("LABEL", types, text(value), one.group) for key, value in one.params if key == "LABEL"]


def _older(one: Line) -> Line:
    dropped = ("PREF", "ALTID", "PID", "MEDIATYPE") + (("LABEL",) if one.name == "ADR" else ())
    params = [(key, value) for key, value in one.params if key not in dropped]
    if any(key == "PREF" for key, _ in one.params):
        params.append(("TYPE", "PREF"))
    inline = _DATA.fullmatch(one.value) if one.name in ("PHOTO", "LOGO", "SOUND", "KEY") else None
    if inline is not None:
        kind = (inline["media"] or "image/jpeg").rpartition("/")[2].upper()
        return Line(one.name, (*params, ("ENCODING", "b"), ("TYPE", kind)), inline["bytes"], one.group)
    name, value = one.name, one.value
    match name:
        case "PHOTO" | "LOGO" | "SOUND" | "KEY":
            params.append(("VALUE", "uri"))
        case "TEL" if value.lower().startswith("tel:"):
            params = [(key, given) for key, given in params if key != "VALUE"]
            value = value[4:]
        case "GEO" if value.lower().startswith("geo:"):
            params = [(key, given) for key, given in params if key != "VALUE"]
            value = ";".join(value[4:].partition(";")[0].split(",")[:2])
        case "TZ" if not any(key == "VALUE" for key, _ in params):
            params.append(("VALUE", "text"))
        case "KIND":
            name = "X-ADDRESSBOOKSERVER-KIND"
        case "MEMBER":
            name = "X-ADDRESSBOOKSERVER-MEMBER"
        case "ANNIVERSARY":
            name = "X-ANNIVERSARY"
        case "GENDER":
            name = "X-GENDER"
        case "RELATED":
            name = "X-RELATED"
        case "LANG":
            name = "X-LANG"
        case "BDAY" if value.startswith("--"):  # a day without a year: 1604 is what address books take for none
            value = f"1604{value[1:]}" if len(value) == 6 and value[4] == "-" else f"1604-{value[2:4]}-{value[4:6]}"
            params.append(("X-APPLE-OMIT-YEAR", "1604"))
    return Line(name, tuple(params), value, one.group)
