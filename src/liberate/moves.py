"""Who and what goes where, once it is known and checked: a plan, its routes, and each person's moves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from liberate.connector import Account, Connector, Kind
from liberate.errors import PlanError
from liberate.files import FilePolicy
from liberate.labels import LabelPolicy, MailPolicy
from liberate.people import AnySecret, Person, same_name
from liberate.problems import did_you_mean
from liberate.settings import Settings, reveal
from liberate.settings_problems import takes_secrets

EvidenceWanted: TypeAlias = Literal["size", "read-back"]
SkipOrCopy: TypeAlias = Literal["skip", "copy"]

WORKSPACE = Person("", "", kind="room")  # the one account of a service of chat
PARALLEL = 8  # workers at once on one connection, unless the plan says otherwise


@dataclass(frozen=True, slots=True)
class Connection:
    """One service or file as the plan describes it."""

    name: str
    connector: Connector = field(compare=False, repr=False)
    settings: Settings = field(compare=False)
    max_parallel: int = PARALLEL  # workers at once on it, over all accounts

    @property
    def logs_each_in(self) -> bool:
        """Whether each account comes with a password of its own, because the plan gives none for all of them."""
        held = takes_secrets(type(self.settings))
        return bool(held) and all(getattr(self.settings, name) is None for name in held)


@dataclass(frozen=True, slots=True)
class Route:
    """From this connection to that one, these kinds."""

    source: Connection
    destination: Connection
    kinds: frozenset[Kind]
    mail: MailPolicy = field(default_factory=MailPolicy)
    files: FilePolicy = field(default_factory=FilePolicy)
    evidence: EvidenceWanted = "size"

    @property
    def key(self) -> str:
        """What the ledger knows the route by: it stays the same while the two connections keep their names."""
        return f"{self.source.name}->{self.destination.name}"


@dataclass(frozen=True, slots=True)
class Move:
    """One person on one route."""

    route: Route
    person: Person
    of_several: bool = False  # the plan has other routes for the same person

    @property
    def label(self) -> str:
        """What to call it before people, unlike any other of the plan.

        The account at the source, or the source itself if it has only one, and the route where there are several.
        """
        name = self.person.source or self.route.source.name
        return f"{name} ({self.route.key})" if self.of_several else name

    def source_account(self) -> Account:
        """The account to read. Raises PlanError if its password cannot be had."""
        return Account(self.person.source, reveal(self._secret("source")), self.person.kind, kinds=self.route.kinds)

    def destination_account(self) -> Account:
        """The account to write to. Raises PlanError if its password cannot be had."""
        return Account(self.person.destination, reveal(self._secret("destination")), self.person.kind)

    def _secret(self, side: Literal["source", "destination"]) -> AnySecret | None:
        own = self.person.source_secret if side == "source" else self.person.destination_secret
        if own is None and self.person.secret is not None and side_of_password(self.route) == side:
            return self.person.secret
        return own


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a job needs to know, checked."""

    name: str
    job_dir: Path  # absolute; it need not exist yet
    ledger: str | None  # a database's URL without a password in it; None: a file in job_dir
    connections: Mapping[str, Connection]
    routes: tuple[Route, ...]
    people: tuple[Person, ...]  # those whom this run moves
    everybody: tuple[Person, ...] = ()  # all of the people table: who is who at the destination
    phases: frozenset[str] = frozenset()  # the people's phases whose turn it is; empty: all

    def moves(self) -> Iterator[Move]:
        """What is to be carried out: each route with each person who is not skipped and whose phase it is.

        Chat is a workspace's and nobody's own: it moves as one, and the people table says who is who there.
        """
        for route in self.routes:
            if route.kinds == {Kind.CHAT}:
                yield Move(route, WORKSPACE, len(self.routes) > 1)
                continue
            for person in self.people:
                moves = person.action == "move" and person.kind != "group"  # such a row says who becomes which group
                if moves and (not self.phases or person.phase in self.phases):
                    yield Move(route, person, len(self.routes) > 1)

    def digest(self) -> str:
        """64 hex digits that change whenever the plan says something else; secrets do not go into it."""
        whole = {
            "name": self.name,
            "connections": {n: said(c) for n, c in sorted(self.connections.items())},
            "routes": [
                [
                    r.key,
                    sorted(r.kinds),
                    [r.mail.labels, r.mail.spam, r.mail.trash, r.mail.drafts, r.mail.filters, r.mail.forwarding],
                    r.evidence,
                    *r.files.said(),
                ]
                for r in self.routes
            ],
            "people": sorted([p.source, p.destination, p.kind, p.phase, p.action] for p in self.people),
            "phases": sorted(self.phases),
        }
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def narrowed(self, accounts: Iterable[str] = (), phases: Iterable[str] = ()) -> Plan:
        """The same plan for these accounts (by their names at the source or the destination) and phases only.

        Nothing named means everything. Raises PlanError for a name that moves nobody.
        """
        plan = self
        wanted = list(accounts)
        if wanted:
            moving = [p for p in self.people if p.action == "move"]
            for name in wanted:
                if not any(same_name(name) in (same_name(p.source), same_name(p.destination)) for p in moving):
                    known = {n for p in moving for n in (p.source, p.destination) if n}
                    raise PlanError(f'Nobody called "{name}" moves by this plan.{did_you_mean(name, known)}')
            keys = {same_name(name) for name in wanted}
            people = tuple(p for p in moving if keys & {same_name(p.source), same_name(p.destination)})
            plan = replace(plan, people=people, everybody=plan.everybody or plan.people)
        chosen = frozenset(phases)
        for phase in sorted(chosen - {p.phase for p in self.people}):
            known = {p.phase for p in self.people if p.phase}
            raise PlanError(f'Nobody is in the phase "{phase}".{did_you_mean(phase, known)}')
        return replace(plan, phases=chosen) if chosen else plan

    def with_options(
        self,
        *,
        job_dir: Path | None = None,
        evidence: EvidenceWanted | None = None,
        labels: LabelPolicy | None = None,
        spam: SkipOrCopy | None = None,
        trash: SkipOrCopy | None = None,
    ) -> Plan:
        """The same plan with what is given here put in the place of what every route says."""
        mail: dict[str, Any] = {
            k: v for k, v in {"labels": labels, "spam": spam, "trash": trash}.items() if v is not None
        }
        routes = tuple(
            replace(route, mail=replace(route.mail, **mail), evidence=evidence or route.evidence)
            for route in self.routes
        )
        return replace(self, job_dir=(job_dir or self.job_dir).absolute(), routes=routes)


def said(connection: Connection) -> list[object]:
    return [connection.connector.name, connection.settings.model_dump(mode="json", exclude_none=True)]


def side_of_password(route: Route) -> Literal["source", "destination"] | None:
    """The side that a password without a side belongs to; None if that cannot be told.

    A password never goes to a side that might not be meant: it would tell one server's secret to another.
    """
    source, destination = route.source, route.destination
    sides = [
        (source.logs_each_in, destination.logs_each_in),
        (bool(takes_secrets(type(source.settings))), bool(takes_secrets(type(destination.settings)))),
    ]
    for at_source, at_destination in sides:
        if at_source != at_destination:
            return "source" if at_source else "destination"
    return None
