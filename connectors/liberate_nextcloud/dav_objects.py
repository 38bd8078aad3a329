"""Events and contacts at a server: looked at, put where nothing of somebody else's is, settled, and taken away."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from liberate.connector import Evidence, Kind, Place, Receipt, Slot, Taken
from liberate.errors import ItemError, TransientError
from liberate.mail import Sameness
from liberate.pim import compared, object_digests, uid_of
from liberate_nextcloud import dav_quiet, dav_refusals, dav_xml, refusals
from liberate_nextcloud.client import Client, Reply
from liberate_nextcloud.dav_shelves import Site, in_place, seen
from liberate_nextcloud.dav_trash import Trash

_PLAIN = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_@.+=-]{0,119}")
_ENDINGS = {Kind.EVENT: ".ics", Kind.CONTACT: ".vcf"}
_TYPES = {Kind.EVENT: "text/calendar; charset=utf-8", Kind.CONTACT: "text/vcard; charset=utf-8"}
_TOGETHER = 50  # objects of one multiget
_VERSIONS = ("4.0", "3.0")  # of contacts, which servers convert unless asked for the very one they keep
_COMPONENT = re.compile(rb"(?im)^BEGIN:(VEVENT|VTODO|VJOURNAL)[ \t]*\r?$")


@dataclass(frozen=True, slots=True)
class Standing:
    """An object that a server keeps."""

    id: str  # the last part of its path, unquoted
    etag: str
    data: bytes

    @property
    def digests(self) -> Mapping[str, str]:
        return object_digests(self.data, self.data)


def file_name(slot: Slot) -> str:
    """The last part of the path that a slot's object goes to, before anything of it is there.

    It is the slot's name where every server takes that as it is, else a digest of it.
    """
    name = slot.name
    if not _PLAIN.fullmatch(name):
        name = f"liberate-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"
    return name + _ENDINGS[slot.item.kind]


def proven(etag: str, data: bytes) -> bool:
    """Whether the ETag is a digest of these very bytes: MD5 in Nextcloud and sabre/dav, SHA-256 in Radicale."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return etag in (md5, hashlib.sha256(data).hexdigest())


