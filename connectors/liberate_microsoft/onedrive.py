"""A OneDrive or a SharePoint library as a source: every file and folder once, and what changed since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Loaded, Survey
from liberate.errors import ItemError
from liberate.files import FileFacts, Note
from liberate_microsoft import auth, content, convert, drives, pace
from liberate_microsoft.client import Client, segment
from liberate_microsoft.delta import Listing
from liberate_microsoft.pace import Pacer
from liberate_microsoft.problems import Failure, error, item_error
from liberate_microsoft.reading import read_many
from liberate_microsoft.settings import MicrosoftSettings

DRIVE = "drive"
_REMEMBERED = 1000  # items whose wrong digest is remembered


class OneDriveSource:
    """One drive. Reads only: the permissions it asks for allow nothing else."""

    def __init__(
        self,
        settings: MicrosoftSettings,
        account: Account,
        pacer: Pacer | None = None,
        sign_in: auth.SignIn | None = None,
    ) -> None:
        units = settings.resource_units_per_minute
        if units is None and settings.endpoint is None:  # a stand-in is trusted to say so itself
            units = pace.UNITS_PER_MINUTE
        self._client = Client(
            settings,
            account,
            pacer or pace.shared(auth.application(settings), units),
            sign_in or auth.shared(settings, account),
        )
        self._found: drives.Drive | None = None
        self._wrong: dict[str, content.Served] = {}  # item -> what its bytes were when the digest was another

    def close(self) -> None:
        self._client.close()

    # Listing -------------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """The drive: folders are items of it."""
        self._drive()
        yield Collection(DRIVE, (), Kind.FILE)

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """Folders and files, each after the folder it stands in; with a cursor, what changed and what is gone."""
        return Listing(self._client, self._drive()).run(since)

    def survey(self) -> Survey:
        """What the drive's quota says is used. Graph counts no items."""
        return Survey(None, bytes=self._drive().used)

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """The file's bytes, a few hundred kB at a time, compared with quickXorHash at their end."""
        try:
            yield from content.read(self._client, self._drive().id, item, offset)
        except content.WrongDigest as wrong:
            if len(self._wrong) < _REMEMBERED:
                self._wrong[item.id] = wrong.served
            raise

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Small files in several threads. Those over 8 MiB, or of unknown size, come without a body."""
        if items:
            drive = self._drive().id
            known = [item for item in items if item.size is not None]
            threads = self._client.settings.threads
            yield from read_many(self._client, known, lambda one, item: content.read(one, drive, item), threads=threads)
            yield from (Loaded(item, None) for item in items if item.size is None)

    def describe(self, item: Item) -> Item:
        """The item as it is now; without size and digests if Microsoft serves other bytes than it describes.

        SharePoint alters Office files, and protected ones (AIP) differ in size and digest from what is
        served. A digest is given up only when the bytes were the same twice: otherwise the line is at fault.
        """
        drive = self._drive()
        path = f"/drives/{segment(drive.id)}/items/{segment(item.id)}"
        raw = self._client.call(path, pace.ITEM, {"$select": convert.SELECT}, expect=(400, 403, 404, 410))
        if isinstance(raw, Failure):
            raise item_error(raw) or error(raw, self._client.who)
        if raw.get("deleted") is not None:
            raise ItemError("gone", "It is no longer there.")
        found = convert.left_out(raw)
        if found is not None:
            raise ItemError(found.code, found.why, found.todo)
        now = Listing(self._client, drive).item(raw)
        if now.version != item.version or (isinstance(now.facts, FileFacts) and now.facts.folder):
            return now
        served = content.served_size(self._client, drive.id, item.id)
        if served is not None and served != now.size:
            return replace(now, size=None, digests={})
        before = self._wrong.pop(item.id, None)
        if before is not None and content.measure(self._client, drive.id, item.id) == before:
            return replace(now, size=None, digests={})
        return now

    def versions(self, item: Item) -> Sequence[Item]:
        """What the file was before. Graph tells the newest first, and that is the present one (driveItem: versions)."""
        path = f"/drives/{segment(self._drive().id)}/items/{segment(item.id)}/versions"
        found: list[Item] = []
        while path:
            answer = self._client.call(path, pace.CHILDREN, expect=(400, 403, 404, 410))
            if isinstance(answer, Failure):
                raise item_error(answer) or error(answer, self._client.who)
            found += [content.version_of(item, one) for one in answer.get("value") or () if one.get("id")]
            path = str(answer.get("@odata.nextLink") or "")
        return found[:0:-1]

    def notes(self, item: Item) -> Sequence[Note]:
        """The description. Graph has no comments on files."""
        path = f"/drives/{segment(self._drive().id)}/items/{segment(item.id)}"
        raw = self._client.call(path, pace.ITEM, {"$select": "id,description"}, expect=(400, 403, 404, 410))
        if isinstance(raw, Failure):
            raise item_error(raw) or error(raw, self._client.who)
        text = convert.description(raw)
        return [Note("", None, text)] if text else []

    def _drive(self) -> drives.Drive:
        if self._found is None:
            self._found = drives.find(self._client, self._client.account)
        return self._found
