"""A report for machines: JSON whose keys stay what they are, and the schema that says so."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from liberate.report import AccountReport, Count, Report, SharesReport
from liberate.report_filters import FiltersReport

VERSION = 1
"""Grows when a key changes its meaning or goes away; new keys do not change it."""


def as_json(report: Report) -> str:
    """The report as one JSON object, indented, that SCHEMA describes; ends with a line end."""
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"


def as_dict(report: Report) -> dict[str, Any]:
    """The same as values that json can write."""
    return {
        "liberate_report": VERSION,
        "job": report.job,
        "started": _moment(report.started),
        "ended": _moment(report.ended),
        "changed": report.changed,
        "interrupted": report.interrupted,
        "not_begun": report.not_begun,
        "exit_code": int(report.exit_code),
        "accounts": [_account(account) for account in report.accounts],
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _account(account: AccountReport) -> dict[str, Any]:
    return {
        "source": account.source,
        "destination": account.destination,
        "route": account.route,
        "state": account.state,
        "stopped": dict(zip(("code", "why", "todo"), account.stopped, strict=True)) if account.stopped else None,
        "items": {
            "listed": account.listed,
            "moved": account.moved,
            "waiting": account.waiting,
            "skipped": account.skipped_items,
            "with_owner": account.with_owner,
            "refused": account.refused_items,
        },
        "copies": account.copies,
        "bytes": account.bytes,
        "evidence": dict(sorted(account.evidence.items())),
        "verification": {
            "verified": account.verified,
            "identical": account.identical,
            "line_ends": account.line_ends,
            "rewritten": account.rewritten,
            "altered": account.altered,
            "different": account.different,
            "missing": account.missing,
            "only_there": account.only_there,
        },
        "skipped": [_count(count) for count in account.skipped],
        "refused": [_count(count) for count in account.refused],
        "losses": [_count(count) for count in account.losses],
        "refusals": [
            {
                "item": r.item,
                "name": r.name,
                "folder": r.folder,
                "code": r.code,
                "why": r.why,
                "todo": r.todo,
                "kept": r.kept,
            }
            for r in account.refusals
        ],
        "findings": [
            {
                "item": f.item,
                "name": f.name,
                "folder": f.folder,
                "found": f.found,
                "stored": f.stored,
                "size": f.size,
            }
            for f in account.findings
        ],
        "folders": [{"folder": f.folder, "at_source": f.at_source, "accounted": f.accounted} for f in account.folders],
        "renamed": [{"source": r.source, "destination": r.destination} for r in account.renamed],
        "notes": list(account.notes),
        "shares": _shares(account.shares),
        "rooms": [asdict(room) for room in account.rooms],
        "filters": None if account.filters is None else _filters(account.filters),
        "spent": dict(sorted(account.spent.items())),
    }


def _filters(filters: FiltersReport) -> dict[str, Any]:
    return {
        **asdict(filters),
        "needs": list(filters.needs),
        "rules": [
            {"rule": rule.rule, "outcome": rule.outcome, "reasons": [asdict(reason) for reason in rule.reasons]}
            for rule in filters.rules
        ],
    }


def _shares(shares: SharesReport | None) -> dict[str, Any] | None:
    if shares is None:
        return None
    return {"made": shares.made, "waiting": shares.waiting, "left": [_count(count) for count in shares.left]}


def _count(count: Count) -> dict[str, Any]:
    return {"code": count.code, "why": count.why, "todo": count.todo, "items": count.items}


def _object(about: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": about, "required": list(properties), "properties": properties}


def _text(about: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": about, **more}


def _whole(about: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": about}


def _perhaps(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(about: str, of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "description": about, "items": of}


_COUNT = _object(
    "items with one reason",
    code=_text("stable, in kebab-case"),
    why=_text("the reason"),
    todo=_text('what somebody can do; "" when nothing can be done'),
    items=_whole("how many"),
)
_ACCOUNT = _object(
    "one account on one route",
    source=_text('its name at the source; "" where the source has a single account'),
    destination=_text("its name at the destination"),
    route=_text('"<from>-><to>", the names of the two connections'),
    state=_text("stopped: a person must act", enum=["done", "unfinished", "stopped"]),
    stopped=_perhaps(
        _object(
            "why it stopped", code=_text("stable, in kebab-case"), why=_text("the cause"), todo=_text("the next step")
        )
    ),
    items=_object(
        "numbers of items",
        listed=_whole("found at the source so far"),
        moved=_whole("stand at the destination"),
        waiting=_whole("still to be moved"),
        skipped=_whole("left out on purpose"),
        with_owner=_whole("skipped ones that belong to somebody else of the plan, where they are counted once more"),
        refused=_whole("could not go"),
    ),
    copies=_whole("further places of items that moved"),
    bytes=_whole("size of what moved"),
    evidence={
        "type": "object",
        "description": "items by what proves them: read-back, stored-digest, received-digest, size, none",
        "additionalProperties": {"type": "integer", "minimum": 0},
    },
    verification=_object(
        "what `liberate verify` found",
        verified=_whole("items read back"),
        identical=_whole("byte for byte as at the source"),
        line_ends=_whole("identical but for the ends of lines"),
        rewritten=_whole("events and contacts that the destination writes in its own way, saying the same"),
        altered=_whole("altered by the destination, which could not store them as they are"),
        different=_whole("different"),
        missing=_whole("no longer there"),
        only_there=_perhaps(_whole("at the destination and not from us; null where nobody looked")),
    ),
    skipped=_list("items left out on purpose, by reason", _COUNT),
    refused=_list("items that could not go, by reason", _COUNT),
    losses=_list("what events and contacts that moved have lost, by what it is", _COUNT),
    refusals=_list(
        "the items that could not go, at most 1000",
        _object(
            "one item",
            item=_text("its id at the source"),
            name=_text('what people call it; "" for mail'),
            folder=_text("the folder it is in"),
            code=_text("stable, in kebab-case"),
            why=_text("the reason"),
            todo=_text('what somebody can do; "" when nothing can be done'),
            kept=_perhaps(_text("name of the original under rejects/ in the job's folder")),
        ),
    ),
    findings=_list(
        "the items that are not there as they were read at the source, at most 1000: missing ones first",
        _object(
            "one item",
            item=_text("its id at the source"),
            name=_text('what people call it; "" for mail'),
            folder=_text("the folder it is in"),
            found=_text("what `liberate verify` found", enum=["missing", "different", "altered"]),
            stored=_text("its id at the destination: a UID, a file name"),
            size=_perhaps(_whole("bytes that were sent")),
        ),
    ),
    folders=_list(
        "folders by the source's own count",
        _object(
            "one folder",
            folder=_text("its name at the source"),
            at_source=_whole("what the source says it holds"),
            accounted=_whole("what became of these: moved, skipped or refused"),
        ),
    ),
    renamed=_list(
        "folders and files that could not keep their names, at most 1000",
        _object("one of them", source=_text("its name at the source"), destination=_text("its name now")),
    ),
    notes=_list("anything else worth knowing", _text("a sentence")),
    shares=_perhaps(
        _object(
            "permissions on files; null where nothing is shared at the source",
            made=_whole("stand at the destination"),
            waiting=_whole("still to be made"),
            left=_list("not made, by reason", _COUNT),
        )
    ),
    rooms=_list(
        "conversations of chat, as of the last run that ended: listed is the sum of the next five",
        _object(
            "one conversation",
            room=_text("its name at the source"),
            listed=_whole("messages found at the source"),
            moved=_whole("stand at the destination"),
            merged=_whole("the source holds them once more, and they stand once"),
            left_out=_whole("left out on purpose"),
            refused=_whole("could not go"),
            waiting=_whole("still to be moved"),
            files=_whole("files that moved with them"),
            chain=_text('SHA-256 over the ids, digests and places of what moved, in order; "" where nothing did'),
        ),
    ),
    filters=_perhaps(
        _object(
            "rules that act on letters as they come, and the reply while away; null where there are none",
            state=_text(
                "what became of the script: beside is behind an active one of the account's own",
                enum=[
                    "active",
                    "beside",
                    "edited",
                    "removed",
                    "switched-off",
                    "listed",
                    "no-server",
                    "refused",
                    "unread",
                    "sending",
                ],
            ),
            file=_text('the script, in the job\'s folder; "" where there is none'),
            other=_text("the account's own script that acts instead"),
            why=_text("why it was refused, or the rules could not be read"),
            todo=_text("what to do about that"),
            needs=_list("Sieve extensions that the script uses", _text("its name")),
            rules=_list(
                "rule by rule",
                _object(
                    "one rule",
                    rule=_text("its name at the source"),
                    outcome=_text("partly: without what the reasons name", enum=["written", "partly", "listed", "off"]),
                    reasons=_list(
                        "what is not in the script, and why",
                        _object(
                            "one reason",
                            code=_text("stable, in kebab-case"),
                            why=_text("the reason"),
                            todo=_text('what somebody can do; "" when nothing can be done'),
                        ),
                    ),
                ),
            ),
        )
    ),
    spent={
        "type": "object",
        "description": "how many of what costs the destination most the move took, in all runs: join, at a homeserver",
        "additionalProperties": {"type": "integer", "minimum": 0},
    },
)
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "liberate report",
    **_object(
        "what a job has done so far",
        liberate_report={"const": VERSION, "description": "version of this form"},
        job=_text("the job's name"),
        started=_perhaps(_text("when the first run started, UTC", format="date-time")),
        ended=_perhaps(_text("when the last run ended, UTC", format="date-time")),
        changed={"type": "boolean", "description": "this run wrote something at a destination"},
        interrupted={"type": "boolean", "description": "this run was stopped by Ctrl-C or a signal"},
        not_begun=_whole("accounts of the plan, each on each route, that no run has looked at yet"),
        exit_code=_whole("the command's exit code for this state of the job"),
        accounts=_list("each account on each route", _ACCOUNT),
    ),
}
