"""The stand-in's delta of one folder of contacts: pages of everything, then pages of what changed since."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from liberate_microsoft.standin import pim_options, pim_shapes
from liberate_microsoft.standin.errors import ApiError
from liberate_microsoft.standin.faults import Call
from liberate_microsoft.standin.pim import Contact, ContactFolder, PimBox


@dataclass(frozen=True, slots=True)
class _Token:
    folder: str
    epoch: int
    select: str
    start: int  # the box's sequence when this round began
    before: int | None = None  # the sequence that this round tells changes since; None: it tells everything
    position: int = 0

    def text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(list(asdict(self).values())).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> _Token:
        try:
            return cls(*json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
        except (ValueError, TypeError):
            raise ApiError(400, "SyncStateInvalid", "The sync state generation is invalid.") from None


def page(box: PimBox, folder: ContactFolder, where: str, call: Call, size: int, *, immutable: bool) -> dict[str, Any]:
    """One page. A contact that went shows as removed, whether it was moved or deleted."""
    names = call.query.keys() & {"$deltatoken", "$skiptoken"}
    if names and len(call.query) > 1:
        raise ApiError(400, "BadRequest", "A state token already says what was asked for.")
    if names:
        token = _Token.read(next(iter(call.query.values())))
        if "$deltatoken" in names:
            token = _Token(token.folder, token.epoch, token.select, box.sequence, token.start)
        call.query["$select"] = token.select  # for whoever leaves out what was not asked for
    else:
        pim_options.only(call, {"$select"}, pim_shapes.CONTACT_FIELDS)
        token = _Token(folder.id, folder.epoch, call.query.get("$select", ""), box.sequence)
    if token.folder != folder.id:
        raise ApiError(400, "SyncStateInvalid", "The sync state is another folder's.")
    if token.epoch != folder.epoch:
        raise ApiError(410, "SyncStateNotFound", "The sync state generation is not found.")
    some = _entries(box, folder, token)
    here, more = some[:size], len(some) > size
    told = [
        pim_shapes.contact(box, one, immutable=immutable)
        if isinstance(one, Contact)
        else {"@removed": {"reason": "deleted"}, "id": box.contact_id(one, immutable=immutable)}
        for _, one in here
    ]
    if more:
        following = replace(token, position=here[-1][0]).text()
        return {"value": told, "@odata.nextLink": f"{where}?{urlencode({'$skiptoken': following})}"}
    return {"value": told, "@odata.deltaLink": f"{where}?{urlencode({'$deltatoken': token.text()})}"}


def _entries(box: PimBox, folder: ContactFolder, token: _Token) -> list[tuple[int, Contact | int]]:
    """What the rest of the round tells, in an order that later changes do not disturb: contacts, numbers of gone."""
    out: list[tuple[int, Contact | int]] = []
    for one in box.contacts.values():
        there = one.folder == folder.id and not one.deleted
        if there and one.entered <= token.start and (token.before is None or one.changed > token.before):
            out.append((one.number, one))
    if token.before is not None:
        inside = {number for number, _ in out}
        for sequence, number, left in box.removed:
            one = box.contacts[number]
            back = number in inside or (one.folder == folder.id and not one.deleted)
            if left == folder.id and token.before < sequence <= token.start and not back:
                out.append((number, number))
    return sorted(((n, one) for n, one in out if n > token.position), key=lambda pair: pair[0])
