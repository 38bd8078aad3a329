"""Large files in pieces that survive a crash: Nextcloud's chunked upload, version 2.

The upload folder is named after the slot's key and the size of the pieces, so that a later process finds it.
The server makes one file of them, which may take minutes, and says the digest of what it wrote: that is the proof, for
all pieces at once. A digest of each piece as well would have the server read everything twice.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from liberate.connector import Body, Evidence, Receipt, Slot
from liberate.errors import IntegrityError, ItemError, TransientError
from liberate_nextcloud import capabilities, finding, hashing, multistatus, paths, refusals
from liberate_nextcloud.bodies import Passing
from liberate_nextcloud.capabilities import Capabilities
from liberate_nextcloud.client import Client
from liberate_nextcloud.flights import Flights
from liberate_nextcloud.multistatus import Entry
from liberate_nextcloud.put import still_ours, stored, times
from liberate_nextcloud.threads import Threads
from liberate_nextcloud.tree import Tree, receipt_of

_SLOW = 5 << 20  # bytes a second that a server puts together at the very least
_POLL = 15.0  # seconds between looks at a server that is putting together
AT_ONCE = 2  # pieces on their way, where the server allows it: what a crash costs to send again is one and a half
WISH = 32 << 20  # bytes of a piece where the server wishes more: what a crash costs to send again


class Chunks:
    """Uploads in pieces for one account."""

    def __init__(
        self,
        tree: Tree,
        url: str,
        can: Capabilities,
        threads: Threads,
        chunk_size: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tree = tree
        self._url = url
        self._can = can
        self._wish = chunk_size or min(can.chunk_size, WISH)
        self._flights = Flights(threads, min(can.chunks_at_once, AT_ONCE))
        self._clock = clock
        self._assembling: dict[str, float] = {}  # uploads whose MOVE was not answered: until when to wait

    def piece(self, size: int) -> int | None:
        """See Resumable.piece."""
        if not self._can.chunked or size <= self._wish:
            return None
        return capabilities.piece(size, self._wish)

    def begin(self, client: Client, slot: Slot) -> str:
        """See Resumable.begin. What an earlier attempt with other bytes left under this key goes."""
        upload = f"liberate-{slot.key}-{self._piece_of(slot)}"
        reply = client.send("MKCOL", self._path(upload), headers=self._to(slot))
        if reply.status == 405:
            self.abandon(client, upload)
            reply = client.send("MKCOL", self._path(upload), headers=self._to(slot))
        if reply.status != 201:
            raise refusals.refusal(reply, self._tree.whose)
        return upload

    def replace(self, client: Client, slot: Slot, body: Body) -> Receipt:
        """Put a whole body in the place of what the slot replaces: beside it first, then over it at once.

        A PUT over a file writes in place where the server's files are on a local disk, so that a line that breaks
        leaves neither the old file nor the new one (apps/dav/lib/Connector/Sabre/File.php). The smallest body can be
        cut off: it leaves this machine after its head. What the server received is proven before the old file goes.
        """
        upload = self.begin(client, slot)
        try:
            sha256 = self._put(upload, slot, 1, client, body, proven=True)
            item = dataclasses.replace(slot.item, digests={**slot.item.digests, "sha256": sha256})
            return self.finish(client, upload, dataclasses.replace(slot, item=item))
        except (ItemError, IntegrityError):
            self.abandon(client, upload)
            raise

    def replaces(self, slot: Slot, size: int) -> bool:
        """Whether `replace` is the way for a body of `size` bytes; of none, nothing can be cut off."""
        return slot.replaces is not None and size > 0 and self._can.chunked

    def _piece_of(self, slot: Slot) -> int:
        if slot.item.size is None:
            raise ValueError("only a body of known size goes in pieces")
        return self.piece(slot.item.size) or self._wish

    def received(self, client: Client, upload: str, piece: int) -> int | None:
        """See Resumable.received."""
        self._flights.forget(upload)
        sizes = self._sizes(client, upload)
        if sizes is None:
            return None
        count = 0
        while sizes.get(count + 1) == piece:
            count += 1
        return count * piece

    def _sizes(self, client: Client, upload: str) -> dict[int, int] | None:
        headers = {"Depth": "1", "Content-Type": "application/xml; charset=utf-8"}
        reply = client.send("PROPFIND", self._path(upload), multistatus.PROPFIND, headers)
        if reply.status == 404:
            return None
        if reply.status != 207:
            raise refusals.refusal(reply, self._tree.whose)
        try:
            entries = list(multistatus.entries([reply.content]))
        except multistatus.NotXml:
            raise refusals.unreadable(self._tree.whose) from None
        out: dict[int, int] = {}
        for entry in entries:
            name = entry.href.rstrip("/").rpartition("/")[2]
            if name.isdigit() and entry.size is not None:
                out[int(name)] = entry.size
        return out

    def append(self, upload: str, slot: Slot, offset: int, body: Body) -> None:
        """See Resumable.append. What becomes of the piece is raised by a later call for this upload at the latest."""
        number = offset // int(upload.rpartition("-")[2]) + 1

        def put(client: Client, piece: Body) -> None:
            self._put(upload, slot, number, client, piece)

        self._flights.send(upload, number, body, put)

    def _put(self, upload: str, slot: Slot, number: int, client: Client, body: Body, *, proven: bool = False) -> str:
        """Store a piece; its sha256, which with `proven` is that of what the server received, if it says so."""
        passing = Passing(body)
        headers = {**self._to(slot), **(hashing.ASK if proven else {}), "Content-Type": "application/octet-stream"}
        data = passing if len(passing) else passing.whole()
        reply = client.send("PUT", self._path(upload, f"{number:05d}"), data, headers, timeout=client.patience)
        if reply.status in (404, 409):
            raise TransientError(f"{self._tree.whose}: the upload has expired; it begins again.", retry_after=0)
        if reply.status not in (201, 204):
            raise refusals.refusal(reply, self._tree.whose)
        if hashing.received(reply.headers) not in (None, passing.sha256):
            raise IntegrityError(f"{self._tree.whose}: the server received other bytes than were sent.")
        return passing.sha256

    def finish(self, client: Client, upload: str, slot: Slot) -> Receipt:
        """See Resumable.finish. An assembly that was not answered is waited for, never begun again beside itself."""
        self._flights.land(upload)
        there = self._tree.stat(client, slot.place, slot.name)
        ours = slot.replaces is not None and there is not None and there.etag == slot.replaces.version
        if there is not None and not ours:
            return self._found(client, upload, slot)
        until = self._assembling.get(upload)
        if until is not None and self._clock() < until:
            raise TransientError(f"{self._tree.whose}: the server is still putting the file together.", _POLL)
        return self._move(client, upload, slot, there)

    def _move(self, client: Client, upload: str, slot: Slot, there: Entry | None) -> Receipt:
        size = slot.item.size or 0
        target = self._to(slot)
        headers = {**target, **hashing.ASK, **times(slot), "Overwrite": "F"}
        if slot.replaces is not None and still_ours(self._tree, client, slot, slot.replaces, there):
            headers |= {"Overwrite": "T", "If": f'<{target["Destination"]}> (["{slot.replaces.version}"])'}
        patience = max(client.patience, size / _SLOW)
        try:
            reply = client.send("MOVE", self._path(upload, ".file"), headers=headers, timeout=patience)
        except TransientError:
            self._assembling[upload] = self._clock() + max(60.0, size / _SLOW)
            raise
        if reply.status in (502, 504):  # a proxy that lost patience; the server goes on
            self._assembling[upload] = self._clock() + max(60.0, size / _SLOW)
            raise TransientError(f"{self._tree.whose}: the server is putting the file together.", _POLL)
        self._assembling.pop(upload, None)
        if reply.status == 412:
            return self._found(client, upload, slot)
        if reply.status == 404:
            raise TransientError(f"{self._tree.whose}: the upload has expired; it begins again.", retry_after=0)
        if reply.status == 409:
            self._tree.ensure(client, slot.place)
            raise refusals.FolderGone(f"{self._tree.whose}: the folder was gone; it has been made again.", 0)
        if reply.status == 400 and b"sum up" in reply.content:
            self.abandon(client, upload)
            raise IntegrityError(f"{self._tree.whose}: not all pieces of the file are there.")
        return stored(self._tree, client, slot, reply, slot.item.digests.get("sha256", ""), size)

    def _found(self, client: Client, upload: str, slot: Slot) -> Receipt:
        """Something stands under the name: what an assembly made that was not answered, or somebody else's."""
        there = self._tree.stat(client, slot.place, slot.name)
        taken = refusals.name_taken() if slot.replaces is None else refusals.changed_there()
        if there is None:
            raise TransientError(f"{self._tree.whose}: the file is being changed there.")
        if there.folder or there.size != slot.item.size:
            raise taken
        if hashing.best(slot.item.digests) is None and self._sizes(client, upload) is None:
            return self._as_stored(client, slot)  # the server takes the pieces away once they are one file
        try:
            receipt = finding.settled(self._tree, client, slot, there)
        except ItemError as error:
            raise TransientError(str(error)) from error
        if receipt is None:
            raise taken
        self.abandon(client, upload)
        return receipt

    def _as_stored(self, client: Client, slot: Slot) -> Receipt:
        there = self._tree.stat(client, slot.place, slot.name)
        if there is None:
            raise refusals.gone()
        proof = hashing.stored(self._tree, client, slot.place, slot.name)
        digests = {"sha256": proof} if proof else {}
        return receipt_of(slot.place, slot.name, there, Evidence.STORED if proof else Evidence.SIZE, digests)

    def abandon(self, client: Client, upload: str) -> None:
        """See Resumable.abandon."""
        self._flights.forget(upload)
        self._assembling.pop(upload, None)
        reply = client.send("DELETE", self._path(upload))
        if reply.status >= 400 and reply.status != 404:
            raise refusals.refusal(reply, self._tree.whose)

    def _path(self, upload: str, name: str = "") -> str:
        return paths.upload(self._tree.user, upload, name)

    def _to(self, slot: Slot) -> dict[str, str]:
        """Where it goes and how long it is; on every request, for servers that write straight into object storage."""
        target = self._url + paths.files(self._tree.user, slot.place, slot.name)
        return {"Destination": target, "OC-Total-Length": str(slot.item.size or 0)}
