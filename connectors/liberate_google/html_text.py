"""What a description written in HTML says, as plain text. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_TAG = re.compile(
    r"</?(?:a|b|i|u|s|p|br|hr|div|span|ul|ol|li|em|strong|strike|h[1-6]|table|tr|td|th|tbody|font|pre|code|"
    r"blockquote|html|body|html-blob|img|sub|sup)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
_BLOCKS = frozenset({"p", "div", "ul", "ol", "table", "tr", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_SILENT = frozenset({"script", "style", "head", "title"})


def is_html(text: str) -> bool:
    """Whether it has tags or entities; what merely has a "<" in it is plain text."""
    return _TAG.search(text) is not None or _ENTITY.search(text) is not None


def plain(html: str) -> str:
    """The text, with line ends where a reader sees them, and the addresses of links that say something else."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._silent = 0
        self._lists: list[int | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in ("br", "hr"):
            self._out.append("\n")
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
            self._line()
        elif tag == "li":
            self._line()
            number = self._lists[-1] if self._lists else None
            if number is not None:
                self._lists[-1] = number + 1
            self._out.append("- " if number is None else f"{number + 1}. ")
        elif tag in _BLOCKS:
            self._line()
        elif tag == "td" and self._out and not self._out[-1].endswith(("\n", " ")):
            self._out.append(" ")
        elif tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self._out)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            said = "".join(self._out[start:]).strip()
            if address and not address.startswith("#") and address.removeprefix("mailto:") not in (said, f"{said}/"):
                self._out.append(f" <{address}>" if said else address)
        elif tag in ("ul", "ol"):
            if self._lists:
                self._lists.pop()
            self._line()
        elif tag in _BLOCKS:
            self._line()
            if tag == "p":
                self._out.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._out.append(data.replace("\u00a0", " "))

    def _line(self) -> None:
        if "".join(self._out[-3:]).strip(" ") and not "".join(self._out[-3:]).rstrip(" ").endswith("\n"):
            self._out.append("\n")

    def text(self) -> str:
        found = re.sub(r"[ \t]+\n", "\n", "".join(self._out))
        return re.sub(r"\n{3,}", "\n\n", found).strip()
