"""Plans for tests: from this connector to that one, without a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from liberate.connector import Connector, Kind
from liberate.files import FilePolicy
from liberate.labels import MailPolicy
from liberate.moves import Connection, EvidenceWanted, Plan, Route
from liberate.people import Person
from liberate.testing.memory import NoSettings


def plan(
    job: Path,
    source: Connector,
    destination: Connector,
    *,
    source_settings: Any = None,
    destination_settings: Any = None,
    people: Iterable[Person | tuple[str, str]] = (("", ""),),
    kinds: Iterable[Kind] = tuple(Kind),
    mail: MailPolicy | None = None,
    files: FilePolicy | None = None,
    evidence: EvidenceWanted = "size",
    ledger: str | None = None,
    max_parallel: int = 8,
) -> Plan:
    """A plan with one route, whose state goes to the folder `job`."""
    ends = [
        Connection("from", source, source_settings or NoSettings(), max_parallel),
        Connection("to", destination, destination_settings or NoSettings(), max_parallel),
    ]
    who = tuple(one if isinstance(one, Person) else Person(*one) for one in people)
    route = Route(ends[0], ends[1], frozenset(kinds), mail or MailPolicy(), files or FilePolicy(), evidence)
    return Plan(job.name, job.absolute(), ledger, {end.name: end for end in ends}, (route,), who)
