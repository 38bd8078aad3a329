"""A report as text: the sentences first, then a table of accounts, then what each account's owner should know."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from liberate.report import AccountReport, Count, Report
from liberate.report_filters import OUTCOMES
from liberate.report_words import (
    ROOM_NUMBERS,
    STATES,
    account_sentences,
    added_up,
    goes_to,
    number,
    plain,
    room_numbers,
    sent,
    sentences,
    size,
    uneven,
    verification,
    when,
)

_WIDTH = 100


def as_text(report: Report) -> str:
    """The whole report, ending with a line end; lines of prose have at most 100 columns."""
    return "\n".join(_lines(report)) + "\n"


def as_summary(report: Report) -> str:
    """What a run prints at its end: the sentences, the accounts, and why what did not move did not."""
    return "\n".join(_summary(report)) + "\n"


def _summary(report: Report) -> Iterator[str]:
    for sentence in sentences(report):
        yield from textwrap.wrap(sentence, _WIDTH)
    if len(report.accounts) > 1:
        yield ""
        yield from _accounts(report.accounts)
    for title, counts in (
        ("Could not go:", added_up([a.refused for a in report.accounts])),
        ("Left out on purpose:", added_up([a.left_out for a in report.accounts])),
    ):
        if counts:
            yield ""
            yield title
            yield from _counts(counts)


def _lines(report: Report) -> Iterator[str]:
    title = f"Report on the job {plain(report.job)}"
    yield title
    yield "=" * cell_len(title)
    if report.started is not None:
        ended = f", last run ended {when(report.ended)}" if report.ended is not None else ""
        yield f"First run started {when(report.started)}{ended}."
    yield ""
    for sentence in sentences(report):
        yield from textwrap.wrap(sentence, _WIDTH)
    if not report.accounts:
        return
    yield ""
    yield from _accounts(report.accounts)
    for account in report.accounts:
        details = list(_account(account))
        if details:
            yield ""
            title = plain(f"{account.label} -> {goes_to(account, report.accounts)}")
            yield title
            yield "-" * cell_len(title)
            yield from details


def _accounts(accounts: Sequence[AccountReport]) -> Iterator[str]:
    yield from _table(
        ("account", "goes to", "state", "moved", "skipped", "refused", "waiting", "size"),
        [
            (
                plain(a.label),
                plain(goes_to(a, accounts)),
                STATES[a.state],
                number(a.moved),
                number(a.left_out_items),
                number(a.refused_items),
                number(a.waiting),
                size(a.bytes),
            )
            for a in accounts
        ],
        numbers_from=3,
    )


def _account(account: AccountReport) -> Iterator[str]:
    for sentence in account_sentences(account):
        yield from textwrap.wrap(sentence, _WIDTH)
    if found := verification(account):
        yield "What verification found:"
        yield from _table((), [(number(count), mark, what) for mark, what, count in found], right=(0,))
    if account.findings:
        yield "The items that are not there as they were at the source:"
        yield from _table(
            ("folder", "item", "found", "stored as", "size"),
            [(plain(f.folder), plain(f.name or f.item), f.found, plain(f.stored), sent(f)) for f in account.findings],
            numbers_from=4,
        )
        more = account.wrong + account.altered - len(account.findings)
        if more > 0:
            yield f"  and {number(more)} more"
    for title, counts in (
        ("Left out on purpose:", account.left_out),
        ("Could not go:", account.refused),
        ("Lost on the way:", account.losses),
    ):
        if counts:
            yield title
            yield from _counts(counts)
    if account.refusals:
        yield "The items that could not go:"
        yield from _table(
            ("folder", "item", "code", "kept as"),
            [(plain(r.folder), plain(r.name or r.item), r.code, _kept(r.kept)) for r in account.refusals],
        )
        more = sum(c.items for c in account.refused) - len(account.refusals)
        if more > 0:
            yield f"  and {number(more)} more"
    if folders := uneven(account):
        yield "Folders whose number at the source differs from what is accounted for:"
        yield from _table(
            ("folder", "at the source", "accounted for"),
            [(plain(folder), number(there), number(here)) for folder, there, here in folders],
            numbers_from=1,
        )
    if account.rooms:
        yield "The conversations, message by message:"
        yield from _table(
            ("conversation", *ROOM_NUMBERS, "chain"),
            [(plain(room.room), *map(number, room_numbers(room)), room.chain[:16]) for room in account.rooms],
            right=range(1, 1 + len(ROOM_NUMBERS)),
        )
    if account.renamed:
        yield "What could not keep its name:"
        yield from _table(("at the source", "now"), [(plain(r.source), plain(r.destination)) for r in account.renamed])
    if account.shares is not None and account.shares.left:
        yield "Not shared as at the source:"
        yield from _counts(account.shares.left)
    if account.filters is not None and account.filters.rules:
        yield "What the old account did by itself with letters:"
        for rule in account.filters.rules:
            line = f"{plain(rule.rule)}: {OUTCOMES.get(rule.outcome, rule.outcome)}."
            reasons = " ".join(f"{reason.why} {reason.todo}".strip() for reason in rule.reasons)
            yield from textwrap.wrap(
                f"{line} {plain(reasons)}".strip(), _WIDTH, initial_indent="  ", subsequent_indent="    "
            )
    for note in account.notes:
        yield from textwrap.wrap(f"Note: {plain(note)}", _WIDTH, subsequent_indent="  ")


def _counts(counts: Sequence[Count]) -> Iterator[str]:
    width = max(len(number(count.items)) for count in counts)
    for count in counts:
        head = f"  {number(count.items):>{width}}  "
        text = f"{count.code}: {plain(count.why)} {plain(count.todo)}".strip()
        yield from textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))


def _kept(name: str | None) -> str:
    return f"rejects/{plain(name)}" if name else ""


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int | None = None, right: Sequence[int] = ()
) -> Iterator[str]:
    """Rows in columns as wide as their content; never cut, since a cut name finds nothing."""
    everything = [header, *rows] if header else list(rows)
    widths = [max(cell_len(row[n]) for row in everything) for n in range(len(everything[0]))]

    def line(row: Sequence[str]) -> str:
        cells = []
        for n, cell in enumerate(row):
            pad = " " * (widths[n] - cell_len(cell))
            to_right = n in right or (numbers_from is not None and n >= numbers_from)
            cells.append(pad + cell if to_right else cell + pad)
        return ("  " + "  ".join(cells)).rstrip()

    if header:
        yield line(header)
        yield line(["-" * width for width in widths])
    for row in rows:
        yield line(row)
