"""Shares: made, changed, listed and taken back by OCS, and seen in the receivers' files."""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from liberate_nextcloud.standin.cloud import ALL, Cloud, Mount
from liberate_nextcloud.standin.errors import OcsRefusal
from liberate_nextcloud.standin.exchange import Request
from liberate_nextcloud.standin.props import mime_type
from liberate_nextcloud.standin.store import Node

USER, GROUP, LINK, EMAIL, REMOTE = 0, 1, 3, 4, 6
_MOST, _WINDOW = 20, 600.0  # shares that a user may make, in so many seconds
_TOKEN = "ABCDEFGHJKLMNPQRSTWXYZabcdefgijkmnopqrstwxyz23456789"  # noqa: S105 - an alphabet


class Shares:
    """Answers for /ocs/v2.php/apps/files_sharing/api/v1/shares."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._shares: dict[str, dict[str, Any]] = self._store.kept("share")
        self._made: dict[str, list[float]] = defaultdict(list)
        cloud.mount_sources.append(self._mounts)

    def all(self) -> list[dict[str, Any]]:
        """For tests: every share as it is kept."""
        return list(self._shares.values())

    def _mounts(self, user: str) -> dict[str, Mount]:
        groups = self._cloud.accounts.users[user].groups if user in self._cloud.accounts.users else []
        found: dict[str, Mount] = {}
        for share in self._shares.values():
            to_me = share["type"] == USER and share["with"] == user
            if to_me or (share["type"] == GROUP and share["with"] in groups and share["owner"] != user):
                node = self._store.by_id.get(share["file"])
                if node is not None and "deleted" not in node.extra:
                    found[share["target"].lstrip("/")] = Mount(node, share["permissions"], "shared")
        return found

    def answer(self, request: Request, rest: list[str]) -> tuple[Any, str]:
        """Data and message, or an OcsRefusal."""
        with self._store.lock:
            if not rest:
                if request.method == "POST":
                    return self._create(request), "OK"
                if request.method == "GET":
                    return self._list(request), "OK"
                raise OcsRefusal(405, "", 998)
            share = self._shares.get(rest[0])
            if share is None or (share["owner"] != request.user and share["with"] != request.user):
                raise OcsRefusal(404, "Wrong share ID, share does not exist")
            if request.method == "GET":
                return [self._told(rest[0], share)], "OK"
            if request.method == "DELETE":
                del self._shares[rest[0]]
                self._store.keep("share", rest[0], None)
                return [], "OK"
            if request.method == "PUT":
                self._change(request, share)
                self._store.keep("share", rest[0], share)
                return self._told(rest[0], share), "OK"
            raise OcsRefusal(405, "", 998)

    def _list(self, request: Request) -> list[dict[str, Any]]:
        params = request.params()
        shares = [(key, share) for key, share in self._shares.items()]
        if params.get("shared_with_me") == "true":
            groups = self._cloud.accounts.users[request.user].groups
            return [
                self._told(key, share)
                for key, share in shares
                if (share["type"] == USER and share["with"] == request.user)
                or (share["type"] == GROUP and share["with"] in groups)
            ]
        shares = [(key, share) for key, share in shares if share["owner"] == request.user]
        if params.get("path"):
            node = self._cloud.find(request.user, tuple(p for p in params["path"].split("/") if p))
            if node is None:
                raise OcsRefusal(404, "Wrong path, file/folder does not exist")
            inside = params.get("subfiles") == "true"
            wanted = {child.id for child in (node.children or {}).values()} if inside else {node.id}
            shares = [(key, share) for key, share in shares if share["file"] in wanted]
        return [self._told(key, share) for key, share in shares]

    def _limit(self, user: str) -> None:
        """Raises 429 with nothing in it, the way the server's middleware does."""
        if not self._cloud.switches.rate_limit:
            return
        now = self._cloud.clock()
        recent = [at for at in self._made[user] if at > now - _WINDOW]
        self._made[user] = recent
        if len(recent) >= _MOST:
            raise TooMany
        recent.append(now)

    def _create(self, request: Request) -> dict[str, Any]:
        params = request.params()
        self._limit(request.user)
        node = self._node(request.user, params)
        kind = _whole(params.get("shareType", -1))
        permissions = self._permissions(params, node, kind)
        expires = _expiry(params.get("expireDate"))
        label = str(params.get("label", ""))
        if len(label) > 255:
            raise OcsRefusal(400, "Maximum label length is 255")
        receiver = str(params.get("shareWith", ""))
        self._check_receiver(request.user, kind, receiver)
        known = self._same(node, kind, receiver)
        if known is not None:
            return self._told(known, self._shares[known])
        key = str(max((int(key) for key in self._shares), default=0) + 1)
        note = str(params.get("note", ""))
        share = {
            "type": kind,
            "with": receiver,
            "owner": request.user,
            "file": node.id,
            "permissions": permissions,
            "time": self._store.now(),
            "expires": expires,
            "note": note,
            "label": label if kind in {LINK, EMAIL} else "",
            "password": str(params.get("password", "")) if kind in {LINK, EMAIL} else "",
            "token": "".join(secrets.choice(_TOKEN) for _ in range(15)) if kind in {LINK, EMAIL, REMOTE} else None,
            "attributes": params.get("attributes"),
            "target": self._target(node, kind, receiver),
        }
        self._shares[key] = share
        self._store.keep("share", key, share)
        return self._told(key, share) | {"mail_send": 0 if params.get("sendMail") == "false" else 1}

    def _node(self, user: str, params: dict[str, Any]) -> Node:
        if not params.get("path"):
            raise OcsRefusal(404, "Please specify a file or folder path")
        node = self._cloud.find(user, tuple(part for part in str(params["path"]).split("/") if part))
        if node is None or node.base is not None:
            raise OcsRefusal(404, "Wrong path, file/folder does not exist")
        return node

    def _permissions(self, params: dict[str, Any], node: Node, kind: int) -> int:
        told = params.get("permissions")
        links = kind in {LINK, EMAIL}
        permissions = _whole(told) if told is not None else (17 if links else ALL)
        if not 0 <= permissions <= ALL or (told is not None and not str(told).isdigit()):
            raise OcsRefusal(403, "Valid permissions are required for sharing")
        if links:
            if params.get("publicUpload") == "true":
                permissions |= 15
            permissions |= 16
        else:
            permissions |= 1  # reading is always among them
        if not node.folder:
            permissions &= ~(4 | 8)
        return permissions

    def _check_receiver(self, user: str, kind: int, receiver: str) -> None:
        accounts = self._cloud.accounts
        if kind == USER:
            if receiver not in accounts.users:
                raise OcsRefusal(404, "Please specify a valid account to share with")
            if receiver == user:
                raise OcsRefusal(403, "Cannot share with yourself")
        elif kind == GROUP:
            if not self._cloud.switches.group_sharing:
                raise OcsRefusal(404, "Group sharing is disabled by the administrator")
            if receiver not in accounts.groups:
                raise OcsRefusal(404, "Please specify a valid group")
        elif kind == LINK:
            if not self._cloud.switches.link_sharing:
                raise OcsRefusal(404, "Public link sharing is disabled by the administrator")
        elif kind == EMAIL:
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", receiver):
                raise OcsRefusal(404, "Please specify a valid email address")
        elif kind == REMOTE:
            if "@" not in receiver:
                raise OcsRefusal(404, "Please specify a valid federated account ID")
        else:
            raise OcsRefusal(400, "Unknown share type")

    def _same(self, node: Node, kind: int, receiver: str) -> str | None:
        """A share with the same receiver, which is told again instead of made twice."""
        if kind not in {USER, GROUP}:
            return None
        for key, share in self._shares.items():
            if (share["file"], share["type"], share["with"]) == (node.id, kind, receiver):
                return key
        return None

    def _target(self, node: Node, kind: int, receiver: str) -> str | None:
        """Where it appears in the receiver's files: in the root, under a name that is free there."""
        if kind not in {USER, GROUP}:
            return "/" + node.name if kind == LINK else None
        taken: set[str] = set()
        if kind == USER:
            taken = set(self._cloud.home(receiver).children or {}) | set(self._mounts(receiver))
        name, number = node.name, 2
        stem, dot, ending = node.name.rpartition(".") if not node.folder and "." in node.name else (node.name, "", "")
        while name in taken:
            name = f"{stem} ({number}){dot}{ending}"
            number += 1
        return "/" + name

    def _change(self, request: Request, share: dict[str, Any]) -> None:
        if share["owner"] != request.user:
            raise OcsRefusal(403, "You are not allowed to edit incoming shares")
        params = request.params()
        node = self._store.by_id[share["file"]]
        if "permissions" in params:
            share["permissions"] = self._permissions(params, node, share["type"])
        if "expireDate" in params:
            share["expires"] = _expiry(params["expireDate"])
        for name in ("note", "label", "password", "attributes"):
            if name in params:
                share[name] = params[name]

    def _told(self, key: str, share: dict[str, Any]) -> dict[str, Any]:
        accounts = self._cloud.accounts
        node = self._store.by_id.get(share["file"])
        owner = accounts.users.get(share["owner"])
        display = owner.display if owner else share["owner"]
        told: dict[str, Any] = {
            "id": key,
            "share_type": share["type"],
            "uid_owner": share["owner"],
            "displayname_owner": display,
            "permissions": share["permissions"],
            "can_edit": True,
            "can_delete": True,
            "stime": share["time"],
            "parent": None,
            "expiration": f"{share['expires']} 00:00:00" if share["expires"] else None,
            "token": share["token"],
            "uid_file_owner": share["owner"],
            "note": share["note"],
            "label": share["label"] or "",
            "displayname_file_owner": display,
        }
        if node is not None:
            told |= {
                "path": "/" + "/".join(_path(node)),
                "item_type": "folder" if node.folder else "file",
                "item_permissions": ALL if node.folder else 27,
                "is-mount-root": False,
                "mount-type": "",
                "mimetype": "httpd/unix-directory" if node.folder else mime_type(node.name),
                "has_preview": False,
                "storage_id": f"home::{share['owner']}",
                "storage": 1,
                "item_source": node.id,
                "file_source": node.id,
                "file_parent": node.parent.id if node.parent else 0,
                "file_target": share["target"],
                "item_size": node.size,
                "item_mtime": node.mtime,
            }
        receiver = accounts.users.get(share["with"]) if share["type"] == USER else None
        if share["type"] == LINK:
            told |= {"share_with": share["password"] or None, "share_with_displayname": "(Shared link)"}
            told |= {"password": share["password"] or None, "send_password_by_talk": False}
            told["url"] = f"http://{self._host}/index.php/s/{share['token']}"
        else:
            told |= {
                "share_with": share["with"],
                "share_with_displayname": receiver.display if receiver else share["with"],
            }
            if receiver is not None:
                told["share_with_displayname_unique"] = receiver.email or receiver.id
        return told | {"mail_send": 0, "hide_download": 0, "attributes": share["attributes"]}

    _host = "localhost"

    def at(self, host: str) -> None:
        """The address that links begin with."""
        self._host = host


class TooMany(Exception):
    """The answer is 429 without a body."""


def _whole(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return -1


def _path(node: Node) -> tuple[str, ...]:
    names: list[str] = []
    at: Node | None = node
    while at is not None and at.parent is not None:
        names.append(at.name)
        at = at.parent
    return tuple(reversed(names))


def _expiry(value: Any) -> str | None:
    """The day, or None. Raises 404, as the server does for days it does not take."""
    if value in {None, ""}:
        return None
    try:
        day = datetime.strptime(str(value)[:10], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise OcsRefusal(404, "Invalid date. Format must be YYYY-MM-DD") from None
    if day < datetime.now(UTC):
        raise OcsRefusal(404, "Expiration date is in the past")
    return day.strftime("%Y-%m-%d")
