"""Names of accounts and rooms that a homeserver takes, made from the ids of a source: equal only for equal ids."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

ALPHABET = "a-z0-9._=/+-"
"""What stands in a localpart, for a character class of a regular expression."""

_MAX_BYTES = 255  # of an id, with its sigil and its domain
_UPPER = re.compile(r"[A-Z0-9]*[A-Z][A-Z0-9]*")
_PLAIN = re.compile(r"[a-z0-9]*[a-z][a-z0-9]*")
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789.-")


def escaped(id_: str) -> str:
    """The id in small letters, digits, "." "-" and "="; never "_", which stands between two of them.

    Ids all in capitals, as Slack has them, keep their letters; whatever else is not safe becomes =hh.
    """
    if _UPPER.fullmatch(id_):
        return id_.lower()
    data = id_.encode("utf-8", "surrogatepass")
    if _PLAIN.fullmatch(id_):  # else it would be taken for the same in capitals
        return f"={data[0]:02x}{id_[1:]}"
    return "".join(chr(byte) if byte in _SAFE else f"={byte:02x}" for byte in data) or "="


def localpart(prefix: str, parts: tuple[str, ...], domain: str) -> str:
    """A localpart for an account or an alias; a digest stands for the end of one that would be too long."""
    whole = "_".join((prefix, *map(escaped, parts)))
    room = _MAX_BYTES - 2 - len(domain.encode())
    if len(whole) <= room:
        return whole
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{whole[: room - len(digest) - 1]}={digest}"


def pretty(name: str, domain: str) -> Iterator[str]:
    """Aliases that people would type for a room of that name, the best first; none for a name without letters."""
    base = re.sub(r"[^\w.-]+", "-", name.lower()).strip("-.")
    room = _MAX_BYTES - 2 - len(domain.encode()) - 4
    while len(base.encode()) > room:
        base = base[:-1]
    if base:
        yield f"#{base}:{domain}"
        for number in range(2, 100):
            yield f"#{base}-{number}:{domain}"
