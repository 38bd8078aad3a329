"""The connectors of this package, as the entry points name them.

Each is loaded where it is opened: whoever moves files waits for no calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from liberate.connector import Account, Connector, Destination, Endpoint, Kind, Source
from liberate.errors import PlanError
from liberate.settings import Settings
from liberate_local.paths import located


class _Local(Settings):
    path: str = Field(description="where it is; {account} stands for the account, {user} for what precedes its @")


class MaildirSettings(_Local):
    """A Maildir, with Maildir++ or nested folders."""

    names: Literal["auto", "mutf-7", "utf-8"] = Field(
        default="auto", description="how folder names are written: modified UTF-7, as Dovecot and Courier do, or UTF-8"
    )
    layout: Literal["maildir++", "nested"] = Field(
        default="maildir++",
        description='how a destination nests folders: ".Work.Board", or Work/Board; a source knows both',
    )


class MboxSettings(_Local):
    """An mbox file, or a folder of them as Thunderbird, Apple Mail and mutt keep them."""

    quoting: Literal["auto", "mboxrd", "none"] = Field(
        default="auto",
        description='"mboxrd": a line ">From " in a message stands for "From "; "none": it stands for itself; '
        '"auto": as "mboxrd", unless the message shows that its writer quotes nothing',
    )
    folder: str | None = Field(
        default=None, description='what the mailbox is called, "/" between levels; by default as its file'
    )


class TakeoutSettings(_Local):
    """A Google Takeout of mail: its mbox file, the unpacked folder, or the .zip or .tgz as it was downloaded."""

    quoting: Literal["auto", "mboxrd", "none"] = Field(
        default="auto", description='as for mbox; Takeout writes ">From " where a message has "From "'
    )


class EmlSettings(_Local):
    """A folder of .eml files, and the folders below it."""

    folder: str | None = Field(
        default=None, description="what the mailbox of the outermost folder is called; by default as that folder"
    )


class ChatArchiveSettings(_Local):
    """A folder with the messages of a workspace as JSON lines, and as pages to read and search."""

    timezone: str = Field(
        default="UTC", description='whose times the pages show, as in the IANA database: "Europe/Stockholm"'
    )

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(f"no time zone is called {name!r}; an example of one: Europe/Stockholm") from error
        return name


class FolderSettings(_Local):
    """A folder of files; as a destination also of mail, each message an .eml file."""


class IcsSettings(_Local):
    """A calendar file (.ics), or a folder of them, such as Takeout/Calendar; as a destination a folder."""


class VcfSettings(_Local):
    """A file of contacts (.vcf), or a folder of them, such as Takeout/Contacts; as a destination a folder."""


def endpoint(scheme: str) -> Callable[[str], Endpoint]:
    """Reads `scheme:PATH`, and `scheme://PATH` for those who expect an address."""

    def parse(address: str) -> Endpoint:
        path = address.removeprefix(f"{scheme}:")
        path = path.removeprefix("//") if path.startswith("//") else path
        if not path:
            raise PlanError(f"{address!r} names no path. Write {scheme}:PATH.")
        return Endpoint({"path": path})

    return parse


def _source(make: Callable[[Any, Account], Source]) -> Callable[[Any, Account], AbstractContextManager[Source]]:
    """`make` as a context manager; what it makes is closed if it can be."""

    @contextmanager
    def opened(settings: Any, account: Account) -> Iterator[Source]:
        made = make(settings, account)
        try:
            yield made
        finally:
            close = getattr(made, "close", None)
            if close is not None:
                close()

    return opened


def _destination(
    make: Callable[[Any, Account], Destination],
) -> Callable[[Any, Account], AbstractContextManager[Destination]]:
    """`make` as a context manager; a destination of files holds nothing open."""

    @contextmanager
    def opened(settings: Any, account: Account) -> Iterator[Destination]:
        yield make(settings, account)

    return opened


def _maildir_source(settings: MaildirSettings, account: Account) -> Source:
    from liberate_local.maildir import MaildirSource

    return MaildirSource(located(settings.path, account), settings.names)


def _maildir_destination(settings: MaildirSettings, account: Account) -> Destination:
    from liberate_local.maildir_destination import MaildirDestination

    return MaildirDestination(located(settings.path, account), settings.names, settings.layout)


maildir = Connector(
    "maildir",
    "Maildir",
    frozenset({Kind.MAIL}),
    MaildirSettings,
    source=_source(_maildir_source),
    destination=_destination(_maildir_destination),
    schemes=("maildir",),
    endpoint=endpoint("maildir"),
)


def _mbox_source(settings: MboxSettings, account: Account) -> Source:
    from liberate_local.mbox import Format, MboxSource

    folder = tuple(settings.folder.split("/")) if settings.folder else None
    return MboxSource(located(settings.path, account), Format(quoting=settings.quoting), folder)


mbox = Connector(
    "mbox",
    "Mbox files",
    frozenset({Kind.MAIL}),
    MboxSettings,
    source=_source(_mbox_source),
    schemes=("mbox",),
    endpoint=endpoint("mbox"),
)


def _takeout_source(settings: TakeoutSettings, account: Account) -> Source:
    from liberate_local import gmail_labels
    from liberate_local.mbox import Format, MboxSource

    # A Content-Length in a Takeout is some mail program's of long ago: Google counts nothing.
    form = Format(gmail_labels.facts, gmail_labels.FIELDS, settings.quoting, content_length=False)
    return MboxSource(located(settings.path, account), form)


takeout = Connector(
    "takeout",
    "Google Takeout",
    frozenset({Kind.MAIL}),
    TakeoutSettings,
    source=_source(_takeout_source),
    schemes=("takeout",),
    endpoint=endpoint("takeout"),
)


def _eml_source(settings: EmlSettings, account: Account) -> Source:
    from liberate_local.tree import TreeSource

    return TreeSource(located(settings.path, account), settings.folder)


eml = Connector(
    "eml",
    "Folder of .eml files",
    frozenset({Kind.MAIL}),
    EmlSettings,
    source=_source(_eml_source),
    schemes=("eml",),
    endpoint=endpoint("eml"),
)


def _folder_source(settings: FolderSettings, account: Account) -> Source:
    from liberate_local.files_source import FilesSource

    return FilesSource(located(settings.path, account))


def _folder_destination(settings: FolderSettings, account: Account) -> Destination:
    from liberate_local.folder_destination import FolderDestination

    return FolderDestination(located(settings.path, account))


folder = Connector(
    "folder",
    "Folder",
    frozenset({Kind.FILE, Kind.MAIL}),
    FolderSettings,
    source=_source(_folder_source),
    destination=_destination(_folder_destination),
    schemes=("folder",),
    endpoint=endpoint("folder"),
)


@contextmanager
def _chat_archive(settings: ChatArchiveSettings, account: Account) -> Iterator[Destination]:
    from liberate_local.chat_archive import ChatArchive

    archive = ChatArchive(located(settings.path, account), ZoneInfo(settings.timezone), settings.timezone)
    try:
        yield archive
    finally:
        archive.close()


chat_archive = Connector(
    "chat-archive",
    "Chat archive",
    frozenset({Kind.CHAT}),
    ChatArchiveSettings,
    destination=_chat_archive,
    schemes=("chat-archive",),
    endpoint=endpoint("chat-archive"),
)


def _pim_source(kind: Kind) -> Callable[[Any, Account], AbstractContextManager[Source]]:
    def made(settings: Any, account: Account) -> Source:
        from liberate_local.pim_source import PimSource

        return PimSource(located(settings.path, account), kind)

    return _source(made)


def _pim_destination(kind: Kind) -> Callable[[Any, Account], AbstractContextManager[Destination]]:
    def opened(settings: Any, account: Account) -> AbstractContextManager[Destination]:
        from liberate_local.pim_destination import PimDestination

        return PimDestination(located(settings.path, account), kind)

    return opened


ics = Connector(
    "ics",
    "Calendar files (.ics)",
    frozenset({Kind.EVENT}),
    IcsSettings,
    source=_pim_source(Kind.EVENT),
    destination=_pim_destination(Kind.EVENT),
    schemes=("ics",),
    endpoint=endpoint("ics"),
)

vcf = Connector(
    "vcf",
    "Files of contacts (.vcf)",
    frozenset({Kind.CONTACT}),
    VcfSettings,
    source=_pim_source(Kind.CONTACT),
    destination=_pim_destination(Kind.CONTACT),
    schemes=("vcf",),
    endpoint=endpoint("vcf"),
)
