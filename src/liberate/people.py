"""Who becomes whom: reads the people table, `people.csv`, and refuses what could mix up two people."""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from pydantic import SecretStr

from liberate.problems import Problems, did_you_mean
from liberate.settings import SecretRef

AnySecret: TypeAlias = SecretRef | SecretStr
AccountKind: TypeAlias = Literal["person", "shared", "group", "room"]
Action: TypeAlias = Literal["move", "skip"]

REQUIRED = ("source", "destination")
COLUMNS = {
    "source": "the account's name at the source, usually an address",
    "destination": "the account's name at the destination",
    "password_env": "environment variable with the password, for the side that asks each person for one",
    "password_file": "file with the password, for the side that asks each person for one; relative to the table",
    "source_password_env": "environment variable with the password at the source",
    "source_password_file": "file with the password at the source",
    "destination_password_env": "environment variable with the password at the destination",
    "destination_password_file": "file with the password at the destination",
    "kind": f"what the account is: {', '.join(get_args(AccountKind))}; empty: person",
    "phase": "a word of your own, such as pilot; [people] phases = [...] picks some of them",
    "action": "move or skip; empty: move",
    "reason": "why a row is skipped; for your own records",
}


@dataclass(frozen=True, slots=True)
class Person:
    """One row of the people table."""

    source: str  # account name at the source, as written; "" only where a source has a single account
    destination: str
    source_secret: AnySecret | None = None  # where their password is; not read before it is needed
    destination_secret: AnySecret | None = None
    secret: AnySecret | None = None  # of the side that asks each person for one; see Move
    kind: AccountKind = "person"
    phase: str = ""
    action: Action = "move"
    reason: str = ""
    line: int = 0  # in the table, from 1; 0: there is no table


