"""What a report says in plain words, for its text and its page alike: to people who run no servers."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from liberate import report_filters
from liberate.report import AccountReport, Count, Exit, Finding, Report, RoomReceipt, SharesReport

EVIDENCE: Mapping[str, str] = {
    "read-back": "read back and compared",
    "stored-digest": "confirmed by a checksum of what the destination stored",
    "received-digest": "confirmed by a checksum of what the destination received",
    "size": "confirmed by the size the destination reports",
    "none": "acknowledged by the destination",
}
STATES: Mapping[str, str] = {
    "done": "done",
    "unfinished": "not finished",
    "stopped": "needs attention",
}

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # emoji and several scripts are written with them


def number(value: int) -> str:
    """41203 as "41,203"."""
    return f"{value:,}"


def items(value: int, word: str = "item", words: str = "") -> str:
    """The number with its noun: "1 item", "41,203 items"; `words` is the plural where it is not word + "s"."""
    return f"{number(value)} {word if value == 1 else words or word + 's'}"


def size(value: float) -> str:
    """Bytes as people say them, in powers of 1000: "0 bytes", "812 kB", "3.2 GB"."""
    if value < 1000:
        return items(int(value), "byte")
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"
    raise AssertionError("unreachable")


def when(moment: datetime | None) -> str:
    """A moment to the minute, in UTC; "" for None."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def plain(text: str) -> str:
    """`text` without the power to steer a terminal or to hide: controls and direction marks are written out."""
    return "".join(c if c in _JOINERS or unicodedata.category(c) not in _HIDDEN else _code(c) for c in text)


