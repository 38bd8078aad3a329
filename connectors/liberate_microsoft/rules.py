"""Outlook's inbox rules and automatic replies: read from Graph, and told in liberate's words.

learn.microsoft.com/graph/api/resources/messagerule, .../messagerulepredicates, .../messageruleactions and
.../automaticrepliessetting. Permissions: MailboxSettings.Read, and Mail.Read for the names of folders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from liberate.filters import (
    Absence,
    Action,
    AllOf,
    AnyOf,
    File,
    Filters,
    Forward,
    Gap,
    How,
    Mark,
    Reply,
    Rule,
    Size,
    Test,
    Text,
    Trash,
    Where,
    plain_text,
)
from liberate.labels import keyword
from liberate.mail import Folder, Role
from liberate_microsoft import pace
from liberate_microsoft.client import Client, segment
from liberate_microsoft.problems import Failure
from liberate_microsoft.times import point

PERMISSION = "MailboxSettings.Read"
FolderOf: TypeAlias = Callable[[str], Folder | None]
"""The folder with this id, as the mail of the account is moved; None: there is none."""

_ONCE = 30  # Outlook answers each person once in an absence; a Sieve server counts in days
_WELL_KNOWN: Mapping[str, Role] = {
    "inbox": Role.INBOX,
    "archive": Role.ARCHIVE,
    "deleteditems": Role.TRASH,
    "drafts": Role.DRAFTS,
    "junkemail": Role.JUNK,
    "sentitems": Role.SENT,
}
_DEPTH = 300  # folders within folders: Exchange allows no more
_BY_HAND = "Set the rule up by hand, with what the webmail offers."


# Reading -----------------------------------------------------------------------------------------


def filters(client: Client, user: str, folder_of: FolderOf | None = None) -> Filters:
    """The rules of the user's inbox and the replies while away. "" is who gave their consent.

    Raises AccountError where they may not be read, TransientError. `folder_of` spares the questions for folders.
    """
    whose = f"/users/{segment(user)}" if user else "/me"
    rules: list[Mapping[str, Any]] = []
    path = f"{whose}/mailFolders/inbox/messageRules"
    while path:
        page = client.ask(path, pace.QUERY, permission=PERMISSION)
        rules += [one for one in page.get("value") or () if isinstance(one, dict)]
        path = str(page.get("@odata.nextLink") or "")
    settings = client.ask(f"{whose}/mailboxSettings", pace.QUERY, permission=PERMISSION)
    return told(rules, settings, folder_of or Folders(client, whose), user)


class Folders:
    """Asks Graph for the folders that rules name, each once."""

    def __init__(self, client: Client, whose: str) -> None:
        self._client = client
        self._whose = whose
        self._known: dict[str, Folder | None] = {}
        self._top: str | None = None

    def __call__(self, key: str) -> Folder | None:
        if self._top is None:
            for name, role in _WELL_KNOWN.items():
                one = self._ask(name)
                if one is not None:
                    self._known[str(one["id"])] = Folder((str(one.get("displayName") or name),), role)
            root = self._ask("msgfolderroot")
            self._top = str(root["id"]) if root is not None else ""
        return self._find(key, 0)

    def _find(self, key: str, depth: int) -> Folder | None:
        if key not in self._known:
            one = self._ask(key) if depth < _DEPTH else None
            self._known[key] = None if one is None else self._below(one, depth)
        return self._known[key]

    def _below(self, one: Mapping[str, Any], depth: int) -> Folder | None:
        above, name = str(one.get("parentFolderId") or ""), str(one.get("displayName") or "")
        if not name:
            return None
        if above == self._top or not above:
            return Folder((name,))
        parent = self._find(above, depth + 1)
        return Folder((*parent.path, name)) if parent is not None else None

    def _ask(self, key: str) -> dict[str, Any] | None:
        wanted = {"$select": "id,displayName,parentFolderId"}
        path = f"{self._whose}/mailFolders/{segment(key)}"
        answer = self._client.call(path, pace.QUERY, wanted, expect=(400, 404), permission="Mail.Read")
        return None if isinstance(answer, Failure) else answer


# Telling -----------------------------------------------------------------------------------------


def told(rules: list[Mapping[str, Any]], settings: Mapping[str, Any], folder_of: FolderOf, user: str) -> Filters:
    """The same, from what Graph answered."""
    ordered = sorted(rules, key=lambda one: int(one.get("sequence") or 0))
    return Filters(
        tuple(_rule(one, folder_of, user) for one in ordered),
        ordered=True,
        absence=_absence(settings.get("automaticRepliesSetting") or {}),
    )


def _rule(one: Mapping[str, Any], folder_of: FolderOf, user: str) -> Rule:
    gaps: list[Gap] = []
    conditions = _tests(one.get("conditions") or {}, user, gaps)
    exceptions = _tests(one.get("exceptions") or {}, user, gaps)
    if one.get("hasError"):
        gaps.append(Gap("broken-at-source", "Outlook itself says that this rule is in error.", _BY_HAND))
    if one.get("isReadOnly"):
        why = "Microsoft does not show all of this rule, which another program made."
        gaps.append(Gap("hidden-at-source", why, _BY_HAND))
    if not conditions and not gaps:
        why = "Microsoft shows no condition of it: it would act on every letter."
        gaps.append(Gap("no-criteria", why, "If it really shall, set it up by hand in the webmail."))
    raw = one.get("actions") or {}
    return Rule(
        str(one.get("displayName") or "A rule without a name"),
        conditions[0] if len(conditions) == 1 else AllOf(tuple(conditions)),
        tuple(_actions(raw, folder_of, gaps)),
        tuple(exceptions),
        stop=bool(raw.get("stopProcessingRules")),
        enabled=bool(one.get("isEnabled", True)),
        gaps=tuple(gaps),
    )


# Conditions --------------------------------------------------------------------------------------

_PARTS: Mapping[str, Where] = {
    "subjectContains": Where.SUBJECT,
    "bodyContains": Where.BODY,
    "bodyOrSubjectContains": Where.SUBJECT_OR_BODY,
    "senderContains": Where.FROM,
    "recipientContains": Where.TO,
}
_PEOPLE: Mapping[str, Where] = {"fromAddresses": Where.FROM, "sentToAddresses": Where.TO}
_ME: Mapping[str, Where] = {"sentToMe": Where.DIRECT, "sentCcMe": Where.CC, "sentToOrCcMe": Where.TO}
_SAID: Mapping[tuple[str, str], tuple[str, str]] = {
    ("importance", "high"): ("importance", "high"),
    ("importance", "low"): ("importance", "low"),
    ("sensitivity", "personal"): ("sensitivity", "personal"),
    ("sensitivity", "private"): ("sensitivity", "private"),
    ("sensitivity", "confidential"): ("sensitivity", "company-confidential"),
}  # RFC 2156; "normal" is what has no such header


def _tests(told: Mapping[str, Any], user: str, gaps: list[Gap]) -> list[Test]:
    """All that are set. What cannot be said is a gap: the whole rule then is not written."""
    out: list[Test] = []
    for name, value in told.items():
        if value in (None, [], "") or "@" in name:
            continue
        found = _test(name, value, user)
        if found is None:
            gaps.append(
                Gap(
                    "condition-unknown",
                    f"{_CALLED.get(name, 'It asks for something')}, which no mail server knows as Outlook does.",
                    _BY_HAND,
                )
            )
        else:
            out.append(found)
    return out


_CALLED: Mapping[str, str] = {
    "hasAttachments": "It asks whether a letter has attachments",
    "categories": "It asks for the categories of a letter",
    "isMeetingRequest": "It asks for invitations to meetings",
    "isMeetingResponse": "It asks for answers to invitations",
    "isAutomaticReply": "It asks for automatic replies",
    "isAutomaticForward": "It asks for letters that were forwarded by themselves",
    "isReadReceipt": "It asks for receipts",
    "isNonDeliveryReport": "It asks for reports that a letter was not delivered",
    "sentOnlyToMe": "It asks for letters to nobody else",
    "notSentToMe": "It asks for letters to others",
    "headerContains": "It asks for a part of the header",
    "importance": "It asks how important a letter is",
    "sensitivity": "It asks how confidential a letter is",
    "messageActionFlag": "It asks for a flag of Outlook's",
}


def _test(name: str, value: Any, user: str) -> Test | None:
    if name in _PARTS:
        return _any(Text(_PARTS[name], How.CONTAINS, str(one)) for one in value)
    if name in _PEOPLE:
        addresses = [_address(one) for one in value]
        return _any(Text(_PEOPLE[name], How.ADDRESS, one) for one in addresses) if all(addresses) else None
    if name in _ME and value is True and "@" in user:
        # The same person has other addresses too, which Graph does not tell here.
        return Text(_ME[name], How.ADDRESS, user, partial=True)
    if name == "headerContains":
        parts = [re.fullmatch(r"([!-9;-~]+): ?(.*)", str(one)) for one in value]
        found = [Text(Where.HEADER, How.BEGINS, part[2], part[1], partial=True) for part in parts if part and part[2]]
        return _any(found) if len(found) == len(parts) else None
    if (name, value) in _SAID if isinstance(value, str) else False:
        header, text = _SAID[name, value]
        return Text(Where.HEADER, How.BEGINS, text, header, partial=True)
    if name == "withinSizeRange" and isinstance(value, dict):
        return _within(value)
    return None


def _any(tests: Any) -> Test:
    every = tuple(tests)
    return every[0] if len(every) == 1 else AnyOf(every)


def _within(value: Mapping[str, Any]) -> Test | None:
    """Kilobytes, both ends in it. One byte is given up at either end: Sieve knows "more than" and "less than"."""
    least, most = value.get("minimumSize"), value.get("maximumSize")
    tests: list[Test] = []
    if isinstance(least, int) and least > 0:
        tests.append(Size(True, least * 1024))
    if isinstance(most, int) and most > 0:
        tests.append(Size(False, most * 1024))
    return AllOf(tuple(tests)) if len(tests) == 2 else tests[0] if tests else None


def _address(recipient: Any) -> str:
    try:
        return str(recipient["emailAddress"]["address"] or "")
    except (KeyError, TypeError):
        return ""


# Actions -----------------------------------------------------------------------------------------


def _actions(raw: Mapping[str, Any], folder_of: FolderOf, gaps: list[Gap]) -> list[Action]:
    out: list[Action] = []
    marks: list[str] = []
    for name, value in raw.items():
        if value in (None, [], "", False) or "@" in name or name == "stopProcessingRules":
            continue
        if name == "markAsRead":
            marks.append("\\Seen")
        elif name == "markImportance":
            if value == "high":
                marks.append("$Important")
        elif name == "assignCategories":
            marks.extend(keyword((str(one),)) for one in value)
        elif name in ("moveToFolder", "copyToFolder"):
            folder = folder_of(str(value))
            if folder is None:
                why = "It puts letters into a folder that is no longer there."
                gaps.append(Gap("folder-gone", why, "Choose a folder, and set the rule up by hand.", "action"))
            else:
                out.append(File(folder, copy=name == "copyToFolder"))
        elif name in ("delete", "permanentDelete"):
            out.append(Trash())
        elif name in ("forwardTo", "redirectTo"):
            out.append(Forward(tuple(_address(one) for one in value)))
        elif name == "forwardAsAttachmentTo":
            why = "It forwards letters as attachments, which Sieve cannot."
            gaps.append(Gap("forward-as-attachment", why, _BY_HAND, "action"))
        else:
            gaps.append(Gap("action-unknown", "It does something that liberate does not know.", _BY_HAND, "action"))
    return [Mark(tuple(marks)), *out] if marks else out


# Automatic replies -------------------------------------------------------------------------------


def _absence(setting: Mapping[str, Any]) -> Absence | None:
    status = setting.get("status")
    if status not in ("alwaysEnabled", "scheduled"):
        return None
    gaps: list[Gap] = []
    start = end = None
    if status == "scheduled":
        start, end = (point(setting.get(name)) for name in ("scheduledStartDateTime", "scheduledEndDateTime"))
        if start is None or end is None:
            why = "Its dates are given in a time zone that liberate does not know."
            todo = "Set the reply up by hand in the webmail."
            return Absence((), gaps=(Gap("dates-unknown", why, todo),))
    inside, outside = (
        plain_text(str(setting.get(name) or "")) for name in ("internalReplyMessage", "externalReplyMessage")
    )
    audience = setting.get("externalAudience")
    replies: list[Reply] = []
    if inside and inside == outside and audience == "all":
        replies.append(Reply(inside, "everybody"))
    else:
        if inside:
            replies.append(Reply(inside, "inside"))
        to: Literal["outside", "contacts"] = "outside" if audience == "all" else "contacts"
        if outside and audience in ("all", "contactsOnly"):
            replies.append(Reply(outside, to))
    return Absence(tuple(replies), start, end, _ONCE, tuple(gaps)) if replies else None
