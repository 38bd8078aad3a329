"""Pictures: of those who have no account, of the workspace, and its own emoji.

Each is uploaded once, to an address that is noted first. One that is not to be had is left out, and asked for again by
another run; what somebody set or took away there is left alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from liberate.chat import Workspace
from liberate.connector import Cast
from liberate.errors import ItemError, TransientError
from liberate_matrix.client import Client
from liberate_matrix.convert import BUDGET, clean, weight

PACKS = ("m.room.image_pack", "im.ponies.room_emotes")
"""Types of state that hold a room's emoji: the specification's, and MSC2545's, which most clients read today."""
NOTE = "org.liberate.picture."  # account data with the address of one picture
_EMOJI = "org.liberate.emoji"  # the same for the space: what its packs were made of
_MOST = 100  # letters of a shortcode
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_missing: set[tuple[str, str]] = set()  # note and picture: what this process asked for in vain
_locks: dict[str, threading.Lock] = {}  # workers come for the same person or space at the same time


class Pictures:
    """Pictures of one homeserver."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def face(self, user: str, picture: str, cast: Cast) -> None:
        """Give a ghost that picture, unless it has one."""
        with _locks.setdefault(user, threading.Lock()):
            if self._client.profile(user).get("avatar_url"):
                return
            mxc = self._stored(user, "", picture, cast)
            with suppress(ItemError):  # the homeserver may forbid pictures
                if mxc:
                    self._client.set_profile(user, "avatar_url", mxc)

    def adorn(self, space: str, owner: str, workspace: Workspace, cast: Cast) -> None:
        """Give the space the workspace's picture and its emoji. Whoever else is at it in this process finishes it."""
        lock = _locks.setdefault(space, threading.Lock())
        if not lock.acquire(blocking=False):
            return
        try:
            with suppress(ItemError):  # somebody took away the right to: what was said is there all the same
                self._show(space, owner, workspace, cast)
                self._fill(space, owner, workspace, cast)
        finally:
            lock.release()

    def _show(self, space: str, owner: str, workspace: Workspace, cast: Cast) -> None:
        if workspace.picture and self._client.state(owner, space, "m.room.avatar") is None:
            mxc = self._stored(self._client.bot, space, workspace.picture, cast)
            if mxc:
                self._client.set_state(owner, space, "m.room.avatar", {"url": mxc})

    # Emoji ---------------------------------------------------------------------------------------

    def _fill(self, space: str, owner: str, workspace: Workspace, cast: Cast) -> None:
        """Make the packs, if the emoji are others than they were made of, or some were missing."""
        said = hashlib.sha256(json.dumps([workspace.name, workspace.emoji]).encode()).hexdigest()
        bot = self._client.bot
        noted = self._client.account_data(bot, _EMOJI, space) or {}
        if not workspace.emoji or noted.get("said") == said:
            return
        codes = shortcodes(workspace.emoji)
        addresses: dict[str, str] = {}  # by picture: several names may have one
        for picture in dict.fromkeys(codes.values()):
            if mxc := noted.get("addresses", {}).get(picture) or self._stored(bot, space, picture, cast):
                addresses[picture] = mxc
        images = {code: addresses[picture] for code, picture in codes.items() if picture in addresses}
        packs = packed(images, clean(workspace.name)[:200])
        for type_ in PACKS:
            before = self._packs(owner, space, type_)
            for number, pack in enumerate([*packs, *({} for _ in before[len(packs) :])]):
                if before[number : number + 1] != [pack]:
                    self._client.set_state(owner, space, type_, pack, _key(number))
        complete = len(images) == len(codes)
        now = {"said": said if complete else "", "addresses": addresses}
        if now != noted:
            self._client.set_account_data(bot, _EMOJI, now, space)

    def _packs(self, user: str, space: str, type_: str) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        while (pack := self._client.state(user, space, type_, _key(len(out)))) is not None:
            out.append(pack)
        return out

    # Uploading -----------------------------------------------------------------------------------

    def _stored(self, holder: str, room: str, picture: str, cast: Cast) -> str:
        """The picture's address, with its bytes there; "" if they are not to be had or the homeserver refuses them."""
        name = NOTE + hashlib.blake2b(picture.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        noted = (self._client.account_data(holder, name, room) or {}).get("mxc")
        mxc = noted if isinstance(noted, str) else ""
        if mxc and self._client.has_media(mxc):
            return mxc
        if (room or holder, picture) in _missing:
            return ""
        data = cast.picture(picture)
        media_type = kind_of(data or b"")
        limit = self._client.upload_limit()
        if data and media_type and (limit is None or len(data) <= limit):
            with suppress(ItemError):
                mxc = mxc or self._note(holder, name, room)
                if self._client.upload(mxc, data, media_type, "") == "M_NOT_FOUND":
                    self._note(holder, name, room)
                    raise TransientError("The address that a picture was to have has expired; it has a new one.")
                return mxc
        _missing.add((room or holder, picture))
        return ""

    def _note(self, holder: str, name: str, room: str) -> str:
        mxc = self._client.new_media()
        self._client.set_account_data(holder, name, {"mxc": mxc}, room)
        return mxc


def kind_of(data: bytes) -> str:
    """The media type of a picture by how it begins; "" for what is none that clients show."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begin, kind in _KINDS.items() if data.startswith(begin)), "")


def shortcodes(emoji: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The pictures of a workspace's own emoji by their shortcodes; what is another name for one of Unicode is left out.

    Shortcodes have fewer letters than names may have, and stay different where names are.
    """
    own = dict(emoji)
    out: dict[str, str] = {}
    for name, first in own.items():
        picture, seen = first, {name}
        while picture.startswith("alias:") and (other := picture.removeprefix("alias:")) not in seen:
            seen.add(other)
            picture = own.get(other, "")
        if not picture or picture.startswith("alias:"):
            continue
        wish = code = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:_MOST]
        number = 2
        while code in out or (code != name and code in own):
            code, number = f"{wish[: _MOST - 5]}_{number}", number + 1
        out[code] = picture
    return out


def packed(images: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    """The contents of as many packs as the images need: one event holds some hundreds."""
    out: list[dict[str, Any]] = []
    left = 0
    for code, mxc in images.items():
        image = {code: {"url": mxc}}
        if (size := weight(image)) > left:
            out.append({"pack": {"display_name": name, "usage": ["emoticon"]}, "images": {}})
            left = BUDGET - weight(out[-1])
        out[-1]["images"] |= image
        left -= size
    return out


def _key(number: int) -> str:
    return f"liberate{number or ''}"
