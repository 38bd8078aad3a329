"""The stand-in's JSON: Graph's field names, and what Graph leaves out where."""

from __future__ import annotations

import hashlib
import mimetypes
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from liberate_microsoft.standin.tree import Drive, Node


def guid(text: str) -> str:
    """A GUID made of a text."""
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def when(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(address: str, name: str) -> dict[str, Any]:
    """A user resource, as GET /users/{id} gives it by default."""
    given, _, family = name.partition(" ")
    return {
        "id": guid(address),
        "businessPhones": [],
        "displayName": name,
        "givenName": given,
        "jobTitle": None,
        "mail": address,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": family or None,
        "userPrincipalName": address,
    }


def identity(address: str, name: str) -> dict[str, Any]:
    return {"user": {"displayName": name or "System Account", **({"id": guid(address)} if address else {})}}


def site(key: str, host: str, path: str, title: str) -> dict[str, Any]:
    """A site resource."""
    root = {} if path else {"root": {}, "siteCollection": {"hostname": host}}
    return {
        "id": key,
        "createdDateTime": "2024-01-01T00:00:00Z",
        "description": "",
        "displayName": title,
        "lastModifiedDateTime": "2024-01-01T00:00:00Z",
        "name": path.rpartition("/")[2],
        "webUrl": f"https://{host}/{quote(path)}".rstrip("/"),
        **root,
    }


def drive(one: Drive, owner_name: str, total: int = 1 << 40) -> dict[str, Any]:
    """A drive resource."""
    used = one.used
    return {
        "id": one.id,
        "createdDateTime": when(one.root.created),
        "description": "",
        "lastModifiedDateTime": when(one.root.modified),
        "name": one.name,
        "webUrl": one.web_url,
        "driveType": one.kind,
        "createdBy": identity("", ""),
        "lastModifiedBy": identity(one.owner, owner_name),
        "owner": identity(one.owner, owner_name),
        "quota": {"deleted": 0, "remaining": total - used, "state": "normal", "total": total, "used": used},
    }


def item(one: Drive, node: Node, *, delta: bool = False, hierarchical: bool = False) -> dict[str, Any]:
    """A driveItem. In a delta of OneDrive for Business, the cTag and the parent's path are left out."""
    if node.deleted:
        out: dict[str, Any] = {
            "id": node.id,
            "size": 0,
            "parentReference": {"driveType": one.kind, "driveId": one.id, "id": node.parent},
            "deleted": {"state": "deleted"},
        }
        return {**out, **({"folder": {"childCount": 0}} if node.folder else {"file": {}})}
    out = {
        "id": node.id,
        "name": node.name,
        "size": _size(one, node),
        "createdDateTime": when(node.created),
        "lastModifiedDateTime": when(node.modified),
        "eTag": f'"{{{guid(node.id).upper()}}},{node.etag}"',
        "webUrl": one.web_url + "".join(f"/{quote(step.name)}" for step in (*one.ancestors(node), node)[1:]),
        "createdBy": identity(one.owner, one.owner.partition("@")[0]),
        "lastModifiedBy": identity(one.owner, one.owner.partition("@")[0]),
        "fileSystemInfo": {
            "createdDateTime": when(node.client_created or node.created),
            "lastModifiedDateTime": when(node.client_modified or node.modified),
        },
    }
    if node.parent:
        above = one.nodes[node.parent]
        out["parentReference"] = {"driveType": one.kind, "driveId": one.id, "id": node.parent}
        if not delta:
            steps = [step.name for step in (*one.ancestors(above), above)[1:]]
            out["parentReference"]["name"] = above.name
            out["parentReference"]["path"] = "/".join((f"/drives/{one.id}/root:", *steps))
    else:
        out["root"] = {}
        out["parentReference"] = {"driveType": one.kind, "driveId": one.id}
    if node.description:
        out["description"] = node.description
    if not node.folder and not delta:
        out["cTag"] = f'"c:{{{guid(node.id).upper()}}},{node.ctag}"'
    if node.folder:
        out["folder"] = {"childCount": len(one.children(node)) if not delta else 0}
    elif "package" not in node.facets and "remoteItem" not in node.facets:
        out["file"] = _file(node)
    shared = _shared(one, node, hierarchical)
    if shared is not None:
        out["shared"] = shared
    return {**out, **node.facets}


def _size(one: Drive, node: Node) -> int:
    if not node.folder:
        return node.blob.size if node.told_size is None else node.told_size
    return 0


def _file(node: Node) -> dict[str, Any]:
    out: dict[str, Any] = {"mimeType": mimetypes.guess_type(node.name)[0] or "application/octet-stream"}
    digest = node.blob.quickxor if node.told_quickxor is None else node.told_quickxor
    if digest:
        out["hashes"] = {"quickXorHash": digest}
    return out


def _shared(one: Drive, node: Node, hierarchical: bool) -> dict[str, Any] | None:
    """The facet, by default on everything that somebody else may see; by hierarchy only where something is granted."""
    if hierarchical:
        if not node.permissions:
            return {} if not node.parent or node.cut else None
        found = node.permissions
    else:
        found = one.effective(node)
        if not found:
            return None
    links = {str(link.get("scope")) for entry in found if (link := entry.get("link"))}
    return {"scope": next((s for s in ("anonymous", "organization") if s in links), "users")}


def permission(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A permission. OneDrive for Business does not say where it is inherited from."""
    return dict(entry)


def to_person(address: str, name: str, *roles: str, **more: Any) -> dict[str, Any]:
    """A permission of one person, as SharePoint writes it."""
    return {
        "roles": list(roles or ("read",)),
        "grantedToV2": {
            "user": {"displayName": name, "id": guid(address)},
            "siteUser": {"displayName": name, "id": "12", "loginName": f"i:0#.f|membership|{address}"},
        },
        "grantedTo": {"user": {"displayName": name, "id": guid(address)}},
        **more,
    }


def to_group(name: str, *roles: str) -> dict[str, Any]:
    """A permission of a Microsoft 365 group, as SharePoint writes it."""
    key = guid(f"group {name}")
    login = f"c:0o.c|federateddirectoryclaimprovider|{key}"
    return {
        "roles": list(roles or ("read",)),
        "grantedToV2": {
            "group": {"displayName": name, "id": key},
            "siteUser": {"displayName": name, "id": "21", "loginName": login},
        },
    }


def to_site_group(name: str, *roles: str) -> dict[str, Any]:
    """A permission of one of a site's own groups: its owners, members or visitors."""
    return {
        "roles": list(roles or ("read",)),
        "grantedToV2": {"siteGroup": {"displayName": name, "id": "5", "loginName": name}},
    }


def to_link(scope: str, kind: str = "view", people: tuple[tuple[str, str], ...] = (), **more: Any) -> dict[str, Any]:
    """A sharing link; of scope "users" for these people, each an address and a name."""
    return {
        "roles": ["write" if kind == "edit" else "read"],
        "shareId": f"u!{guid(scope + kind + repr(people))}",
        "hasPassword": False,
        "grantedToIdentitiesV2": [to_person(address, name)["grantedToV2"] for address, name in people],
        "link": {
            "scope": scope,
            "type": kind,
            "webUrl": "https://solros.sharepoint.example/:t:/g/x",
            "preventsDownload": False,
        },
        **more,
    }


def versions(one: Drive, node: Node) -> list[dict[str, Any]]:
    """The versions of a file, the newest first, the present one among them (driveItem: list versions)."""
    beside = 0 if node.told_size is None else node.told_size - node.blob.size
    every = [*node.earlier, (node.client_modified or node.modified, node.blob)]
    told = [version(n, at, max(0, blob.size + beside), one.owner) for n, (at, blob) in enumerate(every, 1)]
    return told[::-1]


def version(number: int, moment: datetime, size: int, owner: str) -> dict[str, Any]:
    """A driveItemVersion."""
    return {
        "id": f"{number}.0",
        "lastModifiedDateTime": when(moment),
        "size": size,
        "lastModifiedBy": identity(owner, owner.partition("@")[0]),
    }