def _code(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def total(account: AccountReport) -> int:
    """Everything the source is known to hold of this account's own, whatever became of it."""
    known = account.moved + account.waiting + account.skipped_items + account.refused_items
    return max(known, account.listed) - account.with_owner


def added_up(counts: Sequence[tuple[Count, ...]]) -> list[Count]:
    """The counts of several accounts, one for each code and reason, the largest first."""
    added: Counter[tuple[str, str, str]] = Counter()
    for each in counts:
        for count in each:
            added[count.code, count.why, count.todo] += count.items
    return [Count(*key, items) for key, items in sorted(added.items(), key=lambda pair: (-pair[1], pair[0]))]


def whose(accounts: Sequence[AccountReport]) -> str:
    """How many accounts these are: "6 accounts", or "6 accounts on 2 routes" where each may be told twice."""
    routes = len({account.route for account in accounts})
    told = items(len({(account.route.partition("->")[0], account.label) for account in accounts}), "account")
    return told if routes == 1 else f"{told} on {items(routes, 'route')}"


def goes_to(account: AccountReport, accounts: Sequence[AccountReport]) -> str:
    """Where the account goes: its name there, and which place that is where there are several."""
    place = account.route.partition("->")[2]
    if not account.destination:
        return place
    several = len({one.route for one in accounts}) > 1
    return f"{account.destination} ({place})" if several else account.destination


def sentences(report: Report) -> list[str]:
    """The report in five sentences or so: what moved, is that all, how it is proven, what did not, what next."""
    accounts = report.accounts
    if not accounts:
        return ["Nothing has been moved yet.", "Start with: liberate migrate"]
    moved = sum(a.moved for a in accounts)
    whole = sum(total(a) for a in accounts)
    told = [
        "Nothing has been found to move yet."
        if not whole
        else f"{number(moved)} of {items(whole)} of {whose(accounts)} "
        f"{'stands' if moved == 1 else 'stand'} at the destination, {size(sum(a.bytes for a in accounts))} in all."
    ]
    told.append(_completeness(report))
    told.append(_with_owners(accounts))
    if report.not_begun:
        has = "has" if report.not_begun == 1 else "have"
        told.append(f"{items(report.not_begun, 'more account')} of the plan {has} not begun.")
    told.append(_proof(accounts))
    told.append(_spent(accounts))
    told.append(_refused(accounts) if whole else "")
    told.extend(next_steps(report))
    return [sentence for sentence in told if sentence]


def nothing_new(report: Report) -> str:
    """What a run says that found everything done already; "" for any other."""
    if report.changed or report.exit_code not in (Exit.DONE, Exit.REFUSED) or not report.accounts:
        return ""
    moved = sum(a.moved for a in report.accounts)
    refused = sum(a.refused_items for a in report.accounts)
    if not moved:
        return ""
    told = f"Nothing new: {items(moved)} of {whose(report.accounts)} {'was' if moved == 1 else 'were'} already there."
    if refused:
        told += f" {items(refused)} could not go; `liberate report` lists {'it' if refused == 1 else 'them'}."
    return told


def account_sentences(account: AccountReport) -> list[str]:
    """The same for one account, as its owner would like to hear it."""
    whole = total(account)
    told = [f"{number(account.moved)} of {items(whole)} moved, {size(account.bytes)} in all." if whole else ""]
    if not whole and account.state == "done":
        told.append("There was nothing to move.")
    told.append(_with_owners([account]))
    if account.shares is not None:
        told.append(_shared(account.shares))
    if account.copies:
        told.append(
            f"{items(account.copies, 'further copy', 'further copies')} of them "
            f"{'stands' if account.copies == 1 else 'stand'} in other folders, as the labels say."
        )
    if account.stopped is not None:
        _code, why, todo = account.stopped
        told.append(f"It stopped: {_sentence(why)} {_sentence(todo)}".strip())
    if account.state == "unfinished":
        told.append(
            f"{items(account.waiting)} still {'waits' if account.waiting == 1 else 'wait'}."
            if account.waiting
            else "It is not finished."
        )
    told.append(_proof([account]))
    told.append(_spent([account]))
    if account.filters is not None:
        told.extend(plain(sentence) for sentence in report_filters.sentences(account.filters))
    return [sentence for sentence in told if sentence]


def next_steps(report: Report) -> list[str]:
    """What somebody should do now, the most urgent first; one sentence if there is nothing to do."""
    steps = []
    if any(a.wrong for a in report.accounts):
        steps.append(
            "Look at the items that are missing or different before anybody closes the old accounts: "
            "`liberate report` lists them."
        )
    reasons: dict[tuple[str, str], list[str]] = {}
    for account in report.accounts:
        if account.stopped is not None:
            reasons.setdefault(account.stopped[1:], []).append(plain(account.label))
    for (why, todo), names in reasons.items():
        who = names[0] if len(names) == 1 else f"{names[0]} and {items(len(names) - 1, 'other')}"
        steps.append(f"{who}: {_sentence(why)} {_sentence(todo)}".strip())
    again = "Run the same command again to go on; nothing will arrive twice."
    if report.interrupted or report.not_begun or any(a.state != "done" for a in report.accounts):
        steps = [step.replace(" Run the same command again.", "") for step in steps] + [again]
    elif not steps:
        steps.append("Nothing is left to do.")
    return steps


def verification(account: AccountReport) -> list[tuple[str, str, int]]:
    """What `verify` found for this account, each with its mark; without what it did not find."""
    found = [
        ("=", "identical, byte for byte", account.identical),
        ("=", "identical but for the ends of lines", account.line_ends),
        ("=", "the same, written in the destination's own way", account.rewritten),
        ("*", "altered by the destination, which cannot store them as they are", account.altered),
        ("*", "different", account.different),
        ("+", "at the source only: missing at the destination", account.missing),
        ("-", "at the destination only: not from us", account.only_there or 0),
        ("!", "refused, and so not there", account.refused_items if account.files and account.verified else 0),
    ]
    return [one for one in found if one[2]]


def sent(finding: Finding) -> str:
    """The size of an item that was sent; "" where it is not known."""
    return "" if finding.size is None else size(finding.size)


def uneven(account: AccountReport) -> list[tuple[str, int, int]]:
    """Folders where the source's own count and what is accounted for differ."""
    return [(f.folder, f.at_source, f.accounted) for f in account.folders if f.at_source != f.accounted]


ROOM_NUMBERS = ("at the source", "moved", "twice there", "left out", "refused", "waiting", "files")
"""What the numbers of room_numbers() are called."""


def room_numbers(room: RoomReceipt) -> tuple[int, ...]:
    """What became of a conversation's messages; the first is the sum of the next five, the last counts files."""
    parts = (room.moved, room.merged, room.left_out, room.refused, room.waiting)
    return (room.listed, *parts, room.files)


def _shared(shares: SharesReport) -> str:
    left = sum(count.items for count in shares.left)
    told = f"{items(shares.made, 'permission')} {'stands' if shares.made == 1 else 'stand'} again"
    if shares.waiting:
        told += f", {number(shares.waiting)} still {'waits' if shares.waiting == 1 else 'wait'}"
    return f"{told}, {number(left)} not made." if left else f"{told}."


def _completeness(report: Report) -> str:
    done = [a for a in report.accounts if a.state == "done"]
    skipped = sum(a.left_out_items for a in report.accounts)
    left_out = f"; {items(skipped)} {'was' if skipped == 1 else 'were'} left out on purpose" if skipped else ""
    if len(done) == len(report.accounts):
        return f"Everything that was found at the source is accounted for{left_out}."
    waiting = sum(a.waiting for a in report.accounts)
    missing = items(len(report.accounts) - len(done), "account")
    known = f", {items(waiting)} still {'waits' if waiting == 1 else 'wait'}" if waiting else ""
    return f"{missing} {'is' if len(report.accounts) - len(done) == 1 else 'are'} not finished{known}{left_out}."


def _with_owners(accounts: Sequence[AccountReport]) -> str:
    """What accounts see of each other's: it counts once, with its owner."""
    seen = sum(a.with_owner for a in accounts)
    if not seen:
        return ""
    if len(accounts) == 1:
        more = "1 more belongs to somebody else" if seen == 1 else f"{number(seen)} more belong to others"
        return f"{more} of the plan, with whom {'it moves' if seen == 1 else 'they move'}."
    return f"What one account sees of another's, {items(seen)} in all, is counted and moved with its owner."


def _proof(accounts: Sequence[AccountReport]) -> str:
    """What was read back and, unless that was everything, what proves the rest."""
    verified = sum(a.verified for a in accounts)
    if verified >= sum(a.moved + a.copies for a in accounts):
        return _read_back(accounts) if verified else ""
    return f"{_ways(accounts)} {_read_back(accounts) if verified else ''}".strip()


def _read_back(accounts: Sequence[AccountReport]) -> str:
    verified = sum(a.verified for a in accounts)
    wrong = sum(a.wrong for a in accounts)
    altered = sum(a.altered for a in accounts)
    same = verified - wrong - altered
    counting = "Copies counted, " if any(a.copies for a in accounts) else ""
    seen = "looked at again at" if any(a.files for a in accounts) else "read back from"
    text = f"{counting}{items(verified)} {'was' if verified == 1 else 'were'} {seen} the destination: "
    text += f"{number(same)} {'is' if same == 1 else 'are'} as at the source"
    if altered:
        text += f", {number(altered)} had to be altered by the destination"
    if wrong:
        text += f", {number(sum(a.missing for a in accounts))} missing"
        text += f", {number(sum(a.different for a in accounts))} different"
    return text + "."


def _ways(accounts: Sequence[AccountReport]) -> str:
    ways: Counter[str] = Counter()
    for account in accounts:
        ways.update({way: count for way, count in account.evidence.items() if count})
    if not ways:
        return ""
    parts = [
        f"{number(count)} {'is' if count == 1 else 'are'} {EVIDENCE.get(way, way)}" for way, count in ways.most_common()
    ]
    return f"Of what moved, {' and '.join(parts)}."


def _spent(accounts: Sequence[AccountReport]) -> str:
    spent: Counter[str] = Counter()
    for account in accounts:
        spent.update(account.spent)
    parts = [items(count, plain(word)) for word, count in sorted(spent.items()) if count]
    return f"At the destination that took {' and '.join(parts)}." if parts else ""


def _refused(accounts: Sequence[AccountReport]) -> str:
    refused = sum(a.refused_items for a in accounts)
    if not refused:
        return "No item was refused."
    kept = any(r.kept for a in accounts for r in a.refusals)
    listed = "It is listed" if refused == 1 else "They are listed"
    return (
        f"{items(refused)} could not go. {listed} below with the reason and what to do"
        f"{', and the originals are kept' if kept else ''}."
    )


def _sentence(text: str) -> str:
    text = plain(text.strip())
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
