"""Reads `liberate.toml` and its people table, and tells everything that is wrong with them at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from liberate import registry
from liberate.connector import Connector, Kind
from liberate.endpoints import plan_for
from liberate.errors import PlanError
from liberate.files import FilePolicy, Shared
from liberate.labels import LabelPolicy, MailPolicy
from liberate.moves import PARALLEL, Connection, EvidenceWanted, Move, Plan, Route, SkipOrCopy, side_of_password
from liberate.people import Person, read_people, same_name
from liberate.problems import Problems, did_you_mean
from liberate.settings import Settings
from liberate.settings_problems import validated
from liberate.toml_lines import KeyPath, key_lines

__all__ = ["Connection", "EvidenceWanted", "Move", "Person", "Plan", "Route", "SkipOrCopy", "load_plan", "plan_for"]


class JobTable(Settings):
    """[job]: the run as a whole."""

    name: str = Field("", description="what to call the job; without it, the name of the plan's file")
    folder: Path | None = Field(None, description="where its state goes; without it, <name>.job beside the plan")
    ledger: str | None = Field(
        None,
        description="postgresql://host/database instead of a file in the job's folder; "
        "the password comes from PGPASSWORD or ~/.pgpass",
    )


class RouteTable(Settings):
    """[[routes]]: from this connection to that one, these kinds."""

    from_: str = Field(alias="from", description="name of the connection to read from")
    to: str = Field(description="name of the connection to write to")
    kinds: list[Kind] | None = Field(None, description="what moves; without it, every kind that both sides know")
    labels: LabelPolicy = Field(
        LabelPolicy.COPIES,
        description="mail with several labels: a copy in each folder, in one folder only (primary), "
        "or in one folder with its labels as keywords",
    )
    spam: SkipOrCopy = Field("skip", description="whether mail in Spam comes along")
    trash: SkipOrCopy = Field("copy", description="whether mail in Trash comes along")
    drafts: SkipOrCopy = Field("copy", description="whether drafts come along")
    filters: Literal["list", "copy"] = Field(
        "list",
        description="rules and the reply while away: listed, with a Sieve script in the job's folder, or also put onto "
        "the mail server, where they act on letters from then on",
    )
    forwarding: Literal["list", "copy"] = Field(
        "list", description="rules that forward letters to others: listed, or in the script as well"
    )
    trashed: SkipOrCopy = Field("skip", description="whether files in the trash come along")
    others: Literal["list", "copy"] = Field(
        "list", description="files of people whom the plan does not move: listed in the report, or copied as well"
    )
    deleted: Literal["keep", "trash"] = Field(
        "keep",
        description="what becomes of a file, event or contact that was moved and is then deleted at the source: it "
        "stays, or it goes to the destination's trash if nobody changed it there",
    )
    shares: list[Shared] = Field(
        [], description="whom files are shared with again: people, groups, links, outsiders; without it, nobody"
    )
    comments: SkipOrCopy = Field("skip", description="whether comments and descriptions of files come along")
    versions: int = Field(
        0, ge=0, le=100, description="how many earlier versions of each file come along, where both sides keep such"
    )
    evidence: EvidenceWanted = Field(
        "size", description="what proves each item while it moves: its size at the destination, or reading it back"
    )


class PeopleTable(Settings):
    """[people]: who becomes whom."""

    table: Path = Field(description="the people table, a CSV file")
    phases: list[str] = Field([], description="only rows whose phase is one of these; without it, all rows")


class ConnectionTable(Settings):
    """[connections.NAME]: one service or file; beside these keys stand the connector's own settings."""

    connector: str = Field(description="which connector; `liberate connectors` lists them")
    parallel: int = Field(PARALLEL, ge=1, le=200, description="how many workers may use it at once, over all accounts")


class PlanFile(Settings):
    """The whole of liberate.toml."""

    job: JobTable = Field(JobTable.model_validate({}), description="the run as a whole")
    connections: dict[str, dict[str, Any]] = Field(description="the services and files, each under a name of your own")
    routes: list[RouteTable] = Field(min_length=1, description="what goes from where to where")
    people: PeopleTable | None = Field(
        None, description="who becomes whom; a plan that moves nothing but chat may do without"
    )


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """The plan in the file at `path`, and its people, checked.

    Raises PlanError that tells every problem with its file, line and key. Relative paths in the plan
    start at its folder. No server is asked and no secret is read.
    """
    return _Loader(Path(path)).load()


