"""What a server says it can and what names it takes (`/ocs/v2.php/cloud/capabilities`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from liberate.naming import Rules

MAX_NAME = 250  # bytes (lib/private/Files/FilenameValidator.php)
MAX_PATH = 4000  # bytes of a whole path, which begins /USER/files/
_ALWAYS = frozenset("/\\")
_CHUNK = 100 << 20
_AT_ONCE = 5  # pieces that the server takes at the same time where it does not say
SMALLEST_CHUNK = 5 << 20
_MANY_CHUNKS = 9000  # of the 10,000 that a chunked upload may have


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One server's."""

    version: str = ""
    bulk: bool = False  # takes many files with one request
    chunked: bool = False
    chunk_size: int = _CHUNK
    chunks_at_once: int = _AT_ONCE
    shares: bool = False
    public_links: bool = False
    group_shares: bool = False
    rules: Rules = field(default_factory=Rules)


def read(data: Any) -> Capabilities | None:
    """The `data` of the answer understood; None if it is none."""
    if not isinstance(data, Mapping) or not isinstance(data.get("capabilities"), Mapping):
        return None
    said = data["capabilities"]
    version, dav, files, sharing = (_mapping(one) for one in (
        data.get("version"), said.get("dav"), said.get("files"), said.get("files_sharing")
    ))  # fmt: skip
    chunked = _mapping(files.get("chunked_upload"))
    size, count = chunked.get("max_size"), chunked.get("max_parallel_count")
    return Capabilities(
        version=str(version.get("string", "")),
        bulk="bulkupload" in dav,
        chunked="chunking" in dav,
        chunk_size=size if isinstance(size, int) and size > 0 else _CHUNK,
        chunks_at_once=count if isinstance(count, int) and count > 0 else _AT_ONCE,
        shares=bool(sharing.get("api_enabled")),
        public_links=bool(_mapping(sharing.get("public")).get("enabled")),
        group_shares=bool(_mapping(sharing.get("group")).get("enabled", sharing.get("group_sharing"))),
        rules=_rules(files),
    )


def piece(size: int, wish: int) -> int:
    """How many bytes each piece of a body of `size` bytes has: at least 5 MB, at most 10,000 pieces, both by the
    server's documentation; else as the server wishes."""
    return max(SMALLEST_CHUNK, wish, -(-size // _MANY_CHUNKS))


def _rules(files: Mapping[str, Any]) -> Rules:
    names = _texts(files.get("forbidden_filenames")) | _texts(files.get("blacklisted_files"))
    endings = _texts(files.get("forbidden_filename_extensions")) | {".part", ".filepart"}
    return Rules(
        forbidden=_ALWAYS | _texts(files.get("forbidden_filename_characters")),
        reserved=frozenset({".", ".."} | {name.casefold() for name in names}),
        basenames=frozenset(name.casefold() for name in _texts(files.get("forbidden_filename_basenames"))),
        endings=frozenset(ending.casefold() for ending in endings),
        max_bytes=MAX_NAME,
        max_path=MAX_PATH - 300,  # the path that is measured begins with the user's id and a folder
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}  # PHP gives [] for an empty one


def _texts(value: Any) -> frozenset[str]:
    return frozenset(one for one in value if isinstance(one, str) and one) if isinstance(value, list) else frozenset()
