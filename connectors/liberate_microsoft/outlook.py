"""An Outlook mailbox as a source: every message once, its folder and flags as facts, and what changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Loaded, Remark, Skipped, Survey
from liberate.errors import PlanError
from liberate_microsoft import auth, folder_tree, mime, pace
from liberate_microsoft.client import Client, segment
from liberate_microsoft.folders import Tree
from liberate_microsoft.mail_listing import MailListing
from liberate_microsoft.mail_problems import mail_error
from liberate_microsoft.pace import Pacer
from liberate_microsoft.paging import IMMUTABLE
from liberate_microsoft.problems import API, Failure
from liberate_microsoft.reading import read_many
from liberate_microsoft.settings import MicrosoftSettings

MAILBOX = "mail"
IN_MEMORY = 4 << 20  # bytes of one message; what is larger is streamed
_AHEAD = 2  # messages on their way or waiting, for each line

_ARCHIVE = (
    "archive-mailbox",
    "This person has an archive mailbox (In-Place Archive), which Microsoft's API for mail cannot read.",
    "Let them move what they need from the archive into the mailbox with Outlook, or export the archive with Purview "
    "eDiscovery and bring it along from there.",
)


class OutlookSource:
    """The mail of one person, or of a shared mailbox. Reads only: the permission it asks for allows nothing else.

    The mailbox is one collection. A message stands in one folder, which is a fact about it: when it is moved, the
    ledger knows it by its immutable id, and its text does not go a second time.
    """

    def __init__(
        self,
        settings: MicrosoftSettings,
        account: Account,
        pacer: Pacer | None = None,
        sign_in: auth.SignIn | None = None,
    ) -> None:
        if account.kind not in ("person", "shared"):
            raise PlanError(
                f'{account.name}: a "{account.kind}" has no mailbox that can be read; name a shared mailbox.'
            )
        rate = settings.mailbox_requests_per_minute
        if rate is None and settings.endpoint is None:  # a stand-in is trusted to say so itself
            rate = pace.REQUESTS_PER_MINUTE
        self._client = Client(
            settings,
            account,
            pacer or pace.of_mailbox(auth.application(settings), account.name, rate),
            sign_in or auth.shared(settings, account, Kind.MAIL),
            {"Prefer": IMMUTABLE},
            mail_error,
        )
        self._whose = f"/users/{segment(account.name)}" if account.name else "/me"
        self._hidden = settings.hidden_folders
        self._tree: Tree | None = None  # as it was read last, until a listing has used it

    def close(self) -> None:
        self._client.close()

    # Listing -------------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """The mailbox, with Exchange's count of what moves or is listed as left behind."""
        tree = self._folders()
        left = sum(1 for _ in tree.left())
        yield Collection(MAILBOX, (), Kind.MAIL, count=sum(one.count for one in tree.moving()) + left)

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """Every message, folder by folder, or what changed since the cursor. Folders that stay behind are Skipped."""
        tree = self._folders()
        self._tree = None  # the next listing looks again
        if since is None and self._has_archive():
            yield Skipped("archive", *_ARCHIVE)
        yield from MailListing(self._client, self._whose, tree).run(since)

    def survey(self) -> Survey:
        """Exchange's own count for each folder that moves. It counts meeting requests and the like among messages."""
        counts: Counter[tuple[str, ...]] = Counter()
        for folder in self._folders().moving():
            counts[folder.path] += folder.count
        return Survey(counts.total(), dict(counts))

    def _folders(self) -> Tree:
        if self._tree is None:
            self._tree = folder_tree.read(self._client, self._whose, self._hidden)
        return self._tree

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """One message, streamed. Exchange writes it anew each time, so bytes from an offset on may fit no others."""
        for piece in mime.read(self._client, self._whose, item.id):
            if offset >= len(piece):
                offset -= len(piece)
                continue
            yield piece[offset:] if offset else piece
            offset = 0

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Messages over three lines at once. Those over 4 MiB come without a body."""
        if items:
            yield from read_many(
                self._client,
                items,
                lambda line, item: mime.read(line, self._whose, item.id),
                threads=pace.AT_ONCE,
                most=IN_MEMORY,
                ahead=_AHEAD,
            )

    # Looking -------------------------------------------------------------------------------------

    def check(self) -> Iterator[Remark]:
        """Whether the mailbox can be read, and what of it will stay behind. Raises AccountError if it cannot."""
        tree = self._folders()
        archive = self._has_archive()
        if archive:
            yield Remark(*_ARCHIVE)
        elif archive is None:
            yield Remark(
                "archive-unknown",
                "Whether there is an archive mailbox beside this one, Microsoft does not say.",
                f"In the {API}, add MailboxSettings.Read, or look in the Exchange admin center.",
            )
        hidden = [one for one in tree.folders if one.left == "hidden-folder" and one.count]
        if hidden:
            yield Remark(
                "hidden-folders",
                f"Folders that Outlook does not show stay behind (folders: {len(hidden)}, "
                f"items in them: {sum(one.count for one in hidden)}).",
                'If people miss something of theirs, set hidden_folders = "copy".',
            )

    def _has_archive(self) -> bool | None:
        """Whether there is an in-place archive; None: Microsoft does not say.

        By a call of the beta version, as v1.0 has none (exchangeSettings resource); nothing depends on its answer.
        """
        answer = self._client.attempt(f"/beta{self._whose}/settings/exchange", pace.REQUEST)
        if isinstance(answer, Failure):
            return None
        return bool(answer.get("inPlaceArchiveMailboxId"))
