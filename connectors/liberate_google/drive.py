"""A Google Drive as a source: every file and folder once, who shares it as facts, and what changed since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from liberate.connector import (
    Account,
    Collection,
    Cursor,
    Gone,
    Item,
    Kind,
    Listed,
    Loaded,
    Survey,
    Whole,
)
from liberate.errors import AccountError, PlanError, TransientError
from liberate.files import FileFacts, Grant, Note, ordered
from liberate_google import auth
from liberate_google import drive_convert as convert
from liberate_google.client import Failure
from liberate_google.convert import Trouble
from liberate_google.drive_client import DriveClient
from liberate_google.drive_convert import FOLDER, File
from liberate_google.drive_reading import Reader
from liberate_google.drive_tree import Tree
from liberate_google.pace import Pacer, ladder, shared
from liberate_google.prices import DRIVE_PRICE_LISTS
from liberate_google.settings import GoogleSettings

FILES = "drive"
PAGE = 1000
_IN_FLIGHT = 12  # requests of one account at once
_MOST_CHANGES = 50_000  # beyond that a full listing is cheaper, and smaller in memory
_NO_TOKEN = (Trouble.REFUSED, Trouble.GONE)  # what a token that is none, or has expired, is answered with
_COMMENTS = (
    "nextPageToken,comments(author(displayName),content,createdTime,deleted,"
    "replies(author(displayName),content,createdTime,deleted))"
)


class DriveSource:
    """One person's files, or one shared drive. Reads only: the scope it asks for allows nothing else."""

    def __init__(self, settings: GoogleSettings, account: Account, pacer: Pacer | None = None) -> None:
        if pacer is None:
            rates = ladder(
                settings.price_list,
                published=settings.endpoint is None,
                user_units=settings.drive_units_per_minute,
                project_units=settings.drive_project_units_per_minute,
                lists=DRIVE_PRICE_LISTS,
            )
            pacer = shared(auth.project(settings), rates, _IN_FLIGHT)
        self._settings = settings
        self._drive = account.name if is_shared_drive(account) else None
        reads = account
        if self._drive is not None and settings.service_account_file is not None:
            if settings.shared_drives_as is None:
                raise PlanError(
                    f"The shared drive {account.name} belongs to nobody: set shared_drives_as to the address of "
                    "a member of it, as whom it is read."
                )
            reads = Account(settings.shared_drives_as)
        self._client = DriveClient(settings, reads, pacer)
        self._reader = Reader(self._client, settings)
        self._members: tuple[Grant, ...] | None = None  # of a shared drive
        self._found: tuple[str, str] | None = None  # id of the outermost folder, name of a shared drive

    def close(self) -> None:
        self._client.close()

    # What there is -------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """The whole drive."""
        root, _ = self._root()
        yield Collection(FILES if self._drive is None else root, (), Kind.FILE)

    def _root(self) -> tuple[str, str]:
        if self._found is None:
            if self._drive is None:
                request = self._client.files.get(fileId="root", fields="id")
                self._found = str(self._client.ask("files.get", request)["id"]), ""
            else:
                self._found = self._shared_drive(self._drive)
        return self._found

    def _shared_drive(self, wanted: str) -> tuple[str, str]:
        """Id and name of the shared drive that is called so, by its id or name."""
        drives = self._drives(everywhere=True) or self._drives(everywhere=False) or []
        named = [one for one in drives if wanted == one["id"]] or [one for one in drives if wanted == one["name"]]
        if len(named) == 1:
            return str(named[0]["id"]), str(named[0]["name"])
        if named:
            ids = ", ".join(sorted(str(one["id"]) for one in named))
            raise AccountError(
                "shared-drive-ambiguous",
                f"There are {len(named)} shared drives called {wanted}.",
                f"Write the id of the one that is meant into the people table: {ids}.",
            )
        raise AccountError(
            "no-shared-drive",
            f"{self._client.account} sees no shared drive {wanted}.",
            "Correct its name in the people table, or make that address a member of it.",
        )

    def _drives(self, *, everywhere: bool) -> list[dict[str, Any]] | None:
        """All drives of the organisation, or those the account is a member of; None: it is no administrator."""
        found: list[dict[str, Any]] = []
        extra = {"useDomainAdminAccess": True} if everywhere else {}
        token: str | None = None
        while True:
            request = self._client.drives.list(
                pageSize=100, pageToken=token, fields="nextPageToken,drives(id,name)", **extra
            )
            answer = self._client.call("drives.list", request, (Trouble.FORBIDDEN,) if everywhere else ())
            if isinstance(answer, Failure):
                return None
            found += answer.get("drives", ())
            token = answer.get("nextPageToken")
            if not token:
                return found

    # Listing -------------------------------------------------------------------------------------

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """Folders first, then all else; or what changed since the cursor.

        What others own and this person can see is listed with its owner, and what lies in the trash as
        trashed. A listing that was broken off goes on at its last page; one that has to begin again because
        its cursor fits no more gives no cursors on its way, so that it can end by saying that it is whole.
        """
        where = _place(since, self._shape)
        if where is not None and "changes" in where:
            changes = self._changes(where["changes"])
            if changes is not None:
                yield from changes
                return
        if where is not None and "start" in where:
            tree = self._tree()
            pages = self._pages(f"mimeType != '{FOLDER}'", convert.FIELDS, where.get("page"), expect=True)
            first = next(pages, None)
            if first is not None:
                yield from self._files(first, tree, where["start"])
                for page in pages:
                    yield from self._files(page or {}, tree, where["start"])
                yield self._cursor(changes=where["start"])
                return
        yield from self._everything(resumable=since is None)

    @property
    def _shape(self) -> str:
        """What a cursor is good for: other settings make other items of the same files."""
        return f"{self._settings.documents}{'+comments' if self._settings.comments else ''}"

    def _cursor(self, **where: str | None) -> Cursor:
        return Cursor(json.dumps({"as": self._shape, **where}, separators=(",", ":")))

    def _everything(self, *, resumable: bool) -> Iterator[Listed]:
        start = self._start()  # before the listing, so that nothing falls in between
        tree = Tree(self._root()[0])
        for folder in tree.outermost_first(self._folders(convert.FIELDS)):
            yield from self._listed(folder, tree)
        if resumable:
            yield self._cursor(start=start, page=None)
        for page in self._pages(f"mimeType != '{FOLDER}'", convert.FIELDS):
            yield from self._files(page or {}, tree, start if resumable else None)
        yield Whole()
        yield self._cursor(changes=start)

    def _files(self, page: Mapping[str, Any], tree: Tree, start: str | None) -> Iterator[Listed]:
        files = page.get("files", ())
        dangling = self._dangling(files, tree)
        for file in files:
            if file["id"] in dangling:
                yield convert.skipped(file, convert.refusal("dangling-shortcut"))
            else:
                yield from self._listed(file, tree)
        if start is not None and page.get("nextPageToken"):
            yield self._cursor(start=start, page=page["nextPageToken"])

    def _listed(self, file: File, tree: Tree) -> Iterator[Listed]:
        """The file as an item, or why it is none. What is another's or in the trash is for the core to judge."""
        if file["id"] == tree.root:
            return
        parent = tree.parent(file)
        grants, closed = tree.grants(file) if self._drive is None else self._direct(file, top=not parent)
        facts = convert.facts_of(file, self._client.account, parent, grants, closed=closed)
        if not facts.owner and not facts.trashed and (why := convert.obstacle(file)) is not None:
            yield convert.skipped(file, why)
            return
        if self._settings.comments and not facts.folder and not facts.owner:
            facts = replace(facts, notes=facts.notes + len(self._comments(str(file["id"]))))
        yield convert.item(file, facts, self._settings.documents)
        if not facts.owner:
            yield from tree.elsewhere(file)
        if closed and self._drive is not None:
            yield convert.closed(file)

    def _direct(self, file: File, *, top: bool) -> tuple[tuple[Grant, ...], bool]:
        """The grants of an item in a shared drive; most have none. What stands outermost has the drive's members.

        A folder with limited access has all its grants, and True: not all members see what is in it.
        """
        if file.get("inheritedPermissionsDisabled"):
            return self._permissions(str(file["id"]), direct=False), True
        own = self._permissions(str(file["id"])) if file.get("hasAugmentedPermissions") else ()
        if not top:
            return own, False
        if self._members is None:
            self._members = self._permissions(self._root()[0], direct=False, needed=True)
        return ordered((*own, *self._members)), False

    def _permissions(self, key: str, *, direct: bool = True, needed: bool = False) -> tuple[Grant, ...]:
        """What an item of a shared drive, or the drive itself, grants `direct`ly, or all of it; () where nobody may
        see that, unless it is `needed`."""
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            request = self._client.permissions.list(
                fileId=key,
                pageSize=100,
                pageToken=token,
                supportsAllDrives=True,
                fields=f"nextPageToken,permissions({convert.PERMISSION},permissionDetails(role,inherited))",
            )
            answer = self._client.call("permissions.list", request, (Trouble.FORBIDDEN, Trouble.GONE))
            if isinstance(answer, Failure):
                if needed:
                    raise AccountError(
                        "not-a-member",
                        f"{self._client.account} is not a member of this shared drive, and so cannot read it.",
                        "Make that address a manager of the drive for the time of the move.",
                    )
                break
            found += answer.get("permissions", ())
            token = answer.get("nextPageToken")
            if not token:
                break
        return convert.grants(found, direct=direct)

    def _dangling(self, files: Sequence[File], tree: Tree) -> set[str]:
        """Those shortcuts of ours whose target cannot be seen. Nobody follows them; one look says if they lead on."""
        here = {str(file["id"]) for file in files}
        targets: dict[str, list[str]] = {}
        for file in files:
            target = str(file.get("shortcutDetails", {}).get("targetId", ""))
            ours = file.get("mimeType") == convert.SHORTCUT and file.get("ownedByMe") is not False
            if ours and target not in tree and target not in here:
                targets.setdefault(target, []).append(str(file["id"]))
        out: set[str] = set()
        keys = list(targets)
        for at in range(0, len(keys), 50):
            part = {
                key: self._client.files.get(fileId=key or "-", fields="id", supportsAllDrives=True)
                for key in keys[at : at + 50]
            }
            told = self._client.batch("files.get", part) or {}
            for key, request in part.items():
                answer = told.get(key)
                if not isinstance(answer, Failure) and answer is not None:
                    continue
                if answer is None or answer.trouble is not Trouble.GONE:
                    answer = self._client.call("files.get", request, (Trouble.GONE, Trouble.FORBIDDEN, Trouble.REFUSED))
                if isinstance(answer, Failure):
                    out.update(targets[key])
        return out

    # Pages ---------------------------------------------------------------------------------------

    def _scope(self) -> dict[str, Any]:
        if self._drive is None:
            return {"corpora": "user"}
        return {
            "corpora": "drive",
            "driveId": self._root()[0],
            "includeItemsFromAllDrives": True,
            "supportsAllDrives": True,
        }

    def _pages(
        self, query: str, fields: str, token: str | None = None, *, expect: bool = False
    ) -> Iterator[dict[str, Any] | None]:
        """The pages of a listing. Nothing at all: the token that it was to begin with fits no more."""
        while True:
            request = self._client.files.list(
                q=query,
                pageSize=PAGE,
                pageToken=token,
                fields=f"nextPageToken,incompleteSearch,files({fields})",
                **self._scope(),
            )
            answer = self._client.call("files.list", request, _NO_TOKEN if expect and token else ())
            if isinstance(answer, Failure):
                return
            if answer.get("incompleteSearch"):
                raise TransientError("Google could not look through all of the drive just now.")
            yield answer
            expect = False
            token = answer.get("nextPageToken")
            if not token:
                return

    def _folders(self, fields: str) -> Iterator[File]:
        for page in self._pages(f"mimeType = '{FOLDER}'", fields):
            yield from (page or {}).get("files", ())

    def _tree(self) -> Tree:
        """The folders as they stand now, without a word about them."""
        tree = Tree(self._root()[0])
        for folder in self._folders(convert.TREE_FIELDS + ",owners(emailAddress)"):
            tree.add(folder)
        return tree

    # Changes -------------------------------------------------------------------------------------

    def _start(self) -> str:
        drive = {} if self._drive is None else {"driveId": self._root()[0], "supportsAllDrives": True}
        request = self._client.changes.getStartPageToken(fields="startPageToken", **drive)
        return str(self._client.ask("changes.getStartPageToken", request)["startPageToken"])

    def _changes(self, token: str) -> Iterator[Listed] | None:
        """What changed since that token. None: it fits no more, or so much changed that listing all is cheaper."""
        changed: dict[str, bytes | None] = {}
        drive: dict[str, Any] = {}
        if self._drive is not None:
            drive = {"driveId": self._root()[0], "includeItemsFromAllDrives": True, "supportsAllDrives": True}
        at: str | None = token
        while at:
            request = self._client.changes.list(
                pageToken=at,
                pageSize=PAGE,
                includeRemoved=True,
                fields=f"nextPageToken,newStartPageToken,changes(changeType,fileId,removed,file({convert.FIELDS}))",
                **drive,
            )
            answer = self._client.call("changes.list", request, _NO_TOKEN)
            if isinstance(answer, Failure):
                return None
            for change in answer.get("changes", ()):
                if change.get("changeType", "file") == "file" and change.get("fileId"):
                    file = None if change.get("removed") else change.get("file")
                    changed[str(change["fileId"])] = None if file is None else json.dumps(file).encode()
            if len(changed) > _MOST_CHANGES:
                return None
            at = answer.get("nextPageToken")
            token = str(answer.get("newStartPageToken", token))
        return self._told(changed, token)

    def _told(self, changed: Mapping[str, bytes | None], token: str) -> Iterator[Listed]:
        root = self._root()[0]
        here = root if self._drive is not None else ""
        stays: list[bytes] = []
        for key, text in changed.items():
            file = json.loads(text) if text is not None else {}
            if text is None or file.get("driveId", "") != here:
                if key != root:
                    yield Gone(key)
            else:
                stays.append(text)
        if stays:
            tree = self._tree()
            folders = [file for file in map(json.loads, stays) if convert.is_folder(file)]
            for folder in folders:
                tree.drop(str(folder["id"]))
            for folder in tree.outermost_first(folders):
                yield from self._listed(folder, tree)
            for at in range(0, len(stays), 100):
                some = [json.loads(text) for text in stays[at : at + 100]]
                yield from self._files({"files": [one for one in some if not convert.is_folder(one)]}, tree, None)
        yield self._cursor(changes=token)

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """The file's bytes from `offset` on; those of a document of Google's, exported anew."""
        return self._reader.read(item, offset)

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Several at a time. Those over 8 MiB are None: read them."""
        return self._reader.read_many(items)

    def describe(self, item: Item) -> Item:
        """The item with version, size and digests as Drive tells them now. Its facts are left to the next listing."""
        facts = item.facts if isinstance(item.facts, FileFacts) else FileFacts()
        now = convert.item(self._reader.about(item.id), facts, self._settings.documents)
        return replace(now, facts=item.facts, facts_version=item.facts_version)

    def versions(self, item: Item) -> Sequence[Item]:
        """Earlier versions of a file that is no document of Google's: of those, Drive keeps no bytes."""
        way = convert.way(item.version)
        if way is None or way.how != "media":
            return ()
        head = self._reader.about(item.id, "headRevisionId").get("headRevisionId")
        found: list[Item] = []
        token: str | None = None
        while True:
            request = self._client.revisions.list(
                fileId=item.id,
                pageSize=1000,
                pageToken=token,
                fields="nextPageToken,revisions(id,modifiedTime,size,md5Checksum)",
            )
            answer = self._client.attempt("revisions.list", request)
            if isinstance(answer, Failure):
                raise self._reader.error(answer)
            found += [_revision(item, one) for one in answer.get("revisions", ()) if one["id"] != head]
            token = answer.get("nextPageToken")
            if not token:
                return sorted(found, key=lambda one: (one.modified is not None, one.modified))

    def notes(self, item: Item) -> Sequence[Note]:
        """The description, and the comments if the settings ask for them."""
        notes = convert.description(self._reader.about(item.id, "description"))
        if self._settings.comments and not getattr(item.facts, "folder", False):
            notes += self._comments(item.id)
        return notes

    def _comments(self, key: str) -> list[Note]:
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            request = self._client.comments.list(fileId=key, pageSize=100, pageToken=token, fields=_COMMENTS)
            answer = self._client.call("comments.list", request, (Trouble.GONE, Trouble.FORBIDDEN))
            if isinstance(answer, Failure):
                return []  # what nobody may comment on has no comments
            found += answer.get("comments", ())
            token = answer.get("nextPageToken")
            if not token:
                return convert.comment_notes(found)

    def survey(self) -> Survey:
        """Drive counts bytes and no files; of a shared drive it counts nothing."""
        if self._drive is not None:
            return Survey(None)
        request = self._client.about.get(fields="storageQuota(usageInDrive)")
        used = self._client.ask("about.get", request).get("storageQuota", {}).get("usageInDrive")
        return Survey(None, bytes=int(used) if str(used).isdigit() else None)


def is_shared_drive(account: Account) -> bool:
    """Whether the account is a shared drive, by its name or id; a shared mailbox has an address."""
    return account.kind == "shared" and "@" not in account.name


def _revision(item: Item, told: Mapping[str, Any]) -> Item:
    md5 = str(told.get("md5Checksum", ""))
    size = str(told.get("size", ""))
    return replace(
        item,
        id=f"{item.id}@{told['id']}",
        version=f"md5:{md5}" if md5 else f"revision:{told['id']}",
        size=int(size) if size.isdigit() else None,
        modified=convert.when(told.get("modifiedTime")),
        digests={"md5": md5.lower()} if md5 else {},
    )


def _place(since: Cursor | None, shape: str) -> dict[str, Any] | None:
    """What the cursor says; None: it is not one of ours, or was made for other settings."""
    try:
        found = json.loads(since or "")
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("as") != shape:
        return None
    wanted = ("changes",) if "changes" in found else ("start",)
    return found if all(isinstance(found.get(key), str) for key in wanted) else None
