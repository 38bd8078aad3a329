"""Finding and making the folders that mail lands in."""

from __future__ import annotations

from liberate.connector import Collection, Place
from liberate.errors import ItemError
from liberate.mail import Role
from liberate_imap import names, refusals
from liberate_imap.session import Listed, Session, role_of
from liberate_imap.settings import ImapSettings


class Folders:
    """The folders of one account as they were listed, and as we made them since."""

    def __init__(self, session: Session, settings: ImapSettings) -> None:
        self._session = session
        self._settings = settings
        self._listed: dict[str, Listed] | None = None
        self._ready: dict[str, Place] = {}

    def prepare(self, collection: Collection) -> Place:
        """As Destination.prepare says. Raises ItemError for a name that the server does not take."""
        name = self.name(collection)
        if name not in self._ready:
            self._ready[name] = self._make(name)
        return self._ready[name]

    def name(self, collection: Collection) -> str:
        """The mailbox that the collection goes to, whether it exists or not."""
        base = self._settings.folder_path
        path = collection.path
        role = Role(collection.role) if collection.role in set(Role) else None
        if base:
            if not path and role is not None:
                path = (names.USUAL.get(role, "Inbox"),)
            return self._joined((*base, *path))
        if role is Role.INBOX or (role is None and not path):
            return "INBOX"
        return self._joined(path) if role is None else self._special(role)

    def _joined(self, path: tuple[str, ...]) -> str:
        separator = self._session.separator
        if not separator and len(path) > 1:
            raise ItemError(
                "illegal-name",
                f"{self._session.whose} has no folders within folders.",
                "Move the folder to the outermost level at its source.",
            )
        return self._session.prefix + separator.join(path)

    def _special(self, role: Role) -> str:
        """The server's own folder for the role, by attribute, by name, or to be made."""
        listed = self._all()
        for name, folder in sorted(listed.items()):
            if role_of(folder) is role:
                return name
        prefix = self._session.prefix
        outermost = {
            name[len(prefix) :]: name
            for name, folder in listed.items()
            if name.startswith(prefix) and folder.selectable and role_of(folder) is None
        }
        known = names.best_known(role, outermost)
        return outermost[known] if known is not None else prefix + names.USUAL[role]

    def _all(self) -> dict[str, Listed]:
        if self._listed is None:
            self._listed = {folder.name: folder for folder in self._session.folders()}
        return self._listed

    def _make(self, name: str) -> Place:
        known = self._all().get(name)
        if name.upper() == "INBOX" or (known is not None and known.selectable):
            return Place(name)
        answer, _ = self._session.ask(b"CREATE " + names.quoted(name))
        if not answer.ok and answer.code != "ALREADYEXISTS" and self._session.status(name, "UIDNEXT") is None:
            whose = self._session.whose
            raise refusals.general(answer, whose) or refusals.of_folder(answer, whose)
        if self._settings.subscribe:
            # A folder that mail programs do not show is no reason to leave mail behind.
            self._session.ask(b"SUBSCRIBE " + names.quoted(name))
        return Place(name)
