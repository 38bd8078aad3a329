"""The contacts of an Outlook mailbox as a source: each folder an address book, followed by its delta."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from liberate.connector import (
    Account,
    Collection,
    Cursor,
    Gone,
    Kind,
    Listed,
    Remark,
    Skipped,
    Whole,
)
from liberate.errors import ItemError, TransientError
from liberate.pim import Looks
from liberate_microsoft import auth, contacts_convert, pace
from liberate_microsoft.client import segment
from liberate_microsoft.contacts_convert import FIELDS, Json, Photo
from liberate_microsoft.exchange import Exchange
from liberate_microsoft.objects import Made, ReadsObjects
from liberate_microsoft.pace import Pacer
from liberate_microsoft.paging import expired, lengthened, shortened
from liberate_microsoft.pim_problems import object_error
from liberate_microsoft.problems import Failure
from liberate_microsoft.settings import MicrosoftSettings

PREFIX = "contacts:"
DEFAULT = "contacts"  # the well-known name of the folder that everybody has
_PHOTO = 4 << 20  # bytes; what is larger is no picture of a face
_MARK = "delta:"
_RESTARTS = 2
_TRIES = 4  # for one picture


class ContactsSource(ReadsObjects):
    """The contacts of one person or shared mailbox. Reads only: Contacts.Read allows nothing else."""

    kind = Kind.CONTACT

    def __init__(
        self,
        settings: MicrosoftSettings,
        account: Account,
        pacer: Pacer | None = None,
        sign_in: auth.SignIn | None = None,
    ) -> None:
        super().__init__()
        self._exchange = Exchange(settings, account, self.kind, pacer, sign_in)

    def close(self) -> None:
        self._exchange.close()

    # Listing -------------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """The folder that everybody has, and those that people made in it, at any depth: each an address book."""
        root = self._exchange.client.ask(
            f"{self._exchange.whose}/contactFolders/{DEFAULT}", pace.REQUEST, {"$select": "id,displayName"}
        )
        yield _book(root, ())
        yield from self._below("/contactFolders", ())

    def _below(self, path: str, above: tuple[str, ...]) -> Iterator[Collection]:
        for raw in list(self._exchange.each(path, {"$select": "id,displayName", "$top": "100"})):
            book = _book(raw, above)
            yield book
            yield from self._below(f"/contactFolders/{segment(str(raw['id']))}/childFolders", book.path)

    def looks(self, collection: Collection) -> Looks:
        """See HasLooks. Folders of contacts have a name and nothing else."""
        return Looks("/".join(collection.path), components=frozenset())

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """Every contact of the folder, and Whole; with a cursor, what changed and what is gone."""
        path = f"{self._exchange.whose}/contactFolders/{segment(_folder(collection))}/contacts/delta"
        link = str(since).removeprefix(_MARK) if since is not None and str(since).startswith(_MARK) else None
        for _ in range(_RESTARTS + 1):
            whole = link is None
            where, params = (path, {"$select": FIELDS}) if link is None else lengthened(link, path)
            while True:
                page = self._exchange.client.call(
                    where, pace.REQUEST, params or None, takes=None if whole and params.get("$select") else expired
                )
                if isinstance(page, Failure):
                    link = None  # it is worth nothing any more: everything anew
                    break
                yield from self._entries(page.get("value") or (), whole=whole)
                following = page.get("@odata.nextLink")
                if not following:
                    if whole:
                        yield Whole()
                    if end := page.get("@odata.deltaLink"):
                        yield Cursor(_MARK + shortened(str(end), "/contacts/delta"))
                    return
                where, params = str(following), {}
        raise TransientError("Microsoft's listing of contacts does not come to its end.")

    def _entries(self, entries: Sequence[Json], *, whole: bool) -> Iterator[Listed]:
        for raw in entries:
            id_ = str(raw.get("id") or "")
            if not id_:
                continue
            if "@removed" in raw:
                if not whole:
                    yield Gone(id_)
                continue
            try:
                yield self._item_of(id_, self._made(raw))
            except ItemError as error:
                yield Skipped(id_, error.code, error.why, error.todo)

    # Looking -------------------------------------------------------------------------------------

    def check(self) -> Iterator[Remark]:
        """Whether the contacts can be read. Raises AccountError."""
        list(self.collections())
        return iter(())

    # Helpers -------------------------------------------------------------------------------------

    def _anew(self, id_: str) -> Made:
        return self._made(self._exchange.one(f"/contacts/{segment(id_)}", {"$select": FIELDS}))

    def _made(self, raw: Json) -> Made:
        try:
            return contacts_convert.made(raw, self._photo(str(raw["id"])))
        except (ValueError, TypeError, AttributeError) as error:
            raise ItemError(
                "unreadable-contact",
                f"Graph tells this contact in a way that liberate does not understand ({type(error).__name__}).",
                "Let its owner look at it in Outlook, and make it anew at the new place if it matters.",
            ) from None

    def _photo(self, id_: str) -> Photo:
        """The picture; none where there is none. One that Exchange does not hand over is told as lost."""
        client = self._exchange.client
        path = f"{self._exchange.whose}/contacts/{segment(id_)}/photo/$value"
        tries = 1
        while True:
            found = self._picture(path)
            if isinstance(found, Photo):
                return found
            if not found.passing or tries == _TRIES or (found.wait or 0.0) > pace.LONGEST_WAIT:
                break
            if not found.rate:  # for those the pacer holds everybody
                client.pacer.sleep(max(found.wait or 0.0, 0.1 * 4 ** (tries - 1)))
            tries += 1
        if found.status == 404 and not _about_mailbox(found):
            return Photo()
        if found.rate or found.status == 401 or _about_mailbox(found):
            raise client.told(found)
        return Photo(failed=True)

    def _picture(self, path: str) -> Photo | Failure:
        client = self._exchange.client
        with client.opened(path, pace.REQUEST) as response:
            if response.status_code != 200:
                return client.failed(response)
            data = b""
            for piece in response.iter_content(1 << 16):
                data += piece
                if len(data) > _PHOTO:
                    return Photo(failed=True)
            client.pacer.went_well()
            media = str(response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
            return Photo(data, media)


def _about_mailbox(found: Failure) -> bool:
    return object_error(found) is None and found.status == 404


def _book(raw: Json, above: tuple[str, ...]) -> Collection:
    return Collection(PREFIX + str(raw["id"]), (*above, str(raw.get("displayName") or "Contacts")), Kind.CONTACT)


def _folder(collection: Collection) -> str:
    return collection.id.removeprefix(PREFIX)
