"""Drive's words into liberate's: files into items, permissions into grants, refusals into errors. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import quote

from liberate.connector import Item, Kind, Skipped
from liberate.errors import ItemError
from liberate.files import FileFacts, Grant, Note, Role, ordered

File: TypeAlias = Mapping[str, Any]
Documents: TypeAlias = Literal["odf", "office"]

_GOOGLE = "application/vnd.google-apps."
FOLDER = _GOOGLE + "folder"
SHORTCUT = _GOOGLE + "shortcut"

SECOND = "#"
"""Between a file's id and what tells a second thing that is said about it from the first."""

PERMISSION = "id,type,role,emailAddress,domain,expirationTime,deleted,pendingOwner,view"
FIELDS = (
    "id,name,mimeType,size,md5Checksum,sha1Checksum,sha256Checksum,createdTime,modifiedTime,parents,trashed,starred,"
    "description,owners(emailAddress),ownedByMe,driveId,headRevisionId,shortcutDetails(targetId,targetMimeType),"
    "capabilities(canDownload),clientEncryptionDetails(encryptionState),hasAugmentedPermissions,"
    f"inheritedPermissionsDisabled,permissions({PERMISSION})"
)
"""Of every file that is listed."""

TREE_FIELDS = f"id,parents,trashed,hasAugmentedPermissions,permissions({PERMISSION})"
"""Of folders that are only looked at again, for what stands in them."""


# What Google's own kinds of file become -----------------------------------------------------------


class Export(NamedTuple):
    """What a document of Google's is fetched as."""

    mime: str
    ending: str


_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."
_EXPORTS: Mapping[str, Mapping[Documents, Export]] = {
    "document": {"odf": Export(_ODF + "text", "odt"), "office": Export(_OOXML + "wordprocessingml.document", "docx")},
    "spreadsheet": {
        "odf": Export(_ODF + "spreadsheet", "ods"),
        "office": Export(_OOXML + "spreadsheetml.sheet", "xlsx"),
    },
    "presentation": {
        "odf": Export(_ODF + "presentation", "odp"),
        "office": Export(_OOXML + "presentationml.presentation", "pptx"),
    },
    "drawing": {"odf": Export("image/svg+xml", "svg"), "office": Export("image/svg+xml", "svg")},
    "script": dict.fromkeys(("odf", "office"), Export(_GOOGLE + "script+json", "json")),
}
BY_ENDING: Mapping[str, Export] = {one.ending: one for both in _EXPORTS.values() for one in both.values()}
ZIPPED = frozenset({"odt", "ods", "odp", "docx", "xlsx", "pptx"})

_NOT_MOVABLE: Mapping[str, tuple[str, str]] = {
    "form": ("a Google Form", "Open it, link it to a sheet, which is moved with its answers, and build the form anew."),
    "site": ("a Google Site", "Save its pages from a browser, or build the site anew."),
    "map": ("a map of My Maps", "Open it in My Maps and choose Export to KML."),
    "jam": ("a Jamboard", "If it still opens, save it as PDF."),
    "vid": ("a Google Vid", "Open it and download it as MP4."),
    "fusiontable": ("a Fusion Table", "Google ended the service; Takeout may still hold its data."),
}


def export_of(mime: str, documents: Documents) -> Export | None:
    """What a file of this type is exported as; None: it is no document of Google's that can be."""
    both = _EXPORTS.get(mime.removeprefix(_GOOGLE)) if mime.startswith(_GOOGLE) else None
    return both[documents] if both else None


def is_folder(file: File) -> bool:
    return file.get("mimeType") == FOLDER


def with_ending(name: str, ending: str) -> str:
    """The name with the ending, which is not put there twice."""
    return name if name.casefold().endswith(f".{ending}") else f"{name}.{ending}"


# How an item is read ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Way:
    """How an item's bytes are had. It stands in the item's version, so that reading needs no look at the file."""

    how: Literal["media", "export", "link", "none"]
    what: str = ""  # ending of an export; address that a link leads to; code of a refusal


