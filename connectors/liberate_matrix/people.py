"""Who an author of the source is at the homeserver: one of its own people, or a ghost that stands for them."""

from __future__ import annotations

from liberate.connector import Cast
from liberate.errors import AccountError
from liberate_matrix.client import Client
from liberate_matrix.convert import clean
from liberate_matrix.ids import localpart
from liberate_matrix.pictures import Pictures

_MOST_NAME = 250  # letters of a display name; Synapse takes 256


class People:
    """Accounts, made when they are first needed."""

    def __init__(self, client: Client, prefix: str, pictures: Pictures) -> None:
        self._client = client
        self._pictures = pictures
        self._prefix = prefix
        self._ready: set[str] = set()

    def user(self, cast: Cast, workspace: str, author: str) -> str:
        """The author's id at the homeserver, whether there is an account or not."""
        domain = self._client.domain
        own = cast.user(author)
        if not own:
            return f"@{localpart(self._prefix, (workspace, author), domain)}:{domain}"
        if not own.startswith("@"):
            return f"@{own}:{domain}"
        if own.partition(":")[2] != domain:
            raise AccountError(
                "another-server",
                f"The people table names {own}, and the homeserver is {domain}'s.",
                "Name an account of that server, or leave it empty; then run the same command again.",
            )
        return own

    @staticmethod
    def at_home(cast: Cast, author: str) -> bool:
        """Whether they see the workspace's public rooms: guests and people of others see only the rooms they are in."""
        return cast.author(author).kind not in ("guest", "stranger")

    def ghost(self, user: str) -> bool:
        """Whether that account is one that liberate makes for people who have none."""
        return user.startswith(f"@{self._prefix}_") or user == self._client.bot

    def plainest(self, users: set[str], owner: str) -> str:
        """Of these, somebody who is like most: of the homeserver's own people if any is among them, not the owner."""
        return min(users, key=lambda user: (user in (owner, self._client.bot), self.ghost(user), user))

    def ready(self, user: str, cast: Cast | None = None, author: str = "") -> None:
        """Make sure that the account is there, can be told apart and has its name and picture, before it joins.

        Raises AccountError for one of the homeserver's own people who has none.
        """
        if user in self._ready:
            return
        ghost = self.ghost(user)
        if ghost:
            self._client.register(user[1:].partition(":")[0])
        self._client.give_device(user)
        if ghost:
            self._introduce(user, cast, author)
        self._ready.add(user)

    def _introduce(self, user: str, cast: Cast | None, author: str) -> None:
        """Give a ghost its name and its picture, once each."""
        profile = self._client.profile(user)
        known = cast.author(author) if cast is not None else None
        if profile.get("displayname") in (None, "", user[1:].partition(":")[0]):  # Synapse's own choice is the latter
            name = (known.name or known.full_name or author) if known else "Import"
            self._client.set_profile(user, "displayname", clean(name)[:_MOST_NAME] or "?")
        if known is not None and cast is not None and known.picture and not profile.get("avatar_url"):
            self._pictures.face(user, known.picture, cast)

    def forget(self, user: str) -> None:
        """Look at the account anew before it is used again."""
        self._ready.discard(user)
