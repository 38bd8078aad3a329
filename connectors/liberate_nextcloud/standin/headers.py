"""What request headers ask for: conditions, times, hashes."""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import Any, Protocol

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.exchange import Request

_DAY = 86_400
_CONDITION = re.compile(r"(?:<([^>]*)>\s*)?\(([^)]*)\)")
_TOKEN = re.compile(r'(Not\s+)?(?:<([^>]*)>|\[((?:W/)?"[^"]*")\])', re.IGNORECASE)


def check_conditions(request: Request, etag: str | None) -> int | None:
    """If-Match and If-None-Match against what stands there (None: nothing does). Raises 412; 304: not modified.

    A folder has no ETag here ("") and meets no If-Match, for Sabre compares those of files only.
    """
    if match := request.header("if-match"):
        if etag is None:
            raise errors.precondition_failed(
                "An If-Match header was specified and the resource did not exist", "If-Match"
            )
        if match != "*" and f'"{etag}"' not in _tags(match):
            said = "An If-Match header was specified, but none of the specified ETags matched."
            raise errors.precondition_failed(said, "If-Match", etag)
    unless = request.header("if-none-match")
    if unless and etag is not None and (unless == "*" or f'"{etag}"' in _tags(unless)):
        if request.method in {"GET", "HEAD"}:
            return 304
        said = "An If-None-Match header was specified, but the ETag matched (or * was specified)."
        raise errors.precondition_failed(said, "If-None-Match")
    return None


def _tags(value: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in value.split(",")}


def conditions(request: Request) -> list[tuple[str, list[tuple[bool, str | None]]]]:
    """The header If: for each address (empty: the request's own) pairs of whether it is to hold, and an ETag without
    quotes, or None for a lock token, which no lock here ever has."""
    found = []
    for address, inside in _CONDITION.findall(request.header("if")):
        told = [(not negated, tag.removeprefix("W/").strip('"') or None) for negated, _, tag in _TOKEN.findall(inside)]
        found.append((address, told))
    return found


def sane_time(value: str) -> int:
    """A time in seconds since 1970 as a header gives it. Raises 500 with the server's words for what it does not
    take (MtimeSanitizer.php; it says X-OC-MTime for both headers)."""
    text = value.strip()
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text):
        said = f'X-OC-MTime header must be a valid integer (unix timestamp), got "{value}".'
        raise errors.failed("InvalidArgumentException", said)
    seconds = int(float(text)) if re.search(r"[.eE]", text) else int(text)
    if seconds <= _DAY:
        said = f'X-OC-MTime header must be a valid positive unix timestamp greater than one day, got "{value}".'
        raise errors.failed("InvalidArgumentException", said)
    return seconds


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


class _Adler32(_Crc32):
    def __init__(self) -> None:
        self._value = 1

    def update(self, data: bytes) -> None:
        self._value = zlib.adler32(data, self._value)


def hasher(name: str) -> Hash | None:
    """A hash by the name PHP has for it, in any case; None: PHP has none of that name."""
    folded = name.lower()
    if folded == "crc32b":
        return _Crc32()
    if folded == "adler32":
        return _Adler32()
    translated = folded.replace("sha3-", "sha3_").replace("sha512/", "sha512_")
    if translated in hashlib.algorithms_available and not translated.startswith("shake"):
        made: Any = hashlib.new(translated, usedforsecurity=False)
        return made  # type: ignore[no-any-return]
    return None


def wanted_hashes(request: Request) -> dict[str, Hash]:
    """Those that X-Hash asks for, by the header that tells them."""
    wanted = request.header("x-hash").lower()
    names = ("sha256", "sha1", "md5") if wanted == "all" else (wanted,)
    return {
        f"X-Hash-{name.upper()}": hashlib.new(name, usedforsecurity=False)
        for name in names
        if name in {"md5", "sha1", "sha256"}
    }
