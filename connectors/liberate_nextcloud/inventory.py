"""A whole tree at little cost: SEARCH, which answers from the server's index, in ranges of file ids.

SEARCH sorts by nothing that is unique and so cannot be paged by position; file ids are unique, and a range
of them that is answered in full has surely been answered whole.
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
_LAST = 2**62
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
    """Everything below the root, a page at a time; each id once."""
    above, width = -1, _LAST
    while True:
        upto = None if width >= _LAST else above + width
        page = _page(tree, client, root, above, upto)
        if len(page) < _PAGE:
            yield [held for _, held in page]
            if upto is None:
                return
            above = upto
            width *= 2
            continue
        # Too many: the ids seen tell how dense they are.
        ids = sorted(number for number, _ in page)
        if width == 1:
            yield [held for _, held in page]
            above += 1
            width = _PAGE
            continue
        spread = max(1, ids[len(ids) // 2] - above)
        width = spread if spread < width else max(1, width // 2)


def _page(tree: Tree, client: Client, root: Place, above: int, upto: int | None) -> list[tuple[int, Held]]:
    return [
        (entry.fileid, held(path, entry))
        for path, entry in _search(tree, client, root, multistatus.fileid_between(above, upto), _PAGE)
    ]


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


def _search(tree: Tree, client: Client, root: Place, where: str, limit: int) -> Iterator[tuple[str, Entry]]:
    scope = paths.quoted(f"/files/{tree.user}/{root}".rstrip("/"))
    request = multistatus.search(scope, where, limit)
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
                if entry.folder:
                    waiting.append(inside(place, name))
                yield held(str(inside(place, name)), entry)
        except ItemError as error:
            if error.code != "gone":
                raise


def held(path: str, entry: Entry) -> Held:
    """What stands at that path, as the contract says it."""
    place, name = paths.split(path)
    return Held(
        place,
        name,
        entry.folder,
        paths.receipt_id(entry.fileid, name),
        None if entry.folder else entry.size,
        "" if entry.folder else entry.etag,
    )
