"""Conditions of rules as Sieve tests: such as match no more than the condition, and such as match no less. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from liberate.filters import AllOf, AnyOf, Gap, How, Not, Size, Test, Text, Where
from liberate.labels import keyword

_LARGEST = 2**31 - 1  # what every server takes as a number (RFC 5228 2.4.1)
_HEADERS: dict[Where, tuple[str, ...]] = {
    Where.FROM: ("from",),
    Where.TO: ("to", "cc"),
    Where.CC: ("cc",),
    Where.DIRECT: ("to",),
    Where.SUBJECT: ("subject",),
    Where.LIST: ("list-id",),
    Where.SUBJECT_OR_BODY: ("subject",),
    Where.ANYWHERE: ("subject", "from", "to", "cc"),
}
_MORE_HEADERS: dict[Where, tuple[str, ...]] = {
    Where.FROM: ("from", "sender"),
    Where.TO: ("to", "cc", "bcc", "resent-to", "resent-cc", "delivered-to", "x-original-to", "envelope-to"),
    Where.DIRECT: ("to", "delivered-to", "x-original-to", "envelope-to"),
    Where.LIST: ("list-id", "list-post", "list-unsubscribe", "mailing-list", "x-mailing-list"),
}
"""Where the service may find a text as well."""
_ADDRESSES = frozenset({Where.FROM, Where.TO, Where.CC, Where.DIRECT})
_SINGLE = frozenset({*_ADDRESSES, Where.SUBJECT, Where.LIST, Where.HEADER})

# What stands beside a word. No letters beyond ASCII are among them, nor "_", "-" and "'", which may be parts of a word:
# the test then matches rather less.
_BESIDE = '[][[:space:]!"#$%&()*+,./:;<=>?@^`{|}~]'
_SPECIAL = re.compile(r"([\\.\[\](){}*+?^$|])")  # of extended regular expressions
_NAME = re.compile(r"[!-9;-~]+")  # of a header (RFC 5322 3.6.8)


class Cannot(Exception):
    """It cannot be said in Sieve, or not with what this server can do."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.why)
        self.gap = gap


def missing(extension: str) -> Gap:
    """For what needs an extension that the server does not announce."""
    return Gap(
        "extension-missing",
        f'The server\'s Sieve has no "{extension}", which this needs.',
        "Ask whoever runs the server to switch that extension on, or set the rule up by hand in the webmail.",
    )


