"""What each Drive method answers, to whom."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple
from urllib.parse import quote

from liberate_google.standin import documents, drive_query
from liberate_google.standin.content import Blob, Stored
from liberate_google.standin.documents import GOOGLE
from liberate_google.standin.drive import FOLDER, RANK, SHORTCUT, DriveFile, DriveStore, Permission, SharedDrive
from liberate_google.standin.errors import ApiError, bad_request
from liberate_google.standin.reply import Media, Reply
from liberate_google.standin.routes import Route

Answer = dict[str, Any]
PAGE, LARGEST_PAGE = 100, 1000
_SHORT = "kind,id,name,mimeType"
_FIELDS = {
    "files.get": _SHORT,
    "files.list": f"kind,incompleteSearch,nextPageToken,files({_SHORT})",
    "changes.list": (
        "kind,nextPageToken,newStartPageToken,"
        f"changes(kind,type,changeType,time,removed,fileId,driveId,file({_SHORT}))"
    ),
    "drives.get": "kind,id,name",
    "drives.list": "kind,nextPageToken,drives(kind,id,name)",
    "permissions.get": "kind,id,type,role",
    "permissions.list": "kind,nextPageToken,permissions(kind,id,type,role)",
    "revisions.get": "kind,id,mimeType,modifiedTime",
    "revisions.list": "kind,nextPageToken,revisions(kind,id,mimeType,modifiedTime)",
}  # fmt: skip
"""What comes back where nobody says which fields."""
_NEED_FIELDS = ("about.get", "comments.list", "comments.get", "replies.list", "replies.get")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Ask(NamedTuple):
    """One call and who makes it."""

    route: Route
    user: str
    headers: dict[str, str]

    def first(self, name: str, default: str = "") -> str:
        return self.route.params.get(name, [default])[0]

    def yes(self, name: str) -> bool:
        return self.first(name) == "true"


class DriveApi:
    """Answers for the store. `url` is where the stand-in itself is reached."""

    def __init__(self, store: DriveStore, url: str) -> None:
        self.store = store
        self._url = url
        self._exports = itertools.count(1)

    # What the server needs -----------------------------------------------------------------------

    @staticmethod
    def name(route: Route) -> str:
        """The method's name, told apart from the one that gives the bytes."""
        media = route.params.get("alt") == ["media"] and route.method in ("files.get", "revisions.get")
        return f"{route.method}_media" if media else route.method

    @staticmethod
    def fields(route: Route) -> str | None:
        """Which fields are to come back; None: all. ApiError 400 where the method insists on being told."""
        if "fields" in route.params:
            return route.params["fields"][0]
        if route.method in _NEED_FIELDS:
            raise bad_request("The 'fields' parameter is required for this method.", "required")
        return _FIELDS.get(route.method)

    def perform(self, route: Route, user: str, headers: dict[str, str]) -> Answer | Reply:
        """Carry out a call: a Reply where bytes are asked for, JSON else."""
        method = self._methods.get(self.name(route))
        if method is None:
            raise ApiError(501, "notImplemented", f"This stand-in does not play {route.method}.")
        with self.store.lock:
            return method(self, Ask(route, user, headers))

    def link(self, user: str, query: dict[str, list[str]]) -> Reply:
        """A browser's address for an export, which has no limit of size."""
        with self.store.lock:
            file = self.store.get(query.get("id", [""])[0], user)
            return self._exported(file, query.get("mimeType", [""])[0], limit=None)

    # Files ---------------------------------------------------------------------------------------

    def _get(self, ask: Ask) -> Answer:
        return self._file(self._find(ask), ask.user)

    def _find(self, ask: Ask) -> DriveFile:
        file = self.store.get(ask.route.path["fileId"], ask.user)
        if file.drive and not ask.yes("supportsAllDrives") and ask.route.method in ("files.get", "permissions.list"):
            raise ApiError(404, "notFound", f"File not found: {file.id}.")
        return file

    def _list(self, ask: Ask) -> Answer:
        test = drive_query.parse(ask.first("q"), self.store, ask.user)
        inside = self._corpus(ask)
        size = _page_size(ask, LARGEST_PAGE)
        shape = [ask.first(name) for name in ("q", "corpora", "driveId", "orderBy")]
        found = [file for file in self.store.files.values() if inside(file) and test(file)]
        page, token = _page(_ordered(found, ask.first("orderBy")), ask.first("pageToken"), size, shape)
        answer: Answer = {
            "kind": "drive#fileList",
            "incompleteSearch": self.store.incomplete,
            "files": [self._file(file, ask.user) for file in page],
        }
        if token:
            answer["nextPageToken"] = token
        return answer

    def _corpus(self, ask: Ask) -> Callable[[DriveFile], bool]:
        corpora, user = ask.first("corpora", "user"), ask.user
        roots = set(self.store.roots.values()) | set(self.store.drives)
        if corpora == "user":
            return lambda file: not file.drive and file.id not in roots and user in self.store.viewers(file)
        if corpora != "drive":
            raise bad_request(f"This stand-in does not play the corpora {corpora}")
        if not (ask.yes("includeItemsFromAllDrives") and ask.yes("supportsAllDrives")):
            raise ApiError(403, "teamDrivesParentLimit", "The includeItemsFromAllDrives parameter must be set to true.")
        drive = self._drive(ask.first("driveId"), user)
        return lambda file: file.drive == drive.id and file.id != drive.id

    def _drive(self, key: str, user: str) -> SharedDrive:
        drive = self.store.drives.get(key)
        if drive is None or self.store.role(self.store.files[key], user) is None:
            raise ApiError(404, "notFound", f"Shared drive not found: {key}")
        return drive

    def _file(self, file: DriveFile, user: str) -> Answer:
        store = self.store
        role = store.role(file, user) or "reader"
        may_share = RANK.index(role) >= RANK.index("writer")
        trashed = store.is_trashed(file)
        effective = store.effective(file)
        answer: Answer = {
            "kind": "drive#file",
            "id": file.id,
            "name": file.name,
            "mimeType": file.mime,
            "createdTime": _time(file.created),
            "modifiedTime": _time(file.modified),
            "version": str(file.version),
            "trashed": trashed,
            "explicitlyTrashed": file.trashed,
            "starred": user in file.starred,
            "spaces": ["drive"],
            "shared": len(effective) > 1 or bool(file.drive),
            "ownedByMe": file.owner == user,
            "capabilities": {
                "canDownload": file.can_download and not file.folder,
                "canShare": may_share,
                "canListChildren": file.folder,
                "canEdit": may_share,
                "canReadRevisions": may_share,
            },
            "webViewLink": f"https://drive.google.com/file/d/{file.id}/view?usp=drivesdk",
        }
        parents = [key for key in file.parents if key in store.files and store.role(store.files[key], user) is not None]
        if parents:
            answer["parents"] = parents
        if file.description:
            answer["description"] = file.description
        if file.folder:
            answer["inheritedPermissionsDisabled"] = file.limited
        if file.drive:
            answer |= {"driveId": file.drive, "teamDriveId": file.drive}
            answer["hasAugmentedPermissions"] = bool(file.permissions) and file.id != file.drive
        else:
            answer["owners"] = [_user(file.owner, user)]
            answer["permissionIds"] = [one.id for one, _ in effective]
            if may_share:
                answer["permissions"] = [_permission(one, inherited) for one, inherited in effective]
        if file.blob is not None:
            answer |= self._bytes(file.blob, file)
        elif file.mime == SHORTCUT:
            answer["shortcutDetails"] = {"targetId": file.target, "targetMimeType": file.target_mime}
        elif not file.folder:
            answer |= {"size": str(1024 + len(file.text)), "quotaBytesUsed": str(1024 + len(file.text))}
            if file.mime in documents.FORMATS:
                answer["exportLinks"] = {
                    mime: f"{self._url}/feeds/download/export?id={file.id}&mimeType={quote(mime, safe='')}"
                    for mime in documents.FORMATS[file.mime]
                }
        if file.encrypted:
            answer["clientEncryptionDetails"] = {"encryptionState": "encrypted"}
        return answer | file.told

    @staticmethod
    def _bytes(blob: Blob, file: DriveFile) -> Answer:
        return {
            "size": str(blob.size),
            "quotaBytesUsed": str(blob.size),
            "md5Checksum": blob.digests["md5"],
            "sha1Checksum": blob.digests["sha1"],
            "sha256Checksum": blob.digests["sha256"],
            "headRevisionId": file.revisions[-1].id,
            "originalFilename": file.name,
            "fileExtension": file.name.rpartition(".")[2],
        }

    # Bytes ---------------------------------------------------------------------------------------

    def _media(self, ask: Ask) -> Reply:
        file = self._find(ask)
        if file.blob is None:
            raise ApiError(
                403,
                "fileNotDownloadable",
                "Only files with binary content can be downloaded. Use Export with Docs Editors files.",
            )
        self._may_download(file, ask)
        return self._ranged(file.blob, file.mime, ask)

    def _may_download(self, file: DriveFile, ask: Ask) -> None:
        if not file.can_download:
            raise ApiError(403, "cannotDownloadFile", "This file cannot be downloaded by the user.")
        if file.abusive and not (
            ask.yes("acknowledgeAbuse") and self.store.role(file, ask.user) in ("owner", "organizer")
        ):
            raise ApiError(
                403,
                "cannotDownloadAbusiveFile",
                "This file has been identified as malware or spam and cannot be downloaded.",
            )

    @staticmethod
    def _ranged(blob: Blob, mime: str, ask: Ask) -> Reply:
        headers = {"Content-Type": mime, "Accept-Ranges": "bytes"}
        asked = _RANGE.fullmatch(ask.headers.get("range", ""))
        if asked is None or asked.groups() == ("", ""):
            return Reply(200, headers=headers, media=Media(blob.content, 0, blob.size))
        start, end = 0, blob.size
        if asked[1]:
            start = int(asked[1])
            end = min(blob.size, int(asked[2]) + 1) if asked[2] else blob.size
        else:
            start = max(0, blob.size - int(asked[2]))
        if start >= blob.size:
            error = ApiError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
            return Reply(416, error.answer(), {"Content-Range": f"bytes */{blob.size}"})
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
        return Reply(206, headers=headers, media=Media(blob.content, start, end))

    def _export(self, ask: Ask) -> Reply:
        file = self.store.get(ask.route.path["fileId"], ask.user)
        if not file.mime.startswith(GOOGLE) or file.mime in (FOLDER, SHORTCUT):
            raise ApiError(403, "fileNotExportable", "Export only supports Docs Editors files.")
        self._may_download(file, ask)
        return self._exported(file, ask.first("mimeType"), limit=self.store.largest_export)

    def _exported(self, file: DriveFile, mime: str, limit: int | None) -> Reply:
        if mime not in documents.FORMATS.get(file.mime, ()):
            raise bad_request("The requested conversion is not supported.", "badRequest")
        if not documents.played(mime):
            raise ApiError(501, "notImplemented", f"This stand-in does not export as {mime}.")
        filler = b"" if file.filler is None else b"".join(file.filler.pieces(0, file.filler.size))
        data = documents.export(mime, file.text, next(self._exports), filler)
        if limit is not None and len(data) > limit:
            raise ApiError(403, "exportSizeLimitExceeded", "This file is too large to be exported.")
        return Reply(200, headers={"Content-Type": mime}, media=Media(Stored(data), 0, len(data)))

    def _download(self, ask: Ask) -> Answer:
        file = self.store.get(ask.route.path["fileId"], ask.user)
        self._may_download(file, ask)
        where = f"{self._url}/drive/v3/files/{file.id}?alt=media&supportsAllDrives=true"
        if file.blob is None:
            mime = quote(ask.first("mimeType"), safe="")
            where = f"{self._url}/feeds/download/export?id={file.id}&mimeType={mime}"
        response = {
            "@type": "type.googleapis.com/google.apps.drive.v3.DownloadFileResponse",
            "downloadUri": where,
            "partialDownloadAllowed": file.blob is not None,
        }
        return {"name": f"download-{next(self._exports)}", "done": True, "response": response}

    # Changes -------------------------------------------------------------------------------------

    def _start_token(self, ask: Ask) -> Answer:
        if ask.first("driveId"):
            self._drive(ask.first("driveId"), ask.user)
        return {"kind": "drive#startPageToken", "startPageToken": str(self.store.token)}

    def _changes(self, ask: Ask) -> Answer:
        drive = ask.first("driveId")
        if drive:
            self._drive(drive, ask.user)
        start = ask.first("pageToken")
        size = _page_size(ask, LARGEST_PAGE)
        answer: Answer = {"kind": "drive#changeList", "changes": []}
        latest: dict[str, int] = {}
        events = self.store.since(start)
        for event in events:
            if event.drive == drive and event.file and (drive or ask.user in event.viewers):
                latest[event.file] = event.number
        seen = 0
        for event in events:
            if latest.get(event.file) != event.number:
                continue
            if seen == size:
                answer["nextPageToken"] = str(event.number)
                return answer
            seen += 1
            file = self.store.files.get(event.file)
            here = file is not None and (drive or ask.user in self.store.viewers(file)) and file.drive == drive
            if not here and ask.first("includeRemoved", "true") != "true":
                continue
            change: Answer = {
                "kind": "drive#change",
                "type": "file",
                "changeType": "file",
                "fileId": event.file,
                "removed": not here,
                "time": _time(event.time),
            }
            if here and file is not None:
                change["file"] = self._file(file, ask.user)
            answer["changes"].append(change)
        answer["newStartPageToken"] = str(self.store.token)
        return answer

    # Drives, people, words -----------------------------------------------------------------------

    def _drives(self, ask: Ask) -> Answer:
        everywhere = ask.yes("useDomainAdminAccess")
        if everywhere and ask.user not in self.store.admins:
            raise ApiError(403, "forbidden", "The user does not have admin access to the domain.")
        found = [
            one
            for one in self.store.drives.values()
            if everywhere or self.store.role(self.store.files[one.id], ask.user) is not None
        ]
        page, token = _page(found, ask.first("pageToken"), _page_size(ask, 100, 10), ["drives"])
        answer: Answer = {"kind": "drive#driveList", "drives": [_drive(one) for one in page]}
        return answer | ({"nextPageToken": token} if token else {})

    def _drives_get(self, ask: Ask) -> Answer:
        return _drive(self._drive(ask.route.path["driveId"], ask.user))

    def _permissions(self, ask: Ask) -> Answer:
        file = self._find(ask)
        if RANK.index(self.store.role(file, ask.user) or "reader") < RANK.index("writer"):
            raise ApiError(403, "insufficientFilePermissions", "The user does not have sufficient permissions.")
        found = self.store.effective(file)
        page, token = _page(found, ask.first("pageToken"), _page_size(ask, 100), [file.id])
        answer: Answer = {
            "kind": "drive#permissionList",
            "permissions": [_permission(one, inherited, details=bool(file.drive)) for one, inherited in page],
        }
        return answer | ({"nextPageToken": token} if token else {})

    def _about(self, ask: Ask) -> Answer:
        own = [file for file in self.store.files.values() if file.owner == ask.user and file.blob is not None]
        used = sum(file.blob.size for file in own if file.blob is not None)
        trash = sum(file.blob.size for file in own if file.blob is not None and self.store.is_trashed(file))
        return {
            "kind": "drive#about",
            "user": _user(ask.user, ask.user),
            "storageQuota": {
                "limit": str(30 << 30),
                "usage": str(used),
                "usageInDrive": str(used),
                "usageInDriveTrash": str(trash),
            },
            "exportFormats": {mime: list(forms) for mime, forms in documents.FORMATS.items()},
        }

    def _comments(self, ask: Ask) -> Answer:
        file = self.store.get(ask.route.path["fileId"], ask.user)
        found = [one for one in file.comments if ask.yes("includeDeleted") or not one.get("deleted")]
        page, token = _page(found, ask.first("pageToken"), _page_size(ask, 100, 20), [file.id])
        answer: Answer = {"kind": "drive#commentList", "comments": page}
        return answer | ({"nextPageToken": token} if token else {})

    def _revisions(self, ask: Ask) -> Answer:
        file = self.store.get(ask.route.path["fileId"], ask.user)
        if not file.revisions:
            raise ApiError(403, "revisionsNotSupported", "The file does not support revisions.")
        page, token = _page(file.revisions, ask.first("pageToken"), _page_size(ask, 1000, 200), [file.id])
        answer: Answer = {
            "kind": "drive#revisionList",
            "revisions": [
                {
                    "kind": "drive#revision",
                    "id": one.id,
                    "mimeType": file.mime,
                    "modifiedTime": _time(one.modified),
                    "keepForever": False,
                    "originalFilename": file.name,
                    "size": str(one.blob.size),
                    "md5Checksum": one.blob.digests["md5"],
                }
                for one in page
            ],
        }
        return answer | ({"nextPageToken": token} if token else {})

    def _revision_media(self, ask: Ask) -> Reply:
        file = self.store.get(ask.route.path["fileId"], ask.user)
        wanted = ask.route.path["revisionId"]
        found = next((one for one in file.revisions if one.id == wanted), None)
        if found is None:
            raise ApiError(404, "notFound", f"Revision not found: {wanted}.")
        self._may_download(file, ask)
        return self._ranged(found.blob, file.mime, ask)

    _methods: ClassVar[dict[str, Callable[[DriveApi, Ask], Answer | Reply]]] = {
        "about.get": _about,
        "files.get": _get,
        "files.get_media": _media,
        "files.list": _list,
        "files.export": _export,
        "files.download": _download,
        "changes.getStartPageToken": _start_token,
        "changes.list": _changes,
        "drives.list": _drives,
        "drives.get": _drives_get,
        "permissions.list": _permissions,
        "comments.list": _comments,
        "revisions.list": _revisions,
        "revisions.get_media": _revision_media,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _user(address: str, me: str) -> Answer:
    return {
        "kind": "drive#user",
        "displayName": address.partition("@")[0].capitalize(),
        "emailAddress": address,
        "me": address == me,
        "permissionId": Permission("user", address, "owner").id,
    }


def _drive(one: SharedDrive) -> Answer:
    return {"kind": "drive#drive", "id": one.id, "name": one.name, "createdTime": _time(one.created)}


def _permission(one: Permission, inherited: bool, *, details: bool = False) -> Answer:
    answer: Answer = {"kind": "drive#permission", "id": one.id, "type": one.type, "role": one.role}
    if one.type in ("user", "group"):
        answer |= {"emailAddress": one.who, "displayName": one.who.partition("@")[0], "deleted": one.deleted}
    elif one.type == "domain":
        answer |= {"domain": one.who, "displayName": one.who, "allowFileDiscovery": False}
    else:
        answer["allowFileDiscovery"] = False
    if one.expires:
        answer["expirationTime"] = one.expires
    if details:
        kind = "member" if one.role in ("organizer", "fileOrganizer") or inherited else "file"
        answer["permissionDetails"] = [{"permissionType": kind, "role": one.role, "inherited": inherited}]
    return answer


def _page_size(ask: Ask, largest: int, default: int = PAGE) -> int:
    asked = int(ask.first("pageSize", str(default)))
    if not 1 <= asked <= largest:
        raise bad_request(
            f"Invalid value '{asked}'. Values must be within the range: [1, {largest}]", "invalidParameter"
        )
    return asked


def _ordered(files: list[DriveFile], order: str) -> list[DriveFile]:
    """Newest first unless asked otherwise, as Drive was seen to do; folders so come after what is in them."""
    keys: dict[str, Callable[[DriveFile], Any]] = {
        "createdTime": lambda file: file.created,
        "modifiedTime": lambda file: file.modified,
        "name": lambda file: file.name,
        "folder": lambda file: not file.folder,
    }
    found = sorted(files, key=lambda file: -file.number)
    for one in reversed([part.strip() for part in order.split(",") if part.strip()]):
        name, _, way = one.partition(" ")
        if name not in keys or way not in ("", "desc"):
            raise bad_request(f"Sort key not recognized: {one}", "invalid")
        found.sort(key=keys[name], reverse=way == "desc")
    return found


def _page(found: Sequence[Any], token: str, size: int, shape: list[str]) -> tuple[list[Any], str]:
    """One page, and the token of the next: it fits the very listing it was made for, and no other."""
    mark = hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:8]
    start = 0
    if token:
        try:
            told, _, made_for = base64.urlsafe_b64decode(token.removeprefix("~!!~") + "==").decode().partition(".")
            if made_for != mark or not token.startswith("~!!~"):
                raise ValueError
            start = int(told)
        except ValueError:
            raise bad_request("Invalid Value", "invalid") from None
    page = list(found[start : start + size])
    if start + size >= len(found):
        return page, ""
    text = base64.urlsafe_b64encode(f"{start + size}.{mark}".encode()).decode().rstrip("=")
    return page, f"~!!~{text}"
