"""Gets files out of Drive: bytes from anywhere on, documents in another form, small ones several at a time."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from liberate.connector import Item, Loaded
from liberate.errors import IntegrityError, ItemError, LiberateError
from liberate_google import drive_convert as convert
from liberate_google.client import Failure
from liberate_google.convert import Trouble
from liberate_google.drive_client import DriveClient
from liberate_google.settings import GoogleSettings

LARGEST = 8 << 20  # bytes; what is larger is streamed
IN_FLIGHT = 24 << 20  # bytes of bodies that wait or are on their way
_PIECE = 1 << 18
_PLAIN = {"Accept-Encoding": "identity"}  # ranges count the file's own bytes
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_VERSION_MARK = "@"  # between a file's id and a revision's in the id of an earlier version


class Reader:
    """Reads the files of one account."""

    def __init__(self, client: DriveClient, settings: GoogleSettings) -> None:
        self._client = client
        self._settings = settings

    # One -----------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """The item's bytes from `offset` on. An export starts over: Google knows no ranges of it."""
        key, _, revision = item.id.partition(_VERSION_MARK)
        if getattr(item.facts, "folder", False):
            return
        way = convert.way(item.version) or self._look(key)
        match way.how:
            case "link":
                yield convert.link_file(way.what)[offset:]
            case "export":
                yield from _after(offset, self._export(key, convert.BY_ENDING[way.what]))
            case "none":
                self._look(key)  # what is gone is told as gone
                raise convert.refusal(way.what)
            case "media":
                acknowledge = self._settings.acknowledge_abuse
                if revision:
                    url = self._client.revision(key, revision, acknowledge=acknowledge)
                    yield from self._media("revisions.get_media", url, item, offset)
                else:
                    url = self._client.media(key, acknowledge=acknowledge)
                    yield from self._media("files.get_media", url, item, offset)

    def _look(self, key: str) -> convert.Way:
        """How this file is read, by asking what it is."""
        way = convert.way(convert.version(self.about(key), self._settings.documents))
        return way or convert.Way("none", "not-downloadable")  # a folder

    def about(self, key: str, fields: str = convert.FIELDS) -> dict[str, Any]:
        """The file as Drive describes it now. Raises ItemError("gone")."""
        request = self._client.files.get(fileId=key, fields=fields, supportsAllDrives=True)
        answer = self._client.attempt("files.get", request)
        if isinstance(answer, Failure):
            raise self.error(answer)
        return answer

    def _media(self, method: str, url: str, item: Item, offset: int) -> Iterator[bytes]:
        if offset and item.size is not None and offset >= item.size:
            return
        headers = _PLAIN | ({"Range": f"bytes={offset}-"} if offset else {})
        with self._open(method, url, headers) as response:
            if response is None:
                raise IntegrityError("Drive now has less of this file than it said.")
            if response.status_code == 206:
                _check_range(response.headers.get("content-range", ""), offset, item.size)
                offset = 0
            yield from _after(offset, response.iter_content(_PIECE))

    def _export(self, key: str, export: convert.Export) -> Iterator[bytes]:
        try:
            with self._open("files.export", self._client.export(key, export.mime), _PLAIN) as response:
                yield from _document(response, export)
                return
        except ItemError as error:
            if error.code != "too-large-to-export":
                raise
        # Google's own address for the export, made for browsers, has no such limit.
        url = self.about(key, "exportLinks").get("exportLinks", {}).get(export.mime)
        if not url:
            raise convert.refusal("too-large-to-export")
        with self._open("files.export", str(url), _PLAIN) as response:
            if response is not None and response.headers.get("content-type", "").startswith("text/html"):
                raise convert.refusal("export-refused")
            yield from _document(response, export)

    @contextmanager
    def _open(self, method: str, url: str, headers: dict[str, str]) -> Iterator[Any]:
        """The open response; None: there is nothing from that offset on."""
        with self._client.stream_from(method, url, headers) as response:
            if not isinstance(response, Failure):
                yield response
            elif response.status == 416:
                yield None
            else:
                raise self.error(response)

    def error(self, failure: Failure) -> LiberateError:
        """What the failure of a call about one file means."""
        if failure.passing or failure.trouble in (Trouble.DAY, Trouble.SIGN_IN, Trouble.DISABLED, Trouble.SCOPE):
            return failure.error(self._client.account)
        if failure.trouble is Trouble.GONE:
            return convert.refusal("gone")
        if "domainPolicy" in failure.why:
            return failure.error(self._client.account)
        return convert.item_error(failure.why) or convert.refused(failure.status, failure.why)

    # Many ----------------------------------------------------------------------------------------

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Each item once, as they come in; what is large is not held but left to `read`.

        An error that concerns the whole account ends the work, after what was under way has come to its end.
        """
        waiting = deque(items)
        running: dict[Future[Loaded], int] = {}
        held = 0  # bytes that may be in memory now
        failure: LiberateError | None = None
        with ThreadPoolExecutor(self._settings.downloads, "drive") as pool:
            try:
                while waiting or running:
                    while waiting and failure is None:
                        room = min(LARGEST, waiting[0].size if waiting[0].size is not None else LARGEST)
                        if running and (held + room > IN_FLIGHT or len(running) >= 2 * self._settings.downloads):
                            break
                        one = waiting.popleft()
                        if one.size is not None and one.size > LARGEST:
                            yield Loaded(one, None)
                            continue
                        running[pool.submit(self._load, one)] = room
                        held += room
                    if not running:
                        break
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        held -= running.pop(future)
                        try:
                            loaded = future.result()
                        except LiberateError as error:
                            failure = failure or error
                            continue
                        yield loaded
                        del loaded
                    del done
            finally:
                for future in running:
                    future.cancel()
        if failure is not None:
            raise failure

    def _load(self, item: Item) -> Loaded:
        parts: list[bytes] = []
        size = 0
        try:
            for piece in self.read(item):
                size += len(piece)
                if size > LARGEST:
                    return Loaded(item, None)
                parts.append(piece)
        except ItemError as error:
            return Loaded(item, error)
        except IntegrityError:
            return Loaded(item, None)  # the core reads it by itself then, and knows how to judge it
        body = b"".join(parts)
        return Loaded(item if item.size is not None else replace(item, size=len(body)), body)


def _after(offset: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if offset >= len(piece):
            offset -= len(piece)
            continue
        yield piece[offset:] if offset else piece
        offset = 0


def _check_range(told: str, offset: int, size: int | None) -> None:
    """The answer holds what was asked for, of the file that was listed."""
    found = _RANGE.fullmatch(told.strip())
    if found is None or int(found[1]) != offset:
        raise IntegrityError("Drive answered with another part of the file than it was asked for.")
    if size is not None and found[3] != "*" and int(found[3]) != size:
        raise IntegrityError("The file in Drive has another size now than when it was listed.")


def _document(response: Any, export: convert.Export) -> Iterator[bytes]:
    """The export's bytes. Nothing tells their number beforehand, so their own form has to show that they are all."""
    tail = b""
    first = True
    for piece in response.iter_content(_PIECE):
        if first and export.ending in convert.ZIPPED and not piece.startswith(b"PK"):
            raise IntegrityError("Google's export is not a document of the form asked for.")
        first = False
        tail = (tail + piece)[-(1 << 16) :]
        yield piece
    if export.ending in convert.ZIPPED and b"PK\x05\x06" not in tail:
        raise IntegrityError("Google's export of the document broke off before its end.")
