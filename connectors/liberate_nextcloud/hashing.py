"""Digests that the server computes: of what it received (X-Hash), and of what it stores (X-Recalculate-Hash)."""

from __future__ import annotations

from collections.abc import Mapping

from liberate.connector import Item, Place
from liberate.errors import ItemError
from liberate_nextcloud import paths, refusals
from liberate_nextcloud.client import Client
from liberate_nextcloud.multistatus import Entry
from liberate_nextcloud.tree import Tree

ASK = {"X-Hash": "sha256"}
_ALGORITHMS = ("sha256", "sha1", "md5")  # hash_algos() of PHP, best first


def received(headers: Mapping[str, str]) -> str | None:
    """The sha256 of what the server wrote, from the answer to an upload; None where it does not say."""
    value = headers.get("X-Hash-SHA256", "").strip().lower()
    return value or None


def stored(tree: Tree, client: Client, place: Place | str, name: str, algorithm: str = "sha256") -> str | None:
    """The digest of the stored file, which the server reads for that; None where it cannot.

    Raises ItemError("gone"). A stored OC-Checksum, which PROPFIND shows, is what a client once claimed.
    """
    reply = client.send(
        "PATCH",
        paths.files(tree.user, place, name),
        headers={"X-Recalculate-Hash": algorithm},
        timeout=client.patience,
    )
    if reply.status in (400, 405, 415, 501):  # before the server had it, or a folder
        return None
    if reply.status >= 400:
        raise refusals.refusal(reply, tree.whose)
    for one in reply.headers.get("OC-Checksum", "").replace(",", " ").split():
        kind, _, value = one.partition(":")
        if kind.lower() == algorithm:
            return value.lower()
    return None


def matches(tree: Tree, client: Client, place: Place | str, name: str, digests: Mapping[str, str]) -> str | None:
    """The sha256, or the best digest there is, if what is stored has it; "" if it is something else; None if unknown.

    Raises ItemError("gone").
    """
    algorithm = next((one for one in _ALGORITHMS if one in digests), None)
    if algorithm is None:
        return None
    found = stored(tree, client, place, name, algorithm)
    if found is None:
        return None
    return found if found == digests[algorithm].lower() else ""


def telling(there: Entry, item: Item) -> bool:
    """Whether a change of the bytes by somebody else would have changed the ETag, or nothing better is known.

    A server on a local disk makes the ETag of a file's time and size, and keeps it while the time stays
    (lib/private/Files/Cache/Scanner). So it tells nothing of who else wrote in the second of our upload.
    """
    if best(item.digests) is None:
        return True
    if there.uploaded and there.modified is not None:
        return there.modified.timestamp() < there.uploaded
    return item.modified is not None  # sent by bulk, which leaves no time of upload


def best(digests: Mapping[str, str]) -> str | None:
    """The algorithm that `matches` compares with."""
    return next((one for one in _ALGORITHMS if one in digests), None)


def cannot() -> ItemError:
    return ItemError(
        "no-rehash", "This Nextcloud cannot compute digests of what it stores.", "Verify by reading back instead."
    )
