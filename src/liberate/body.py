"""Bodies on their way: counted, hashed, and never silently short."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from liberate.errors import AccountError, IntegrityError, ItemError, LiberateError
from liberate.mail import Fingerprint, wire_form

CHUNK = 1 << 20


_KNOWN = ("sha256", "sha1", "md5")  # digests that a source may give, the best first


def comparable(digests: Mapping[str, str]) -> tuple[str, str] | None:
    """The best of these digests that can be compared here: (name, hex); None where there is none."""
    return next(((name, digests[name].lower()) for name in _KNOWN if digests.get(name)), None)


def agrees(body: bytes, digests: Mapping[str, str]) -> bool:
    """Whether a body is what these digests say, as far as they say anything."""
    told = comparable(digests)
    return told is None or hashlib.new(told[0], body, usedforsecurity=False).hexdigest() == told[1]


def checked(chunks: Iterable[bytes], size: int | None, digests: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """The chunks. Raises IntegrityError at the end if they are not `size` bytes or have another digest."""
    seen = 0
    told = comparable(digests or {})
    digest = hashlib.new(told[0], usedforsecurity=False) if told else None
    for chunk in chunks:
        seen += len(chunk)
        if digest is not None:
            digest.update(chunk)
        if size is not None and seen > size:
            break
        yield chunk
    if size is not None and seen != size:
        raise IntegrityError(f"The source gave {seen} bytes of an item that it says has {size}.")
    if digest is not None and told is not None and digest.hexdigest() != told[1]:
        raise IntegrityError("The source gave other bytes than its own digest says.")


class StreamBody:
    """A body read while it is written; `digests` and `sent` are known at its end."""

    def __init__(self, chunks: Iterable[bytes], size: int | None) -> None:
        self.size = size
        self.sent = 0
        self._chunks = iter(chunks)
        self._held = b""
        self._at = 0  # how much of what is held has been read
        self._digest = hashlib.sha256()
        self.broken: LiberateError | None = None  # what the source said, to tell it from the destination's errors

    def read(self, n: int = -1, /) -> bytes:
        parts = []
        wanted = n if n >= 0 else None
        while wanted is None or wanted > 0:
            if self._at >= len(self._held):
                self._at = 0
                try:
                    self._held = next(self._chunks, b"")
                except LiberateError as error:
                    self.broken = error
                    raise
                if not self._held:
                    break
            end = len(self._held) if wanted is None else min(self._at + wanted, len(self._held))
            part = self._held[self._at : end]  # all of it is no copy
            self._at = end
            parts.append(part)
            if wanted is not None:
                wanted -= len(part)
        data = b"".join(parts)
        self._digest.update(data)
        self.sent += len(data)
        return data

    @property
    def digests(self) -> dict[str, str]:
        return {"sha256": self._digest.hexdigest()}


class Piece:
    """The next `size` bytes of a body, as a body of its own."""

    def __init__(self, body: StreamBody, size: int) -> None:
        self.size: int | None = size
        self._body = body
        self._left = size

    def read(self, n: int = -1, /) -> bytes:
        """See Body. Raises IntegrityError if the whole body ends before this piece does."""
        wanted = self._left if n < 0 else min(n, self._left)
        if not wanted:
            return b""
        data = self._body.read(wanted)
        if not data:
            raise IntegrityError("The source gave less of an item than it says it has.")
        self._left -= len(data)
        return data


class Spooled:
    """A body on disk whose size nobody knew; its size and sha256 are known before the first byte is sent."""

    def __init__(self, chunks: Iterable[bytes], folder: Path) -> None:
        digest = hashlib.sha256()
        self.size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by __exit__
        except OSError as error:
            raise job_folder_failed(error) from error
        try:
            for chunk in chunks:
                digest.update(chunk)
                self.size += len(chunk)
                self._file.write(chunk)
            self.sha256 = digest.hexdigest()
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            raise job_folder_failed(error) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Spooled:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The body from `offset` on; nothing can be read beside it."""
        self._file.seek(offset)
        while chunk := self._file.read(CHUNK):
            yield chunk


class SpooledMail:
    """A large message on disk in its wire form, its fingerprint known before the first byte is sent.

    `size` is that of the body as it will be sent. The file holds the message as it came, for it may
    have to be kept unaltered. Use as a context manager: the file goes with it.
    """

    def __init__(self, chunks: Iterable[bytes], folder: Path, *, crlf: bool) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by __exit__
        except OSError as error:
            raise job_folder_failed(error) from error
        forms = Fingerprint()
        try:
            for chunk in chunks:
                forms.update(chunk)
                self._file.write(chunk)
            forms.finish()
            self.digests = forms.digests()
            self.size: int | None = forms.wire_size if crlf else forms.size
            self._sent = StreamBody(_wire_chunks(self.original()) if crlf else self.original(), self.size)
        except OSError as error:
            with suppress(OSError):  # what is not yet written is tried once more
                self._file.close()
            raise job_folder_failed(error) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> SpooledMail:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, n: int = -1, /) -> bytes:
        return self._sent.read(n)

    def original(self) -> Iterator[bytes]:
        """The message from its beginning as it came, in chunks; nothing can be read beside it."""
        self._file.seek(0)
        while chunk := self._file.read(CHUNK):
            yield chunk


def _wire_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The wire form of a message that comes in chunks."""
    held = b""  # CRs at the end of a chunk: what they are depends on what follows
    for chunk in chunks:
        come = held + chunk
        end = len(come.rstrip(b"\r"))
        held = come[end:]
        if end:
            yield wire_form(come[:end])
    if held:
        yield held


def whole(chunks: Iterable[bytes], limit: int) -> bytes | None:
    """The chunks joined; None as soon as they are more than `limit` bytes."""
    parts = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            return None
        parts.append(chunk)
    return b"".join(parts)


def job_folder_failed(error: OSError) -> AccountError:
    """What is told when the disk does not take what belongs into the job's folder."""
    return AccountError(
        "job-folder",
        f"The job's folder cannot be written ({error.strerror}).",
        "Free space there or set its owner and permissions right, then run the same command again.",
    )


def refusal(error: IntegrityError) -> ItemError:
    """What is recorded when a second attempt gave wrong bytes again."""
    return ItemError(
        "damaged-at-source",
        f"{error} A second attempt gave the same.",
        "Open the item at the source; if it can be read there, save it again and run the same command.",
    )
