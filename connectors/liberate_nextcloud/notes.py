"""Comments and descriptions kept as Nextcloud comments: who wrote them and when stands in the text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from liberate.connector import Receipt
from liberate.errors import ItemError
from liberate.files import Note
from liberate_nextcloud import multistatus, paths, refusals
from liberate_nextcloud.client import Client
from liberate_nextcloud.tree import Tree

_LONGEST = 1000  # characters of a comment (lib/public/Comments/IComment, MAX_MESSAGE_LENGTH)
_COMMENTS = f"{paths.DAV}/comments/files"
_OC = "{http://owncloud.org/ns}"
_MESSAGES = (
    b'<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns">'
    b"<d:prop><oc:message/><oc:actorDisplayName/><oc:creationDateTime/></d:prop></d:propfind>"
)


def texts(note: Note) -> list[str]:
    """The comments that a note becomes: each begins with its author and time, and is short enough."""
    when = note.written.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if note.written else ""
    head = ", ".join(part for part in (note.author, when) if part) or "Description"
    head = head[:200]
    room = _LONGEST - len(head) - len(" (999/999):\n")
    text = note.text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        return []
    pieces: list[str] = []
    while text:
        cut = len(text) if len(text) <= room else _boundary(text, room)
        piece, text = text[:cut].strip(), text[cut:].strip()
        if piece:
            pieces.append(piece)
    if len(pieces) == 1:
        return [f"{head}:\n{pieces[0]}"]
    return [f"{head} ({n}/{len(pieces)}):\n{piece}" for n, piece in enumerate(pieces, 1)]


def _boundary(text: str, room: int) -> int:
    """Where to cut: after a line or a word near the end, else in the middle of one."""
    for mark in ("\n", " "):
        at = text.rfind(mark, room // 2, room)
        if at > 0:
            return at + 1
    return room


def annotate(tree: Tree, client: Client, receipt: Receipt, notes: Sequence[Note]) -> None:
    """See TakesNotes.annotate."""
    number, _ = paths.of_receipt(receipt.id)
    request = f"{_COMMENTS}/{number}"
    wanted = [text for note in notes for text in texts(note)]
    if not wanted:
        return
    there = Counter(_there(tree, client, request))
    for text in wanted:
        if there[text] > 0:
            there[text] -= 1
            continue
        body = json.dumps({"actorType": "users", "verb": "comment", "message": text}).encode()
        reply = client.send("POST", request, body, {"Content-Type": "application/json"})
        if reply.status != 201:
            raise refusals.refusal(reply, tree.whose, gone_is=_nothing_there())


def notes(tree: Tree, client: Client, fileid: int) -> list[Note]:
    """See Annotates.notes."""
    out = [
        Note(
            (response.findtext(f".//{_OC}actorDisplayName") or "").strip(),
            multistatus.date(response.findtext(f".//{_OC}creationDateTime") or ""),
            text,
        )
        for response in _responses(tree, client, f"{_COMMENTS}/{fileid}")
        if (text := (response.findtext(f".//{_OC}message") or "").strip())
    ]
    return sorted(out, key=lambda note: note.written or datetime.min.replace(tzinfo=UTC))


def _there(tree: Tree, client: Client, request: str) -> list[str]:
    return [(response.findtext(f".//{_OC}message") or "").strip() for response in _responses(tree, client, request)]


def _responses(tree: Tree, client: Client, request: str) -> Iterator[Any]:
    headers = {"Depth": "1", "Content-Type": "application/xml; charset=utf-8"}
    reply = client.send("PROPFIND", request, _MESSAGES, headers)
    if reply.status != 207:
        raise refusals.refusal(reply, tree.whose, gone_is=_nothing_there())
    try:
        yield from multistatus.responses([reply.content])
    except multistatus.NotXml:
        raise refusals.unreadable(tree.whose) from None


def _nothing_there() -> ItemError:
    return ItemError("no-comments", "The Nextcloud takes no comments for this file.", "Is the app Comments enabled?")
