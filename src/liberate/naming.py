"""Legal, unique, reversible names for a place's rules. Pure: no network, no state."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Container
from dataclasses import dataclass

QUOTE = "\u201b"  # ‛ stands before a character that is meant literally although it is a stand-in
_FULL_WIDTH = 0xFEE0  # "!" to "~" have full-width twins at this distance (U+FF01 to U+FF5E)
_SPACE, _SYMBOL_SPACE = " ", "\u2420"  # ␠
_DIGITS = "0123456789ABCDEF"
_CONTROLS = 0x2400  # ␀ and so on: pictures of the control characters


@dataclass(frozen=True, slots=True)
class Rules:
    """What a destination takes as a name."""

    forbidden: frozenset[str] = frozenset()  # characters, besides controls, that no segment may hold
    first: frozenset[str] = frozenset()  # characters that no segment may begin with
    last: frozenset[str] = frozenset()  # ... or end with
    reserved: frozenset[str] = frozenset()  # whole segments, casefolded, at any depth
    reserved_top: frozenset[str] = frozenset()  # the same for the outermost segment only
    basenames: frozenset[str] = frozenset()  # what may not stand before a segment's first dot, casefolded: "con"
    endings: frozenset[str] = frozenset()  # what no segment may end with, casefolded: ".part"
    max_bytes: int = 255  # of one segment, as `measure` counts them
    max_path: int = 4000  # of a whole path, as `measure` counts it
    measure: Callable[[str], int] = lambda text: len(text.encode("utf-8", "surrogatepass"))
    caseless: bool = False  # names that differ only in case are one name


def _stand_in(char: str) -> str:
    code = ord(char)
    if char == _SPACE:
        return _SYMBOL_SPACE
    if 0x21 <= code <= 0x7E:
        return chr(code + _FULL_WIDTH)
    if code < 0x20:
        return chr(_CONTROLS + code)
    if code == 0x7F:
        return "\u2421"
    return "".join(f"{QUOTE}{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))


def _original(char: str) -> str | None:
    code = ord(char)
    if char == _SYMBOL_SPACE:
        return _SPACE
    if 0xFF01 <= code <= 0xFF5E:
        return chr(code - _FULL_WIDTH)
    if _CONTROLS <= code < _CONTROLS + 0x20:
        return chr(code - _CONTROLS)
    return "\x7f" if code == 0x2421 else None


def _control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs", "Cn", "Co") or char in "\u2028\u2029\ufeff"


def encode(name: str, rules: Rules, *, files: bool = False) -> str:
    """`name` with each character that the rules forbid replaced by a readable twin.

    The result is NFC. decode gives back the NFC form of `name`, unless it had to be shortened;
    then it ends in "~" and eight hex digits of its digest. "" becomes "_". With `files`, the name of a file: what
    is put at its end is put before its extension.
    """
    name = unicodedata.normalize("NFC", name)
    out = []
    last = len(name) - 1
    for at, char in enumerate(name):
        bad = (
            char in rules.forbidden
            or _control(char)
            or (at == 0 and char in rules.first)
            or (at == last and char in rules.last)
        )
        if bad:
            out.append(_stand_in(char))
        elif char == QUOTE or _original(char) is not None:
            out.append(QUOTE + char)
        else:
            out.append(char)
    legal = "".join(out) or "_"
    if legal.casefold() in rules.reserved:
        legal = _stand_in(legal[0]) + legal[1:]
    legal = _other_ending(legal, rules)
    if _basename(legal).casefold() in rules.basenames:
        legal = _stand_in(legal[0]) + legal[1:]
    if rules.measure(legal) <= rules.max_bytes:
        return legal
    ending = extension(legal) if files else ""
    digest = hashlib.sha256(legal.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return shorten(legal[: len(legal) - len(ending)], rules, f"~{digest}{ending}")


def extension(name: str) -> str:
    """What says of a file's name what it holds, its dot included: ".odt", ".tar.gz"; "" where there is none."""
    found = re.search(r"(?<=.)(\.tar)?\.[^\W_][\w-]{0,11}$", name)
    return found[0] if found else ""


def _basename(name: str) -> str:
    """What stands before the first dot, one at the very beginning aside."""
    return name[:1] + name[1:].partition(".")[0]


def _other_ending(name: str, rules: Rules) -> str:
    """`name` with the first character of each ending that is not allowed replaced, until it ends otherwise."""
    while found := next((end for end in rules.endings if name[-len(end) :].casefold() == end), None):
        at = len(name) - len(found)
        if len(found) == 2 and name[at - 1 : at] == QUOTE:
            at += 1  # of a byte in hex it is the second digit that decode knows by its twin
        name = name[:at] + _stand_in(name[at]) + name[at + 1 :]
    return name


def decode(name: str) -> str:
    """The name that encode was given, in NFC, if it was not shortened."""
    out: list[str] = []
    at = 0
    while at < len(name):
        char = name[at]
        if char == QUOTE and at + 1 < len(name):
            raw = bytearray()
            while name[at : at + 1] == QUOTE and _hex(name[at + 1 : at + 3]):
                raw.append(int(unicodedata.normalize("NFKC", name[at + 1 : at + 3]), 16))
                at += 3
            if raw:
                out.append(raw.decode("utf-8", "surrogatepass"))
            else:
                out.append(name[at + 1])
                at += 2
            continue
        original = _original(char)
        out.append(char if original is None else original)
        at += 1
    return "".join(out)


def _hex(text: str) -> bool:
    """Two digits; a full-width second one kept a name from an ending that is not allowed."""
    return len(text) == 2 and text[0] in _DIGITS and (_original(text[1]) or text[1]) in _DIGITS


def shorten(name: str, rules: Rules, tail: str | None = None) -> str:
    """`name` cut at a character so that it and `tail` fit; the default tail is "~" and a digest of the name."""
    if tail is None:
        tail = "~" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    low, high = 0, len(name)
    while low < high:  # the longest head that fits
        middle = (low + high + 1) // 2
        if rules.measure(name[:middle] + tail) <= rules.max_bytes:
            low = middle
        else:
            high = middle - 1
    head = name[:low]
    while head and (unicodedata.combining(name[low : low + 1] or "x") or head[-1] in (QUOTE, "\u200d")):
        low -= 1
        head = name[:low]
    return head + tail


def unique(name: str, taken: Container[str], rules: Rules, *, files: bool = False) -> str:
    """`name`, or the first of "name (2)", "name (3)" ... whose fold() is not in `taken`; of a file "name (2).odt"."""
    if fold(name, rules) not in taken:
        return name
    number = 2
    ending = extension(name) if files else ""
    stem = name[: len(name) - len(ending)]
    while True:
        candidate = shorten(stem, rules, f" ({number}){ending}")
        if fold(candidate, rules) not in taken:
            return candidate
        number += 1


def fold(name: str, rules: Rules) -> str:
    """What two names of one place share when the place cannot tell them apart."""
    name = unicodedata.normalize("NFC", name)
    return unicodedata.normalize("NFC", name.casefold()) if rules.caseless else name
