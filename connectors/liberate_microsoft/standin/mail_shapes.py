"""The stand-in's JSON for mail: Graph's field names for folders and messages."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from liberate_microsoft.standin.mailbox import Letter, Mailbox, MailFolder
from liberate_microsoft.standin.shapes import guid, when

MESSAGE_FIELDS = frozenset(
    {
        "id", "categories", "changeKey", "createdDateTime", "lastModifiedDateTime", "bccRecipients", "body",
        "bodyPreview", "ccRecipients", "conversationId", "conversationIndex", "flag", "from", "hasAttachments",
        "importance", "inferenceClassification", "internetMessageHeaders", "internetMessageId",
        "isDeliveryReceiptRequested", "isDraft", "isRead", "isReadReceiptRequested", "parentFolderId",
        "receivedDateTime", "replyTo", "sender", "sentDateTime", "subject", "toRecipients", "uniqueBody", "webLink",
    }
)  # fmt: skip
FOLDER_FIELDS = frozenset(
    {"id", "displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "isHidden"}
)


def folder(mailbox: Mailbox, one: MailFolder) -> dict[str, Any]:
    """A mailFolder, or a mailSearchFolder. It counts meeting requests and other things among its items."""
    inside = mailbox.inside(one.id)
    out: dict[str, Any] = {
        "id": one.id,
        "displayName": one.name,
        "parentFolderId": one.parent or guid(f"store {mailbox.address}"),
        "childFolderCount": sum(not child.hidden for child in mailbox.children(one.id)),
        "unreadItemCount": sum(not letter.read for letter in inside),
        "totalItemCount": len(inside) + one.extra,
        "isHidden": one.hidden,
    }
    return {"@odata.type": "#microsoft.graph.mailSearchFolder", **out} if one.search else out


def message(mailbox: Mailbox, letter: Letter, *, immutable: bool, verb: bool = False) -> dict[str, Any]:
    """A message; with `verb`, what was done with it last, which is told only if it is expanded."""
    key = base64.b64encode(hashlib.sha256(f"{letter.number} {letter.changes}".encode()).digest()[:24]).decode()
    about = guid(f"{mailbox.address} {letter.number}")
    out: dict[str, Any] = {
        "@odata.type": f"#microsoft.graph.{'eventMessage' if letter.meeting else 'message'}",
        "@odata.etag": f'W/"{key}"',
        "id": mailbox.id_of(letter, immutable=immutable),
        "createdDateTime": when(letter.received),
        "lastModifiedDateTime": when(letter.modified),
        "changeKey": key,
        "categories": list(letter.categories),
        "receivedDateTime": when(letter.received),
        "sentDateTime": when(letter.sent),
        "hasAttachments": False,
        "internetMessageId": f"<{about}@standin.example>",
        "subject": "Not for anybody's log",
        "bodyPreview": "",
        "importance": letter.importance,
        "parentFolderId": letter.folder,
        "conversationId": about,
        "conversationIndex": key,
        "isDeliveryReceiptRequested": None,
        "isReadReceiptRequested": False,
        "isRead": letter.read,
        "isDraft": letter.draft,
        "webLink": f"https://outlook.example/owa/?ItemID={about}",
        "inferenceClassification": "focused",
        "flag": {"flagStatus": letter.flag},
        "body": {"contentType": "text", "content": ""},
        "sender": {"emailAddress": {"name": "Somebody", "address": "somebody@standin.example"}},
        "from": {"emailAddress": {"name": "Somebody", "address": "somebody@standin.example"}},
        "toRecipients": [],
        "ccRecipients": [],
        "bccRecipients": [],
        "replyTo": [],
    }
    if verb and letter.last_verb is not None:
        out["singleValueExtendedProperties"] = [{"id": "Integer 0x1081", "value": str(letter.last_verb)}]
    return out


def removed(key: str) -> dict[str, Any]:
    """A message that a folder has no more, deleted or moved: Exchange does not tell which."""
    return {"@odata.type": "#microsoft.graph.message", "@removed": {"reason": "deleted"}, "id": key}
