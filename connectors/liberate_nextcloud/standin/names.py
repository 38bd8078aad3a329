"""Which names the server takes, how it reads paths, and how it spells them in answers."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from liberate_nextcloud.standin.errors import invalid_path

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~():@")
_LONGEST_NAME = 250  # bytes
_LONGEST_PATH = 4000  # bytes


@dataclass(frozen=True, slots=True)
class NameRules:
    """What `files` says in the capabilities."""

    names: tuple[str, ...] = (".htaccess",)
    basenames: tuple[str, ...] = ()
    characters: tuple[str, ...] = ("\\", "/")
    extensions: tuple[str, ...] = (".filepart", ".part")
    windows: bool = False

    def capabilities(self) -> dict[str, object]:
        return {
            "blacklisted_files": list(self.names),
            "forbidden_filenames": list(self.names),
            "forbidden_filename_basenames": list(self.basenames),
            "forbidden_filename_characters": list(self.characters),
            "forbidden_filename_extensions": list(self.extensions),
            "windows_compatible_filenames": self.windows,
        }

    def refusal(self, name: str) -> str | None:
        """Why this name is not taken, in the server's words; None: it is.

        Order and words: lib/private/Files/FilenameValidator.php of the server.
        """
        folded = name.lower()
        if not name.strip() or name in {".", ".."}:
            return "Filename is empty" if not name.strip() else "Dot files are not allowed"
        if len(name.encode()) > _LONGEST_NAME:
            return "Filename is too long"
        if folded in self.names:
            return "Filename is a reserved word"
        basename = folded.partition(".")[0] if not folded.startswith(".") else folded
        if basename in self.basenames:
            return f'"{name.partition(".")[0]}" is a forbidden prefix for file or folder names.'
        for char in self.characters:
            if char in name:
                return f'"{char}" is not allowed inside a file or folder name.'
        if any(ord(char) < 0x20 for char in name):
            return "Filename contains at least one invalid character"
        for ending in self.extensions:
            if folded.endswith(ending):
                if ending.startswith("."):
                    return f'"{ending}" is a forbidden file type.'
                return "Filenames must not end with a forbidden ending"
        return None

    def check(self, name: str, path: str) -> None:
        """Raises the refusal of a name or of a path (with a slash before it, below the home)."""
        if (reason := self.refusal(name)) is not None:
            raise invalid_path(reason)
        if (length := len(path.encode())) > _LONGEST_PATH:
            raise invalid_path(f"Path length({length}) exceeds max path length({_LONGEST_PATH}): {path}")


WINDOWS = NameRules(
    basenames=("con", "prn", "aux", "nul", *(f"{word}{n}" for word in ("com", "lpt") for n in range(10))),
    characters=("\\", "/", ":", "*", "?", '"', "<", ">", "|"),
    extensions=(".filepart", ".part", " ", "."),
    windows=True,
)
"""As after `occ files:windows-compatible-filenames --enable`."""


def decoded(raw: str) -> tuple[str, ...]:
    """The segments of a path as it stands in a request line: percent-decoded, NFC, empty ones left out, . and ..
    followed. What is no UTF-8 is taken for Latin-1, as sabre/http does."""
    segments: list[str] = []
    data = unquote_to_bytes(raw)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for segment in unicodedata.normalize("NFC", text).split("/"):
        if segment == "..":
            if segments:
                segments.pop()
        elif segment not in {"", "."}:
            segments.append(segment)
    return tuple(segments)


def encoded(segments: tuple[str, ...]) -> str:
    """A path as the server spells it in hrefs: lower-case hexadecimal digits, and few characters left alone."""
    return "/".join(encoded_name(segment) for segment in segments)


def encoded_name(name: str) -> str:
    if name.isalnum() and name.isascii():
        return name
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02x}" for byte in name.encode())