def way(version: str) -> Way | None:
    """What the version of an item says; None: nothing, so ask Google what the file is."""
    how, _, rest = version.partition(":")
    if how in ("md5", "revision", "modified"):
        return Way("media")
    if how == "export":
        return Way("export", rest.partition(":")[0])
    if how == "link":
        return Way("link", rest)
    if how == "none":
        return Way("none", rest)
    return None


def version(file: File, documents: Documents) -> str:
    """Changes when the bytes do, and not when the file is renamed or shared. "" for a folder.

    Uploading the same bytes again makes a new revision, so the digest says it better. Google's own documents
    have neither; their modifiedTime counts edits, and `version` counts renames and looks too.
    """
    mime = str(file.get("mimeType", ""))
    if mime == FOLDER:
        return ""
    if mime == SHORTCUT:
        return f"link:{target_url(file.get('shortcutDetails', {}))}"
    if (export := export_of(mime, documents)) is not None:
        return f"export:{export.ending}:{file.get('modifiedTime', '')}"
    if found := obstacle(file):
        return f"none:{found.code}"
    for how, key in (("md5", "md5Checksum"), ("revision", "headRevisionId")):
        if file.get(key):
            return f"{how}:{file[key]}"
    return f"modified:{file.get('modifiedTime', '')}"


def target_url(details: Mapping[str, Any]) -> str:
    """Where a shortcut leads, as a browser opens it. Made of its own words: a look at each target would cost a call."""
    key = quote(str(details.get("targetId", "")), safe="")
    kind = str(details.get("targetMimeType", "")).removeprefix(_GOOGLE)
    if kind == "folder":
        return f"https://drive.google.com/drive/folders/{key}"
    editor = {"document": "document", "spreadsheet": "spreadsheets", "presentation": "presentation"}.get(kind)
    if editor:
        return f"https://docs.google.com/{editor}/d/{key}/edit"
    return f"https://drive.google.com/file/d/{key}/view"


def link_file(url: str) -> bytes:
    """A file that a desktop opens as a link."""
    return f"[InternetShortcut]\r\nURL={url}\r\n".encode()


# Items --------------------------------------------------------------------------------------------


def item(file: File, facts: FileFacts, documents: Documents) -> Item:
    """The file as an item; `facts` as `facts_of` gives them."""
    told = version(file, documents)
    name = str(file.get("name", ""))
    modified = when(file.get("modifiedTime"))
    how = way(told)
    size: int | None = None
    digests: dict[str, str] = {}
    repeatable = True
    if how is not None and how.how == "link":
        name = with_ending(name, "url")
        size = len(link_file(how.what))
    elif how is not None and how.how == "export":
        name = with_ending(name, how.what)
        repeatable = False  # every export has new times inside
    elif how is not None and how.how == "media":
        size = int(file["size"]) if str(file.get("size", "")).isdigit() else None
        digests = {
            algorithm: str(file[key]).lower()
            for algorithm, key in (("sha256", "sha256Checksum"), ("sha1", "sha1Checksum"), ("md5", "md5Checksum"))
            if file.get(key)
        }
    mark = facts_version(file, name, facts)
    return Item(
        str(file["id"]), Kind.FILE, told, name, size, modified, digests, facts=facts, facts_version=mark,
        repeatable=repeatable,
    )  # fmt: skip


def facts_of(file: File, account: str, parent: str, grants: Sequence[Grant], *, closed: bool = False) -> FileFacts:
    """What travels beside the file. `parent`, `grants` and `closed` as the tree knows them."""
    owner = owner_of(file)
    return FileFacts(
        parent=parent,
        folder=is_folder(file),
        created=when(file.get("createdTime")),
        starred=bool(file.get("starred")),
        trashed=bool(file.get("trashed")),
        owner="" if not owner or file.get("ownedByMe") or owner == account.casefold() else owner,
        notes=int(bool(file.get("description"))),
        grants=tuple(grants),
        closed=closed,
    )


def facts_version(file: File, name: str, facts: FileFacts) -> str:
    """Changes whenever the name, the place, the sharing or another fact does, and so does the description's text."""
    parts = [name, facts.dump(), str(file.get("description") or "")]
    if not facts.folder:  # a folder's time changes with whatever is put into it
        parts.append(str(file.get("modifiedTime", "")))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def owner_of(file: File) -> str:
    """Address of the owner, "" in a shared drive. Old files may have several: the first one counts."""
    owners = file.get("owners") or ()
    return str(owners[0].get("emailAddress", "")).casefold() if owners else ""


