"""Reads the documentation as a machine: its links, and the blocks that say they are tested.

What follows a fence's language tells what is done with the block:

    ```python tested            run by Python
    ```console tested           each line after "$ " is run; the lines below it are what it must print,
                                "..." in a line standing for anything, a line "..." for any lines
    ```toml file=liberate.toml  written to that file, whatever the language; never run;
                                "more" after it: put at the end of that file

The blocks of one page run in order in one empty folder. A page that speaks of mail.example.coop
gets a real server in its place, and old.example.org is a second one that holds some mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^```(\S*)[ ]*(.*?)\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Every page that people read, in a fixed order."""
    tops = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*tops, *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True, slots=True)
class Block:
    language: str
    words: frozenset[str]
    file: str | None  # write it there
    text: str
    line: int

    @property
    def tested(self) -> bool:
        return "tested" in self.words


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        words = match[2].split()
        file = next((word.removeprefix("file=") for word in words if word.startswith("file=")), None)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match[1], frozenset(words), file, match[3], line))
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    for match in _LINK.finditer(prose(page)):
        yield match[1]


def anchors(page: Path) -> set[str]:
    """What "#..." may name in a page: its headings as GitHub spells them."""
    out = set()
    for heading in re.findall(r"^#+ (.+?)\s*$", prose(page), re.MULTILINE):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).casefold()
        out.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return out


@dataclass(frozen=True, slots=True)
class Command:
    words: str
    expected: str
    line: int


def commands(block: Block) -> list[Command]:
    """The commands of a console block, each with what the page says it prints."""
    found: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if line.startswith("$ "):
            found.append(Command(line[2:], "", number))
        elif line.startswith("> ") and found and not found[-1].expected:
            last = found.pop()
            found.append(Command(f"{last.words}\n{line[2:]}", "", last.line))
        elif found:
            last = found.pop()
            found.append(Command(last.words, f"{last.expected}{line}\n", last.line))
    return found


def matches(expected: str, printed: str) -> bool:
    """Whether that was printed, "..." standing for anything in its line, or for any lines if it is one."""
    pattern = ""
    for line in expected.strip("\n").split("\n"):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += r".*".join(re.escape(part.rstrip()) for part in line.rstrip().split("...")) + r"[ ]*\n"
    return re.fullmatch(pattern, printed.strip("\n") + "\n") is not None