class Objects:
    """The objects of one account."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._trash = Trash(site)

    def wire(self, slot: Slot, data: bytes) -> bytes:
        """The bytes to send."""
        return dav_quiet.quiet(data) if self._site.loud and slot.item.kind is Kind.EVENT else data

    # Looking -------------------------------------------------------------------------------------

    def at(self, client: Client, place: Place, id_: str) -> Standing | None:
        """What stands at that path; None: nothing."""
        kind, path = in_place(place)
        first: Standing | None = None
        for version in _VERSIONS if kind is Kind.CONTACT else ("",):
            accept = f"text/vcard; version={version}, text/vcard;q=0.5" if version else "text/calendar"
            reply = client.send(
                "GET", path + quote(id_, safe=""), headers={"Accept": accept, "Accept-Encoding": "identity"}
            )
            if reply.status in (404, 410):
                return None
            if reply.status != 200:
                raise refusals.refusal(reply, self._site.whose)
            found = Standing(id_, dav_xml.tag(reply.headers.get("ETag", "")), reply.content)
            if kind is Kind.EVENT or _as_kept(found):
                return found
            first = first or found
        return first

    def several(self, client: Client, place: Place, ids: Sequence[str]) -> dict[str, Standing]:
        """Those of these that stand there. Raises TransientError if that cannot be known now."""
        kind, path = in_place(place)
        out: dict[str, Standing] = {}
        hrefs = [path + quote(id_, safe="") for id_ in ids]
        reply = client.send("REPORT", path, dav_xml.multiget(kind, hrefs, _VERSIONS[0]), {"Depth": "1", **dav_xml.XML})
        if reply.status in (404, 410):
            return {}
        if reply.status == 207:
            for told in seen(reply, self._site.whose):
                if told.status < 400 and told.data is not None:
                    out[told.name] = Standing(told.name, told.etag, told.data)
        elif reply.status not in (400, 403, 415, 501):  # else it knows no such report: one by one then
            raise refusals.refusal(reply, self._site.whose)
        for id_ in ids:
            there = out.get(id_)
            if there is None or (kind is Kind.CONTACT and not _as_kept(there)):
                alone = self.at(client, place, id_)
                if alone is not None:
                    out[id_] = alone
                else:
                    out.pop(id_, None)
        return {id_: out[id_] for id_ in ids if id_ in out}

    def by_uid(self, client: Client, place: Place, uid: str, data: bytes = b"") -> Standing | None:
        """An object with that UID, wherever in the calendar or address book it stands."""
        kind, path = in_place(place)
        component = _COMPONENT.search(data)
        name = component[1].decode().upper() if component else "VEVENT"
        question = dav_xml.of_uid(kind, uid, name, _VERSIONS[0])
        reply = client.send("REPORT", path, question, {"Depth": "1", **dav_xml.XML})
        if reply.status in (404, 410):
            return None
        if reply.status != 207:
            return self._searched(client, place, uid)
        for told in seen(reply, self._site.whose):
            if told.status < 400 and told.data is not None and uid_of(told.data) == uid:
                return self.at(client, place, told.name)
        return None

    def _searched(self, client: Client, place: Place, uid: str) -> Standing | None:
        """As `by_uid`, at a server that cannot be asked for it: everything is looked at."""
        _, path = in_place(place)
        reply = client.send("PROPFIND", path, dav_xml.TAGS, {"Depth": "1", **dav_xml.XML})
        if reply.status != 207:
            raise refusals.refusal(reply, self._site.whose)
        here = path.rstrip("/").rpartition("/")[2]
        names = [one.name for one in seen(reply, self._site.whose) if one.name != here]
        for at in range(0, len(names), _TOGETHER):
            for standing in self.several(client, place, names[at : at + _TOGETHER]).values():
                if uid_of(standing.data) == uid:
                    return standing
        return None

    # Finding and reading -------------------------------------------------------------------------

    def find(self, client: Client, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination.find; `slots` are of one place."""
        out: dict[str, Receipt] = {}
        place = slots[0].place
        ids = {slot.key: slot.replaces.id if slot.replaces else file_name(slot) for slot in slots}
        there: dict[str, Standing] = {}
        names = sorted(set(ids.values()))
        for at in range(0, len(names), _TOGETHER):
            there |= self.several(client, place, names[at : at + _TOGETHER])
        given: set[str] = set()
        for slot in slots:
            standing = there.get(ids[slot.key])
            if standing is None:
                standing = self.by_uid(client, place, slot.item.name or slot.name)
            if standing is None or standing.id in given or not _same(standing, slot.item.digests):
                continue
            if taken(place, [standing.id]) and (slot.replaces is None or slot.replaces.id != standing.id):
                continue
            given.add(standing.id)
            out[slot.key] = self._standing(place, standing)
        return out

    def read(self, client: Client, receipt: Receipt) -> bytes:
        """See Destination.read."""
        there = self.at(client, receipt.place, receipt.id)
        if there is None:
            raise dav_refusals.gone()
        return there.data

    def read_back(self, client: Client, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError]]:
        """Each receipt once; they are of one place."""
        found = self.several(client, receipts[0].place, sorted({receipt.id for receipt in receipts}))
        for receipt in receipts:
            there = found.get(receipt.id)
            yield receipt, dav_refusals.gone() if there is None else there.data

    # Writing -------------------------------------------------------------------------------------

    def write(self, client: Client, slot: Slot, data: bytes) -> Receipt:
        """Store it, as KeepsObjects says of write."""
        wire = self.wire(slot, data)
        if slot.replaces is not None and not slot.replaces.version:
            return self._replaced(client, slot, slot.replaces, data, wire)
        version = slot.replaces.version if slot.replaces is not None else ""
        reply = self._put(client, slot, wire, version)
        if reply.status in (200, 201, 204):
            return self._stored(client, slot, reply, wire)
        return self._settled(client, slot, reply, data, wire)

    def _put(self, client: Client, slot: Slot, wire: bytes, version: str) -> Reply:
        kind, path = in_place(slot.place)
        headers = {"Content-Type": _TYPES[kind], **dav_quiet.HEADERS}
        id_ = file_name(slot)
        if slot.replaces is not None:
            id_ = slot.replaces.id
            headers["If-Match"] = dav_xml.quoted(version)
        else:
            headers["If-None-Match"] = "*"
        return client.send("PUT", path + quote(id_, safe=""), wire, headers)

    def _stored(self, client: Client, slot: Slot, reply: Reply, wire: bytes) -> Receipt:
        """The receipt that a successful answer is worth."""
        id_ = slot.replaces.id if slot.replaces is not None else file_name(slot)
        etag = dav_xml.tag(reply.headers.get("ETag", ""))
        if not etag or etag.startswith("W/"):  # it stored something else than it was sent (RFC 4791 section 5.3.4)
            there = self.at(client, slot.place, id_)
            if there is None:
                raise TransientError(f"{self._site.whose}: what was stored cannot be found there.")
            return self._standing(slot.place, there)
        if proven(etag, wire):
            digests = {"sha256": hashlib.sha256(wire).hexdigest()}
            return Receipt(id_, slot.place, len(wire), digests, Evidence.STORED, etag)
        there = self.at(client, slot.place, id_)
        if there is None or there.etag != etag:
            raise TransientError(f"{self._site.whose}: what was stored cannot be found there.")
        return self._standing(slot.place, there)

    def _standing(self, place: Place, there: Standing) -> Receipt:
        """A receipt for what stands there, by its bytes as the server gives them."""
        digests = {"sha256": hashlib.sha256(there.data).hexdigest()}
        return Receipt(there.id, place, len(there.data), digests, Evidence.READ_BACK, there.etag)

    def _settled(self, client: Client, slot: Slot, reply: Reply, data: bytes, wire: bytes) -> Receipt:
        """What a refusal means, by what stands there."""
        if reply.status == 500 and slot.replaces is None and slot.item.kind is Kind.EVENT:
            if self._trash.bring_back(client, slot.place, uid_of(data), object_digests(data, wire)):
                there = self.by_uid(client, slot.place, uid_of(data), data)
                if there is not None:
                    return self._standing(slot.place, there)
            raise dav_refusals.refusal(reply, self._site.whose)
        if reply.status not in (400, 403, 404, 405, 409, 410, 412, 415):
            raise dav_refusals.refusal(reply, self._site.whose)
        if slot.replaces is not None and reply.status in (404, 409, 410, 412):
            return self._replaced(client, slot, slot.replaces, data, wire)
        if slot.replaces is not None:
            raise dav_refusals.refusal(reply, self._site.whose)
        there = self.at(client, slot.place, file_name(slot)) if reply.status in (405, 409, 412) else None
        if there is None and (uid := uid_of(data)):
            there = self.by_uid(client, slot.place, uid, data)
        if there is not None:
            if not _same(there, object_digests(data, wire)):
                raise dav_refusals.uid_taken()
            return self._standing(slot.place, there)
        if reply.status in (404, 405, 410, 409) and not self._is_there(client, slot.place):
            raise TransientError(f"{self._site.whose}: the calendar or address book was gone.", retry_after=0)
        if reply.status == 412:  # Radicale says so of what is larger than its max_resource_size
            raise dav_refusals.too_large(reply)
        error = dav_refusals.refusal(reply, self._site.whose)
        raise error if isinstance(error, ItemError) else TransientError(str(error))

    def _is_there(self, client: Client, place: Place) -> bool:
        _, path = in_place(place)
        reply = client.send("PROPFIND", path, dav_xml.SHELF, {"Depth": "0", **dav_xml.XML})
        return reply.status not in (404, 410)

    def _replaced(self, client: Client, slot: Slot, left: Receipt, data: bytes, wire: bytes) -> Receipt:
        """Replace what the slot replaces although its version is another, if it still says what we left there."""
        sent = object_digests(data, wire)
        there = self.at(client, slot.place, left.id)
        if there is None:
            uid = uid_of(data)
            there = self.by_uid(client, slot.place, uid, data) if uid else None
            if there is None:
                raise dav_refusals.gone()
            slot = replace(slot, replaces=replace(left, id=there.id))
        if _same(there, sent):
            return self._standing(slot.place, there)
        if not left.digests or not _same(there, left.digests):
            raise dav_refusals.changed_there()
        reply = self._put(client, slot, wire, there.etag)
        if reply.status in (200, 201, 204):
            return self._stored(client, slot, reply, wire)
        raise dav_refusals.refusal(reply, self._site.whose)

    # Taking away ---------------------------------------------------------------------------------

    def remove(self, client: Client, slot: Slot, receipt: Receipt) -> None:
        """See Removes.remove."""
        _, path = in_place(receipt.place)
        version = receipt.version
        for _ in range(2):
            if not version:
                there = self.at(client, receipt.place, receipt.id)
                if there is None:
                    return
                if not _same(there, slot.item.digests):
                    raise dav_refusals.changed_there()
                version = there.etag
            headers = {"If-Match": dav_xml.quoted(version), **dav_quiet.HEADERS}
            reply = client.send("DELETE", path + quote(receipt.id, safe=""), headers=headers)
            if reply.status in (404, 410) or reply.status < 300:
                return
            if reply.status not in (409, 412):
                raise dav_refusals.refusal(reply, self._site.whose)
            version = ""  # another version: is it still what we left there?
        raise dav_refusals.changed_there()


def _as_kept(standing: Standing) -> bool:
    """Whether these are surely the bytes that the server keeps, not converted ones."""
    return not re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{64}", standing.etag) or proven(standing.etag, standing.data)


def _same(standing: Standing, digests: Mapping[str, str]) -> bool:
    return compared(standing.digests, digests) is not Sameness.DIFFERENT


def by_place(slots: Iterable[Slot]) -> Iterator[list[Slot]]:
    """Those of each place together."""
    some: dict[Place, list[Slot]] = {}
    for slot in slots:
        some.setdefault(slot.place, []).append(slot)
    yield from some.values()
