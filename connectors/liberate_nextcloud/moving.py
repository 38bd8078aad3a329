"""Folders made, things moved and removed: always the very thing a receipt names, never what took its place."""

from __future__ import annotations

from dataclasses import replace

from liberate.connector import CHANGED_THERE, Place, Receipt, Slot, inside
from liberate.errors import ItemError
from liberate_nextcloud import finding, hashing, inventory, paths, refusals
from liberate_nextcloud.client import Client
from liberate_nextcloud.multistatus import Entry
from liberate_nextcloud.tree import Names, Tree, receipt_of


def make_folder(tree: Tree, client: Client, names: Names, slot: Slot) -> Receipt:
    """See KeepsTrees.make_folder."""
    place = inside(slot.place, slot.name)
    for again in (False, True):
        reply = client.send("MKCOL", paths.files(tree.user, place))
        if reply.status == 201 and (number := paths.fileid(reply.headers.get("OC-FileId", ""))):
            names.add(slot.place, slot.name)
            names.empty(place)
            return Receipt(paths.receipt_id(number, slot.name), slot.place)
        if reply.status in (201, 405, 423):  # locked: somebody is making it at this very moment
            there = tree.stat(client, place, shares=True)
            if there is None:
                raise refusals.unreadable(tree.whose) if reply.status != 423 else refusals.refusal(reply, tree.whose)
            if not there.folder or there.shared or tree.foreign(client, there):
                raise refusals.name_taken()
            return receipt_of(slot.place, slot.name, there)
        if reply.status != 409 or again:
            break
        tree.ensure(client, slot.place)
    raise refusals.refusal(reply, tree.whose)


def whereabouts(tree: Tree, client: Client, receipt: Receipt) -> tuple[Place, str, Entry] | None:
    """Where what the receipt names stands now: in its place as a rule, else wherever its owner brought it.

    None where that is a folder of others: it is theirs now.
    """
    number, name = paths.of_receipt(receipt.id)
    there = tree.stat(client, receipt.place, name)
    if there is not None and there.fileid == number:
        return None if tree.foreign(client, there) else (receipt.place, name, there)
    found = inventory.located(tree, client, [number]).get(number)
    if found is None:
        return None
    place, name = paths.split(found)
    there = tree.stat(client, place, name)
    if there is None or there.fileid != number or tree.foreign(client, there):
        return None
    return place, name, there


def move(tree: Tree, client: Client, names: Names, url: str, slot: Slot, receipt: Receipt) -> Receipt:
    """See KeepsTrees.move."""
    found = whereabouts(tree, client, receipt)
    if found is None:
        raise refusals.gone()
    place, name, entry = found
    if (place, name) == (slot.place, slot.name):
        return _moved(slot, receipt, entry)
    headers = {"Destination": url + paths.files(tree.user, slot.place, slot.name), "Overwrite": "F"}
    for again in (False, True):
        reply = client.send("MOVE", paths.files(tree.user, place, name), headers=headers, timeout=client.patience)
        if reply.status != 409 or again:
            break
        tree.ensure(client, slot.place)
    if reply.status == 412:
        raise refusals.name_taken()
    if reply.status not in (201, 204):
        raise refusals.refusal(reply, tree.whose)
    names.forget(place)
    names.add(slot.place, slot.name)
    if entry.folder:
        return _moved(slot, receipt, entry)
    there = tree.stat(client, slot.place, slot.name)
    if there is None or there.fileid != entry.fileid:
        raise refusals.gone()
    return _moved(slot, receipt, there)


def _moved(slot: Slot, receipt: Receipt, entry: Entry) -> Receipt:
    """The receipt under its new name. What was proven of the bytes holds as long as nobody changed them."""
    number = paths.receipt_id(entry.fileid, slot.name)
    if entry.folder or entry.etag == receipt.version:
        return Receipt(number, slot.place, receipt.size, receipt.digests, receipt.evidence, receipt.version)
    return receipt_of(slot.place, slot.name, entry)


def remove(tree: Tree, client: Client, names: Names, slot: Slot, receipt: Receipt) -> None:
    """See Removes.remove. It goes into the trash where the server has one."""
    number, name = paths.of_receipt(receipt.id)
    there = tree.stat(client, receipt.place, name)
    if there is None:
        return
    if tree.foreign(client, there):
        raise refusals.changed_there()
    if there.folder:
        if there.fileid != number or receipt.size is not None:
            raise refusals.changed_there()
        if next(tree.listing(client, inside(receipt.place, name)), None) is not None:
            raise ItemError(
                CHANGED_THERE, "The folder is not empty: somebody else's things are in it.", "Look into it."
            )
    elif finding.is_folder(slot) or not _untouched(tree, client, slot, receipt, there, number, name):
        raise refusals.changed_there()
    # A condition on a folder's ETag is never met (Sabre\DAV\Server::checkPreconditions).
    headers = {"If-Match": f'"{there.etag}"'} if there.etag and not there.folder else {}
    reply = client.send("DELETE", paths.files(tree.user, receipt.place, name), headers=headers)
    if reply.status >= 400 and reply.status != 404:
        raise refusals.refusal(reply, tree.whose)
    names.forget(receipt.place)


def _untouched(tree: Tree, client: Client, slot: Slot, receipt: Receipt, there: Entry, number: int, name: str) -> bool:
    """Whether the file is as we left it: of the receipt's version, or of the same bytes."""
    same = there.fileid == number and receipt.version and there.etag == receipt.version
    digests = {**slot.item.digests, **receipt.digests}
    if same and receipt.size in (None, there.size) and hashing.telling(there, replace(slot.item, digests=digests)):
        return True
    if there.size != (slot.item.size if slot.item.size is not None else receipt.size):
        return False
    try:
        return bool(hashing.matches(tree, client, receipt.place, name, digests))
    except ItemError as error:
        if error.code == "gone":
            return True
        raise
