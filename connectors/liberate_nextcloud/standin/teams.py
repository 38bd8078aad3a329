"""Team folders (the app groupfolders): made by an administrator, seen by the members of groups."""

from __future__ import annotations

from typing import Any

from liberate_nextcloud.standin.cloud import ALL, Cloud, Mount
from liberate_nextcloud.standin.errors import OcsRefusal
from liberate_nextcloud.standin.exchange import Request
from liberate_nextcloud.standin.store import Node

_UNLIMITED = -3


class TeamFolders:
    """Answers for /index.php/apps/groupfolders/folders."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._folders: dict[str, dict[str, Any]] = self._store.kept("team-folder")
        cloud.mount_sources.append(self._mounts)

    def root(self, number: str) -> Node:
        """Where a team folder's files are."""
        return self._store.root(f"__groupfolders/{number}")

    def _mounts(self, user: str) -> dict[str, Mount]:
        if not self._cloud.switches.team_folders or not self._folders or user not in self._cloud.accounts.users:
            return {}
        mine = set(self._cloud.accounts.users[user].groups)
        found: dict[str, Mount] = {}
        for number, folder in self._folders.items():
            permissions = [bits for group, bits in folder["groups"].items() if group in mine]
            if permissions:
                bits = 0
                for one in permissions:
                    bits |= one
                found[folder["mount_point"]] = Mount(self.root(number), bits, "group")
        return found

    def answer(self, request: Request, rest: list[str]) -> Any:
        """The data for the OCS envelope. Raises OcsRefusal."""
        if not self._cloud.switches.team_folders:
            raise OcsRefusal(404, "", 998)
        user = self._cloud.accounts.users.get(request.user)
        if user is None or not user.admin:
            raise OcsRefusal(403, "Logged in account must be an admin")
        params = request.params()
        with self._store.lock:
            if not rest:
                if request.method == "GET":
                    return {key: self._told(key) for key in self._folders}
                return self._create(str(params.get("mountpoint", "")))
            number = rest[0]
            if number not in self._folders:
                raise OcsRefusal(404, "")
            folder = self._folders[number]
            if len(rest) == 1:
                if request.method == "GET":
                    return self._told(number)
                if request.method == "DELETE":
                    del self._folders[number]
                    self._store.keep("team-folder", number, None)
                    return {"success": True}
                raise OcsRefusal(405, "", 998)
            self._change(request.method, folder, rest[1:], params)
            self._store.keep("team-folder", number, folder)
            return {"success": True, "folder": self._told(number)}

    def _create(self, mount_point: str) -> dict[str, Any]:
        name = mount_point.strip("/ ")
        if not name:
            raise OcsRefusal(400, "Mount point name is invalid")
        if any(folder["mount_point"] == name for folder in self._folders.values()):
            raise OcsRefusal(400, "Mount point already exists")
        number = str(max((int(key) for key in self._folders), default=0) + 1)
        made = {"mount_point": name, "groups": {}, "quota": _UNLIMITED, "acl": False, "manage": []}
        self._folders[number] = made
        self.root(number)
        self._store.keep("team-folder", number, made)
        return self._told(number)

    def _change(self, method: str, folder: dict[str, Any], what: list[str], params: dict[str, Any]) -> None:
        if what == ["groups"] and method == "POST":
            folder["groups"].setdefault(self._group(str(params.get("group", ""))), ALL)
        elif what[0] == "groups" and len(what) == 2 and method == "POST":
            if what[1] not in folder["groups"]:
                raise OcsRefusal(404, "")
            folder["groups"][what[1]] = int(params.get("permissions", ALL))
        elif what[0] == "groups" and len(what) == 2 and method == "DELETE":
            folder["groups"].pop(what[1], None)
        elif what == ["quota"]:
            folder["quota"] = int(params.get("quota", _UNLIMITED))
        elif what == ["acl"]:
            folder["acl"] = str(params.get("acl")) in {"1", "true", "True"}
        elif what == ["manageACL"]:
            entry = {"type": params.get("mappingType", "user"), "id": params.get("mappingId", "")}
            others = [one for one in folder["manage"] if one != entry]
            managing = str(params.get("manageAcl")) in {"1", "true", "True"}
            folder["manage"] = [*others, entry] if managing else others
        elif what == ["mountpoint"]:
            folder["mount_point"] = str(params.get("mountpoint", folder["mount_point"])).strip("/")
        else:
            raise OcsRefusal(404, "", 998)

    def _group(self, group: str) -> str:
        if group not in self._cloud.accounts.groups:
            raise OcsRefusal(404, "Group not found")
        return group

    def _told(self, number: str) -> dict[str, Any]:
        folder = self._folders[number]
        return {
            "id": int(number),
            "mount_point": folder["mount_point"],
            "groups": folder["groups"] or [],
            "quota": folder["quota"],
            "size": self.root(number).size,
            "acl": folder["acl"],
            "manage": folder["manage"],
        }
