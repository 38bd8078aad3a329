"""The stand-in's delta of one mail folder: pages of everything, then pages of what changed since."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from liberate_microsoft.standin import mail_shapes
from liberate_microsoft.standin.errors import ApiError
from liberate_microsoft.standin.mailbox import Letter, Mailbox, MailFolder

_READ_ONLY = frozenset({"id", "isRead", "parentFolderId"})
"""All that a delta tells of a message that was only read or marked as unread (microsoft-graph-docs 7776)."""


@dataclass(frozen=True, slots=True)
class Token:
    """A place in the listing of one folder, with what was asked for at its beginning."""

    folder: str
    epoch: int
    select: str
    verb: bool
    start: int  # the mailbox's sequence when this round began
    before: int | None = None  # the sequence that this round tells changes since; None: it tells everything
    position: int = 0  # the last number told

    def text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(list(asdict(self).values())).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Token:
        try:
            return cls(*json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
        except (ValueError, TypeError):
            raise ApiError(400, "SyncStateInvalid", "The sync state generation is invalid.") from None


def page(
    mailbox: Mailbox, folder: MailFolder, base: str, token: Token, size: int, *, immutable: bool
) -> dict[str, Any]:
    """One page. A message that went shows as removed, whether it was moved or deleted."""
    with mailbox.lock:
        if token.folder != folder.id:
            raise ApiError(400, "SyncStateInvalid", "The sync state is another folder's.")
        if token.epoch != folder.epoch:
            status, code = mailbox.expired_as
            raise ApiError(status, code, "The sync state generation is not found.")
        if mailbox.empty_first and not token.position:
            following = Token(**{**asdict(token), "position": -1})
            return {"value": [], "@odata.nextLink": f"{base}?{urlencode({'$skiptoken': following.text()})}"}
        some = [*_there(mailbox, folder, token), *_went(mailbox, folder, token)]
        some.sort(key=lambda one: one[0])
        here, more = some[:size], len(some) > size
        if any(letter is not None and letter.untellable for _, letter in here):
            raise conversion_failed()
        entries = [_entry(mailbox, number, letter, token, immutable=immutable) for number, letter in here]
        if more:
            following = Token(**{**asdict(token), "position": here[-1][0]})
            return {"value": entries, "@odata.nextLink": f"{base}?{urlencode({'$skiptoken': following.text()})}"}
        end = Token(folder.id, folder.epoch, token.select, token.verb, token.start, token.start)
        return {"value": entries, "@odata.deltaLink": f"{base}?{urlencode({'$deltatoken': end.text()})}"}


def begun(mailbox: Mailbox, token: Token) -> Token:
    """The token of a deltaLink as the beginning of a new round."""
    return Token(**{**asdict(token), "start": mailbox.sequence, "before": token.start})


def _there(mailbox: Mailbox, folder: MailFolder, token: Token) -> list[tuple[int, Letter | None]]:
    return [
        (one.number, one)
        for one in mailbox.inside(folder.id)
        if one.number > token.position
        and (one.entered <= token.start if token.before is None else token.before < one.changed)
    ]


def _went(mailbox: Mailbox, folder: MailFolder, token: Token) -> list[tuple[int, Letter | None]]:
    if token.before is None:
        return []
    return [
        (number, None)
        for number, at in folder.left.items()
        if at > token.before
        and number > token.position
        and not (number in mailbox.letters and mailbox.letters[number].folder == folder.id)
    ]


def _entry(mailbox: Mailbox, number: int, letter: Letter | None, token: Token, *, immutable: bool) -> dict[str, Any]:
    if letter is None:
        return mail_shapes.removed(mailbox.id_of_number(number, token.folder, immutable=immutable))
    told = mail_shapes.message(mailbox, letter, immutable=immutable, verb=token.verb)
    if token.before is not None and letter.altered <= token.before:
        return {name: value for name, value in told.items() if "@" in name or name in _READ_ONLY}
    return told


def conversion_failed() -> ApiError:
    return ApiError(500, "ErrorContentConversionFailed", "The message content could not be converted.")
