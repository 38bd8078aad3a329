"""The bytes of one message, as Exchange writes them out: /messages/{id}/$value, and never by way of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from liberate.errors import IntegrityError, ItemError, LiberateError, TransientError
from liberate_microsoft import pace
from liberate_microsoft.client import Client, segment
from liberate_microsoft.mail_problems import letter_error
from liberate_microsoft.problems import Failure

CHUNK = 1 << 16
_NOT_MIME = ("text/html", "application/json")  # a front door's page, or an error that came as 200


def read(client: Client, whose: str, key: str) -> Iterator[bytes]:
    """The message from its beginning to its end. The next time it may have other bytes: Exchange keeps no MIME.

    Raises ItemError for what concerns this message alone: "gone", "conversion-failed", "source-empty".
    """
    # Through /mailFolders/{id}/messages/{id}/$value Graph answers 405 (microsoft-graph-docs-contrib 2755, 5546).
    path = f"{whose}/messages/{segment(key)}/$value"
    refused: Failure | None = None
    empty = True
    with client.opened(path, pace.REQUEST) as response:
        if response.status_code < 400:
            kind = str(response.headers.get("Content-Type") or "").lower()
            if response.status_code != 200 or kind.startswith(_NOT_MIME):
                raise TransientError(f"Something else than Exchange answered for {client.who}.")
            for piece in _pieces(client, response):
                empty = False
                yield piece
        else:
            refused = client.failed(response)
    if refused is not None:
        raise _refused(client, whose, refused)
    if empty:
        raise ItemError(
            "source-empty",
            "Exchange gives no content for this message.",
            "Let its owner see whether it opens in Outlook, and run: liberate retry",
        )
    client.pacer.went_well()


def _pieces(client: Client, response: Any) -> Iterator[bytes]:
    import requests  # noqa: PLC0415

    told = response.headers.get("Content-Length", "")
    count = 0
    try:
        for piece in response.iter_content(CHUNK):
            count += len(piece)
            yield piece
    except requests.exceptions.RequestException as broken:
        raise client.broken(broken) from None
    if told.isdigit() and not response.headers.get("Content-Encoding") and count != int(told):
        raise IntegrityError("The message is not as long as Exchange said.")


def _refused(client: Client, whose: str, found: Failure) -> LiberateError:
    """A refusal of one message, or of all of them: whoever may not read one may be shut out as a whole."""
    about_it = letter_error(found)
    if about_it is not None:
        return about_it
    if found.status == 403:
        client.ask(f"{whose}/mailFolders/inbox", pace.REQUEST, {"$select": "id"})
        return ItemError(
            "forbidden",
            "Exchange does not hand this message over, though it does others: a policy or its protection forbids it.",
            "Let its owner look whether it can be saved by hand.",
        )
    return client.told(found)
