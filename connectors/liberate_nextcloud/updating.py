"""Times and favourites, set where they differ (PROPPATCH)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from liberate.connector import Change, Outcome, Place, Receipt, Slot
from liberate.errors import ItemError
from liberate.files import FileFacts
from liberate_nextcloud import hashing, multistatus, paths, refusals
from liberate_nextcloud.client import Client
from liberate_nextcloud.threads import Threads
from liberate_nextcloud.tree import Tree

_XML = {"Content-Type": "application/xml; charset=utf-8"}


def update(tree: Tree, threads: Threads, changes: Iterable[Change]) -> Iterator[Outcome]:
    """See Updates.update. Files go several at once, and so do folders of one depth: each touches those above it."""
    some: list[Change] = []
    depth: int | None = None

    def settle() -> Iterator[Outcome]:
        for change, outcome in threads.each(some, lambda client, one: _apply(tree, client, one)):
            yield change.slot, outcome
        some.clear()

    for change in changes:
        deep = change.receipt.place.count("/") + bool(change.receipt.place) if _folder(change.slot) else None
        if some and (deep != depth or len(some) >= 8 * threads.count):
            yield from settle()
        depth = deep
        some.append(change)
    yield from settle()


def _folder(slot: Slot) -> bool:
    return isinstance(slot.item.facts, FileFacts) and slot.item.facts.folder


def _apply(tree: Tree, client: Client, change: Change) -> Receipt:
    """One thing. Its time is set unless somebody has changed the file there since: then the time is theirs."""
    receipt, item = change.receipt, change.slot.item
    facts = item.facts if isinstance(item.facts, FileFacts) else FileFacts()
    before = change.before if isinstance(change.before, FileFacts) else FileFacts()
    number, name = paths.of_receipt(receipt.id)
    if _folder(change.slot) and facts.starred == before.starred:
        _set(tree, client, receipt.place, name, paths.seconds(item.modified), paths.seconds(facts.created), None)
        return receipt
    there = tree.stat(client, receipt.place, name)
    if there is None or there.fileid != number:
        raise refusals.gone()
    wanted = paths.seconds(item.modified)
    untouched = there.folder or (there.etag == receipt.version and hashing.telling(there, item))
    if not untouched and there.size == item.size and hashing.matches(tree, client, receipt.place, name, item.digests):
        # Another ETag and the same bytes: an earlier attempt of ours, or a move, has changed the ETag alone.
        untouched, receipt = True, replace(receipt, version=there.etag)
    has = int(there.modified.timestamp()) if there.modified else None
    modified = wanted if untouched and wanted != has else None
    created = paths.seconds(facts.created) if facts.created != before.created else None
    if created is not None and there.created is not None and int(there.created.timestamp()) == created:
        created = None
    starred = facts.starred if facts.starred not in (before.starred, there.favourite) else None
    if modified is None and created is None and starred is None:
        return receipt
    _set(tree, client, receipt.place, name, modified, created, starred)
    if modified is None or there.folder:
        return receipt
    after = tree.stat(client, receipt.place, name)  # a new time is a new ETag
    if after is None or after.fileid != number:
        raise refusals.gone()
    return replace(receipt, version=after.etag) if after.size == there.size else receipt


def _set(
    tree: Tree,
    client: Client,
    place: Place,
    name: str,
    modified: int | None,
    created: int | None,
    starred: bool | None,
) -> None:
    """Set what is not None. Raises ItemError("gone")."""
    if modified is None and created is None and starred is None:
        return
    body = multistatus.proppatch(modified, created, starred)
    reply = client.send("PROPPATCH", paths.files(tree.user, place, name), body, _XML)
    if reply.status != 207:
        raise refusals.refusal(reply, tree.whose)
    try:
        statuses = [one for r in multistatus.responses([reply.content]) for one in multistatus.statuses(r)]
    except multistatus.NotXml:
        raise refusals.unreadable(tree.whose) from None
    if refused := next((one for one in statuses if one >= 400), None):
        raise ItemError("facts-refused", f"The Nextcloud does not set times or favourites of this ({refused}).")
