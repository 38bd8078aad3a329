"""What a report says of an account's rules and its reply while away, in plain words. In that account's part only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule, or a part of it, is not in the script."""

    code: str
    why: str
    todo: str  # "" where nothing can be done


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What became of one rule."""

    rule: str  # its name at the source
    outcome: str  # written, partly, listed, off
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class FiltersReport:
    """What became of an account's rules. `state` is that of the script."""

    state: str  # active, beside, edited, removed, switched-off, listed, no-server, refused, unread, sending
    file: str  # the script in the job's folder; "": there is none
    other: str  # the account's own script that acts instead
    why: str
    todo: str
    needs: tuple[str, ...]  # Sieve extensions that the script uses
    rules: tuple[RuleReport, ...]


OUTCOMES = {
    "written": "in the script",
    "partly": "in the script, in part",
    "listed": "not in the script",
    "off": "switched off at the source",
}


def filters_report(text: str | None) -> FiltersReport | None:
    """What the ledger recorded; None: the account has no rules, or nobody looked."""
    if not text:
        return None
    told: dict[str, Any] = json.loads(text)
    rules = tuple(
        RuleReport(
            one["rule"],
            one["outcome"],
            tuple(Reason(gap["code"], gap["why"], gap.get("todo") or "") for gap in one["gaps"]),
        )
        for one in told.get("rules") or ()
    )
    return FiltersReport(
        told["state"],
        f"sieve/{told['file']}" if told.get("file") else "",
        told.get("other") or "",
        told.get("why") or "",
        told.get("todo") or "",
        tuple(told.get("needs") or ()),
        rules,
    )


def sentences(told: FiltersReport) -> list[str]:
    """How many rules went, where the script is, and what somebody should do."""
    out = []
    live = [rule for rule in told.rules if rule.outcome != "off"]
    if live:
        written = sum(rule.outcome in ("written", "partly") for rule in live)
        partly = sum(rule.outcome == "partly" for rule in live)
        said = f"{written} of {len(live)} {'rule' if len(live) == 1 else 'rules'} could be written as a Sieve script"
        out.append(f"{said}, {partly} of them in part." if partly else f"{said}.")
    out.append(_state(told))
    return [sentence for sentence in out if sentence]


def _state(told: FiltersReport) -> str:
    where = f"It is kept as {told.file} in the job's folder." if told.file else ""
    by_hand = (
        f"The script is kept as {told.file} in the job's folder. Put its text into the filter page of the webmail, or "
        f"give it to whoever runs the server. It uses {', '.join(told.needs) or 'no extension'}."
        if told.file
        else ""
    )
    match told.state:
        case "active":
            return 'The script "liberate" is on the mail server and acts on new letters.'
        case "beside":
            return (
                f'The script "liberate" is on the mail server and does not act, since the account has an active script '
                f'of its own ("{told.other}"). Choose between them in the webmail, or bring the two together.'
            )
        case "edited":
            return f'The script "liberate" on the mail server was edited there, and stays as it is. {where}'.strip()
        case "removed":
            return f'The script "liberate" was removed from the mail server, and stays away. {where}'.strip()
        case "switched-off":
            return 'The script "liberate" is on the mail server, where somebody switched it off. It stays off.'
        case "no-server":
            said = "The mail server takes no scripts from outside (it offers no ManageSieve)."
            return f"{said} {by_hand}".strip()
        case "listed":
            return by_hand
        case "sending":
            return "Whether the script arrived is not certain. Run the same command again."
    return f"{told.why} {told.todo} {by_hand}".strip()
