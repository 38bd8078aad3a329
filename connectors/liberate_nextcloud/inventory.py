"""A whole tree at little cost: SEARCH, which answers from the server's index, page after page.

SEARCH sorts by nothing that is unique and compares file ids by equality only, so it cannot be paged by position.
It is paged by the time of the last change, and within one second by size; by a walk where that does not do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from liberate.connector import Held, Place, inside
from liberate.errors import ItemError, TransientError
from liberate_nextcloud import multistatus, paths, refusals
from liberate_nextcloud.client import Client, chunks
from liberate_nextcloud.multistatus import Entry
from liberate_nextcloud.tree import Tree

_XML = {"Content-Type": "text/xml; charset=utf-8"}
_PAGE = 1000
_ASKED = 50  # file ids in one question; the server takes 100 conditions
_ALIKE = 50_000  # files of one second and one size that are asked for at once
_UNABLE = (400, 404, 405, 500, 501)


class _Unable(Exception):
    """This server does not answer SEARCH."""


def inventory(tree: Tree, client: Client, root: Place) -> Iterator[Held]:
    """See Inventories.inventory."""
    pages = _ranges(tree, client, root)
    try:
        first = next(pages, [])
    except _Unable:
        yield from walk(tree, client, root)
        return
    yield from first
    try:
        for page in pages:
            yield from page
    except _Unable as error:
        raise TransientError(f"{tree.whose}: the search broke off.") from error


def _ranges(tree: Tree, client: Client, root: Place) -> Iterator[list[Held]]:
    """Everything below the root, a page at a time, by the time of its last change; each once.

    What changes meanwhile moves to the end and is met there. The last second of a full page may go on
    behind it: it is asked for again with what follows.
    """
    since = 0
    while True:
        page = _page(tree, client, root, multistatus.not_before(since), "d:getlastmodified")
        if not _full(page, _PAGE):
            yield _own(tree, client, page)
            return
        last = max(_second(entry) for _, entry in page)
        if last > since:
            yield _own(tree, client, [one for one in page if _second(one[1]) < last])
            since = last
            continue
        yield from _within(tree, client, root, since)  # a whole page of one second: unpacked, or restored
        since += 1


def _within(tree: Tree, client: Client, root: Place, second: int) -> Iterator[list[Held]]:
    """What was changed at one second, by size."""
    least = 0
    while True:
        page = _page(tree, client, root, multistatus.at_second(second, least), "oc:size")
        if not _full(page, _PAGE):
            yield _own(tree, client, page)
            return
        largest = max(entry.total for _, entry in page)
        if largest > least:
            yield _own(tree, client, [one for one in page if one[1].total < largest])
            least = largest
            continue
        # As many of one second and one size: nothing tells them apart, so they come at once.
        where = multistatus.at_second(second, least, least)
        page = list(_search(tree, client, root, where, _ALIKE))
        if _full(page, _ALIKE):
            raise _Unable
        yield _own(tree, client, page)
        least += 1


def _page(tree: Tree, client: Client, root: Place, where: str, by: str) -> list[tuple[str, Entry]]:
    return list(_search(tree, client, root, where, _PAGE, by))


def _full(page: Sequence[tuple[str, Entry]], limit: int) -> bool:
    """Whether there may be more: a server counts the folder itself too, and leaves it out only then."""
    return len(page) >= limit - 1


def _own(tree: Tree, client: Client, page: Sequence[tuple[str, Entry]]) -> list[Held]:
    """Without what only shows in the account."""
    return [held(path, entry) for path, entry in page if not tree.foreign(client, entry)]


def _second(entry: Entry) -> int:
    return 0 if entry.modified is None else int(entry.modified.timestamp())


def located(tree: Tree, client: Client, fileids: Sequence[int]) -> dict[int, str]:
    """The paths below the home of those ids that stand there; by a walk where the server does not search."""
    out: dict[int, str] = {}
    for at in range(0, len(fileids), _ASKED):
        some = fileids[at : at + _ASKED]
        try:
            where = multistatus.fileid_is(some)
            out |= {entry.fileid: path for path, entry in _search(tree, client, Place(""), where, 2 * _ASKED)}
        except _Unable:
            wanted = set(fileids)
            for one in walk(tree, client, Place("")):
                number, _ = paths.of_receipt(one.id)
                if number in wanted:
                    out[number] = str(inside(one.place, one.name))
            return out
    return out


def _search(
    tree: Tree, client: Client, root: Place, where: str, limit: int, by: str = ""
) -> Iterator[tuple[str, Entry]]:
    scope = paths.quoted(f"/files/{tree.user}/{root}".rstrip("/"))
    request = multistatus.search(scope, where, limit, by)
    with client.stream("SEARCH", f"{paths.DAV}/", request, _XML, timeout=client.patience) as response:
        if response.status_code in _UNABLE:
            client.read(response)
            raise _Unable
        if response.status_code != 207:
            raise refusals.refusal(client.read(response), tree.whose)
        try:
            for entry in multistatus.entries(chunks(response)):
                path = paths.below_home(entry.href, tree.user)
                if path and path != str(root):
                    yield path, entry
        except multistatus.NotXml:
            raise refusals.unreadable(tree.whose) from None


def walk(tree: Tree, client: Client, root: Place) -> Iterator[Held]:
    """The same, folder by folder."""
    waiting = [root]
    while waiting:
        place = waiting.pop()
        try:
            for name, entry in tree.listing(client, place):
                if tree.foreign(client, entry):
                    continue
                if entry.folder:
                    waiting.append(inside(place, name))
                yield held(str(inside(place, name)), entry)
        except ItemError as error:
            if error.code != "gone":
                raise


def held(path: str, entry: Entry, *, foreign: bool = False) -> Held:
    """What stands at that path, as the contract says it."""
    place, name = paths.split(path)
    return Held(
        place,
        name,
        entry.folder,
        paths.receipt_id(entry.fileid, name),
        None if entry.folder else entry.size,
        "" if entry.folder else entry.etag,
        foreign,
    )
