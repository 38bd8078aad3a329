"""What tests of calendars and address books need: somebody else in the account, who speaks plain CalDAV."""

from __future__ import annotations

import re
import uuid
from typing import Any
from urllib.parse import quote

import requests
from liberate_nextcloud.dav_shelves import in_place

from liberate.connector import Kind, Place, Receipt

_NAME = b'<d:propfind xmlns:d="DAV:"><d:prop><d:displayname/><x:deleted-at xmlns:x="http://nextcloud.com/ns"/></d:prop></d:propfind>'


class Somebody:
    """The account's owner with a calendar program of their own, who wants no mail sent either."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (user, password)

    def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Any:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(method, self.url + path, data=data, headers=told, timeout=60)

    def path(self, receipt: Receipt) -> str:
        return in_place(receipt.place)[1] + quote(receipt.id, safe="")

    def put(self, place: Place, data: bytes) -> None:
        kind, path = in_place(place)
        ending = ".ics" if kind is Kind.EVENT else ".vcf"
        self._store(path + str(uuid.uuid4()) + ending, data, kind)

    def edit(self, receipt: Receipt, data: bytes) -> None:
        self._store(self.path(receipt), data, in_place(receipt.place)[0])

    def _store(self, path: str, data: bytes, kind: Kind) -> None:
        media = "text/calendar" if kind is Kind.EVENT else "text/vcard"
        answer = self.ask("PUT", path, data, Content_Type=f"{media}; charset=utf-8", Schedule_Reply="F")
        assert answer.status_code in (200, 201, 204), answer.text

    def delete(self, receipt: Receipt) -> None:
        assert self.ask("DELETE", self.path(receipt), Schedule_Reply="F").status_code in (200, 204)

    def rename(self, place: Place, name: str) -> None:
        body = f'<d:propertyupdate xmlns:d="DAV:"><d:set><d:prop><d:displayname>{name}</d:displayname></d:prop></d:set></d:propertyupdate>'
        answer = self.ask("PROPPATCH", in_place(place)[1], body.encode(), Content_Type="application/xml")
        assert answer.status_code == 207, answer.text

    def name_of(self, place: Place) -> str | None:
        answer = self.ask("PROPFIND", in_place(place)[1], _NAME, Depth="0", Content_Type="application/xml")
        found = re.search(r"<(?:\w+:)?displayname>(.*?)</", answer.text)
        if answer.status_code != 207 or found is None or re.search(r"deleted-at[^>]*>\d", answer.text):
            return None
        return found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

    def count(self, place: Place) -> int:
        answer = self.ask("PROPFIND", in_place(place)[1], _NAME, Depth="1", Content_Type="application/xml")
        return len(re.findall(r"<(?:\w+:)?href>[^<]*\.(?:ics|vcf)</", answer.text))
