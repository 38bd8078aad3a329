"""Checks a stand-in's answers against Graph's types: by its schemas where they are at hand, else by a table of fields.

LIBERATE_GRAPH_SCHEMAS names a folder of JSON Schemas, one a type, made of Microsoft's own type descriptions
(`graph-DriveItem.schema.json` ...). The table holds the fields that this connector has to do with.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pim_schema import PIM_ALWAYS, PIM_SCHEMAS, PIM_TABLE

VARIABLE = "LIBERATE_GRAPH_SCHEMAS"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"

# A field's type: a word, a pattern in slashes, a table in <>, any of these in [] for a list; "?": may be null.
_TABLE: dict[str, dict[str, str]] = {
    "item": {
        "id": "text", "name": "text?", "size": "number?", "eTag": "text?", "cTag": "text?", "webUrl": "text?",
        "description": "text?", "createdDateTime": "time", "lastModifiedDateTime": "time",
        "createdBy": "<identities>", "lastModifiedBy": "<identities>", "parentReference": "<reference>",
        "fileSystemInfo": "<times>", "file": "<file>", "folder": "<folder>", "package": "<package>", "root": "<empty>",
        "malware": "<malware>", "deleted": "<deleted>", "shared": "<shared>", "remoteItem": "<remote>",
    },
    "remote": {"id": "text", "name": "text?", "size": "number?", "folder": "<folder>", "file": "<file>",
               "parentReference": "<reference>", "webUrl": "text?"},
    "reference": {"driveId": "text", "driveType": "/business|documentLibrary|personal/", "id": "text", "name": "text?",
                  "path": "text?", "siteId": "text"},
    "times": {"createdDateTime": "time", "lastModifiedDateTime": "time", "lastAccessedDateTime": "time"},
    "file": {"mimeType": "text?", "hashes": "<hashes>"},
    "hashes": {"quickXorHash": "/[A-Za-z0-9+/]{27}=/", "sha1Hash": "/[0-9A-F]{40}/", "sha256Hash": "/[0-9A-F]{64}/",
               "crc32Hash": "/[0-9A-F]{8}/"},
    "folder": {"childCount": "number?"},
    "package": {"type": "text?"},
    "malware": {"description": "text?"},
    "deleted": {"state": "text?"},
    "shared": {"scope": "/anonymous|organization|users/", "owner": "<identities>"},
    "empty": {},
    "identities": {"user": "<identity>", "group": "<identity>", "application": "<identity>", "siteUser": "<identity>",
                   "siteGroup": "<identity>"},
    "identity": {"id": "text?", "displayName": "text?", "loginName": "text?", "email": "text?"},
    "drive": {
        "id": "text", "name": "text?", "description": "text?", "webUrl": "text?", "createdDateTime": "time",
        "lastModifiedDateTime": "time", "driveType": "/business|documentLibrary|personal/",
        "createdBy": "<identities>", "lastModifiedBy": "<identities>", "owner": "<identities>", "quota": "<quota>",
    },
    "quota": {"deleted": "number", "remaining": "number", "total": "number", "used": "number", "state": "text?"},
    "permission": {
        "id": "text", "roles": "[text]", "grantedTo": "<identities>", "grantedToV2": "<identities>",
        "grantedToIdentities": "[<identities>]", "grantedToIdentitiesV2": "[<identities>]", "link": "<link>",
        "shareId": "text?", "expirationDateTime": "time?", "hasPassword": "flag?", "invitation": "<invitation>",
        "inheritedFrom": "<reference>",
    },
    "link": {"type": "/view|edit|embed|blocksDownload|review/", "scope": "/anonymous|organization|users/",
             "webUrl": "text?", "preventsDownload": "flag?"},
    "invitation": {"email": "text?", "signInRequired": "flag?"},
    "version": {"id": "text", "lastModifiedDateTime": "time", "size": "number", "lastModifiedBy": "<identities>"},
    "user": {
        "id": "text", "businessPhones": "[text]", "displayName": "text?", "givenName": "text?", "jobTitle": "text?",
        "mail": "text?", "mobilePhone": "text?", "officeLocation": "text?", "preferredLanguage": "text?",
        "surname": "text?", "userPrincipalName": "text?",
    },
    "site": {"id": "text", "name": "text?", "displayName": "text?", "description": "text?", "webUrl": "text?",
             "createdDateTime": "time", "lastModifiedDateTime": "time", "root": "<empty>", "siteCollection": "<host>"},
    "host": {"hostname": "text?"},
    "mailFolder": {
        "id": "text", "displayName": "text?", "parentFolderId": "text?", "childFolderCount": "number?",
        "unreadItemCount": "number?", "totalItemCount": "number?", "isHidden": "flag?",
    },
    "message": {
        "id": "text", "createdDateTime": "time", "lastModifiedDateTime": "time", "changeKey": "text?",
        "categories": "[text]", "receivedDateTime": "time", "sentDateTime": "time", "hasAttachments": "flag?",
        "internetMessageId": "text?", "subject": "text?", "bodyPreview": "text?", "importance": "/low|normal|high/",
        "parentFolderId": "text?", "conversationId": "text?", "conversationIndex": "text?", "isRead": "flag?",
        "isDeliveryReceiptRequested": "flag?", "isReadReceiptRequested": "flag?", "isDraft": "flag?",
        "webLink": "text?", "inferenceClassification": "/focused|other/", "flag": "<flag>", "body": "<body>",
        "sender": "<recipient>", "from": "<recipient>", "toRecipients": "[<recipient>]",
        "ccRecipients": "[<recipient>]", "bccRecipients": "[<recipient>]", "replyTo": "[<recipient>]",
        "singleValueExtendedProperties": "[<property>]",
    },
    "flag": {"flagStatus": "/notFlagged|complete|flagged/"},
    "body": {"contentType": "/text|html/", "content": "text?"},
    "recipient": {"emailAddress": "<address>"},
    "address": {"name": "text?", "address": "text?"},
    "property": {"id": "text", "value": "text?"},
    "": {"primaryMailboxId": "text", "inPlaceArchiveMailboxId": "text?"},
}  # fmt: skip

_TABLE.update(PIM_TABLE)
_ALWAYS = {
    **PIM_ALWAYS,
    "item": ("id",),
    "drive": ("id", "name", "webUrl", "driveType", "owner", "quota"),
    "permission": ("id", "roles"),
    "user": ("id", "userPrincipalName"),
    "site": ("id", "webUrl"),
    "mailFolder": ("id", "displayName", "totalItemCount"),
    "message": ("id",),
}
_SCHEMAS = {
    **PIM_SCHEMAS,
    "item": "DriveItem",
    "drive": "Drive",
    "user": "User",
    "mailFolder": "MailFolder",
    "message": "Message",
}
_INNER = {"permission": "Permission", "site": "Site", "version": "DriveItemVersion"}  # among those of DriveItem


def by_table(kind: str, told: Any) -> list[str]:
    """What is wrong with an answer of this type by the table of fields."""
    faults = [f"{kind} without {name}" for name in _ALWAYS.get(kind, ()) if name not in told]
    return faults + list(_faults(f"<{kind}>", told, kind))


def _faults(wanted: str, value: Any, where: str) -> list[str]:
    if wanted.endswith("?"):
        return [] if value is None else _faults(wanted[:-1], value, where)
    if wanted.startswith("["):
        if not isinstance(value, list):
            return [f"{where}: no list"]
        return [fault for n, one in enumerate(value) for fault in _faults(wanted[1:-1], one, f"{where}[{n}]")]
    if wanted.startswith("<"):
        if not isinstance(value, Mapping):
            return [f"{where}: no object"]
        fields = _TABLE[wanted[1:-1]]
        out = [f"{where}.{name}: unknown" for name in value if name not in fields and "@" not in name]
        for name, one in value.items():
            if name in fields:
                out += _faults(fields[name], one, f"{where}.{name}")
        return out
    if wanted.startswith("/"):
        good = isinstance(value, str) and re.fullmatch(wanted[1:-1], value) is not None
    elif wanted == "day":
        good = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None
    elif wanted == "time":
        good = isinstance(value, str) and re.fullmatch(_TIME, value) is not None
    else:
        kinds: dict[str, tuple[type, ...]] = {"text": (str,), "number": (int,), "flag": (bool,), "real": (int, float)}
        good = type(value) in kinds[wanted]
    return [] if good else [f"{where}: {value!r} is no {wanted}"]


@functools.cache
def _validator(kind: str) -> Any:
    from jsonschema import Draft7Validator

    folder = Path(os.environ[VARIABLE])
    whole = json.loads((folder / f"graph-{_SCHEMAS.get(kind, 'DriveItem')}.schema.json").read_text())
    if kind in _INNER:
        whole = {**whole, "$ref": f"#/definitions/{_INNER[kind]}"}
    return Draft7Validator(whole)


def _plain(value: Any) -> Any:
    """Without annotations, which the schemas do not know."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items() if "@" not in name}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def by_schema(kind: str, told: Any) -> list[str]:
    """What is wrong with an answer of this type by Microsoft's own description."""
    if kind == "attachment":
        kind = str(told.get("@odata.type", "")).rpartition(".")[2]
    if kind not in _SCHEMAS.keys() | _INNER.keys():
        return []
    return [f"{one.json_path}: {one.message[:300]}" for one in _validator(kind).iter_errors(_plain(told))]


def checker() -> Callable[[str, Any], list[str]]:
    """The strictest check that can be made here."""
    if os.environ.get(VARIABLE):
        return lambda kind, told: by_table(kind, told) + (by_schema(kind, told) if kind else [])
    return by_table
