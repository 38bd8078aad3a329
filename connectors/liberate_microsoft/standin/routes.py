"""The stand-in's calls: users, sites, drives, items, permissions and content, as Graph v1.0 has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from liberate_microsoft.standin import deltas, mail_routes, pim_routes, shapes
from liberate_microsoft.standin.entra import Grant
from liberate_microsoft.standin.errors import ApiError, forbidden, not_found
from liberate_microsoft.standin.faults import Call
from liberate_microsoft.standin.reply import Reply
from liberate_microsoft.standin.tree import Drive, Node

if TYPE_CHECKING:
    from liberate_microsoft.standin.server import GraphStandin

# A delta with a token costs 1, as everything else does.
UNITS = {"permissions": 5, "children": 2, "versions": 2, "delta": 2}
_LAST = frozenset({"delta", "content", "permissions", "children", "drives", "versions"})


def split(target: str) -> list[str]:
    """The parts of a path below v1.0, spelled plainly."""
    return [unquote(one) for one in target.split("/") if one]


def named(steps: list[str], query: dict[str, str], headers: dict[str, str]) -> Call:
    """What the call is, for faults and the record."""
    if mail_routes.is_mail(steps):
        letter = steps[steps.index("messages") + 1] if "messages" in steps[:-1] else ""
        return Call(mail_routes.method(steps), letter, query, headers)
    if pim_routes.is_pim(steps):
        return Call(pim_routes.method(steps), steps[3] if len(steps) > 3 else "", query, headers)
    last = steps[-1] if steps else ""
    item = steps[steps.index("items") + 1] if "items" in steps[:-1] else ""
    if last == "content" and "versions" in steps:
        method = "version-content"
    elif last in _LAST:
        method = last
    elif item or "root" in steps or "root:" in steps:
        method = "item" if "sites" not in steps[:1] else "site"
    elif steps[:1] == ["sites"]:
        method = "site"
    else:
        method = "drive" if "drive" in steps or steps[:1] == ["drives"] else "user"
    return Call(method, item, query, headers)


def units(call: Call) -> int:
    """What a call costs."""
    return 1 if call.method == "delta" and call.query.get("token") else UNITS.get(call.method, 1)


class Graph:
    """Answers calls whose token was found good."""

    def __init__(self, standin: GraphStandin) -> None:
        self._standin = standin
        self._mail = mail_routes.Mail(standin)
        self._pim = pim_routes.Pim(standin)

    def beta(self, steps: list[str], call: Call, grant: Grant) -> tuple[str, Any] | Reply:
        """The few calls that v1.0 does not have."""
        match steps:
            case ["me", *rest] if grant.user and mail_routes.is_mail(steps):
                return self._mail.answer("beta", grant.user, rest, call, grant)
            case ["users", who, *rest] if mail_routes.is_mail(steps):
                return self._mail.answer("beta", who, rest, call, grant)
        raise ApiError(400, "BadRequest", "Resource not found for the segment.")

    def answer(self, steps: list[str], call: Call, grant: Grant) -> tuple[str, Any] | Reply:
        """The type of the answer ("" for a list of mixed things) and the answer, or a reply that is not JSON."""
        if steps[:1] == ["me"]:
            if not grant.user:
                raise ApiError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
            steps = ["users", grant.user, *steps[1:]]
        match steps:
            case ["users", who, *rest] if mail_routes.is_mail(steps):
                return self._mail.answer("v1.0", who, rest, call, grant)
            case ["users", who, *rest] if pim_routes.is_pim(steps):
                return self._pim.answer(who, rest, call, grant)
            case ["users", who]:
                return self._user(who, grant)
            case ["users", who, "drive", *rest]:
                return self._drive(self._drive_of(who, grant), rest, call, grant)
            case ["sites", *rest] if rest:
                return self._site(rest, call, grant)
            case ["drives", key, *rest]:
                drive = self._standin.drives.get(key)
                if drive is None:
                    raise not_found()
                return self._drive(drive, rest, call, grant)
        raise ApiError(400, "BadRequest", f"Resource not found for the segment '{steps[0] if steps else ''}'.")

    # People and sites ----------------------------------------------------------------------------

    def _user(self, who: str, grant: Grant) -> tuple[str, Any]:
        one = self._standin.person(who)
        if not grant.user and "User.Read.All" not in grant.roles:
            raise ApiError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        if one is None:
            raise ApiError(404, "Request_ResourceNotFound", f"Resource '{who}' does not exist.")
        return "user", shapes.user(one.address, one.name)

    def _drive_of(self, who: str, grant: Grant) -> Drive:
        one = self._standin.person(who)
        if one is None:
            raise ApiError(404, "Request_ResourceNotFound", f"Resource '{who}' does not exist.")
        if "Files.Read.All" not in grant.roles:
            raise forbidden()
        if one.locked:
            raise ApiError(423, "resourceLocked", "The resource you are attempting to access is locked.")
        if one.drive is None:
            raise ApiError(404, "ResourceNotFound", "User's mysite not found.")
        return one.drive

    def _site(self, rest: list[str], call: Call, grant: Grant) -> tuple[str, Any] | Reply:
        if "Sites.Read.All" not in grant.roles:
            raise forbidden()
        host = self._standin.host
        sites = self._standin.sites
        following = rest[1:]
        if rest[0] == f"{host}:":  # sites/{host}:/{path}, and after a second colon what is asked of it
            end = next((n for n, one in enumerate(following) if one.endswith(":")), len(following))
            path = "/".join(following[: end + 1]).removesuffix(":")
            site, following = sites.get(path.lower()), following[end + 1 :]
        elif rest[0] in ("root", host):
            site = sites[""]
        else:
            site = next((one for one in sites.values() if one.id == rest[0]), None)
        if site is None:
            raise not_found("Requested site could not be found.")
        match following:
            case []:
                return "site", shapes.site(site.id, host, site.path, site.title)
            case ["drives"]:
                return "drive[]", {"value": [shapes.drive(one, site.title) for one in site.libraries]}
            case ["drive", *more] if site.libraries:
                return self._drive(site.libraries[0], more, call, grant)
        raise not_found()

    # Drives --------------------------------------------------------------------------------------

    def _drive(self, drive: Drive, rest: list[str], call: Call, grant: Grant) -> tuple[str, Any] | Reply:
        self._may(drive, grant)
        match rest:
            case []:
                owner = self._standin.person(drive.owner)
                return "drive", shapes.drive(drive, owner.name if owner else drive.name)
            case ["root", "delta"]:
                return "item[]", self._delta(drive, call)
            case ["root", *more]:
                return self._item(drive, drive.root, more, call)
            case ["root:", *path]:
                return self._item(drive, *_by_path(drive, path), call)
            case ["items", key, *more]:
                node = drive.get(key)
                if node is None:
                    raise not_found()
                return self._item(drive, node, more, call)
        raise ApiError(400, "BadRequest", f"Resource not found for the segment '{rest[0]}'.")

    def _may(self, drive: Drive, grant: Grant) -> None:
        if "Files.Read.All" not in grant.roles and "Sites.Read.All" not in grant.roles:
            raise forbidden()
        if grant.user and drive.owner and drive.owner.lower() != grant.user:
            raise forbidden()

    def _delta(self, drive: Drive, call: Call) -> Any:
        top = call.query.get("$top", "")
        size = min(self._standin.page, int(top)) if top.isdigit() and int(top) > 0 else self._standin.page
        return deltas.page(
            drive,
            f"{self._standin.url}/v1.0/drives/{drive.id}/root/delta",
            call.query,
            size,
            hierarchical="hierarchicalsharing" in call.headers.get("prefer", "").lower(),
            disorder=self._standin.disorder,
        )

    def _item(self, drive: Drive, node: Node, more: list[str], call: Call) -> tuple[str, Any] | Reply:
        match more:
            case []:
                answer = shapes.item(drive, node)
                if "file" in answer and "$select" not in call.query:
                    answer["@microsoft.graph.downloadUrl"] = self._standin.download_url(drive, node)
                return "item", answer
            case ["content"]:
                return self._content(drive, node)
            case ["permissions"]:
                return "permission[]", {"value": [shapes.permission(one) for one in drive.effective(node)]}
            case ["children"]:
                children = [shapes.item(drive, one) for one in drive.children(node)]
                return "item[]", {"value": children}
            case ["versions", *rest] if not node.folder:
                return self._versions(drive, node, rest, call)
        raise ApiError(400, "BadRequest", f"Resource not found for the segment '{more[0]}'.")

    def _content(self, drive: Drive, node: Node) -> Reply:
        if node.refuses is not None:
            status, code = node.refuses
            raise ApiError(status, code, "The content cannot be had.")
        if "malware" in node.facets:
            raise ApiError(403, "malwareDetected", "Malware detected", {"X-Virus-Infected": "1"})
        if node.folder or "package" in node.facets or "remoteItem" in node.facets:
            raise ApiError(400, "notSupported", "You cannot get content for a folder or a package.")
        return Reply(302, None, {"Location": self._standin.download_url(drive, node)})

    def _versions(self, drive: Drive, node: Node, rest: list[str], call: Call) -> tuple[str, Any] | Reply:
        told = shapes.versions(drive, node)
        if not rest:
            token = call.query.get("$skiptoken", "0")
            if not token.isdigit():
                raise ApiError(400, "invalidRequest", "Invalid request")
            start = int(token)
            stop = start + self._standin.page
            answer: dict[str, Any] = {"value": told[start:stop]}
            if stop < len(told):
                where = f"{self._standin.url}/v1.0/drives/{quote(drive.id)}/items/{node.id}/versions"
                answer["@odata.nextLink"] = f"{where}?$skiptoken={stop}"
            return "version[]", answer
        at = next((n for n, one in enumerate(told) if one["id"] == rest[0]), None)
        if at is None:
            raise not_found()
        if rest[1:] == ["content"]:
            if at == 0:  # github.com/OneDrive/onedrive-api-docs/issues/1112
                raise ApiError(400, "invalidRequest", "You cannot get the content of the current version.")
            _, blob = node.earlier[-at]
            return Reply(302, None, {"Location": self._standin.download_url(drive, node, blob)})
        if rest[1:]:
            raise ApiError(400, "BadRequest", f"Resource not found for the segment '{rest[1]}'.")
        return "version", told[at]


def _by_path(drive: Drive, path: list[str]) -> tuple[Node, list[str]]:
    """`root:/a/b:/children`: the node, and what follows the second colon."""
    end = next((n for n, one in enumerate(path) if one.endswith(":")), len(path) - 1)
    steps = [*path[:end], path[end].removesuffix(":")] if path else []
    node = drive.at("/".join(steps))
    if node is None:
        raise not_found()
    return node, path[end + 1 :]


def selected(answer: Any, query: Mapping[str, str]) -> Any:
    """The answer with the fields that were asked for."""
    names = {one.strip() for one in query.get("$select", "").split(",") if one.strip()}
    if not names or not isinstance(answer, dict):
        return answer
    names |= {"id", query.get("$expand", "").partition("(")[0]}
    if isinstance(answer.get("value"), list):
        return {**answer, "value": [_only(one, names) for one in answer["value"]]}
    return _only(answer, names)


def _only(one: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name in names or "@" in name}
