"""The OCS side: its envelope, what the server can do, app passwords, and the way to what else speaks OCS."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from xml.sax.saxutils import escape

from liberate_nextcloud.standin.cloud import Cloud
from liberate_nextcloud.standin.errors import OcsRefusal
from liberate_nextcloud.standin.exchange import Reply, Request, as_json
from liberate_nextcloud.standin.provisioning import Provisioning
from liberate_nextcloud.standin.shares import Shares, TooMany
from liberate_nextcloud.standin.teams import TeamFolders

_APP_STATE = ["apps", "app_api", "ex-app", "state"]  # what an app asks for nobody
_SHARES = ["apps", "files_sharing", "api", "v1", "shares"]
_UNKNOWN = (
    "Invalid query, please check the syntax. API specifications are here: "
    "http://www.freedesktop.org/wiki/Specifications/open-collaboration-services.\n"
)


class Ocs:
    """Answers for /ocs/v1.php/, /ocs/v2.php/ and for apps that use the same envelope."""

    def __init__(self, cloud: Cloud, shares: Shares, teams: TeamFolders) -> None:
        self._cloud = cloud
        self._shares = shares
        self._teams = teams
        self._provisioning = Provisioning(cloud)

    def answer(self, request: Request, rest: list[str], *, old: bool = False) -> Reply:
        """`rest` is the path below ocs/v2.php; `old` is for v1, which says 200 to everything over HTTP."""
        try:
            self._admit(request, rest)
            data, message = self._route(request, rest)
        except TooMany:
            return Reply(429, [("Content-Type", "text/html; charset=UTF-8")])
        except OcsRefusal as refusal:
            if refusal.code == 412:
                return as_json(412, {"message": refusal.message})
            return self._enveloped(request, refusal.status, refusal.code, refusal.message, [], old)
        return self._enveloped(request, 200, 200, message, data, old)

    def team_folders(self, request: Request, rest: list[str]) -> Reply:
        try:
            self._admit(request, ["apps", "groupfolders"])
            data = self._teams.answer(request, rest)
        except OcsRefusal as refusal:
            if refusal.code == 998:
                page = (
                    b"<!DOCTYPE html>\n<html><head><title>Nextcloud</title></head><body>Page not found</body></html>\n"
                )
                return Reply(404, [("Content-Type", "text/html; charset=UTF-8")], page)
            if refusal.code == 412:
                return as_json(412, {"message": refusal.message})
            return self._enveloped(request, refusal.status, refusal.code, refusal.message, [], old=False)
        return self._enveloped(request, 200, 200, "OK", data, old=False)

    def _admit(self, request: Request, rest: list[str]) -> None:
        public = rest[:2] == ["cloud", "capabilities"]
        if not request.user and not public and not (request.by_app and rest == _APP_STATE):
            raise OcsRefusal(401, "Current user is not logged in", 997)
        if not request.header("ocs-apirequest") and not request.by_app:
            raise OcsRefusal(412, "CSRF check failed")

    def _route(self, request: Request, rest: list[str]) -> tuple[Any, str]:
        if rest == ["cloud", "capabilities"]:
            return self._capabilities(request), "OK"
        if rest[:1] == ["cloud"] and len(rest) > 1 and rest[1] in {"user", "users", "groups"}:
            return self._provisioning.answer(request, rest[1:]), "OK"
        if rest[:5] == _SHARES:
            return self._shares.answer(request, rest[5:])
        if rest == _APP_STATE and request.by_app:
            return 1, "OK"
        if rest == ["core", "getapppassword"] and request.method == "GET":
            if request.by_app:
                raise OcsRefusal(403, "")
            if request.app_password:
                raise OcsRefusal(403, "You cannot request an new apppassword with an apppassword")
            if not request.header("authorization"):
                raise OcsRefusal(403, "Password confirmation is required")
            return {"apppassword": self._cloud.accounts.app_password(request.user)}, "OK"
        if rest == ["core", "apppassword"] and request.method == "DELETE":
            key = self._cloud.accounts.app_password_of(request)
            if key is None:
                raise OcsRefusal(403, "no app password in use")
            self._cloud.accounts.forget_app_password(key)
            return [], "OK"
        raise OcsRefusal(404, _UNKNOWN, 998)

    def _capabilities(self, request: Request) -> dict[str, Any]:
        switches = self._cloud.switches
        major, minor, micro, _ = switches.version
        version = {
            "major": major,
            "minor": minor,
            "micro": micro,
            "string": f"{major}.{minor}.{micro}",
            "edition": "",
            "extendedSupport": False,
        }
        found: dict[str, Any] = {"bruteforce": {"delay": 0, "allow-listed": False}}
        if request.user:
            dav: dict[str, Any] = {"chunking": "1.0", "public_shares_chunking": False}
            if switches.bulk_upload:
                dav["bulkupload"] = "1.0"
            found |= {
                "core": {"pollinterval": 60, "webdav-root": "remote.php/webdav"},
                "files": switches.names.capabilities()
                | {
                    "bigfilechunking": True,
                    "chunked_upload": {"max_size": switches.chunk_wish, "max_parallel_count": switches.parallel_wish},
                    "comments": switches.commenting,
                    "undelete": switches.trash,
                    "delete_from_trash": switches.trash,
                    "versioning": switches.versions,
                    "version_labeling": switches.versions,
                    "version_deletion": switches.versions,
                },
                "dav": dav | {"absence-supported": True, "absence-replacement": True},
                "files_sharing": self._sharing(),
                "systemtags": {"enabled": switches.tagging},
            }
            if switches.team_folders:
                found["groupfolders"] = {"appVersion": "20.1.2", "hasGroupFolders": bool(self._team_count(request))}
        found["app_api"] = {"version": f"{major}.0.0"}
        return {"version": version, "capabilities": found}

    def _team_count(self, request: Request) -> int:
        return sum(mount.kind == "group" for mount in self._cloud.mounts(request.user).values())

    def _sharing(self) -> dict[str, Any]:
        switches = self._cloud.switches
        public: dict[str, Any] = {"enabled": switches.link_sharing}
        if switches.link_sharing:
            public |= {
                "password": {"enforced": False, "askForOptionalPassword": False},
                "expire_date": {"enabled": False},
                "multiple_links": True,
                "send_mail": False,
                "upload": True,
                "upload_files_drop": True,
            }
        return {
            "api_enabled": True,
            "public": public,
            "user": {"send_mail": False, "expire_date": {"enabled": True}},
            "group_sharing": switches.group_sharing,
            "group": {"enabled": switches.group_sharing, "expire_date": {"enabled": True}},
            "default_permissions": 31,
            "resharing": True,
            "federation": {"outgoing": True, "incoming": True, "expire_date": {"enabled": True}},
        }

    def _enveloped(self, request: Request, status: int, code: int, message: str, data: Any, old: bool) -> Reply:
        good = status == 200
        meta: dict[str, Any] = {"status": "ok" if good else "failure", "statuscode": code, "message": message}
        if old:
            meta["statuscode"] = 100 if good else code
            meta |= {"totalitems": "", "itemsperpage": ""}
            status = 401 if code == 997 else 200
        kind = "json" if "format=json" in request.query.split("&") else ""
        if not kind and "application/json" in request.header("accept") and "format=xml" not in request.query:
            kind = "json"
        answer = {"meta": meta, "data": data}
        if kind == "json":
            reply = as_json(status, {"ocs": answer})
        else:
            text = '<?xml version="1.0"?>\n<ocs>\n' + _as_xml(answer, 1) + "</ocs>\n"
            reply = Reply(status, [("Content-Type", "application/xml; charset=utf-8")], text.encode())
        if request.user:
            reply.headers.append(("X-User-Id", request.user))
        if request.target.endswith("/capabilities"):
            tag = hashlib.md5(json.dumps(data).encode(), usedforsecurity=False).hexdigest()
            reply.headers.append(("ETag", f'"{tag}"'))
        return reply


def _as_xml(value: Any, depth: int) -> str:
    pad = " " * depth
    out = ""
    pairs = value.items() if isinstance(value, dict) else [("element", one) for one in value]
    for name, inside in pairs:
        if isinstance(inside, (dict, list)) and inside:
            out += f"{pad}<{name}>\n{_as_xml(inside, depth + 1)}{pad}</{name}>\n"
        elif inside is None or isinstance(inside, (dict, list)):
            out += f"{pad}<{name}/>\n"
        else:
            told = ("1" if inside else "") if isinstance(inside, bool) else str(inside)
            out += f"{pad}<{name}>{escape(told)}</{name}>\n"
    return out
