"""Graph's messages as items. Pure: nothing here touches the network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from liberate.connector import Item, Kind
from liberate.labels import keyword
from liberate.mail import MailFacts, Role
from liberate_microsoft.convert import moment
from liberate_microsoft.folders import MailFolder

Json: TypeAlias = Mapping[str, Any]

SELECT = (
    "id,receivedDateTime,sentDateTime,lastModifiedDateTime,isRead,isDraft,flag,categories,importance,parentFolderId"
)
"""Neither subject nor people: what is not asked for can get nowhere."""
_LAST_VERB = "Integer 0x1081"  # PidTagLastVerbExecuted: what was done with the message last (MS-OXOMSG 2.2.1.4)
EXPAND = f"singleValueExtendedProperties($filter=id eq '{_LAST_VERB}')"
_ANSWERED, _FORWARDED = frozenset({102, 103}), 104


_FACTS = frozenset({"isRead", "isDraft", "flag", "categories", "importance"})


def whole(raw: Json) -> bool:
    """Whether all the facts are told: where only isRead changed, a delta tells that and no more.

    Whatever was selected (microsoft-graph-docs 7776). What is not told must not be taken for what is not so.
    """
    return raw.keys() >= _FACTS


def item(raw: Json, folder: MailFolder) -> Item:
    """A message in this folder as an item. Its size is not known, and Exchange writes it anew at every fetch."""
    known = facts(raw, folder)
    return Item(
        str(raw["id"]),
        Kind.MAIL,
        version(raw),
        facts=known,
        facts_version=facts_version(known),
        repeatable=False,
    )


def version(raw: Json) -> str:
    """ "" for a message that was sent or received: its text stays. A draft's is when it was changed last.

    Not by changeKey, which a flag changes too. A draft keeps its immutable id when it is sent
    (concepts/outlook-immutable-id): without a version of its own, the text that was sent would never be fetched.
    """
    if raw.get("isDraft") is not True:
        return ""
    return f"draft:{raw.get('lastModifiedDateTime') or ''}"


def facts(raw: Json, folder: MailFolder) -> MailFacts:
    """What Exchange keeps beside the message: flags, categories, times, and the one folder it stands in."""
    flags, keywords = set(), set()
    if raw.get("isRead") is True:
        flags.add("\\Seen")
    if raw.get("isDraft") is True:
        flags.add("\\Draft")
    status = _table(raw.get("flag")).get("flagStatus")
    if status == "flagged":
        flags.add("\\Flagged")
    elif status == "complete":
        keywords.add("$FlagComplete")
    if raw.get("importance") == "high":
        keywords.add("$Important")
    for name in raw.get("categories") or ():
        if isinstance(name, str) and name.strip():
            keywords.add(keyword((name,)))
    verb = _last_verb(raw)
    if verb in _ANSWERED:
        flags.add("\\Answered")
    elif verb == _FORWARDED:
        keywords.add("$Forwarded")
    return MailFacts(frozenset(flags), frozenset(keywords), received(raw, folder), (folder.folder,))


def facts_version(known: MailFacts) -> str:
    """Changes with the flags and the folder. Not with the time: where a message stands already, it stays."""
    text = MailFacts(known.flags, known.keywords, None, known.folders).dump()
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def received(raw: Json, folder: MailFolder) -> datetime | None:
    """When the message came; of the person's own, when it was sent. None where Graph tells neither."""
    names = ["receivedDateTime", "sentDateTime"]
    own = raw.get("isDraft") is True or folder.outgoing or folder.role in (Role.SENT, Role.DRAFTS)
    for name in reversed(names) if own else names:
        found = moment(raw.get(name))
        if found is not None:
            return found
    return None


def _last_verb(raw: Json) -> int | None:
    for one in raw.get("singleValueExtendedProperties") or ():
        told = _table(one)
        if str(told.get("id") or "").lower() == _LAST_VERB.lower():
            text = str(told.get("value") or "")
            return int(text) if text.isascii() and text.isdigit() else None
    return None


def _table(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}
