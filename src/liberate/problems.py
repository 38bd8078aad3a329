"""What is wrong with a file that a person wrote: every problem with its line, told together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from liberate.errors import PlanError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right."""

    file: Path
    line: int | None  # from 1; None: nowhere in particular
    key: str  # "connections.mail.port", "destination"; "" for the file as a whole
    text: str  # a sentence, and the next step; never a value that may be a secret

    def __str__(self) -> str:
        file = self.file.relative_to(Path.cwd()) if self.file.is_relative_to(Path.cwd()) else self.file
        at = f"{file}:{self.line}" if self.line else str(file)
        return f"{at}: {self.key}: {self.text}" if self.key else f"{at}: {self.text}"


@dataclass(slots=True)
class Problems:
    """A growing list of problems; `raise_if_any` ends it."""

    found: list[Problem] = field(default_factory=list)

    def add(self, file: Path, line: int | None, key: str, text: str) -> None:
        problem = Problem(file, line, key, text)
        if problem not in self.found:
            self.found.append(problem)

    def raise_if_any(self) -> None:
        """Raise one PlanError that tells all problems, each on a line of its own, in the order of the files."""
        if not self.found:
            return
        files = list(dict.fromkeys(p.file for p in self.found))
        ordered = sorted(self.found, key=lambda p: (files.index(p.file), p.line or 0))
        if len(ordered) == 1:
            raise PlanError(str(ordered[0]))
        listed = "\n".join(f"  {problem}" for problem in ordered)
        raise PlanError(f"{len(ordered)} things have to be put right before anything starts:\n{listed}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' Did you mean "port"?', or ' Known are: ...', or "" when nothing is known; to be put behind a sentence."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word.casefold(), [n.casefold() for n in names], n=1, cutoff=0.6)
    if close:
        meant = next(n for n in names if n.casefold() == close[0])
        return f' Did you mean "{meant}"?'
    return f" Known are: {', '.join(names)}." if names else ""