def same_name(name: str) -> str:
    """What two spellings of one account's name share: addresses differ neither in case nor in Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def load_people(path: Path) -> tuple[Person, ...]:
    """The people of the table at `path`. Raises PlanError, with every problem and its line, if any row is wrong."""
    problems = Problems()
    people = read_people(path, problems)
    problems.raise_if_any()
    return people


def read_people(path: Path, problems: Problems) -> tuple[Person, ...]:
    """The rows of the table that are right; what is wrong goes to `problems`.

    UTF-8, with or without a byte order mark, or UTF-16 with one; separated by commas, semicolons or tabs,
    whichever the header line uses; blank lines and lines that begin with # do not count.
    """
    try:
        records = list(_records(_text(path)))
    except OSError as error:
        problems.add(
            path, None, "", f"The people table cannot be read ({error.strerror}). Name it under [people] table."
        )
        return ()
    except _Unreadable as error:
        problems.add(path, error.line, "", str(error))
        return ()
    if not records:
        problems.add(path, 1, "", 'The people table is empty. Its first line is "source,destination".')
        return ()
    head_line, header = records[0]
    columns = _columns(path, head_line, header, problems)
    if columns is None:
        return ()
    people = []
    for line, cells in records[1:]:
        person = _person(path, line, columns, cells, problems)
        if person is not None:
            people.append(person)
    if len(records) == 1:
        problems.add(path, head_line, "", "The people table has a header and no rows. Add a line for each account.")
    _guard(path, people, problems)
    return tuple(people)


class _Unreadable(Exception):
    def __init__(self, line: int | None, text: str) -> None:
        super().__init__(text)
        self.line = line


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in raw:
        raise _Unreadable(1, 'The table is not UTF-8 text. Save it again as "CSV UTF-8".')
    else:
        encoding = "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1 if encoding != "utf-16" else None
        raise _Unreadable(line, 'A character here is not UTF-8. Save the table again as "CSV UTF-8".') from error


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins; a quoted cell may go over several lines."""
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)  # not splitlines: U+2028 and the like may stand in a cell
    at = 0
    begins = 0
    fresh = True

    def feed() -> Iterator[str]:
        nonlocal at, begins, fresh
        while at < len(lines):
            line = lines[at]
            at += 1
            if fresh:
                if not line.strip() or line.startswith("#"):
                    continue
                begins, fresh = at, False
            yield line

    head = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if head is None:
        return
    declared = re.fullmatch(r"\s*\"?sep=(.)\"?\s*", lines[head])  # what Excel writes and reads
    delimiter = declared[1] if declared else max(",;\t", key=lines[head].count)
    if declared:
        at = head + 1
    reader = csv.reader(feed(), delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        fresh = True
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _Unreadable(
                begins, f"The quotation marks of this row do not fit ({error}). Double a mark that is meant literally."
            ) from error
        cells = [unicodedata.normalize("NFC", cell.strip()) for cell in row]
        if any(cells):
            yield begins, cells


def _columns(path: Path, line: int, header: list[str], problems: Problems) -> list[str] | None:
    """The columns in their order; None if rows cannot be read with them."""
    names = [re.sub(r"[\s-]+", "_", name.casefold()) for name in header]
    while names and not names[-1]:
        names.pop()
    right = True
    for name, written in zip(names, header, strict=False):
        if name in COLUMNS:
            continue
        right = False
        if "password" in name and not name.endswith(("_env", "_file")):
            problems.add(
                path,
                line,
                written,
                "Passwords do not stand in the table. Name an environment variable in password_env.",
            )
        else:
            problems.add(path, line, written, f"There is no such column.{did_you_mean(name, COLUMNS)}")
    for name in sorted({n for n in names if n in COLUMNS and names.count(n) > 1}):
        right = False
        problems.add(path, line, name, "The column stands there twice. Remove one.")
    missing = [name for name in REQUIRED if name not in names]
    if missing and right:
        right = False
        problems.add(
            path,
            line,
            "",
            f"The column {' and the column '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing. "
            'The first line names the columns, for example "source,destination".',
        )
    return names if right else None


def _person(path: Path, line: int, columns: list[str], cells: list[str], problems: Problems) -> Person | None:
    before = len(problems.found)
    if any(cells[len(columns) :]):
        problems.add(
            path,
            line,
            "",
            f"The row has {len(cells)} cells, the header {len(columns)}. Put a cell with a comma in quotes.",
        )
        return None
    row = dict(zip(columns, cells, strict=False))
    action = row.get("action", "").casefold() or "move"
    if action not in get_args(Action):
        problems.add(path, line, "action", f'"{action}" is no action.{did_you_mean(action, get_args(Action))}')
    kind = row.get("kind", "").casefold() or "person"
    if kind not in get_args(AccountKind):
        problems.add(path, line, "kind", f'"{kind}" is no kind of account.{did_you_mean(kind, get_args(AccountKind))}')
    for name in REQUIRED:
        value = row.get(name, "")
        if not value and (name == "source" or action == "move"):
            problems.add(path, line, name, 'The name is empty. Fill it in, or write "skip" into a column "action".')
        elif any(unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") for char in value):
            problems.add(path, line, name, "The name holds an invisible character. Type it again by hand.")
    secrets = {side: _secret(path, line, side, row, problems) for side in ("", "source_", "destination_")}
    if len(problems.found) > before:
        return None
    return Person(
        row["source"],
        row.get("destination", ""),
        secrets["source_"],
        secrets["destination_"],
        secrets[""],
        kind,  # type: ignore[arg-type]
        row.get("phase", ""),
        action,  # type: ignore[arg-type]
        row.get("reason", ""),
        line,
    )


def _secret(path: Path, line: int, side: str, row: dict[str, str], problems: Problems) -> SecretRef | None:
    env, file = row.get(f"{side}password_env", ""), row.get(f"{side}password_file", "")
    if env and file:
        problems.add(path, line, f"{side}password_env", f"There is also a {side}password_file. Keep one of the two.")
    elif env and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", env):
        problems.add(  # it may be the password itself, so it is not repeated
            path,
            line,
            f"{side}password_env",
            "This is not the name of an environment variable (letters, digits and _). "
            "Write the variable's name here; the password itself stands in the variable.",
        )
    elif env:
        return SecretRef(env=env)
    elif file:
        return SecretRef(file=path.parent / Path(file).expanduser())
    return None


def _guard(path: Path, people: list[Person], problems: Problems) -> None:
    """No account is read twice and no two accounts end in one: mixing up mailboxes cannot be taken back."""
    for column in REQUIRED:
        first: dict[str, Person] = {}
        for person in people:
            if person.action == "skip" and column == "destination":
                continue
            name = person.source if column == "source" else person.destination
            earlier = first.setdefault(same_name(name), person)
            if earlier is not person:
                what = "stands" if column == "source" else "is a destination"
                why = f'"{name}" already {what} in line {earlier.line}. Correct one of the two rows, or remove it.'
                problems.add(path, person.line, column, why)
