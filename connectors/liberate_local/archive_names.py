"""What folders and files in a chat archive may be called: legal wherever somebody may copy it to."""

from __future__ import annotations

from collections.abc import Container

from liberate.naming import Rules, encode, extension, fold, shorten, unique

# Windows' rules, which hold for exFAT and FAT too: https://learn.microsoft.com/windows/win32/fileio/naming-a-file
RULES = Rules(
    forbidden=frozenset('/\\:*?"<>|#%'),  # "#" and "%" so that a name is easily told as an address
    first=frozenset(" ."),
    last=frozenset(" ."),
    basenames=frozenset(
        ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")]
    ),
    max_bytes=120,
    caseless=True,
)


def room_name(name: str, taken: Container[str]) -> str:
    """A folder's name for a room; `taken` holds folded names."""
    return unique(encode(name, RULES), taken, RULES)


def file_name(name: str, key: str, taken: Container[str]) -> str:
    """A name in files/; one that is taken already gets the beginning of the slot's key ("image.png" is common)."""
    legal = encode(name or "file", RULES, files=True)
    if fold(legal, RULES) not in taken:
        return legal
    ending = extension(legal)
    return unique(shorten(legal[: len(legal) - len(ending)], RULES, f" ({key[:8]}){ending}"), taken, RULES, files=True)
