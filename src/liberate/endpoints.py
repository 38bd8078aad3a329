"""One person's small move without a plan's file: two endpoints, such as "mbox:all.mbox" and "imaps://anna@host"."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import SecretStr

from liberate import registry
from liberate.errors import PlanError
from liberate.moves import Connection, Plan, Route, said
from liberate.people import Person
from liberate.settings import Settings


def plan_for(
    source_url: str,
    destination_url: str,
    job_dir: Path | None = None,
    *,
    ask: Callable[[str], str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Plan:
    """The plan that moves one account from one endpoint to another: "mbox:all.mbox", "imaps://anna@host".

    The job's folder is `job_dir`, or ./liberate-<8 hex digits>.job where the digits come from the two
    endpoints and the folder that relative paths start at: the same two again continue that job.
    Where an account needs a password, it comes from LIBERATE_FROM_PASSWORD or LIBERATE_TO_PASSWORD, or
    from LIBERATE_PASSWORD if only one of the two needs one; else `ask` is called with a prompt, and
    without `ask` there is none. Raises PlanError.
    """
    variables = os.environ if environment is None else environment
    source, source_name = _end(source_url)
    destination, destination_name = _end(destination_url)
    if source.connector.source is None:
        raise PlanError(f'The connector "{source.connector.name}" cannot be read from.')
    if destination.connector.destination is None:
        raise PlanError(f'The connector "{destination.connector.name}" cannot be written to.')
    kinds = source.connector.kinds & destination.connector.kinds
    if not kinds:
        what = f'"{source.connector.name}" and "{destination.connector.name}"'
        raise PlanError(f"The connectors {what} have no kind of item in common.")
    if source.name == destination.name and source_name == destination_name:
        raise PlanError("The source and the destination are the same. Name two different places.")
    ends = [[*said(source), source_name], [*said(destination), destination_name]]
    digits = hashlib.sha256(json.dumps(ends, sort_keys=True).encode()).hexdigest()[:8]
    several = source.logs_each_in and destination.logs_each_in

    def password(end: Connection, name: str, variable: str) -> SecretStr | None:
        if not end.logs_each_in:
            return None
        given = variables.get(variable) or (None if several else variables.get("LIBERATE_PASSWORD"))
        if given is None and ask is not None:
            given = ask(f"Password of {name or 'the account'} at {end.name}")
        return SecretStr(given) if given else None

    person = Person(
        source_name,
        destination_name,
        password(source, source_name, "LIBERATE_FROM_PASSWORD"),
        password(destination, destination_name, "LIBERATE_TO_PASSWORD"),
    )
    return Plan(
        name=f"liberate-{digits}",
        job_dir=(job_dir or Path(f"liberate-{digits}.job")).absolute(),
        ledger=None,
        connections=MappingProxyType({end.name: end for end in (source, destination)}),
        routes=(Route(source, destination, kinds),),
        people=(person,),
    )


def _end(url: str) -> tuple[Connection, str]:
    connector, settings, account = registry.endpoint(url)
    return Connection(f"{connector.name}:{_where(settings)}", connector, settings), account


def _where(settings: Settings) -> str:
    """What tells two endpoints of one connector apart: the path, or the host, port and folder."""
    said = settings.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    host = said.get("host") or said.get("url") or said.get("path") or ""
    port = f":{said['port']}" if said.get("port") else ""
    folder = f"/{said['folder']}" if said.get("folder") else ""
    return f"{host}{port}{folder}"
