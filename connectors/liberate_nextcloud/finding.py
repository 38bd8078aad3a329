"""What earlier attempts left: by path, and proven by a digest that the server computes of what it stores."""

from __future__ import annotations

from collections.abc import Sequence

from liberate.connector import Evidence, Place, Receipt, Slot, Taken
from liberate.errors import ItemError
from liberate.files import FileFacts
from liberate_nextcloud import hashing, paths
from liberate_nextcloud.client import Client
from liberate_nextcloud.multistatus import Entry
from liberate_nextcloud.threads import Threads
from liberate_nextcloud.tree import Tree, receipt_of, same

_FEW = 3  # slots of one folder up to which each is asked about alone


def is_folder(slot: Slot) -> bool:
    return isinstance(slot.item.facts, FileFacts) and slot.item.facts.folder


def find(tree: Tree, threads: Threads, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
    """As Destination.find says."""
    places: dict[Place, list[Slot]] = {}
    for slot in slots:
        places.setdefault(slot.place, []).append(slot)
    candidates: list[tuple[Slot, Entry]] = []
    with threads.clients.one() as client:
        for place, some in places.items():
            candidates += standing(tree, client, place, some)
    others = {
        place: taken(place, [paths.receipt_id(e.fileid, s.name) for s, e in candidates if s.place == place])
        for place in {slot.place for slot, _ in candidates}
    }
    free = [
        (slot, entry)
        for slot, entry in candidates
        if paths.receipt_id(entry.fileid, slot.name) not in others[slot.place]
    ]
    found: dict[str, Receipt] = {}
    given: set[int] = set()
    for (slot, entry), receipt in threads.each(free, lambda client, one: settled(tree, client, *one)):
        if isinstance(receipt, ItemError):
            if receipt.code != "gone":
                raise receipt
        elif receipt is not None and entry.fileid not in given:
            given.add(entry.fileid)
            found[slot.key] = receipt
    return found


def standing(tree: Tree, client: Client, place: Place, slots: Sequence[Slot]) -> list[tuple[Slot, Entry]]:
    """What could be the slots' by name, kind and size."""
    there: dict[str, Entry] = {}
    if len(slots) <= _FEW:
        for slot in slots:
            if (entry := tree.stat(client, place, slot.name)) is not None:
                there[same(slot.name)] = entry
    else:
        wanted = {same(slot.name) for slot in slots}
        try:
            there = {same(name): entry for name, entry in tree.listing(client, place) if same(name) in wanted}
        except ItemError as error:
            if error.code != "gone":
                raise
    out = []
    for slot in slots:
        entry = there.get(same(slot.name))
        if entry is not None and _could_be(slot, entry) and not tree.foreign(client, entry):
            out.append((slot, entry))
    return out


def _could_be(slot: Slot, entry: Entry) -> bool:
    if is_folder(slot) or entry.folder:
        return is_folder(slot) and entry.folder
    return slot.item.size is None or slot.item.size == entry.size


def settled(tree: Tree, client: Client, slot: Slot, entry: Entry) -> Receipt | None:
    """The receipt of what stands under the slot's name and is its size; None if it is something else."""
    if entry.folder:
        return receipt_of(slot.place, slot.name, entry)
    digests = slot.item.digests
    proof = hashing.matches(tree, client, slot.place, slot.name, digests)
    if proof:
        algorithm = hashing.best(digests) or ""
        return receipt_of(slot.place, slot.name, entry, Evidence.STORED, {algorithm: proof})
    if proof is None and entry.size == slot.item.size and _same_time(slot, entry):
        # Nothing to compare with: OneDrive gives digests of its own kind only. Size and second are what is left.
        return receipt_of(slot.place, slot.name, entry)
    return None


def _same_time(slot: Slot, entry: Entry) -> bool:
    wanted = paths.seconds(slot.item.modified)
    return wanted is not None and entry.modified is not None and int(entry.modified.timestamp()) == wanted
