"""One file by a request of its own: it never replaces what it should not, and the server proves what it received."""

from __future__ import annotations

import contextlib
from email.utils import parsedate_to_datetime

from liberate.connector import Body, Evidence, Receipt, Slot
from liberate.errors import IntegrityError, ItemError, LiberateError, TransientError
from liberate.files import FileFacts
from liberate_nextcloud import hashing, paths, refusals
from liberate_nextcloud.bodies import Passing
from liberate_nextcloud.client import Client, Reply
from liberate_nextcloud.multistatus import Entry
from liberate_nextcloud.tree import Tree


def times(slot: Slot) -> dict[str, str]:
    """The headers that say when the file was changed and made."""
    out: dict[str, str] = {}
    modified = paths.seconds(slot.item.modified)
    if modified is not None:
        out["X-OC-Mtime"] = str(modified)
    facts = slot.item.facts
    created = paths.seconds(facts.created) if isinstance(facts, FileFacts) else None
    if created is not None:
        out["X-OC-CTime"] = str(created)
    return out


def put(tree: Tree, client: Client, slot: Slot, body: Body) -> Receipt:
    """Store the whole body under the slot's name, or nothing. Raises what KeepsTrees says of write."""
    passing = Passing(body)
    headers = {**hashing.ASK, **times(slot), "Content-Type": "application/octet-stream"}
    there = None if slot.replaces is None else tree.stat(client, slot.place, slot.name)
    if slot.replaces is not None and still_ours(tree, client, slot, slot.replaces, there):
        headers["If-Match"] = f'"{slot.replaces.version}"'
    else:
        headers["If-None-Match"] = "*"
    request = paths.files(tree.user, slot.place, slot.name)
    try:
        # An empty stream would go with Transfer-Encoding: chunked, and the server could not check its length.
        reply = client.send("PUT", request, passing if len(passing) else passing.whole(), headers)
    except LiberateError as error:
        if not isinstance(error, TransientError) and slot.replaces is None:
            _clear(tree, client, slot, len(passing))
        raise
    if reply.status in (404, 409):
        tree.ensure(client, slot.place)
        raise refusals.FolderGone(f"{tree.whose}: the folder was gone; it has been made again.", retry_after=0)
    return stored(tree, client, slot, reply, passing.sha256, len(passing))


def still_ours(tree: Tree, client: Client, slot: Slot, replaced: Receipt, there: Entry | None) -> bool:
    """Whether what is to be replaced stands there; not where nothing does, because its owner or we ourselves took it
    away, so that the new one is nobody's loss. Raises CHANGED_THERE unless it is what we left.

    The ETag alone does not tell: see hashing.telling.
    """
    if there is None:
        return False
    if there.etag != replaced.version or (replaced.size is not None and there.size != replaced.size):
        raise refusals.changed_there()
    if replaced.digests and hashing.matches(tree, client, slot.place, slot.name, replaced.digests) == "":
        raise refusals.changed_there()
    return True


def stored(tree: Tree, client: Client, slot: Slot, reply: Reply, sha256: str, size: int) -> Receipt:
    """The receipt that an upload's answer is worth; used for PUT, and for MOVE of pieces with their `sha256`."""
    if reply.status == 412:
        raise refusals.name_taken() if slot.replaces is None else refusals.changed_there()
    if reply.status not in (201, 204):
        raise refusals.refusal(reply, tree.whose)
    proof = hashing.received(reply.headers)
    evidence = Evidence.RECEIVED
    fileid = paths.fileid(reply.headers.get("OC-FileId", ""))
    etag = paths.etag(reply.headers.get("OC-ETag", "") or reply.headers.get("ETag", ""))
    if proof is None:  # object storage that the pieces were put into past the server
        proof, evidence = hashing.stored(tree, client, slot.place, slot.name), Evidence.STORED
    if not fileid or not etag or proof is None:
        there = tree.stat(client, slot.place, slot.name)
        if there is None or there.size != size:
            raise TransientError(f"{tree.whose}: what was stored cannot be found there.")
        fileid, etag = there.fileid, there.etag
    if proof is None:
        return Receipt(paths.receipt_id(fileid, slot.name), slot.place, size, {}, Evidence.SIZE, etag)
    if sha256 and proof != sha256:
        discard(tree, client, slot, etag)
        raise IntegrityError(f"{tree.whose}: the server received other bytes than were sent.")
    return Receipt(paths.receipt_id(fileid, slot.name), slot.place, size, {"sha256": proof}, evidence, etag)


def discard(tree: Tree, client: Client, slot: Slot, etag: str) -> None:
    """Take away what we have just stored, if nobody has touched it."""
    request = paths.files(tree.user, slot.place, slot.name)
    with contextlib.suppress(ItemError):
        reply = client.send("DELETE", request, headers={"If-Match": f'"{etag}"'})
        if reply.status >= 500:
            raise refusals.refusal(reply, tree.whose)


def _clear(tree: Tree, client: Client, slot: Slot, size: int) -> None:
    """After a body that failed on its way: take away the short file that some servers keep.

    They compare what came with Content-Length only after writing. It is ours if it was uploaded just now
    and is shorter than what was announced, for nothing stood there when the request was let in.
    """
    with contextlib.suppress(LiberateError):
        reply = client.send("GET", "/status.php")
        now = parsedate_to_datetime(reply.headers["Date"]).timestamp()
        there = tree.stat(client, slot.place, slot.name)
        if there is None or there.folder or there.size is None or there.size >= size:
            return
        if there.uploaded and now - there.uploaded < 60:
            discard(tree, client, slot, there.etag)
