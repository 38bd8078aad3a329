"""Talking to a Nextcloud with nothing but HTTP, be it the stand-in or a real one."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable
from typing import Any

import requests
from defusedxml import ElementTree

SPACES = 'xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns" xmlns:l="urn:liberate"'
D, OC, NC, L = "{DAV:}", "{http://owncloud.org/ns}", "{http://nextcloud.org/ns}", "{urn:liberate}"
OLD = "1500000000"  # seconds since 1970


class Client:
    """One user, one folder of the user's that is new, and a connection that keeps no cookies."""

    def __init__(self, url: str, user: str, password: str, folder: str | None = None) -> None:
        self.url, self.user, self.password = url, user, password
        self.folder = folder if folder is not None else f"t{uuid.uuid4().hex[:12]}"
        self.dav = f"{url}/remote.php/dav"
        self.home = f"{self.dav}/files/{user}"
        self.root = f"{self.home}/{self.folder}" if self.folder else self.home
        self.session = requests.Session()

    def __enter__(self) -> Client:
        if self.folder:
            assert self.ask("MKCOL", "").status_code == 201
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder:
            self.ask("DELETE", "")
        self.session.close()

    def ask(
        self, method: str, path: str, data: bytes | str | dict[str, str] | None = None, **headers: str
    ) -> requests.Response:
        """`path` is below the folder, or with a slash before it below the server's root; header names have
        underscores for hyphens."""
        where = path if path.startswith("http") else self.url + path if path.startswith("/") else f"{self.root}/{path}"
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        body = data.encode() if isinstance(data, str) else data
        request = requests.Request(method, where.rstrip("/") if not path else where, headers=told, data=body)
        prepared = request.prepare()
        prepared.prepare_auth((self.user, self.password))
        try:
            return self.session.send(prepared, timeout=60, allow_redirects=False)
        finally:
            self.session.cookies.clear()

    def ocs(self, method: str, path: str, data: dict[str, Any] | None = None, **headers: str) -> requests.Response:
        where = f"/ocs/v2.php/{path}{'&' if '?' in path else '?'}format=json"
        return self.ask(method, where, data, OCS_APIRequest="true", **headers)

    def props(self, path: str, names: str, depth: str = "0", **headers: str) -> list[dict[str, str | None]]:
        """What PROPFIND tells of these properties ("d:getetag oc:size"): for each file those it has."""
        asked = "".join(f"<{name}/>" for name in names.split())
        body = f"<d:propfind {SPACES}><d:prop>{asked}</d:prop></d:propfind>"
        answer = self.ask("PROPFIND", path, body, Depth=depth, **headers)
        assert answer.status_code == 207, answer.text
        return told(answer)

    def search(self, where: str, *, scope: str = "", rest: str = "", names: str = "d:displayname") -> requests.Response:
        asked = "".join(f"<{name}/>" for name in names.split())
        within = scope or f"/files/{self.user}/{self.folder}"
        body = (
            f'<d:searchrequest {SPACES} xmlns:s="https://github.com/icewind1991/SearchDAV/ns"><d:basicsearch><d:select>'
            f"<d:prop>{asked}</d:prop></d:select><d:from><d:scope><d:href>{within}"
            f"</d:href><d:depth>infinity</d:depth></d:scope></d:from><d:where>{where}</d:where>{rest}</d:basicsearch>"
            "</d:searchrequest>"
        )
        return self.ask("SEARCH", "/remote.php/dav/", body, Content_Type="text/xml")

    def bulk(self, parts: Iterable[bytes], *, end: bytes = b"--BB--\r\n", kind: str = "") -> requests.Response:
        kind = kind or "multipart/related; boundary=BB"
        return self.ask("POST", "/remote.php/dav/bulk", b"".join(parts) + end, Content_Type=kind)

    def part(self, name: str, content: bytes, **headers: str | None) -> bytes:
        """One part of a bulk upload, in the folder; None leaves a header out."""
        told: dict[str, str | None] = {
            "X-File-Path": f"/{self.folder}/{name}",
            "OC-Checksum": "md5:" + hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "Content-Length": str(len(content)),
            "X-OC-Mtime": OLD,
        }
        told |= {key.replace("_", "-"): value for key, value in headers.items()}
        lines = [f"{key}: {value}\r\n" for key, value in told.items() if value is not None]
        return b"--BB\r\n" + "".join(lines).encode() + b"\r\n" + content + b"\r\n"

    def upload(self, name: str, *chunks: bytes) -> str:
        """Begin an upload with these chunks; its address."""
        where = f"{self.dav}/uploads/{self.user}/{self.folder}-{name}"
        assert self.ask("MKCOL", where, Destination=f"{self.root}/{name}").status_code == 201
        for number, chunk in enumerate(chunks, 1):
            answer = self.ask("PUT", f"{where}/{number:05d}", chunk, Destination=f"{self.root}/{name}")
            assert answer.status_code == 201
        return where

    def fileid(self, path: str) -> str:
        return str(self.props(path, "oc:fileid")[0][OC + "fileid"])


def told(answer: requests.Response) -> list[dict[str, str | None]]:
    """A multistatus: for each response its address under "href" and the properties with status 200."""
    found = []
    for response in ElementTree.fromstring(answer.content):
        one: dict[str, str | None] = {"href": response.findtext(D + "href")}
        for propstat in response.findall(D + "propstat"):
            if " 200 " in (propstat.findtext(D + "status") or ""):
                for prop in propstat.find(D + "prop") or ():
                    one[prop.tag] = (
                        "".join(prop.itertext()) if not list(prop) or prop.tag.endswith("checksums") else "…"
                    )
        found.append(one)
    return found


def statuses(answer: requests.Response) -> dict[str, int]:
    """The status of each property in the answer to a PROPPATCH."""
    assert answer.status_code == 207, answer.text
    return {
        prop.tag: int((propstat.findtext(D + "status") or "").split()[1])
        for propstat in ElementTree.fromstring(answer.content).iter(D + "propstat")
        for prop in propstat.find(D + "prop") or ()
    }


def exception(answer: requests.Response) -> str:
    """The last part of the name of the exception that a refusal tells."""
    found = re.search(r"<s:exception>([^<]*)</s:exception>", answer.text)
    return found[1].rpartition("\\")[2] if found else ""


def message(answer: requests.Response) -> str:
    found = re.search(r"<s:message>([^<]*)</s:message>", answer.text)
    return found[1] if found else ""
