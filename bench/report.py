"""What the benchmark found: tables, and targets met or missed, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """One table; the first column holds names, the others figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that shall hold, and whether it does."""

    what: str
    wanted: str
    found: str
    met: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """What one part of the benchmark has to say."""

    tables: tuple[Table, ...] = ()
    targets: tuple[Target, ...] = ()


def at_least(what: str, found: float, wanted: float, unit: str) -> Target:
    return Target(what, f"at least {figure(wanted)}{unit}", f"{figure(found)}{unit}", found >= wanted)


def at_most(what: str, found: float, wanted: float, unit: str) -> Target:
    return Target(what, f"at most {figure(wanted)}{unit}", f"{figure(found)}{unit}", found <= wanted)


def below(what: str, found: float, wanted: float, unit: str) -> Target:
    return Target(what, f"under {figure(wanted)}{unit}", f"{figure(found)}{unit}", found < wanted)


def figure(value: float | None) -> str:
    """A number with three digits that count; "" for None."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def megabytes(count: int) -> str:
    """Bytes as megabytes of a million bytes."""
    return figure(round(count / 1e6))


def markdown(findings: Sequence[Findings]) -> str:
    """All tables, then all targets."""
    parts = [_table(table) for found in findings for table in found.tables]
    targets = tuple(target for found in findings for target in found.targets)
    if targets:
        rows = tuple((t.what, t.wanted, t.found, "PASS" if t.met else "miss") for t in targets)
        parts.append(_table(Table("Targets", ("target", "wanted", "found", ""), rows)))
    return "\n".join(parts)


def _table(table: Table) -> str:
    return "\n".join(_lines(table)) + "\n"


def _lines(table: Table) -> Iterator[str]:
    yield f"### {table.title}\n"
    if table.note:
        yield f"{table.note}\n"
    lines = (table.columns, *table.rows)
    widths = [max(3, *(len(line[at]) for line in lines)) for at in range(len(table.columns))]
    numeric = [at > 0 and all(_numeric(row[at]) for row in table.rows) for at in range(len(table.columns))]

    def line(cells: tuple[str, ...]) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    yield line(table.columns)
    rules = ("-" * (width - 1) + ":" if right else "-" * width for width, right in zip(widths, numeric, strict=True))
    yield f"| {' | '.join(rules)} |"
    for row in table.rows:
        yield line(row)


def _numeric(cell: str) -> bool:
    return not cell.strip("0123456789.,- x")
