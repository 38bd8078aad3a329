"""What only an administrator of the homeserver can do: purging rooms, deleting files.

The application service's token is as good as theirs, as long as they are an account that it may speak for.
https://element-hq.github.io/synapse/latest/admin_api/rooms.html
"""

from __future__ import annotations

import time

from liberate.errors import TransientError
from liberate_matrix.client import Client, q

_PATH = "/_synapse/admin"
_POLL = 0.1  # seconds between two questions whether a room is purged


class Administrator:
    """One administrator, by their account."""

    def __init__(self, client: Client, user: str, timeout: float) -> None:
        self._client = client
        self._user = user
        self._timeout = timeout

    def purge(self, room: str) -> None:
        """Remove the room and all that is in it, with everybody's membership and every alias."""
        until = time.monotonic() + self._timeout
        # An earlier attempt's, which a second one at the same time would break.
        self._await(f"{_PATH}/v2/rooms/{q(room)}/delete_status", until)
        body = {"purge": True, "block": False}
        begun = str(self._client.ask("DELETE", f"{_PATH}/v2/rooms/{q(room)}", body, user=self._user).body["delete_id"])
        # By its own id: a list of the room's leaves out what is only scheduled.
        if self._await(f"{_PATH}/v2/rooms/delete_status/{q(begun)}", until) != {"complete"}:
            raise TransientError("The homeserver could not purge a room; its log tells why.")

    def _await(self, path: str, until: float) -> set[str]:
        """How the purges there ended, once all have."""
        while True:
            told = self._client.get(path, user=self._user, fine=("M_NOT_FOUND",)).body
            ended = {str(one["status"]) for one in told.get("results", [told]) if "status" in one}
            if ended <= {"complete", "failed"}:
                return ended
            if time.monotonic() > until:
                raise TransientError("The homeserver has not purged a room in good time.")
            time.sleep(_POLL)

    def delete_media(self, mxc: str) -> None:
        """Delete a file; one that is gone is fine."""
        server, _, media = mxc.removeprefix("mxc://").partition("/")
        path = f"{_PATH}/v1/media/{q(server)}/{q(media)}"
        self._client.ask("DELETE", path, user=self._user, fine=("M_NOT_FOUND",))
