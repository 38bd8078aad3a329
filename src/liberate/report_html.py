"""A report as one page that opens anywhere: no scripts, nothing to load, light or dark, for phones and for paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from liberate.report import AccountReport, Report
from liberate.report_filters import OUTCOMES
from liberate.report_words import (
    ROOM_NUMBERS,
    STATES,
    account_sentences,
    added_up,
    goes_to,
    next_steps,
    number,
    plain,
    room_numbers,
    sent,
    sentences,
    size,
    total,
    uneven,
    verification,
    when,
)

_MARKS = {"done": "✓", "unfinished": "…", "stopped": "!"}  # beside the word: colour alone says nothing to some

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --ground: #fff; --card: #f6f8fa;
  --good: #116329; --wait: #7d4e00; --bad: #a40e26; --bar: #2da44e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b1; --line: #3d444d; --ground: #0d1117;
  --card: #161b22; --good: #56d364; --wait: #e3b341; --bad: #ff7b72; --bar: #3fb950; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 70rem; background: var(--ground); color: var(--ink);
  font: 1.0625rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.15rem; margin: 0; }
h4 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .35rem 0; max-width: 44rem; }
.soft { color: var(--soft); }
.lead p { font-size: 1.125rem; }
.next { border-left: .3rem solid var(--bar); padding: .25rem 0 .25rem 1rem; margin: 1.25rem 0; }
.next.attention { border-color: var(--bad); }
.next.later { border-color: var(--wait); }
article { border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; margin: 1rem 0;
  background: var(--card); }
.state { font-weight: 600; white-space: nowrap; }
.state.done { color: var(--good); } .state.unfinished { color: var(--wait); } .state.stopped { color: var(--bad); }
progress { width: 100%; height: .6rem; accent-color: var(--bar); display: block; margin: .5rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .75rem 0 .35rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
th[scope=row] { font-weight: 500; min-width: 14rem; }
thead th { color: var(--soft); font-size: .9rem; }
.n { text-align: right; white-space: nowrap; }
.n:first-child { width: 1%; }
tr:last-child > * { border-bottom: 0; }
details { margin-top: .75rem; }
summary { cursor: pointer; font-weight: 600; padding: .4rem 0; }
a { color: inherit; }
:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }
@media (max-width: 40rem) { .wide thead { position: absolute; clip-path: inset(50%); }
  .wide tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .wide td, .wide th { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .15rem 0;
    text-align: right; white-space: normal; }
  .wide td::before { content: attr(data-label); color: var(--soft); text-align: left; white-space: nowrap; }
  .wide th[scope=row] { text-align: left; font-weight: 600; } }
@media print { body { max-width: none; font-size: 10pt; } article { break-inside: avoid; background: none; } }
"""