class _Loader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.absolute().parent
        self.problems = Problems()
        self.lines: dict[KeyPath, int] = {}

    def load(self) -> Plan:
        raw = self._parse()
        tables = {k: v for k, v in raw.items() if k != "connections"}
        plain = self._connection_tables(raw)
        file = validated(PlanFile, {**tables, **plain}, self.folder, self.problems, self.path, line_of=self._line)
        connections = self._connections(plain.get("connections", {}))
        people = self._people(raw, file)
        if file is None:
            self.problems.raise_if_any()
            raise AssertionError("a plan that is not valid has a problem")
        routes = self._routes(file, connections, plain["connections"])
        self._check_people(file, routes, people)
        name = file.job.name or self.path.stem
        ledger = self._ledger(file.job.ledger)
        if re.search(r"[/\\\0]", name) or name in (".", ".."):
            self._problem(("job", "name"), "A job's name has no slashes: a folder is named after it.")
        self.problems.raise_if_any()
        return Plan(
            name=name,
            job_dir=file.job.folder or self.folder / f"{name}.job",
            ledger=ledger,
            connections=MappingProxyType(connections),
            routes=tuple(routes),
            people=people,
            everybody=people,
            phases=frozenset(file.people.phases) if file.people is not None else frozenset(),
        )

    def _line(self, path: KeyPath) -> int | None:
        """The line of `path`, or of the nearest table around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None

    def _problem(self, key: KeyPath, text: str) -> None:
        dotted = ".".join(str(part + 1) if isinstance(part, int) else part for part in key)
        self.problems.add(self.path, self._line(key), dotted, text)

    def _parse(self) -> dict[str, Any]:
        try:
            raw = self.path.read_bytes()
        except OSError as error:
            raise PlanError(
                f"The plan {self.path} cannot be read ({error.strerror}). "
                "Name the plan's file, or write a new one with: liberate init"
            ) from error
        try:
            text = raw.decode("utf-8-sig")
            parsed = tomllib.loads(text)
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            self.problems.add(self.path, line, "", "A character here is not UTF-8. Save the plan as UTF-8.")
        except tomllib.TOMLDecodeError as error:
            said = re.fullmatch(r"(.*?) \(at (?:line (\d+), column \d+|end of document)\)", str(error), re.DOTALL)
            line = int(said[2]) if said and said[2] else text.count("\n") + 1
            what = said[1] if said else str(error)
            self.problems.add(self.path, line, "", f"This is not TOML: {what[:1].lower()}{what[1:]}.{_toml_hint(what)}")
        self.problems.raise_if_any()
        self.lines = key_lines(text)
        return parsed

    def _connection_tables(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """`connections` as PlanFile wants it; members that are no tables are told here and left out."""
        given = raw.get("connections")
        if not isinstance(given, dict):
            return {} if given is None else {"connections": given}
        for name, table in given.items():
            if not isinstance(table, dict):
                self._problem(("connections", name), f"A connection is a table of its own: [connections.{name}].")
        return {"connections": {n: t for n, t in given.items() if isinstance(t, dict)}}

    def _connections(self, tables: Any) -> dict[str, Connection]:
        found = {}
        for name, table in tables.items() if isinstance(tables, dict) else ():
            key: KeyPath = ("connections", name)
            common = {k: v for k, v in table.items() if k in ConnectionTable.model_fields}
            head = validated(ConnectionTable, common, self.folder, self.problems, self.path, key, self._line)
            if "->" in name:
                self._problem(key, 'A connection\'s name does not hold "->".')
            if not isinstance(table.get("connector"), str):
                continue
            try:
                connector = registry.connector(table["connector"])
            except PlanError as error:
                self._problem((*key, "connector"), str(error))
                continue
            own = {k: v for k, v in table.items() if k not in common}
            settings = validated(connector.settings, own, self.folder, self.problems, self.path, key, self._line)
            if head is not None and settings is not None:
                found[name] = Connection(name, connector, settings, head.parallel)
        return found

    def _routes(self, file: PlanFile, connections: Mapping[str, Connection], written: Mapping[str, Any]) -> list[Route]:
        routes: list[Route] = []
        for number, table in enumerate(file.routes):
            key: KeyPath = ("routes", number)
            for end, name in (("from", table.from_), ("to", table.to)):
                if name not in written:
                    why = f'There is no connection "{name}".{did_you_mean(name, written)}'
                    self._problem((*key, end), why)
            source, destination = connections.get(table.from_), connections.get(table.to)
            if source is not None and source.connector.source is None:
                self._problem((*key, "from"), f'The connector "{source.connector.name}" cannot be read from.')
            if destination is not None and destination.connector.destination is None:
                self._problem((*key, "to"), f'The connector "{destination.connector.name}" cannot be written to.')
            if source is None or destination is None:
                continue
            kinds = self._kinds(key, table, source.connector, destination.connector)
            mail = MailPolicy(table.labels, table.spam, table.trash, table.drafts, table.filters, table.forwarding)
            files = FilePolicy(
                table.trashed, table.others, table.deleted, frozenset(table.shares), table.comments, table.versions
            )
            route = Route(source, destination, kinds, mail, files, table.evidence)
            if any(earlier.key == route.key for earlier in routes):
                self._problem(key, f"From {source.name} to {destination.name} there already is a route. Join the two.")
            routes.append(route)
        return routes

    def _kinds(self, key: KeyPath, table: RouteTable, source: Connector, destination: Connector) -> frozenset[Kind]:
        shared = source.kinds & destination.kinds
        if table.kinds is None:
            if not shared:
                why = f'The connectors "{source.name}" and "{destination.name}" have no kind of item in common.'
                self._problem(key, why)
            return shared
        if not table.kinds:
            self._problem((*key, "kinds"), "Nothing would move. Name a kind, or leave the line out to move all kinds.")
        for number, kind in enumerate(table.kinds):
            for connector, can in ((source, "hands out"), (destination, "takes")):
                if kind not in connector.kinds:
                    what = ", ".join(sorted(connector.kinds))
                    why = f'The connector "{connector.name}" {can} {what}, but not {kind}.'
                    self._problem((*key, "kinds", number), why)
        return frozenset(table.kinds)

    def _people(self, raw: Mapping[str, Any], file: PlanFile | None) -> tuple[Person, ...]:
        """Read even where the rest of the plan is wrong, so that everything is told at once."""
        if file is not None:
            return () if file.people is None else read_people(file.people.table, self.problems)
        given = raw.get("people")
        table = given.get("table") if isinstance(given, dict) else None
        if not isinstance(table, str):
            return ()
        return read_people(self.folder / Path(table).expanduser(), self.problems)

    def _check_people(self, file: PlanFile, routes: list[Route], people: tuple[Person, ...]) -> None:
        if file.people is None:
            if any(kind is not Kind.CHAT for route in routes for kind in route.kinds):
                self._problem(
                    ("people",), 'This setting is missing (who becomes whom). Add [people] with table = "..."'
                )
            return
        known = {p.phase for p in people}
        for number, phase in enumerate(file.people.phases):
            if phase not in known:
                why = f'Nobody in the people table is in the phase "{phase}".{did_you_mean(phase, known - {""})}'
                self._problem(("people", "phases", number), why)
        moving = [p for p in people if p.action == "move"]
        if people and not moving:
            self._problem(("people", "table"), "Everybody in the people table is skipped, so nothing would move.")
        for route in routes:
            for person in moving:
                if person.secret is not None and side_of_password(route) is None:
                    why = (
                        f"Whose password is this, at {route.source.name} or at {route.destination.name}? "
                        "Use the column source_password_env or destination_password_env."
                    )
                    self.problems.add(file.people.table, person.line, "password_env", why)
        for route in routes:
            if route.kinds == {Kind.CHAT}:
                continue  # a workspace moves as one, whoever is in the table
            self._check_shared_path(route.source, [p.source for p in moving])
            self._check_shared_path(route.destination, [p.destination for p in moving])

    def _check_shared_path(self, connection: Connection, names: list[str]) -> None:
        """One path for two people would give each the other's things."""
        path = getattr(connection.settings, "path", None)
        if path is None:
            return
        taken: dict[str, str] = {}
        for name in map(same_name, names):
            place = str(path).replace("{account}", name).replace("{user}", name.partition("@")[0])
            other = taken.setdefault(place, name)
            if other != name:
                why = (
                    f'"{other}" and "{name}" would share this one place. Put {{account}} into the path, for example '
                    '"mail/{account}", so that each has their own.'
                )
                self._problem(("connections", connection.name, "path"), why)
                return

    def _ledger(self, url: str | None) -> str | None:
        if url is None:
            return None
        key = ("job", "ledger")
        try:
            parts = urlsplit(url)
        except ValueError:
            self._problem(key, "This is no address of a database. Write postgresql://host/database.")
            return None
        scheme = parts.scheme.partition("+")[0]
        if scheme not in ("postgresql", "postgres"):
            self._problem(key, "The ledger is a file in the job's folder, or a database: postgresql://host/database.")
        elif parts.password or "password=" in parts.query:
            why = "A password does not stand in the plan. Leave it out and set PGPASSWORD, or use ~/.pgpass."
            self._problem(key, why)
        elif find_spec("psycopg") is None:
            self._problem(key, "A PostgreSQL ledger needs one more package: pip install 'liberate-migrate[postgresql]'")
        return f"postgresql+psycopg:{url.partition(':')[2]}"


def _toml_hint(said: str) -> str:
    said = said.lower()
    if "invalid value" in said:
        return ' A text stands in quotes: key = "text".'
    if "expected '='" in said:
        return " Each line is a [table], key = value, or a # comment."
    if "overwrite" in said or "twice" in said or "cannot declare" in said or "cannot mutate" in said:
        return " Keep one of the two."
    return ""
