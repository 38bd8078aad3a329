"""Graph's JSON as items, grants and errors. Pure: nothing here touches the network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from liberate.connector import Item, Kind, Skipped
from liberate.files import FileFacts, Grant, Role, ordered

Json: TypeAlias = Mapping[str, Any]

QUICKXOR = "quickxor"  # among an item's digests: base64, as Graph gives it
SELECT = (
    "id,name,size,eTag,cTag,createdDateTime,lastModifiedDateTime,description,parentReference,fileSystemInfo,"
    "file,folder,package,bundle,remoteItem,malware,deleted,root,shared"
)

_NAMED = 10  # of those who may see a whole drive
_NO_END = datetime(1, 1, 2, tzinfo=UTC)  # DateTime.MinValue means that a permission does not expire (permission docs)


def moment(text: Any) -> datetime | None:
    """An ISO time as Graph writes it, aware; None when there is none or it cannot be read."""
    if not isinstance(text, str):
        return None
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        return None
    fraction = (match[2] or "0")[:6].ljust(6, "0")  # Graph gives up to seven digits
    try:
        return datetime.fromisoformat(f"{match[1]}.{fraction}{match[3].replace('Z', '+00:00')}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def hashes(raw: Json) -> dict[str, str]:
    """The digests that Graph gives a file, hex ones in lower case."""
    told = _table(_table(raw.get("file")).get("hashes"))
    out = {}
    for theirs, ours, pattern in (
        ("sha256Hash", "sha256", r"[0-9a-f]{64}"),
        ("sha1Hash", "sha1", r"[0-9a-f]{40}"),
    ):
        value = str(told.get(theirs) or "").lower()
        if re.fullmatch(pattern, value):
            out[ours] = value
    quick = told.get("quickXorHash")
    if isinstance(quick, str) and re.fullmatch(r"[A-Za-z0-9+/]{27}=", quick):
        out[QUICKXOR] = quick
    return out


def version(raw: Json) -> str:
    """What changes when the bytes do; "" when these facts do not say.

    By digest where there is one. Not by eTag, which changes when a file is renamed; and a listing
    by delta leaves the cTag out on OneDrive for Business (driveItem: delta, remarks).
    """
    told = hashes(raw)
    size = raw.get("size")
    for name in (QUICKXOR, "sha256", "sha1"):
        if name in told:
            return f"{name}:{told[name]}:{size}"
    if size == 0:
        return "empty"
    tag = raw.get("cTag")
    return f"ctag:{tag}" if isinstance(tag, str) and tag else ""


def left_out(raw: Json) -> Skipped | None:
    """Why an entry of a drive does not move; None: it does."""
    key = str(raw["id"])
    if raw.get("remoteItem") is not None:
        return Skipped(
            key,
            "shared-in",
            "It is a shortcut to something in somebody else's drive, and moves with its owner.",
        )
    if raw.get("package") is not None:
        kind = str(_table(raw["package"]).get("type") or "")
        if kind.lower() == "onenote":
            return Skipped(
                key,
                "onenote",
                "It is a OneNote notebook, which Microsoft does not hand over as a file.",
                "Export it from OneNote for Windows (File > Export > Notebook), and put the file in the drive.",
            )
        return Skipped(key, "package", "It is a package that Microsoft does not hand over as a file.")
    if raw.get("malware") is not None:
        return Skipped(
            key,
            "malware",
            "Microsoft found malware in it and does not hand it over.",
            "Delete it, or let its owner restore an earlier version.",
        )
    if raw.get("folder") is None and raw.get("file") is None:
        return Skipped(key, "unknown-kind", "It is neither a file nor a folder.")
    return None


def shared_as_a_whole(root: str, grants: Collection[Grant], *, library: bool) -> Skipped | None:
    """What to say of those who may see a whole drive, which no item of it tells; None: nobody does.

    A library always has such people: the members of its site, whom Graph may not name to an application.
    """
    names = sorted({grant.name for grant in grants if grant.name})
    if not names and not library:
        return None
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    what = "library" if library else "OneDrive"
    return Skipped(
        root,
        "shared-as-a-whole",
        f"Who may see the whole {what} is not shared again: {shown or 'the members of its site'}.",
        "Share the account or Team folder that it goes to with them by hand.",
    )


def item(raw: Json, parent: str, grants: Collection[Grant] = (), *, closed: bool = False) -> Item:
    """A file or folder as an item; `parent` is "" in the outermost folder. Its version may be "" (see version)."""
    folder = raw.get("folder") is not None and raw.get("file") is None
    times = _table(raw.get("fileSystemInfo"))
    created = moment(times.get("createdDateTime")) or moment(raw.get("createdDateTime"))
    modified = moment(times.get("lastModifiedDateTime")) or moment(raw.get("lastModifiedDateTime"))
    text = description(raw)
    facts = FileFacts(parent, folder, created, notes=1 if text else 0, grants=ordered(grants), closed=closed)
    name = str(raw.get("name") or "")
    size = raw.get("size")
    about = hashlib.sha256()
    for part in (name, facts.dump(), modified.isoformat() if modified else "", text):
        about.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return Item(
        str(raw["id"]),
        Kind.FILE,
        "" if folder else version(raw),
        name,
        None if folder or not isinstance(size, int) or size < 0 else size,
        modified,
        {} if folder else hashes(raw),
        facts=facts,
        facts_version=about.hexdigest()[:16],
    )


def description(raw: Json) -> str:
    """What people wrote about the item; "" when nothing."""
    told = raw.get("description")
    return told.strip() if isinstance(told, str) else ""


def parent_of(raw: Json) -> str:
    """The id of the folder that the item stands in; "" when it is not told."""
    return str(_table(raw.get("parentReference")).get("id") or "")


# Grants ------------------------------------------------------------------------------------------

_ROLES = {"read": Role.READER, "write": Role.WRITER, "owner": Role.ORGANIZER, "sp.full control": Role.ORGANIZER}
_LINKS = {"view": Role.READER, "embed": Role.READER, "blocksdownload": Role.READER, "review": Role.COMMENTER,
          "edit": Role.WRITER}  # fmt: skip
_STRENGTH = list(Role)
_EVERYBODY = ("spo-grid-all-users", "c:0(.s|true", "c:0!.s|windows")  # claims of "everyone (except external users)"


def grants(permissions: Sequence[Json], domain: str, owner: str) -> frozenset[Grant]:
    """Who may do what by these permissions, the owner left out.

    A link that asks for a password is left out too: without its password it would be open to all.
    `domain` is the organisation's. People whose address Graph does not give are named by their id,
    in the form "id:...", for who can look them up.
    """
    out = set()
    for one in permissions:
        ends = moment(one.get("expirationDateTime"))
        if ends is not None and ends < _NO_END:
            ends = None
        link = _table(one.get("link"))
        if link:
            role = _LINKS.get(str(link.get("type") or "").lower()) or _role(one)
            scope = str(link.get("scope") or "")
            if role is None or one.get("hasPassword") is True:
                continue
            if scope == "anonymous":
                out.add(Grant("link", "", role, ends))
            elif scope == "organization":
                out.add(Grant("domain", domain, role, ends))
            elif scope in ("users", ""):
                people = one.get("grantedToIdentitiesV2") or one.get("grantedToIdentities") or ()
                out |= {grant for who in people if (grant := _to(who, role, ends, domain)) is not None}
            continue
        role = _role(one)
        who = one.get("grantedToV2") or one.get("grantedTo")
        if role is None:
            continue
        if who:
            found = _to(who, role, ends, domain)
        else:
            address = _table(one.get("invitation")).get("email")
            found = Grant("user", str(address).lower(), role, ends) if address else None
        if found is not None:
            out.add(found)
    return frozenset(grant for grant in out if grant.to != "user" or grant.name != owner.lower())


def one_each(found: Iterable[Grant], now: datetime) -> frozenset[Grant]:
    """What allows most of what somebody has in several ways, as long as it has not ended. Links stay apart."""
    best: dict[tuple[str, str], Grant] = {}
    for grant in found:
        key = (grant.to, grant.name)
        if key not in best or _worth(grant, now) > _worth(best[key], now):
            best[key] = grant
    return frozenset(best.values()).union(grant for grant in found if grant.to == "link")


def _worth(grant: Grant, now: datetime) -> tuple[bool, int, bool, datetime]:
    ends = grant.expires
    return ends is None or ends > now, _STRENGTH.index(grant.role), ends is None, ends or now


def _role(permission: Json) -> Role | None:
    told = [_ROLES[role.lower()] for role in permission.get("roles") or () if str(role).lower() in _ROLES]
    return max(told, key=_STRENGTH.index) if told else None


def _to(who: Json, role: Role, ends: datetime | None, domain: str) -> Grant | None:
    login = str(_table(who.get("siteUser")).get("loginName") or _table(who.get("siteGroup")).get("loginName") or "")
    if any(mark in login.lower() for mark in _EVERYBODY):
        return Grant("domain", domain, role, ends)
    for field, to in (("user", "user"), ("siteUser", "user"), ("group", "group"), ("siteGroup", "group")):
        identity = _table(who.get(field))
        if not identity:
            continue
        name = identity.get("email") or identity.get("userPrincipalName") or address_in(login)
        if not name and to == "group":
            name = identity.get("displayName")
        if not name and field == "user" and identity.get("id"):
            name = f"id:{identity['id']}"
        if name:
            text = str(name)
            return Grant("user" if to == "user" else "group", text.lower() if "@" in text else text, role, ends)
    return None


def address_in(login: str) -> str:
    """The address in a SharePoint login name, a guest's own one too; "" when there is none.

    "i:0#.f|membership|anna@example.coop"; a guest's is "...|jo_gmail.com#ext#@example.onmicrosoft.com".
    """
    last = login.rpartition("|")[2].lower()
    guest, mark, _ = last.partition("#ext#")
    if mark and "_" in guest:
        local, _, host = guest.rpartition("_")
        return f"{local}@{host}"
    return last if re.fullmatch(r"[^@\s]+@[^@\s]+", last) else ""


def _table(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}