def quoted(text: str) -> str:
    """The text as a Sieve string that no server can read as anything else (RFC 5228 2.4.2).

    Raises Cannot for what no string holds.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Cannot(_unspeakable()) from None
    if "\0" in text:
        raise Cannot(_unspeakable())
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listed(texts: Iterable[str]) -> str:
    """Several of them, as a string list; one alone stands by itself."""
    every = [quoted(text) for text in texts]
    return every[0] if len(every) == 1 else f"[{', '.join(every)}]"


def _unspeakable() -> Gap:
    return Gap("illegal-text", "It has a character that no Sieve script may hold.", "Set the rule up by hand.")


def _not_surely(what: str) -> Gap:
    return Gap(
        "cannot-exclude",
        f"It excludes letters by {what}, which Sieve cannot do as surely as the service did: "
        "the rule might have acted on more letters than before.",
        "Set the rule up by hand, as you need it now.",
    )


class Conditions:
    """Writes conditions for a server with these extensions, and remembers which of them it used."""

    def __init__(self, extensions: Iterable[str]) -> None:
        self._extensions = frozenset(extensions)
        self.used: set[str] = set()

    def need(self, *extensions: str) -> None:
        """Use them. Raises Cannot if the server does not announce one."""
        for extension in extensions:
            if extension not in self._extensions:
                raise Cannot(missing(extension))
        self.used.update(extensions)

    # The two directions --------------------------------------------------------------------------

    def narrow(self, test: Test) -> tuple[str, bool]:
        """A Sieve test that is true only where the condition is, and whether it is true everywhere there.

        Raises Cannot.
        """
        match test:
            case AllOf(tests) | AnyOf(tests):
                parts = [self.narrow(one) for one in tests]
                return _joined(test, [text for text, _ in parts]), all(exact for _, exact in parts)
            case Not(inner):
                text, exact = self.wide(inner)
                return f"not {text}", exact
            case Size(over, size):
                return self._size(over, size), True
            case Text():
                return self._text(test)

    def wide(self, test: Test) -> tuple[str, bool]:
        """A Sieve test that is true wherever the condition is, and whether it is true only there. Raises Cannot."""
        match test:
            case AllOf(tests) | AnyOf(tests):
                parts = [self.wide(one) for one in tests]
                return _joined(test, [text for text, _ in parts]), all(exact for _, exact in parts)
            case Not(inner):
                text, exact = self.narrow(inner)
                return f"not {text}", exact
            case Size(over, size):
                return self._size(over, size), True
            case Text():
                return self._wide_text(test)

    @staticmethod
    def _size(over: bool, size: int) -> str:
        if not 0 <= size <= _LARGEST:
            raise Cannot(Gap("illegal-size", "It asks for a size that no Sieve script may hold.", "Set it up by hand."))
        return f"size :{'over' if over else 'under'} {size}"

    # Texts, without matching more ----------------------------------------------------------------

    def _text(self, test: Text) -> tuple[str, bool]:
        if not test.text or any(ord(char) < 0x20 or char == "\x7f" for char in test.text):
            raise Cannot(_unspeakable())
        exact = test.text.isascii() and not test.partial
        headers = (_header(test),) if test.where is Where.HEADER else _HEADERS.get(test.where, ())
        whole = test.how in (How.ADDRESS, How.DOMAIN)
        if (whole and test.where not in _ADDRESSES) or (test.how is How.BEGINS and test.where not in _SINGLE):
            raise Cannot(
                Gap("illegal-test", "It looks for something where no mail server looks.", "Set it up by hand.")
            )
        match test.how:
            case How.ADDRESS:
                return f"address :is {listed(headers)} {quoted(test.text)}", exact
            case How.DOMAIN:
                name = listed(headers)
                ends = quoted("*." + _literally(test.text))
                return (
                    f"anyof (address :domain :is {name} {quoted(test.text)}, address :domain :matches {name} {ends})",
                    False,
                )
            case How.BEGINS:
                return f"header :matches {listed(headers)} {quoted(_literally(test.text) + '*')}", exact
            case How.CONTAINS:
                how, texts = ":contains", _cases(test.text)
            case How.WORD:
                self.need("regex")
                how, texts = ":regex", [_word(one) for one in _cases(test.text)]
        parts = []
        if headers:
            parts.append(f"header {how} {listed(headers)} {listed(texts)}")
        if test.where in (Where.BODY, Where.SUBJECT_OR_BODY, Where.ANYWHERE):
            self.need("body")
            parts.append(f"body :text {how} {listed(texts)}")
            exact = False  # the two do not take quite the same for the text of a letter
        return _joined(AnyOf(()), parts), exact and test.how is How.CONTAINS

    # Texts, without matching less ----------------------------------------------------------------

    def _wide_text(self, test: Text) -> tuple[str, bool]:
        if test.partial or test.where in (Where.BODY, Where.SUBJECT_OR_BODY, Where.ANYWHERE):
            raise Cannot(_not_surely("words in their text" if not test.partial else "what they are"))
        if test.where is Where.HEADER:
            raise Cannot(_not_surely("their headers"))
        headers = _MORE_HEADERS.get(test.where) or _HEADERS[test.where]
        if test.how is How.CONTAINS and test.text.isascii() and test.where not in _MORE_HEADERS:
            return self._text(test)
        pattern = "*" + "*".join(_literally(part) for part in _pieces(test)) + "*"
        if pattern.strip("*") == "":
            raise Cannot(_not_surely("a text that has no plain letters"))
        found = f"header :matches {listed(headers)} {quoted(pattern)}"
        if test.where in (Where.TO, Where.DIRECT):
            self.need("envelope")
            found = f'anyof ({found}, envelope :matches "to" {quoted(pattern)})'
        return found, False


def _joined(test: AllOf | AnyOf, parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    if isinstance(test, AllOf):
        return f"allof ({', '.join(parts)})" if parts else "true"
    return f"anyof ({', '.join(parts)})" if parts else "false"


def _header(test: Text) -> str:
    if not _NAME.fullmatch(test.header):
        raise Cannot(Gap("illegal-header", "It looks at a header whose name is none.", "Set the rule up by hand."))
    return test.header


def _cases(text: str) -> list[str]:
    """The text, and how its letters beyond ASCII may also be written: i;ascii-casemap knows nothing of those."""
    return list(dict.fromkeys((text, text.lower(), text.upper()))) if not text.isascii() else [text]


def _word(text: str) -> str:
    """An extended regular expression for whole words."""
    inner = "[[:space:]]+".join(_SPECIAL.sub(r"\\\1", part) for part in text.split())
    return f"(^|{_BESIDE}){inner}({_BESIDE}|$)"


def _literally(text: str) -> str:
    return re.sub(r"([*?\\])", r"\\\1", text)


def _pieces(test: Text) -> list[str]:
    """The parts of a text that every way to write it has; between them may stand anything."""
    apart = r"[^\x21-\x7e]+" if test.how is not How.WORD else r"[^0-9A-Za-z]+"
    return [piece for piece in re.split(apart, test.text) if piece]


def flags_of(flags: Iterable[str]) -> list[str]:
    """Flags as a script may name them, each once and in order; whatever is no flag is made one."""
    known = {"\\seen": "\\Seen", "\\flagged": "\\Flagged", "\\answered": "\\Answered", "\\draft": "\\Draft"}
    out = (known.get(flag.lower()) or (flag if re.fullmatch(r"[$A-Za-z0-9_&,+~/.-]+", flag) else keyword((flag,)))
           for flag in flags)  # fmt: skip
    return sorted(set(out))
