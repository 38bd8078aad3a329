"""The part of Gmail's search language that the stand-in plays; anything else is refused, not guessed."""

from __future__ import annotations

import re
from collections.abc import Callable

from liberate_google.standin.errors import bad_request
from liberate_google.standin.mailbox import HIDDEN, Mailbox, Message

Test = Callable[[Message], bool]

_TERM = re.compile(r'(-?)(\w+):(?:"([^"]*)"|(\S+))\s*')
_SIZE = re.compile(r"(\d+)([KMkm]?)[Bb]?")
_IN = {
    "inbox": "INBOX", "sent": "SENT", "drafts": "DRAFT", "draft": "DRAFT", "spam": "SPAM", "trash": "TRASH",
    "chats": "CHAT", "chat": "CHAT",
}  # fmt: skip
_IS = {"unread": "UNREAD", "starred": "STARRED", "important": "IMPORTANT", "chat": "CHAT"}


class Query:
    """A parsed `q`. `everywhere` says that it asks for spam and trash by itself."""

    def __init__(self, text: str, mailbox: Mailbox) -> None:
        self._tests: list[Test] = []
        self.everywhere = False
        at = 0
        text = text.strip()
        while at < len(text):
            term = _TERM.match(text, at)
            if term is None:
                raise bad_request(f"This stand-in does not know the search {text[at:]!r}", "invalidArgument")
            at = term.end()
            test = self._test(term[2].lower(), term[3] or term[4] or "", mailbox)
            self._tests.append(_not(test) if term[1] else test)

    def __call__(self, message: Message) -> bool:
        return all(test(message) for test in self._tests)

    def _test(self, operator: str, value: str, mailbox: Mailbox) -> Test:
        if operator in ("larger", "smaller", "size") and (size := _SIZE.fullmatch(value)):
            limit = int(size[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[size[2].lower()]
            if operator == "smaller":
                return lambda message: len(message.raw) < limit
            return lambda message: len(message.raw) > limit
        if operator == "in":
            place = value.lower()
            if place == "anywhere":
                self.everywhere = True
                return lambda _: True
            if place in _IN:
                self.everywhere |= _IN[place] in HIDDEN
                return _has(_IN[place])
        if operator == "is" and value.lower() == "read":
            return lambda message: "UNREAD" not in message.labels
        if operator == "is" and value.lower() in _IS:
            return _has(_IS[value.lower()])
        if operator == "label":
            return _has(_label(value, mailbox))
        if operator == "rfc822msgid":
            wanted = b"<" + value.strip("<>").encode() + b">"
            pattern = re.compile(rb"(?im)^message-id:\s*" + re.escape(wanted))
            return lambda message: pattern.search(message.raw[:65536]) is not None
        raise bad_request(f"This stand-in does not know the search {operator}:{value}")


def _not(test: Test) -> Test:
    return lambda message: not test(message)


def _has(label: str) -> Test:
    return lambda message: label in message.labels


def _label(value: str, mailbox: Mailbox) -> str:
    """The id of a label as a search names it: any case, "-" for blanks and slashes."""
    folded = re.sub(r"[\s/]", "-", value).casefold()
    for label in mailbox.labels.values():
        if re.sub(r"[\s/]", "-", label.name).casefold() == folded:
            return label.id
    return "\0"  # a search for a label that does not exist finds nothing
