"""Gmail's search language, as far as a mail server can look for the same things. Pure.

support.google.com/mail/answer/7190
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from liberate.filters import AllOf, AnyOf, Gap, How, Not, Size, Test, Text, Where

_TOKEN = re.compile(
    r'\s*(?:(?P<minus>-(?=\S))|(?P<open>[({])|(?P<close>[)}])|(?P<bar>\|)|(?P<quoted>"[^"]*"?)'
    r"|(?P<op>[A-Za-z_]+):(?=\S)|(?P<word>[^\s(){}\"|]+))"
)
_FIELDS = {"from": Where.FROM, "to": Where.TO, "cc": Where.CC, "subject": Where.SUBJECT, "list": Where.LIST}
_KNOWN = frozenset(
    {"after", "bcc", "before", "category", "deliveredto", "filename", "has", "header", "in", "is", "label", "larger",
     "newer", "newer_than", "older", "older_than", "rfc822msgid", "size", "smaller"}
)  # fmt: skip
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"*]+@[^\s@<>()\[\],;:\"*]+\.[A-Za-z0-9-]+")
_DOMAIN = re.compile(r"@?((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})")
_SIZE = re.compile(r"(\d{1,12})([kKmM]?)[bB]?")
_DEPTH = 20  # of brackets


class Unsaid(Exception):
    """The search asks for something that no mail server looks for."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.why)
        self.gap = gap


def search(text: str, where: Where = Where.ANYWHERE) -> Test:
    """What the search looks for; words that stand alone are looked for in `where`. Raises Unsaid."""
    return _Search(text).whole(where)


class _Search:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        text = text.strip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise Unsaid(_unclear())
            at = match.end()
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind]))
        self._at = 0

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def whole(self, where: Where) -> Test:
        found = self._series(where, "", 0)
        if self._peek()[0]:
            raise Unsaid(_unclear())
        return found

    def _series(self, where: Where, until: str, depth: int) -> Test:
        """Terms up to a closing bracket; { } means any of them. What OR means beside other terms is nowhere said."""
        if depth > _DEPTH:
            raise Unsaid(_unclear())
        terms: list[Test] = []
        joins = 0
        while self._peek()[0] not in ("", "close"):
            kind, text = self._peek()
            if kind == "bar" or (kind == "word" and text in ("OR", "AND")):
                self._next()
                joins += text != "AND" and bool(terms)
                continue
            terms.append(self._term(where, depth))
        if not terms or (joins and until != "}" and joins != len(terms) - 1):
            raise Unsaid(_unclear())
        if len(terms) == 1:
            return terms[0]
        return AnyOf(tuple(terms)) if joins or until == "}" else AllOf(tuple(terms))

    def _term(self, where: Where, depth: int) -> Test:
        kind, text = self._next()
        if kind == "minus":
            return Not(self._term(where, depth))
        if kind == "open":
            closing = ")" if text == "(" else "}"
            inner = self._series(where, closing, depth + 1)
            if self._next() != ("close", closing):
                raise Unsaid(_unclear())
            return inner
        if kind == "op":
            return self._operator(text.lower(), where, depth)
        if kind == "quoted":
            return _words(text.strip('"'), where)
        if kind == "word":
            if text == "AROUND" or text.startswith("+"):
                raise Unsaid(_operator_gap(text if text == "AROUND" else "+"))
            return _words(text, where)
        raise Unsaid(_unclear())

    def _operator(self, name: str, where: Where, depth: int) -> Test:
        if name in _FIELDS:
            if where is not Where.ANYWHERE:
                raise Unsaid(_unclear())
            return self._term(_FIELDS[name], depth)
        if name in ("larger", "smaller", "size"):
            match = _SIZE.fullmatch(self._next()[1])
            if match is None:
                raise Unsaid(_unclear())
            number = int(match[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[match[2].lower()]
            return Size(name != "smaller", number)
        raise Unsaid(_operator_gap(name + ":" if name in _KNOWN else "with a colon"))


def _words(text: str, where: Where) -> Test:
    """A word, or words that stand together: an address or a domain where such is looked for."""
    text = " ".join(text.strip().strip(",;").split())
    if not text or (text.removesuffix(":").lower() in (_KNOWN | _FIELDS.keys()) and text.endswith(":")):
        raise Unsaid(_unclear())
    if where in (Where.FROM, Where.TO, Where.CC):
        whole = text.removeprefix("*")  # *@example.org is how people write a domain
        if _ADDRESS.fullmatch(text):
            return Text(where, How.ADDRESS, text)
        if match := _DOMAIN.fullmatch(whole):
            return Text(where, How.DOMAIN, match[1])
    if "*" in text:
        raise Unsaid(_operator_gap("*"))
    if not any(char.isalnum() for char in text):
        raise Unsaid(_unclear())
    return Text(where, How.WORD, text)


def fields(text: str, where: Where) -> Test:
    """What the field of a filter looks for: a search of its own. Several addresses may stand with commas."""
    parts = [part for part in text.split(",") if part.strip()]
    if len(parts) > 1 and all(_ADDRESS.fullmatch(part.strip()) for part in parts):
        raise Unsaid(_operator_gap(","))
    return search(text, where)


def _operator_gap(name: str) -> Gap:
    return Gap(
        "search-operator",
        f"Its search uses {name}, which a mail server cannot look for.",
        "Set the rule up by hand, with what the webmail offers.",
    )


def _unclear() -> Gap:
    return Gap("search-unclear", "Its search cannot be read for certain.", "Set the rule up by hand.")


def every(tests: Sequence[Test]) -> Test:
    """All of them, without needless brackets."""
    return tests[0] if len(tests) == 1 else AllOf(tuple(tests))