def as_html(report: Report) -> str:
    """The whole report as one HTML document. Every name in it is escaped, and its policy forbids scripts."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    job = _text(report.job)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
    )
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>What moved: {job}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>"
    yield f"<header>\n<h1>What moved: {job}</h1>"
    if report.started is not None:
        until = f", last run ended {when(report.ended)}" if report.ended is not None else ""
        yield f'<p class="soft">First run started {when(report.started)}{until}.</p>'
    yield "</header>"
    yield from _lead(report)
    if report.accounts:
        yield from _overview(report.accounts)
        yield from _reasons(report.accounts)
        yield '<section aria-labelledby="people">\n<h2 id="people">Account by account</h2>'
        for place, account in enumerate(report.accounts):
            yield from _account(place, account, report.accounts)
        yield "</section>"
    yield (
        '<footer class="soft"><p>Written by liberate from the job\'s ledger. '
        "It holds no passwords and nothing of what the items say.</p></footer>"
    )
    yield "</main>\n</body>\n</html>"


def _lead(report: Report) -> Iterator[str]:
    steps = next_steps(report) if report.accounts else []
    told = sentences(report)
    yield '<section class="lead" aria-label="In short">'
    for sentence in told[: len(told) - len(steps)]:
        yield f"<p>{_text(sentence)}</p>"
    if steps:
        urgent = any(a.state == "stopped" or a.wrong for a in report.accounts)
        later = report.interrupted or any(a.state == "unfinished" for a in report.accounts)
        weight = " attention" if urgent else " later" if later else ""
        yield f'<div class="next{weight}"><p><strong>What next</strong></p>'
        for step in steps:
            yield f"<p>{_text(step)}</p>"
        yield "</div>"
    yield "</section>"


def _overview(accounts: Sequence[AccountReport]) -> Iterator[str]:
    header = ("Account", "Goes to", "State", "Moved", "Left out", "Refused", "Waiting", "Size")
    yield '<section>\n<h2 id="accounts">The accounts</h2>\n<table class="wide" aria-labelledby="accounts">'
    yield (
        "<thead><tr>"
        + "".join(f'<th scope="col"{_numeric(n >= 3)}>{title}</th>' for n, title in enumerate(header))
        + "</tr></thead>\n<tbody>"
    )
    for place, a in enumerate(accounts):
        cells = [
            _text(goes_to(a, accounts)),
            _state(a),
            number(a.moved),
            number(a.left_out_items),
            number(a.refused_items),
            number(a.waiting),
            size(a.bytes),
        ]
        row = f'<tr><th scope="row"><a href="#account-{place + 1}">{_text(a.label)}</a></th>'
        for n, (title, cell) in enumerate(zip(header[1:], cells, strict=True), 1):
            row += f'<td data-label="{title}"{_numeric(n >= 3)}>{cell}</td>'
        yield row + "</tr>"
    yield "</tbody>\n</table>\n</section>"


def _reasons(accounts: Sequence[AccountReport]) -> Iterator[str]:
    refused = added_up([a.refused for a in accounts])
    skipped = added_up([a.left_out for a in accounts])
    if not refused and not skipped:
        return
    yield "<section>\n<h2>What did not move, and why</h2>"
    for title, counts in (("Could not go", refused), ("Left out on purpose", skipped)):
        if counts:
            yield from _table(
                title,
                ("Items", "Why", "What to do"),
                [(number(c.items), _text(c.why), _text(c.todo) or "Nothing") for c in counts],
                numbers=(0,),
            )
    yield "</section>"


def _account(place: int, account: AccountReport, accounts: Sequence[AccountReport]) -> Iterator[str]:
    title = f"account-{place + 1}"
    yield f'<article aria-labelledby="{title}">'
    there = f'<span class="soft">→ {_text(goes_to(account, accounts))}</span>'
    yield f'<h3 id="{title}">{_text(account.label)} {there}</h3>'
    yield _state(account)
    whole = total(account)
    if whole:
        settled = whole - account.waiting
        yield (
            f'<progress max="{whole}" value="{settled}" '
            f'aria-label="{number(settled)} of {number(whole)} items settled"></progress>'
        )
    for sentence in account_sentences(account):
        yield f"<p>{_text(sentence)}</p>"
    if found := verification(account):
        rows = [(number(count), mark, _text(what)) for mark, what, count in found]
        yield from _table("What verification found", ("Items", "", "Outcome"), rows, numbers=(0,))
    if account.findings:
        yield from _folded(
            f"The items that are not there as they were at the source ({number(len(account.findings))})",
            _table(
                "",
                ("Folder", "Item", "Found", "Stored as", "Size"),
                [
                    (_text(f.folder), _text(f.name or f.item), f.found, _text(f.stored), sent(f))
                    for f in account.findings
                ],
                numbers=(4,),
            ),
        )
        more = account.wrong + account.altered - len(account.findings)
        if more > 0:
            yield f"<p>And {number(more)} more; the ledger has them all.</p>"
    for caption, counts in (
        ("Could not go", account.refused),
        ("Left out on purpose", account.left_out),
        ("Lost on the way", account.losses),
    ):
        if counts:
            yield from _table(
                caption,
                ("Items", "Why", "What to do"),
                [(number(c.items), _text(c.why), _text(c.todo) or "Nothing") for c in counts],
                numbers=(0,),
            )
    if account.refusals:
        yield from _folded(
            f"The items that could not go ({number(len(account.refusals))})",
            _table(
                "",
                ("Folder", "Item", "Why", "Original kept as"),
                [
                    (
                        _text(r.folder),
                        _text(r.name or r.item),
                        _text(r.why),
                        f"rejects/{_text(r.kept)}" if r.kept else "not kept",
                    )
                    for r in account.refusals
                ],
            ),
        )
        more = account.refused_items - len(account.refusals)
        if more > 0:
            yield f"<p>And {number(more)} more; the ledger has them all.</p>"
    if folders := uneven(account):
        yield from _table(
            "Folders whose number at the source differs from what is accounted for",
            ("Folder", "At the source", "Accounted for"),
            [(_text(folder), number(there), number(here)) for folder, there, here in folders],
            numbers=(1, 2),
        )
    if account.folders:
        yield from _folded(
            f"All folders ({number(len(account.folders))})",
            _table(
                "",
                ("Folder", "At the source", "Accounted for"),
                [(_text(f.folder), number(f.at_source), number(f.accounted)) for f in account.folders],
                numbers=(1, 2),
            ),
        )
    if account.rooms:
        chains = (f"<code>{room.chain}</code>" for room in account.rooms)
        yield from _folded(
            f"The conversations, message by message ({number(len(account.rooms))})",
            _table(
                "",
                ("Conversation", *(title.capitalize() for title in ROOM_NUMBERS), "Chain"),
                [
                    (_text(room.room), *map(number, room_numbers(room)), chain)
                    for room, chain in zip(account.rooms, chains, strict=True)
                ],
                numbers=range(1, 1 + len(ROOM_NUMBERS)),
            ),
        )
    if account.renamed:
        yield from _table(
            "What could not keep its name",
            ("At the source", "Now"),
            [(_text(r.source), _text(r.destination)) for r in account.renamed],
        )
    if account.shares is not None and account.shares.left:
        yield from _table(
            "Not shared as at the source",
            ("Permissions", "Why", "What to do"),
            [(number(c.items), _text(c.why), _text(c.todo) or "Nothing") for c in account.shares.left],
            numbers=(0,),
        )
    if account.filters is not None and account.filters.rules:
        yield from _table(
            "What the old account did by itself with letters",
            ("Rule", "Now", "Why", "What to do"),
            [
                (
                    _text(rule.rule),
                    _text(OUTCOMES.get(rule.outcome, rule.outcome)),
                    "<br>".join(_text(reason.why) for reason in rule.reasons),
                    "<br>".join(_text(reason.todo) for reason in rule.reasons if reason.todo),
                )
                for rule in account.filters.rules
            ],
        )
    for note in account.notes:
        yield f'<p class="soft">{_text(note)}</p>'
    yield "</article>"


def _folded(title: str, inner: Iterator[str]) -> Iterator[str]:
    yield f"<details>\n<summary>{title}</summary>"
    yield from inner
    yield "</details>"


def _table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()
) -> Iterator[str]:
    """A table whose cells are HTML already."""
    label = f' role="region" aria-label="{caption}" tabindex="0"' if caption else ' tabindex="0"'
    yield f'<div class="scroll"{label}><table>'
    if caption:
        yield f"<caption>{caption}</caption>"
    head = "".join(f'<th scope="col"{_numeric(n in numbers)}>{title}</th>' for n, title in enumerate(header))
    yield f"<thead><tr>{head}</tr></thead>\n<tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td{_numeric(n in numbers)}>{cell}</td>" for n, cell in enumerate(row)) + "</tr>"
    yield "</tbody></table></div>"


def _state(account: AccountReport) -> str:
    return (
        f'<span class="state {account.state}"><span aria-hidden="true">{_MARKS[account.state]}</span> '
        f"{STATES[account.state]}</span>"
    )


def _numeric(yes: bool) -> str:
    return ' class="n"' if yes else ""


def _text(text: str) -> str:
    return escape(plain(text))
