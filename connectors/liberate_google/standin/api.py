"""What each Gmail method does to a mailbox and answers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable
from email import message_from_bytes
from email.message import Message as Parsed
from email.utils import parsedate_to_datetime
from typing import Any

from liberate_google.standin import settings
from liberate_google.standin.errors import ApiError, bad_request
from liberate_google.standin.mailbox import HIDDEN, Event, Label, Mailbox, Message
from liberate_google.standin.query import Query
from liberate_google.standin.routes import Route

Answer = dict[str, Any]
PAGE, LARGEST_PAGE = 100, 500
LARGEST_INSERT = 157_286_400  # bytes (the discovery document's mediaUpload.maxSize)


def perform(route: Route, mailbox: Mailbox, body: Any, media: bytes | None = None) -> Answer | None:
    """Carry out a call. None: done, and there is nothing to say.

    `body` is the request's JSON, `media` an uploaded message. A "raw" in the answer may be bytes:
    the caller spells them in base64url, piece by piece.
    """
    method = _METHODS.get(route.method)
    if method is None:
        raise ApiError(501, "notImplemented", f"This stand-in does not play {route.method}.")
    with mailbox.lock:
        if media is not None:
            return _insert(route, mailbox, body, media)
        return method(route, mailbox, body)


def _first(route: Route, name: str, default: str = "") -> str:
    return route.params.get(name, [default])[0]


# Reading -----------------------------------------------------------------------------------------


def _profile(_: Route, mailbox: Mailbox, __: Any) -> Answer:
    return {
        "emailAddress": mailbox.address,
        "messagesTotal": len(mailbox.messages),
        "threadsTotal": len({message.thread for message in mailbox.messages.values()}),
        "historyId": str(mailbox.history_id),
    }


def _list(route: Route, mailbox: Mailbox, _: Any) -> Answer:
    labels = frozenset(route.params.get("labelIds", ()))
    for label in labels:
        if label not in mailbox.labels:
            raise bad_request(f"Invalid label: {label}")
    query = Query(_first(route, "q"), mailbox)
    everywhere = _first(route, "includeSpamTrash") == "true" or query.everywhere or bool(labels & HIDDEN)
    size = _page_size(route)
    shape = _digest(sorted(labels), _first(route, "q"), _first(route, "includeSpamTrash"))
    before = _open_token(_first(route, "pageToken"), shape)
    found: list[Message] = []
    more = False
    for message in mailbox.newest_first(before):
        if not labels <= message.labels or not query(message):
            continue
        if not everywhere and message.labels & HIDDEN:
            continue
        if len(found) == size:
            more = True
            break
        found.append(message)
    answer: Answer = {"resultSizeEstimate": len(found) + more}
    if found:  # a listing of nothing has no "messages" at all
        answer["messages"] = [{"id": m.key, "threadId": m.thread_key} for m in found]
    if more:
        answer["nextPageToken"] = _token((found[-1].date, found[-1].id), shape)
    return answer


def _page_size(route: Route) -> int:
    asked = int(_first(route, "maxResults", str(PAGE)))
    return min(asked, LARGEST_PAGE) if asked > 0 else PAGE


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]


def _token(place: tuple[int, int], shape: str) -> str:
    text = f"{place[0]}.{place[1]}.{shape}"
    return base64.urlsafe_b64encode(f"{text}.{_digest(text)}".encode()).decode().rstrip("=")


def _open_token(token: str, shape: str) -> tuple[int, int] | None:
    if not token:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        body, _, check = text.rpartition(".")
        first, second, made_for = body.split(".")
        if check != _digest(body) or made_for != shape:
            raise ValueError
        return int(first), int(second)
    except ValueError:
        raise bad_request("Invalid pageToken") from None


def _get(route: Route, mailbox: Mailbox, _: Any) -> Answer:
    message = mailbox.get(route.path["id"])
    form = _first(route, "format", "full").lower()
    answer: Answer = {
        "id": message.key,
        "threadId": message.thread_key,
        "snippet": "",
        "sizeEstimate": len(message.raw),
        "historyId": str(message.history),
        "internalDate": str(message.date),
    }
    if message.labels:
        answer["labelIds"] = sorted(message.labels)
    if form == "raw" and "CHAT" not in message.labels:
        answer["raw"] = message.raw
    elif form in ("full", "metadata"):
        wanted = {name.lower() for name in route.params.get("metadataHeaders", ())}
        answer["payload"] = _payload(message_from_bytes(message.raw), "", form == "full", wanted)
    return answer


def _payload(part: Parsed, number: str, full: bool, wanted: set[str]) -> Answer:
    headers = [
        {"name": name, "value": str(value).replace("\r\n", "").encode("utf-8", "replace").decode()}
        for name, value in part.items()
        if not wanted or name.lower() in wanted
    ]
    answer: Answer = {"partId": number, "mimeType": part.get_content_type(), "headers": headers}
    if not full:
        return answer
    answer["filename"] = part.get_filename() or ""
    if part.is_multipart():
        answer["body"] = {"size": 0}
        children = part.get_payload()
        below = [f"{number}.{at}".lstrip(".") for at in range(len(children))]
        answer["parts"] = [_payload(c, n, full, set()) for c, n in zip(children, below, strict=True)]
        return answer
    data = part.get_payload(decode=True)
    content = data if isinstance(data, bytes) else b""
    if answer["filename"]:
        answer["body"] = {"attachmentId": f"ANGjdJ-{number or 0}", "size": len(content)}
    else:
        answer["body"] = {"size": len(content), "data": base64.urlsafe_b64encode(content).decode()}
    return answer


def _history(route: Route, mailbox: Mailbox, _: Any) -> Answer:
    if "startHistoryId" not in route.params:
        raise bad_request("Missing required parameter: startHistoryId")
    events = mailbox.since(int(_first(route, "startHistoryId")))
    kinds = {kind if kind.endswith("s") else _plural(kind) for kind in route.params.get("historyTypes", ())}
    label = _first(route, "labelId")
    shape = _digest(_first(route, "startHistoryId"), sorted(kinds), label)
    after = _open_token(_first(route, "pageToken"), shape)
    size = _page_size(route)
    answer: Answer = {"historyId": str(mailbox.history_id)}
    page: list[Event] = []
    seen = 0  # records that the filter dropped count too: a page may be empty and yet not be the last
    last = 0
    for event in events:
        if after is not None and event.number <= after[0]:
            continue
        if seen == size:
            answer["nextPageToken"] = _token((last, 0), shape)
            break
        seen += 1
        last = event.number
        if (not kinds or event.kind in kinds) and (not label or label in event.labels | set(event.changed)):
            page.append(event)
    if page:
        answer["history"] = [_record(event) for event in page]
    return answer


def _plural(kind: str) -> str:
    return {
        "messageAdded": "messagesAdded",
        "messageDeleted": "messagesDeleted",
        "labelAdded": "labelsAdded",
        "labelRemoved": "labelsRemoved",
    }.get(kind, kind)


def _record(event: Event) -> Answer:
    message: Answer = {"id": f"{event.message:016x}", "threadId": f"{event.thread:016x}"}
    told = dict(message)
    if event.labels:
        told["labelIds"] = sorted(event.labels)
    change: Answer = {"message": told}
    if event.changed:
        change["labelIds"] = list(event.changed)
    return {"id": str(event.number), "messages": [message], event.kind: [change]}


# Labels ------------------------------------------------------------------------------------------


def _label(label: Label, mailbox: Mailbox | None = None) -> Answer:
    """A label as labels.list tells it; with a mailbox, with the totals of labels.get."""
    answer: Answer = {"id": label.id, "name": label.name, "type": label.type}
    if label.type == "user" or label.message_visibility == "hide":
        answer |= {"messageListVisibility": label.message_visibility, "labelListVisibility": label.list_visibility}
    if label.color:
        answer["color"] = label.color
    if mailbox is not None:
        inside = [message for message in mailbox.messages.values() if label.id in message.labels]
        unread = [message for message in inside if "UNREAD" in message.labels]
        answer |= {
            "messagesTotal": len(inside),
            "messagesUnread": len(unread),
            "threadsTotal": len({message.thread for message in inside}),
            "threadsUnread": len({message.thread for message in unread}),
        }
    return answer


def _labels_list(_: Route, mailbox: Mailbox, __: Any) -> Answer:
    return {"labels": [_label(label) for label in mailbox.labels.values()]}


def _labels_get(route: Route, mailbox: Mailbox, _: Any) -> Answer:
    return _label(mailbox.label(route.path["id"]), mailbox)


def _labels_create(_: Route, mailbox: Mailbox, body: Any) -> Answer:
    label = mailbox.create_label(str((body or {}).get("name", "")))
    return _shown(label, body)


def _labels_patch(route: Route, mailbox: Mailbox, body: Any) -> Answer:
    label = mailbox.label(route.path["id"])
    if "name" in (body or {}):
        label = mailbox.rename_label(label.id, str(body["name"]))
    return _shown(label, body)


def _shown(label: Label, body: Any) -> Answer:
    label.list_visibility = (body or {}).get("labelListVisibility", label.list_visibility)
    label.message_visibility = (body or {}).get("messageListVisibility", label.message_visibility)
    label.color = (body or {}).get("color", label.color)
    return _label(label)


def _labels_delete(route: Route, mailbox: Mailbox, _: Any) -> None:
    mailbox.delete_label(route.path["id"])


# Changing ----------------------------------------------------------------------------------------


def _short(message: Message) -> Answer:
    answer: Answer = {"id": message.key, "threadId": message.thread_key}
    if message.labels:
        answer["labelIds"] = sorted(message.labels)
    return answer


def _insert(route: Route, mailbox: Mailbox, body: Any, media: bytes | None = None) -> Answer:
    body = body or {}
    if media is None:
        try:
            text = str(body["raw"]).encode("ascii")
            media = base64.b64decode(text.translate(_URLSAFE) + b"=" * (-len(text) % 4), validate=True)
        except (KeyError, UnicodeEncodeError, binascii.Error):
            raise bad_request(
                "'raw' RFC822 payload message string or uploading message via /upload/* URL required"
            ) from None
    if not media:
        raise bad_request("Message is empty.")
    if len(media) > LARGEST_INSERT:
        raise ApiError(413, "uploadTooLarge", "Request Entity Too Large")
    source = _first(route, "internalDateSource", "receivedTime" if route.method == "messages.insert" else "dateHeader")
    date = _date_header(media) if source == "dateHeader" else None
    return _short(mailbox.add(media, body.get("labelIds", ()), date, body.get("threadId")))


_URLSAFE = bytes.maketrans(b"-_", b"+/")


def _date_header(raw: bytes) -> int | None:
    try:
        return int(parsedate_to_datetime(message_from_bytes(raw[:65536])["Date"]).timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        return None


def _modify(route: Route, mailbox: Mailbox, body: Any) -> Answer:
    body = body or {}
    return _short(mailbox.modify(route.path["id"], body.get("addLabelIds", ()), body.get("removeLabelIds", ())))


def _trash(route: Route, mailbox: Mailbox, _: Any) -> Answer:
    return _short(mailbox.modify(route.path["id"], add=["TRASH"], remove=["INBOX"]))


def _untrash(route: Route, mailbox: Mailbox, _: Any) -> Answer:
    return _short(mailbox.modify(route.path["id"], remove=["TRASH"]))


def _delete(route: Route, mailbox: Mailbox, _: Any) -> None:
    mailbox.delete(route.path["id"])


def _batch_modify(_: Route, mailbox: Mailbox, body: Any) -> None:
    body = body or {}
    for key in _ids(body.get("ids", ())):
        mailbox.modify(key, body.get("addLabelIds", ()), body.get("removeLabelIds", ()))


def _batch_delete(_: Route, mailbox: Mailbox, body: Any) -> None:
    for key in _ids((body or {}).get("ids", ())):
        mailbox.delete(key)


def _ids(ids: Iterable[str]) -> list[str]:
    out = list(ids)
    if len(out) > 1000:
        raise bad_request("Too many ids: at most 1000")
    return out


_METHODS: dict[str, Callable[[Route, Mailbox, Any], Answer | None]] = {
    "getProfile": _profile,
    "messages.list": _list,
    "messages.get": _get,
    "messages.insert": _insert,
    "messages.import": _insert,
    "messages.modify": _modify,
    "messages.trash": _trash,
    "messages.untrash": _untrash,
    "messages.delete": _delete,
    "messages.batchModify": _batch_modify,
    "messages.batchDelete": _batch_delete,
    "labels.list": _labels_list,
    "labels.get": _labels_get,
    "labels.create": _labels_create,
    "labels.patch": _labels_patch,
    "labels.update": _labels_patch,
    "labels.delete": _labels_delete,
    "history.list": _history,
    **settings.METHODS,
}
