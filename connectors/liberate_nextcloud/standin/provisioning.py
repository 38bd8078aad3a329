"""Users, groups and quotas by the provisioning API."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any

from liberate_nextcloud.standin.accounts import UNLIMITED, User
from liberate_nextcloud.standin.cloud import Cloud
from liberate_nextcloud.standin.errors import OcsRefusal
from liberate_nextcloud.standin.exchange import Request

_USER_ID = re.compile(r"[a-zA-Z0-9 _.@\-']+")
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30,
          "t": 1 << 40, "tb": 1 << 40, "p": 1 << 50, "pb": 1 << 50}  # fmt: skip
_NOT_ADMIN = "Logged in account must be at least a sub admin"


class Provisioning:
    """Answers for /ocs/v2.php/cloud/{user,users,groups}."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._accounts = cloud.accounts

    def answer(self, request: Request, rest: list[str]) -> Any:
        """The data for the OCS envelope. Raises OcsRefusal."""
        with self._cloud.store.lock:
            if rest == ["user"]:
                return self._told(self._accounts.users[request.user])
            kind, parts = rest[0], rest[1:]
            acts: dict[tuple[str, int, str], Callable[[Request, list[str]], Any]] = {
                ("users", 0, "GET"): self._users,
                ("users", 0, "POST"): self._create,
                ("users", 1, "GET"): self._user,
                ("users", 1, "PUT"): self._edit,
                ("users", 1, "DELETE"): self._delete,
                ("users", 2, "GET"): self._groups_of,
                ("users", 2, "POST"): self._join,
                ("users", 2, "DELETE"): self._leave,
                ("users", 2, "PUT"): self._switch,
                ("groups", 0, "GET"): self._groups,
                ("groups", 0, "POST"): self._create_group,
                ("groups", 1, "GET"): self._members,
                ("groups", 1, "DELETE"): self._delete_group,
                ("groups", 2, "GET"): self._members,
            }
            act = acts.get((kind, len(parts), request.method))
            if act is None:
                raise OcsRefusal(405, "", 998)
            return act(request, parts)

    def _admin(self, request: Request) -> None:
        if not self._accounts.users[request.user].admin:
            raise OcsRefusal(403, _NOT_ADMIN)

    def _found(self, user: str) -> User:
        found = self._accounts.users.get(user)
        if found is None:
            raise OcsRefusal(404, "User does not exist", 404)
        return found

    # Users ---------------------------------------------------------------------------------------

    def _told(self, user: User) -> dict[str, Any]:
        used = self._cloud.home(user.id).size
        free = self._cloud.room(user.id)
        total = user.quota if user.quota < 0 else used + free
        relative = round(100 * used / user.quota, 2) if user.quota > 0 else 0
        return {
            "enabled": user.enabled,
            "id": user.id,
            "backend": "Database",
            "subadmin": user.subadmin,
            "quota": {"free": free, "used": used, "total": total, "relative": relative, "quota": user.quota},
            "manager": user.manager,
            "email": user.email,
            "additional_mail": [],
            "displayname": user.display,
            "display-name": user.display,
            "phone": "",
            "address": "",
            "website": "",
            "groups": user.groups,
            "language": user.language,
            "locale": "",
            "backendCapabilities": {"setDisplayName": True, "setPassword": True},
        }

    def _users(self, request: Request, _parts: list[str]) -> Any:
        self._admin(request)
        params = request.params()
        search = str(params.get("search", "")).lower()
        found = [u.id for u in self._accounts.users.values() if search in u.id.lower() or search in u.display.lower()]
        start = int(params.get("offset") or 0)
        end = start + int(params["limit"]) if params.get("limit") else None
        return {"users": sorted(found)[start:end]}

    def _user(self, request: Request, parts: list[str]) -> Any:
        if parts[0] != request.user and not self._accounts.users[request.user].admin:
            raise OcsRefusal(404, "", 998)
        return self._told(self._found(parts[0]))

    def _create(self, request: Request, _parts: list[str]) -> Any:
        self._admin(request)
        params = request.params()
        user = str(params.get("userid", "")).strip()
        password, email = str(params.get("password", "")), str(params.get("email", "")) or None
        if user in self._accounts.users:
            raise OcsRefusal(400, "User already exists", 102)
        groups = params.get("groups") or []
        for group in groups:
            if group not in self._accounts.groups:
                raise OcsRefusal(400, f"Group {group} does not exist", 104)
        quota = _bytes(str(params.get("quota", "")), 103)
        if not password:
            if email is None:
                raise OcsRefusal(400, "An email address is required, to send a password link to the user.", 108)
            password = secrets.token_urlsafe(24)
        if not _USER_ID.fullmatch(user):
            said = 'Only the following characters are allowed in an Login: "a-z", "A-Z", "0-9", spaces and "_.@-\'"'
            raise OcsRefusal(400, said, 101)
        made = self._accounts.add(user, password, display=str(params.get("displayName", "")), email=email, quota=quota)
        made.groups = list(groups)
        made.admin = "admin" in groups
        made.subadmin = list(params.get("subadmin") or [])
        made.language = str(params.get("language") or "en")
        made.manager = str(params.get("manager") or "")
        self._accounts.changed(made)
        return {"id": user}

    def _edit(self, request: Request, parts: list[str]) -> Any:
        own = parts[0] == request.user
        if not own:
            self._admin(request)
        user = self._found(parts[0])
        params = request.params()
        key, value = str(params.get("key", "")), str(params.get("value", ""))
        if key in {"displayname", "display"}:
            user.display = value
        elif key == "email":
            if value and "@" not in value:
                raise OcsRefusal(400, "", 101)
            user.email = value or None
        elif key == "quota":
            self._admin(request)
            user.quota = _bytes(value, 101)
        elif key == "password":
            self._accounts.set_password(user, value)
        elif key == "language":
            user.language = value
        elif key == "manager":
            user.manager = value
        else:
            raise OcsRefusal(400, "", 113)
        self._accounts.changed(user)
        return []

    def _delete(self, request: Request, parts: list[str]) -> Any:
        self._admin(request)
        user = self._accounts.users.get(parts[0])
        if user is None or user.id == request.user:
            raise OcsRefusal(400, "", 101)
        self._accounts.delete(user)
        return []

    def _switch(self, request: Request, parts: list[str]) -> Any:
        self._admin(request)
        user = self._found(parts[0])
        if parts[1] not in {"enable", "disable"} or user.id == request.user:
            raise OcsRefusal(400, "", 101)
        user.enabled = parts[1] == "enable"
        self._accounts.changed(user)
        return []

    # Groups --------------------------------------------------------------------------------------

    def _groups(self, request: Request, _parts: list[str]) -> Any:
        self._admin(request)
        search = str(request.params().get("search", "")).lower()
        return {"groups": sorted(group for group in self._accounts.groups if search in group.lower())}

    def _create_group(self, request: Request, _parts: list[str]) -> Any:
        self._admin(request)
        params = request.params()
        group = str(params.get("groupid", ""))
        if not group:
            raise OcsRefusal(400, "Invalid group name", 101)
        if group in self._accounts.groups:
            raise OcsRefusal(400, "group exists", 102)
        self._accounts.add_group(group, str(params.get("displayname", "")))
        return []

    def _members(self, request: Request, parts: list[str]) -> Any:
        self._admin(request)
        if parts[0] not in self._accounts.groups:
            raise OcsRefusal(404, "The requested group could not be found")
        return {"users": sorted(u.id for u in self._accounts.users.values() if parts[0] in u.groups)}

    def _delete_group(self, request: Request, parts: list[str]) -> Any:
        self._admin(request)
        if parts[0] not in self._accounts.groups or parts[0] == "admin":
            raise OcsRefusal(400, "", 101 if parts[0] != "admin" else 102)
        self._accounts.delete_group(parts[0])
        return []

    def _groups_of(self, request: Request, parts: list[str]) -> Any:
        if parts[0] != request.user:
            self._admin(request)
        return {"groups": self._found(parts[0]).groups}

    def _membership(self, request: Request, parts: list[str]) -> tuple[User, str]:
        self._admin(request)
        group = str(request.params().get("groupid", ""))
        if not group:
            raise OcsRefusal(400, "", 101)
        if group not in self._accounts.groups:
            raise OcsRefusal(400, "", 102)
        user = self._accounts.users.get(parts[0])
        if user is None:
            raise OcsRefusal(400, "", 103)
        return user, group

    def _join(self, request: Request, parts: list[str]) -> Any:
        user, group = self._membership(request, parts)
        if group not in user.groups:
            user.groups.append(group)
            user.admin = user.admin or group == "admin"
            self._accounts.changed(user)
        return []

    def _leave(self, request: Request, parts: list[str]) -> Any:
        user, group = self._membership(request, parts)
        if group in user.groups:
            user.groups.remove(group)
            user.admin = user.admin and group != "admin"
            self._accounts.changed(user)
        return []


def _bytes(text: str, code: int) -> int:
    """A quota as people write it: "5 MB", "none"; UNLIMITED for none. Raises 400 with that status code."""
    told = text.strip().lower()
    if told in {"", "none", "default", "unlimited"}:
        return UNLIMITED
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([a-z]*)", told)
    if match is None or match[2] not in _UNITS:
        raise OcsRefusal(400, f"Invalid quota value: {text}", code)
    return int(float(match[1]) * _UNITS[match[2]])