def when(text: Any) -> datetime | None:
    """RFC 3339 as Google writes it; None for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def description(file: File) -> list[Note]:
    text = str(file.get("description") or "")
    return [Note("", None, text)] if text else []


def comment_notes(comments: Iterable[Mapping[str, Any]]) -> list[Note]:
    """Comments and answers, oldest first. Google tells display names only, and nothing of deleted ones."""
    found = []
    for comment in comments:
        for one in (comment, *comment.get("replies", ())):
            if not one.get("deleted") and one.get("content"):
                author = str(one.get("author", {}).get("displayName", ""))
                found.append(
                    (str(one.get("createdTime", "")), Note(author, when(one.get("createdTime")), one["content"]))
                )
    return [note for _, note in sorted(found, key=lambda pair: pair[0])]


# Sharing ------------------------------------------------------------------------------------------

_ROLES = {
    "reader": Role.READER,
    "commenter": Role.COMMENTER,
    "writer": Role.WRITER,
    "fileOrganizer": Role.ORGANIZER,
    "organizer": Role.ORGANIZER,
}
_RANK = list(Role)


def grants(permissions: Iterable[Mapping[str, Any]], *, direct: bool = False) -> tuple[Grant, ...]:
    """What the permissions grant to others than the owner.

    `direct`: without what is inherited, where the permissions tell (shared drives). Left out: accounts that were
    deleted, and the publication of a page to the web, which is another thing than sharing.
    """
    best: dict[tuple[str, str], Grant] = {}
    for one in permissions:
        roles = [str(one.get("role", ""))]
        details = one.get("permissionDetails")
        if direct and details:
            roles = [str(each.get("role", "")) for each in details if not each.get("inherited")]
        if one.get("deleted") or one.get("view") or "owner" in roles:
            continue
        for role in roles:
            grant = _grant(one, role)
            if grant is None:
                continue
            key = (grant.to, grant.name)
            if key not in best or _RANK.index(best[key].role) < _RANK.index(grant.role):
                best[key] = grant
    return ordered(best.values())


def _grant(one: Mapping[str, Any], role: str) -> Grant | None:
    found = _ROLES.get(role)
    if found is None:
        return None
    expires = when(one.get("expirationTime"))
    match one.get("type"):
        case "user":
            return Grant("user", str(one.get("emailAddress", "")).casefold(), found, expires)
        case "group":
            return Grant("group", str(one.get("emailAddress", "")).casefold(), found, expires)
        case "domain":
            return Grant("domain", str(one.get("domain", "")).casefold(), found, expires)
        case "anyone":
            return Grant("link", "", found, expires)
    return None


def own(all_: Sequence[Grant], above: Collection[Grant]) -> tuple[Grant, ...]:
    """Those that the folder above does not give already."""
    return tuple(one for one in all_ if one not in above)


# What cannot be handed over -----------------------------------------------------------------------


def obstacle(file: File) -> ItemError | None:
    """Why the file, which is neither folder nor shortcut, cannot be moved, as far as its description tells."""
    mime = str(file.get("mimeType", ""))
    if mime == SHORTCUT:
        return None
    if file.get("clientEncryptionDetails", {}).get("encryptionState") == "encrypted":
        return refusal("client-encrypted")
    if (
        mime.startswith(_GOOGLE)
        and mime != FOLDER
        and not file.get("md5Checksum")
        and mime.removeprefix(_GOOGLE) not in _EXPORTS
    ):
        kind = mime.removeprefix(_GOOGLE)
        return refusal(
            f"google-{kind}" if kind in _NOT_MOVABLE else "third-party" if "drive-sdk" in kind else "google-app"
        )
    if file.get("capabilities", {}).get("canDownload") is False and mime != FOLDER:
        return refusal("download-forbidden")
    return None


_REFUSALS: Mapping[str, tuple[str, str]] = {
    "client-encrypted": (
        "The file is encrypted with a key that Google does not have.",
        "Somebody with the key downloads it in Drive, which decrypts it, and puts it into the new place by hand.",
    ),
    "third-party": (
        "This is a document of another service, which Drive only points to.",
        "Export it at that service.",
    ),
    "google-app": (
        "Google keeps this kind of document in a form that cannot be downloaded.",
        "Open it and look for an export.",
    ),
    "download-forbidden": (
        "The file's owner or an administrator has forbidden to download it.",
        "Let its owner allow it under Share > Settings, or see the organisation's rules for data loss prevention; "
        "then run the same command again.",
    ),
    "flagged-as-malware": (
        "Google flags this file as malware or spam and hands it over to its owner only, on express demand.",
        "Have it looked at; if it is wanted, set acknowledge_abuse = true for this connection and retry.",
    ),
    "too-large-to-export": (
        "Google exports only documents of up to 10 MB, and offers no other way for this one.",
        "Open it, download it in parts or as PDF, and put it into the new place by hand.",
    ),
    "export-refused": (
        "Google's address for the export of this large document did not give the document.",
        "Open it, download it with File > Download, and put it into the new place by hand.",
    ),
    "download-quota": (
        "So many people fetched this file lately that Google hands it to nobody for a while.",
        "Retry it tomorrow.",
    ),
    "forbidden": (
        "Google does not let this account read the file.",
        "Let its owner share it with this account, or move it together with its owner's account.",
    ),
    "not-downloadable": (
        "Google says that this file has no content to download.",
        "Open it in Drive and see what it is.",
    ),
    "gone": ("The file was deleted in Drive, or is no longer shared, since it was listed.", ""),
    "dangling-shortcut": (
        "The shortcut points to something that is gone or that this person may no longer see.",
        "Nothing is lost with it; delete it, or ask the owner of what it pointed to.",
    ),
}  # fmt: skip


def refusal(code: str) -> ItemError:
    """The error of this code."""
    if code in _REFUSALS:
        return ItemError(code, *_REFUSALS[code])
    thing, todo = _NOT_MOVABLE.get(code.removeprefix("google-"), ("a document of Google's", "Open it and see."))
    return ItemError(code, f"This is {thing}, which Google does not hand over as a file.", todo)


def closed(file: File) -> Skipped:
    """What to say of a folder in a shared drive to which access is limited: it moves, its being closed does not."""
    return Skipped(
        f"{file['id']}{SECOND}closed",
        "closed-folder",
        "Not all who see the shared drive see what is in this folder. It is moved, and is not closed at the "
        "destination to whoever sees the Team folder or account that it goes to.",
        "Before you let people in there, move the folder elsewhere, or close it by the rights of the Team folder.",
    )


def skipped(file: File, why: ItemError) -> Skipped:
    return Skipped(str(file["id"]), why.code, why.why, why.todo)


_BY_REASON = {
    "cannotDownloadAbusiveFile": "flagged-as-malware",
    "abuse": "flagged-as-malware",
    "cannotDownloadFile": "download-forbidden",
    "fileNotDownloadable": "not-downloadable",
    "fileNotExportable": "not-downloadable",
    "exportSizeLimitExceeded": "too-large-to-export",
    "downloadQuotaExceeded": "download-quota",
    "sharingRateLimitExceeded": "download-quota",
    "insufficientFilePermissions": "forbidden",
    "appNotAuthorizedToFile": "forbidden",
    "notFound": "gone",
}


def item_error(why: Sequence[str]) -> ItemError | None:
    """What one of Google's reasons says about a single file; None: it says nothing of the file alone.

    developers.google.com/workspace/drive/api/guides/handle-errors
    """
    return next((refusal(_BY_REASON[reason]) for reason in why if reason in _BY_REASON), None)


def refused(status: int, why: Sequence[str]) -> ItemError:
    """A refusal for a reason that we do not know."""
    told = f"{status} {why[0]}" if why else str(status)
    return ItemError(
        "source-refused",
        f"Drive does not hand this file over ({told}).",
        "Open it in Drive; if it shows there, download it and put it into the new place by hand.",
    )
