"""The last thing for an account of mail: its rules and its reply while away, as a Sieve script."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from liberate import sieve
from liberate.body import job_folder_failed
from liberate.connector import HasFilters, Standing, TakesFilters, script_digest
from liberate.errors import AccountError, ItemError
from liberate.filters import Filters
from liberate.ledger_rows import Named
from liberate.mail import Folder, Role
from liberate.turn import Desk, Ends

_SETTLED = ("active", "listed")  # what stays so until the filters change


def _now() -> datetime:
    return datetime.now(UTC)


class Filtering:
    """One turn at an account's filters. It may be repeated: what is there already is not put there again.

    What is put at the destination is recorded before it is sent, so that a script is known as ours whatever dies on
    the way, and as somebody else's once they have edited it.
    """

    def __init__(self, desk: Desk, ends: Ends, account: int, now: Callable[[], datetime] = _now) -> None:
        self._desk = desk
        self._ends = ends
        self._account = account
        self._policy = desk.terms.mail
        self._ledger = desk.ledger
        self._now = now
        self.progressed = False

    def run(self) -> bool:
        """Do it; True: nothing of this waits for anything."""
        source = self._ends.source
        if not isinstance(source, HasFilters):
            return True
        before = self._ledger.filtered(self._account)
        try:
            filters = source.filters()
        except AccountError as error:
            self._ledger.record_filters(self._account, {**before, **_why("unread", error)})
            return True
        if not filters.rules and filters.absence is None and not before.get("stood"):
            if before:
                self._ledger.record_filters(self._account, None)
            return True
        now = self._now()
        digest = self._digest(filters, now)
        if before.get("digest") != digest or before.get("state") not in _SETTLED or not self._file(before):
            self._settle(filters, before, digest, now)
        return True

    def _digest(self, filters: Filters, now: datetime) -> str:
        """Changes whenever another script could come of it."""
        ended = filters.absence is not None and filters.absence.end is not None and filters.absence.end <= now
        named = [[one.path, one.role, one.place] for one in self._ledger.named(self._account)]
        policy = [self._policy.labels, self._policy.filters, self._policy.forwarding]
        whole = json.dumps([sieve.VERSION, filters.digest(), policy, ended, named])
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()

    # Carrying it out -----------------------------------------------------------------------------

    def _settle(self, filters: Filters, before: Mapping[str, Any], digest: str, now: datetime) -> None:
        destination = self._ends.destination
        takes = destination if isinstance(destination, TakesFilters) else None
        trouble: dict[str, Any] = {}
        extensions: frozenset[str] | None = None
        if takes is not None and self._policy.filters == "copy":
            try:
                extensions = takes.extensions()
            except AccountError as error:
                trouble = _why("refused", error)
        made = self._script(filters, takes, extensions, now)
        told: dict[str, Any] = {
            "digest": digest,
            "rules": [
                {"rule": one.rule, "outcome": one.outcome, "gaps": [asdict(gap) for gap in one.gaps]}
                for one in made.told
            ],
            "needs": list(made.needs),
            "file": self._keep(made, before),
            "stood": bool(before.get("stood")),
            "active": bool(before.get("active")),
            "known": list(before.get("known") or ()),
        }
        if extensions is not None and takes is not None and not (made.empty and not told["stood"]):
            told = self._install(takes, made.text, told)
        elif self._policy.filters == "list":
            told["state"] = "listed"
        else:
            told |= trouble or {"state": "listed" if made.empty else "no-server"}
        told["digest"] = self._digest(filters, now)  # folders were named meanwhile
        self._ledger.record_filters(self._account, told)

    def _install(self, takes: TakesFilters, text: str, told: dict[str, Any]) -> dict[str, Any]:
        standing = Standing(frozenset(told["known"]), told["stood"], told["active"])
        told["known"] = sorted({*told["known"], script_digest(text)})
        self._ledger.record_filters(self._account, {**told, "state": "sending"})
        self._desk.step("before install")
        try:
            installed = takes.install(text, standing)
        except (ItemError, AccountError) as error:
            return {**told, **_why("refused", error)}
        self._desk.step("after install")
        if installed.state in ("active", "beside"):
            if not told["stood"] or script_digest(text) not in standing.digests:
                self.progressed = True
            told["known"] = [script_digest(text)]
            told["stood"] = True
        told["active"] = installed.state == "active" or (told["active"] and installed.state == "switched-off")
        return {**told, "state": installed.state, "other": installed.other}

    def _script(
        self, filters: Filters, takes: TakesFilters | None, extensions: frozenset[str] | None, now: datetime
    ) -> sieve.Script:
        names = (self._desk.account_name, self._desk.there_name)
        target = sieve.Target(
            extensions if extensions is not None else sieve.USUAL,
            self._prepared(takes) if takes is not None and extensions is not None else self._known(takes),
            self._policy.labels,
            self._policy.forwarding == "copy",
            tuple(dict.fromkeys(name for name in names if name)),
            self._desk.account_name.rpartition("@")[2] if "@" in self._desk.account_name else "",
            now,
        )
        return sieve.script(filters, target)

    def _prepared(self, takes: TakesFilters) -> Callable[[Folder], str]:
        """Names folders as the job does, and makes those that no letter has needed yet."""

        def mailbox(folder: Folder) -> str:
            place = self._ends.places.of(folder).place
            if place is None:
                raise AssertionError("a folder that was made has a place")
            return takes.mailbox(place)

        return mailbox

    def _known(self, takes: TakesFilters | None) -> Callable[[Folder], str]:
        """Names folders as the job did so far, and makes none."""
        known: dict[tuple[tuple[str, ...], str | None], Named] = {
            (one.path, one.role): one for one in self._ledger.named(self._account)
        }

        def mailbox(folder: Folder) -> str:
            found = known.get((folder.path if folder.role is None else (), folder.role))
            if found is not None and found.place is not None and takes is not None:
                return takes.mailbox(found.place)
            if found is not None and found.name:
                return "/".join(found.name)
            if folder.role is Role.INBOX:
                return "INBOX"
            return "/".join(folder.path) if folder.role is None else folder.role.capitalize()

        return mailbox

    # The job's folder ----------------------------------------------------------------------------

    def _file(self, before: Mapping[str, Any]) -> bool:
        """Whether the script that was kept is still there, if there was one."""
        name = before.get("file")
        return not name or self._desk.scripts is None or (self._desk.scripts / str(name)).exists()

    def _keep(self, made: sieve.Script, before: Mapping[str, Any]) -> str:
        """Write the script for its owner; its name under sieve/ in the job's folder, "" where there is none."""
        if self._desk.scripts is None:
            return ""
        if made.empty:
            if before.get("file"):
                (self._desk.scripts / str(before["file"])).unlink(missing_ok=True)
            return ""
        label = self._desk.account
        name = re.sub(r"[^A-Za-z0-9@._-]", "_", label).lstrip(".") or "account"
        if name != label:  # others' names may have become the same
            name = f"{name[:80]}-{hashlib.sha256(label.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        path = self._desk.scripts / f"{name}.sieve"
        data = made.text.encode()
        try:
            self._desk.scripts.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists() or path.read_bytes() != data:
                _write(path, data)
                self.progressed = True
        except OSError as error:
            raise job_folder_failed(error) from error
        return path.name


def _write(path: Path, data: bytes) -> None:
    """The whole file or nothing, for its owner only."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _why(state: str, error: AccountError | ItemError) -> dict[str, Any]:
    return {"state": state, "code": error.code, "why": error.why, "todo": error.todo}
