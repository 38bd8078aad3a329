"""After a crash: which messages had arrived, told by their bytes and never by a mark in them.

Measured on Dovecot 2.3: what is cut off before its last CRLF is not stored; what was sent whole is
stored, even pipelined behind other commands, and for about a second after the client has gone. So
the server is asked what came after the mark, and before it is believed that something did not
arrive, the folder must have stopped growing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from liberate.connector import Evidence, Place, Receipt, Slot, Taken
from liberate.errors import TransientError
from liberate.mail import fingerprint
from liberate_imap import fetch
from liberate_imap.session import Session

_READ = 200  # UIDs in one question
_PATIENCE = 10  # times the settling time after which a folder that still grows is given up for now


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as an argument."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(slots=True)
class _Open:
    """A slot that has no answer yet."""

    slot: Slot
    first: int  # the UID from which on it can be
    exact: str
    wire: str
    served: str
    may_be_altered: bool


@dataclass(slots=True)
class _Search:
    """One folder being searched."""

    place: Place
    uidvalidity: int
    taken: Taken
    open: list[_Open]
    found: dict[str, Receipt] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)  # read, and nobody's

    def receipt_id(self, uid: int) -> str:
        return f"{self.uidvalidity}:{uid}"

    def free(self, uids: Iterable[int]) -> list[int]:
        """Those that nobody owns and nobody has looked at, ascending."""
        fresh = sorted(uid for uid in uids if uid not in self.used and uid not in self.seen)
        if not fresh:
            return []
        owned = self.taken(self.place, [self.receipt_id(uid) for uid in fresh])
        return [uid for uid in fresh if self.receipt_id(uid) not in owned]


class Finder:
    """Searches the folders of one session."""

    def __init__(self, session: Session, settle: float, clock: Clock) -> None:
        self._session = session
        self._settle = settle
        self._clock = clock
        self._settled: set[Place] = set()

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """As Destination.find says. May take `settle` seconds for each folder, once."""
        places: defaultdict[Place, list[Slot]] = defaultdict(list)
        for slot in slots:
            places[slot.place].append(slot)
        found: dict[str, Receipt] = {}
        for place, group in places.items():
            found |= self._find_in(place, group, taken)
        return found

    def locate(self, place: Place, first: int, slots: Sequence[Slot]) -> dict[str, Receipt]:
        """Where messages are that this connection has just put into the folder after UID `first`.

        If exactly as many came as were put there, the order decides where bytes do not.
        """
        selected = self._session.select(place, writable=True)
        if selected is None:
            return {}
        search = _Search(place, selected.uidvalidity, _nobody, [_opened(slot, first) for slot in slots])
        sizes = self._sizes(first)
        self._match(search, sizes)
        left = sorted(uid for uid in sizes if uid not in search.used)
        if len(left) == len(search.open):
            for wanted, uid in zip(search.open, left, strict=True):
                search.found[wanted.slot.key] = Receipt(
                    search.receipt_id(uid), place, sizes[uid], evidence=Evidence.SIZE
                )
        return search.found

    def _find_in(self, place: Place, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        selected = self._session.select_if_there(place)
        if selected is None:
            return {}  # no folder, nothing in it
        search = _Search(
            place,
            selected.uidvalidity,
            taken,
            [_opened(slot, _first(slot.mark, selected.uidvalidity)) for slot in slots],
        )
        self._look(search)
        if search.open and place not in self._settled:
            self._wait_until_settled(place)
            if self._session.select(place, writable=True) is None:
                raise TransientError(f"{self._session.whose} lost the folder {place} while it was searched.")
            self._look(search)
            self._settled.add(place)
        return search.found

    def _look(self, search: _Search) -> None:
        self._match(search, self._sizes(min(wanted.first for wanted in search.open)))

    def _sizes(self, first: int) -> dict[int, int]:
        command = fetch.begin_sizes_from(self._session, first)
        answer = self._session.wire.wait(command)
        if not answer.ok:
            raise self._session.refused(answer)
        # "n:*" means the last message even if its UID is below n (RFC 3501 9, seq-range).
        return {uid: size for uid, size in fetch.sizes(command).items() if uid >= first}

    def _match(self, search: _Search, sizes: dict[int, int]) -> None:
        lengths = {wanted.slot.item.size for wanted in search.open}
        likely = [uid for uid, size in sizes.items() if None in lengths or size in lengths]
        self._read(search, search.free(likely), sizes)
        if any(wanted.may_be_altered for wanted in search.open):
            self._read(search, search.free(sizes), sizes)

    def _read(self, search: _Search, uids: list[int], sizes: dict[int, int]) -> None:
        """Compare each message with what is still missing; one message answers one slot only."""
        for at in range(0, len(uids), _READ):
            if not search.open:
                return
            large = []
            for uid, data in fetch.bodies(self._session, uids[at : at + _READ]):
                if data is None:
                    large.append(uid)
                else:
                    self._compare(search, uid, sizes, _prints(data))
            for uid in large:
                self._compare(search, uid, sizes, self._streamed(search.place, uid))

    def _streamed(self, place: Place, uid: int) -> tuple[str, str, str]:
        """The digest of a message too large to hold: servers give the wire or the served form."""
        digest = hashlib.sha256()
        for chunk in fetch.stream(self._session, uid, 0, lambda: self._session.reselect(place)):
            digest.update(chunk)
        return digest.hexdigest(), digest.hexdigest(), digest.hexdigest()

    def _compare(self, search: _Search, uid: int, sizes: dict[int, int], theirs: tuple[str, str, str]) -> None:
        exact, wire, served = theirs
        can_be = [wanted for wanted in search.open if uid >= wanted.first]
        same = next((w for w in can_be if w.exact == exact or w.wire == wire), None)
        # Messages that differ only where servers alter them are alike in the served form.
        found = same or next((w for w in can_be if w.served == served), None)
        if found is None:
            search.seen.add(uid)
            return
        evidence = Evidence.READ_BACK if same else Evidence.SIZE
        search.found[found.slot.key] = Receipt(search.receipt_id(uid), search.place, sizes.get(uid), evidence=evidence)
        search.used.add(uid)
        search.open.remove(found)

    def _wait_until_settled(self, place: Place) -> None:
        """Return once the folder has not grown for `settle` seconds.

        The one wait of this connector: only asking twice tells whether a session that died is still
        at work, and it costs nothing where nothing is missing.
        """
        begun = quiet = self._clock.monotonic()
        end = self._uidnext(place)
        while (now := self._clock.monotonic()) - quiet < self._settle:
            if now - begun > self._settle * _PATIENCE:
                raise TransientError(f"{self._session.whose}: the folder {place} keeps growing.", retry_after=60)
            self._clock.sleep(min(0.25, self._settle - (now - quiet)))
            self._session.ask(b"NOOP")
            if (reached := self._uidnext(place)) != end:
                end, quiet = reached, self._clock.monotonic()

    def _uidnext(self, place: Place) -> int | None:
        status = self._session.status(place, "UIDNEXT")
        return status.uidnext if status else None


def _first(mark: str | None, uidvalidity: int) -> int:
    """The UID from which on the slot's message can be; everything is looked at if the folder was made anew."""
    validity, _, uidnext = (mark or "").partition(":")
    return int(uidnext) if uidnext.isdigit() and validity == str(uidvalidity) else 1


def _opened(slot: Slot, first: int) -> _Open:
    digests = slot.item.digests
    if "sha256" not in digests:
        raise ValueError("a message can be found again by its digests only, and this slot has none")
    exact = digests["sha256"]
    wire = digests.get("sha256-wire", exact)
    return _Open(slot, first, exact, wire, digests.get("sha256-served", wire), "sha256-served" in digests)


def _prints(data: bytes) -> tuple[str, str, str]:
    theirs = fingerprint(data)
    wire = theirs.get("sha256-wire", theirs["sha256"])
    return theirs["sha256"], wire, theirs.get("sha256-served", wire)


def _nobody(_place: Place, _ids: Sequence[str]) -> set[str]:
    return set()
