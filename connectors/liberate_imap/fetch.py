"""Asking for messages by UID: sizes in one round trip, bodies streamed one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from liberate.errors import LiberateError, TransientError
from liberate_imap.grammar import GrammarError, Reply, Segments, pairs, uid_set
from liberate_imap.session import Session
from liberate_imap.wire import Command

WHOLE = 8 << 20
"""Bytes up to which a message is held in memory whole."""

CHUNK = 1 << 20


class Refused(TransientError):
    """The server would not hand over messages; the connection is as good as before."""

    def __init__(self, reply: Reply, meaning: LiberateError) -> None:
        super().__init__(str(meaning), getattr(meaning, "retry_after", None))
        self.reply = reply


_UID = re.compile(rb"[ (]UID (\d+)", re.IGNORECASE)
_SIZE = re.compile(rb"[ (]RFC822\.SIZE (\d+)", re.IGNORECASE)
_FETCH = re.compile(rb"\d+ FETCH ", re.IGNORECASE)


def is_fetch(segments: Segments) -> bool:
    return _FETCH.match(segments[0]) is not None


def begin_sizes(session: Session, uids: Sequence[int], *, afresh: bool = False) -> Command:
    """`afresh`: the server looks first for what is new in the open folder.

    Until it has said that a message EXISTS, a server need not know its UID (RFC 3501 7.3.1; Courier 5
    answers an OK and no FETCH for what was appended since). That costs others time: only where it shows.
    """
    wanted = frozenset(uids)
    if afresh or session.tells_late:
        session.wire.begin(b"NOOP")

    def ours(segments: Segments) -> bool:
        return is_fetch(segments) and (uid := _UID.search(segments[0])) is not None and int(uid.group(1)) in wanted

    return session.wire.begin(b"UID FETCH " + uid_set(uids) + b" (UID RFC822.SIZE)", ours)


def sizes_of(session: Session, folder: str, uids: Sequence[int]) -> dict[int, int]:
    """UID to size, of those that are there, waited for; the folder was opened before."""
    for afresh in (False, True):
        session.reselect(folder)
        command = begin_sizes(session, uids, afresh=afresh)
        session.wire.wait(command)
        found = sizes(command)
        if len(found) == len(set(uids)):
            session.tells_late |= afresh
            break
    return found


def begin_sizes_from(session: Session, first: int) -> Command:
    return session.wire.begin(b"UID FETCH %d:* (UID RFC822.SIZE)" % first, is_fetch)


def sizes(command: Command) -> dict[int, int]:
    """UID to size, of those that are there, from a finished begin_sizes."""
    out: dict[int, int] = {}
    for segments in command.data:
        uid, size = _UID.search(segments[0]), _SIZE.search(segments[0])
        if uid and size:
            out[int(uid.group(1))] = int(size.group(1))
    return out


def bodies(
    session: Session, uids: Sequence[int], limit: int = WHOLE, *, doubt: bool = False
) -> Iterator[tuple[int, bytes | None]]:
    """Each message that is there, with its bytes, in the server's order; None: more than `limit` bytes.

    Bytes are taken from the connection only as the caller comes for them. The folder must be open.
    Nothing is marked as read (RFC 3501 6.4.5, BODY.PEEK). With `doubt` a message that comes shorter
    than the size the server gives for it is asked for once more: a source that cuts messages off
    would otherwise never be noticed. What comes then counts, for some servers only estimate sizes.
    """
    if not uids:
        return
    doubt = doubt and not session.sizes_are_estimates
    short: dict[int, int] = {}
    # Asking for one byte too many tells "too large" from "just fits" without trusting any size.
    line = b"(UID RFC822.SIZE BODY.PEEK[]<0.%d>)" if doubt else b"(UID BODY.PEEK[]<0.%d>)"
    command = session.wire.begin(b"UID FETCH " + uid_set(uids) + b" " + line % (limit + 1), is_fetch)
    try:
        while True:
            while command.data:
                segments = command.data.popleft()
                found = body_of(session, segments)
                if found is None:
                    continue
                uid, data = found
                if doubt and len(data) < _size_in(segments) and len(data) <= limit:
                    short[uid] = len(data)
                else:
                    yield uid, data if len(data) <= limit else None
            if command.reply is not None:
                break
            session.wire.receive()
    finally:
        command.forget()
    if not command.reply.ok:
        raise Refused(command.reply, session.refused(command.reply))
    for uid, came in short.items():
        yield from _again(session, uid, came, limit)


def _again(session: Session, uid: int, came: int, limit: int) -> Iterator[tuple[int, bytes | None]]:
    """One message whole, without a word about parts; of it `came` bytes had come."""
    command = session.wire.begin(b"UID FETCH %d (UID BODY.PEEK[])" % uid, is_fetch)
    answer = session.wire.wait(command)
    if not answer.ok:
        raise Refused(answer, session.refused(answer))
    for segments in command.data:
        found = body_of(session, segments)
        if found is not None and found[0] == uid:
            session.sizes_are_estimates |= len(found[1]) == came
            yield uid, found[1] if len(found[1]) <= limit else None
            return


def _size_in(segments: Segments) -> int:
    """The RFC822.SIZE in a FETCH response; 0 if there is none."""
    match = _SIZE.search(segments[0]) or _SIZE.search(b" " + segments[-1])
    return int(match.group(1)) if match else 0


def body_of(session: Session, segments: Segments) -> tuple[int, bytes] | None:
    """UID and bytes of one FETCH response; None if it is about something else, such as changed flags."""
    if len(segments) == 3 and (match := _UID.search(segments[0]) or _UID.search(b" " + segments[2])):
        return int(match.group(1)), segments[1]  # the usual case, without taking it apart
    said = fetched(session, segments)
    uid = said.get("UID")
    names = [name for name in said if name.startswith("BODY[]")]
    if not isinstance(uid, bytes) or not uid.isdigit() or not names:
        return None
    data = said[names[0]]
    return int(uid), data if isinstance(data, bytes) else b""  # NIL: the message has no bytes


def fetched(session: Session, segments: Segments) -> dict[str, object]:
    """What one FETCH response says, by name."""
    parts = session.parsed(segments)
    if len(parts) < 3 or not isinstance(parts[2], list):
        return {}
    try:
        return pairs(parts[2])
    except GrammarError as error:
        raise session.wire.broke(f"it said something that is not IMAP ({error})") from error


def stream(session: Session, uid: int, offset: int, reopen: Callable[[], None]) -> Iterator[bytes]:
    """One message from `offset` on, in chunks; nothing at all if it is not there or ends before.

    `reopen` has the folder open again: the caller may have asked for other things in between.
    """
    while True:
        line = b"UID FETCH %d (UID RFC822.SIZE BODY.PEEK[]<%d.%d>)" % (uid, offset, CHUNK)
        command = session.wire.begin(line, is_fetch)
        answer = session.wire.wait(command)
        if not answer.ok:
            raise Refused(answer, session.refused(answer))
        chunk = b"".join(found[1] for got in command.data if (found := body_of(session, got)) and found[0] == uid)
        if not chunk:
            return
        offset += len(chunk)
        yield chunk
        # A server may give less than it was asked for; its size, though perhaps an estimate, tells when to ask on.
        if len(chunk) < CHUNK and offset >= max(_size_in(segments) for segments in command.data):
            return
        reopen()


def exists(session: Session, uids: Sequence[int]) -> set[int]:
    """Of these UIDs, those that are there."""
    command = session.wire.begin(b"UID FETCH " + uid_set(uids) + b" (UID)", is_fetch)
    answer = session.wire.wait(command)
    if not answer.ok:
        raise session.refused(answer)
    return {int(match.group(1)) for segments in command.data if (match := _UID.search(segments[0]))}
