"""A mailbox's filters and vacation responder, as the Gmail API keeps and tells them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from liberate_google.standin.errors import ApiError, bad_request, not_found
from liberate_google.standin.mailbox import Mailbox
from liberate_google.standin.routes import Route

MOST = 1000  # filters of a mailbox
_CRITERIA = {
    "from": str, "to": str, "subject": str, "query": str, "negatedQuery": str, "hasAttachment": bool,
    "excludeChats": bool, "size": int, "sizeComparison": str,
}  # fmt: skip
_COMPARISONS = ("unspecified", "smaller", "larger")
_VACATION = {
    "enableAutoReply": bool, "responseSubject": str, "responseBodyPlainText": str, "responseBodyHtml": str,
    "restrictToContacts": bool, "restrictToDomain": bool, "startTime": str, "endTime": str,
}  # fmt: skip


def _typed(told: Any, known: dict[str, type]) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise bad_request("Invalid value")
    for name, value in told.items():
        if name not in known or type(value) is not known[name]:
            raise bad_request(f"Invalid JSON payload received. Unknown name or wrong type: {name}")
    return {name: value for name, value in told.items() if value not in ("", False)}


def _list(_: Route, mailbox: Mailbox, __: Any) -> dict[str, Any]:
    return {"filter": list(mailbox.filters.values())} if mailbox.filters else {}


def _get(route: Route, mailbox: Mailbox, _: Any) -> dict[str, Any]:
    found = mailbox.filters.get(route.path["id"])
    if found is None:
        raise not_found()
    return found


def _create(_: Route, mailbox: Mailbox, body: Any) -> dict[str, Any]:
    criteria = _typed((body or {}).get("criteria") or {}, _CRITERIA)
    action = (body or {}).get("action") or {}
    added = [mailbox.label(str(one)).id for one in action.get("addLabelIds", ())]
    removed = [mailbox.label(str(one)).id for one in action.get("removeLabelIds", ())]
    if not criteria:
        raise bad_request("Filter must have at least one criteria")
    if criteria.get("sizeComparison", "larger") not in _COMPARISONS:
        raise bad_request("Invalid sizeComparison")
    if not added and not removed and not action.get("forward"):
        raise bad_request("Filter must have at least one action")
    if sum(mailbox.label(one).type == "user" for one in added) > 1:
        raise bad_request("Filters may add at most one user label")  # the guide "Manage email filters"
    if len(mailbox.filters) >= MOST:
        raise ApiError(400, "failedPrecondition", "Too many filters")
    kept: dict[str, Any] = {}
    if added:
        kept["addLabelIds"] = added
    if removed:
        kept["removeLabelIds"] = removed
    if action.get("forward"):
        kept["forward"] = str(action["forward"])
    key = "ANe1Bm" + hashlib.sha256(json.dumps([criteria, kept], sort_keys=True).encode()).hexdigest()[:24]
    if key in mailbox.filters:
        raise bad_request("Filter already exists")
    mailbox.filters[key] = {"id": key, "criteria": criteria, "action": kept}
    return mailbox.filters[key]


def _delete(route: Route, mailbox: Mailbox, _: Any) -> None:
    if mailbox.filters.pop(route.path["id"], None) is None:
        raise not_found()


def _vacation(_: Route, mailbox: Mailbox, __: Any) -> dict[str, Any]:
    return dict(mailbox.vacation)


def _update_vacation(_: Route, mailbox: Mailbox, body: Any) -> dict[str, Any]:
    told = _typed(body or {}, _VACATION)
    if told.get("enableAutoReply") and not (told.get("responseSubject") or told.get("responseBodyPlainText")
                                            or told.get("responseBodyHtml")):  # fmt: skip
        raise bad_request("Either the response subject or the response body must be nonempty")  # discovery
    if "startTime" in told and "endTime" in told and int(told["startTime"]) >= int(told["endTime"]):
        raise bad_request("startTime must precede endTime")
    mailbox.vacation = {"enableAutoReply": False, **told}
    return dict(mailbox.vacation)


METHODS: dict[str, Callable[[Route, Mailbox, Any], dict[str, Any] | None]] = {
    "settings.filters.list": _list,
    "settings.filters.get": _get,
    "settings.filters.create": _create,
    "settings.filters.delete": _delete,
    "settings.getVacation": _vacation,
    "settings.updateVacation": _update_vacation,
}
