"""Gmail's filters and vacation responder into liberate's words. Pure.

developers.google.com/workspace/gmail/api/reference/rest/v1/users.settings.filters
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from liberate.filters import (
    Absence,
    Action,
    AllOf,
    File,
    Filters,
    Forward,
    Gap,
    Mark,
    Not,
    Reply,
    Rule,
    Size,
    Test,
    Trash,
    Where,
    plain_text,
)
from liberate.mail import Folder, Role
from liberate_google.convert import Label
from liberate_google.searches import Unsaid, every, fields, search

_REPLY_DAYS = 4  # support.google.com/mail/answer/25922: the same person is told at most once in four days
_CRITERIA = frozenset(
    {"from", "to", "subject", "query", "negatedQuery", "hasAttachment", "excludeChats", "size", "sizeComparison"}
)
_BY_HAND = "Set the rule up by hand, with what the webmail offers."


def filters(answer: Mapping[str, Any], vacation: Mapping[str, Any], labels: Mapping[str, Label]) -> Filters:
    """What settings.filters.list and settings.getVacation say."""
    rules = [_rule(number, one, labels) for number, one in enumerate(answer.get("filter") or (), 1)]
    return Filters(tuple(rules), ordered=False, absence=_absence(vacation))


def _rule(number: int, one: Mapping[str, Any], labels: Mapping[str, Label]) -> Rule:
    gaps: list[Gap] = []
    condition = _condition(one.get("criteria") or {}, gaps)
    actions = _actions(one.get("action") or {}, labels, gaps)
    return Rule(_name(number, actions), condition, tuple(actions), gaps=tuple(gaps))


def _name(number: int, actions: Iterable[Action]) -> str:
    """Gmail's filters have no names: their number, and where they put what they find. Nothing of what they look for."""
    says = []
    for action in actions:
        match action:
            case File(Folder(path, role), copy):
                says.append(f'label "{"/".join(path)}"' if role is None else "archive")
                if not copy and role is None:
                    says.append("skip the inbox")
            case Trash():
                says.append("delete")
            case Forward():
                says.append("forward")
            case Mark(flags):
                says.extend({"\\Seen": "mark as read", "\\Flagged": "star"}.get(flag, "mark") for flag in flags)
    told = ", ".join(dict.fromkeys(says))
    return f"Filter {number}: {told}" if told else f"Filter {number}"


# Conditions --------------------------------------------------------------------------------------


def _condition(criteria: Mapping[str, Any], gaps: list[Gap]) -> Test:
    tests: list[Test] = []

    def reading(read: Callable[[], Test]) -> None:
        try:
            tests.append(read())
        except Unsaid as unsaid:
            gaps.append(unsaid.gap)

    for name, where in (("from", Where.FROM), ("to", Where.TO), ("subject", Where.SUBJECT)):
        if text := str(criteria.get(name) or "").strip():
            reading(lambda text=text, where=where: fields(text, where))  # type: ignore[misc]
    if query := str(criteria.get("query") or "").strip():
        reading(lambda: search(query))
    if without := str(criteria.get("negatedQuery") or "").strip():
        reading(lambda: Not(search(without)))
    if criteria.get("hasAttachment"):
        why = "It asks whether a letter has attachments, which a mail server does not know as Gmail does."
        gaps.append(Gap("attachments", why, _BY_HAND))
    comparison = str(criteria.get("sizeComparison") or "unspecified")
    if criteria.get("size") is not None and comparison in ("larger", "smaller"):
        tests.append(Size(comparison == "larger", int(criteria["size"])))
    elif criteria.get("size"):
        gaps.append(Gap("size-unclear", "It asks for a size and does not say which way.", _BY_HAND))
    if strange := set(criteria) - _CRITERIA:
        why = f"It asks for {len(strange)} things that liberate does not know."
        gaps.append(Gap("criteria-unknown", why, _BY_HAND))
    if not tests and not gaps:
        gaps.append(Gap("no-criteria", "It does not say which letters it is about.", _BY_HAND))
    return every(tests) if tests else AllOf(())


# Actions -----------------------------------------------------------------------------------------


def _actions(action: Mapping[str, Any], labels: Mapping[str, Label], gaps: list[Gap]) -> list[Action]:
    added = [str(one) for one in action.get("addLabelIds") or ()]
    removed = {str(one) for one in action.get("removeLabelIds") or ()}
    out: list[Action] = []
    flags: list[str] = []
    own: list[Folder] = []
    for key in added:
        label = labels.get(key)
        if key == "STARRED":
            flags.append("\\Flagged")
        elif key == "IMPORTANT":
            flags.append("$Important")
        elif key.startswith("CATEGORY_"):
            flags.append(f"$Category_{key.removeprefix('CATEGORY_').capitalize()}")
        elif key == "SPAM":
            own.append(Folder(("Spam",), Role.JUNK))
        elif key in ("TRASH", "INBOX", "UNREAD"):
            continue
        elif label is not None and label.user:
            own.append(Folder(label.path))
        else:
            why = "It puts letters under a label that is no longer there."
            gaps.append(Gap("label-gone", why, "Choose a folder, and set the rule up by hand.", "action"))
    if "UNREAD" in removed:
        flags.append("\\Seen")
    if "SPAM" in removed:
        why = "It also keeps letters out of the spam folder, which is not for a Sieve script to decide."
        gaps.append(Gap("never-spam", why, "Put the senders on the list of good ones in the webmail.", "mark"))
    # Never to be marked as important, or under a category: the destination does neither by itself.
    if flags:
        out.append(Mark(tuple(flags)))
    if forward := str(action.get("forward") or ""):
        out.append(Forward((forward,)))
    archived = "INBOX" in removed or any(folder.role is Role.JUNK for folder in own)
    if "TRASH" in added:
        out.append(Trash())
    elif own:
        out.extend(File(folder, copy=not archived) for folder in own)
    elif archived:
        out.append(File(Folder((), Role.ARCHIVE), copy=False))
    return out


# The vacation responder --------------------------------------------------------------------------


def _absence(vacation: Mapping[str, Any]) -> Absence | None:
    if not vacation.get("enableAutoReply"):
        return None
    html = str(vacation.get("responseBodyHtml") or "")  # the one that is used where there are both
    text = plain_text(html) if html else str(vacation.get("responseBodyPlainText") or "")
    to: Literal["everybody", "inside", "contacts"] = "everybody"
    if vacation.get("restrictToContacts"):
        to = "contacts"
    elif vacation.get("restrictToDomain"):
        to = "inside"
    reply = Reply(text, to, str(vacation.get("responseSubject") or ""))
    return Absence((reply,), _moment(vacation.get("startTime")), _moment(vacation.get("endTime")), _REPLY_DAYS)


def _moment(milliseconds: Any) -> datetime | None:
    """Milliseconds since 1970, as text; 0 and nothing at all are no moment."""
    try:
        number = int(milliseconds or 0)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number) if number else None
    except (ValueError, OverflowError):
        return None
