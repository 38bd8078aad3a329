"""Which method of the API an address means, read off Google's discovery document."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from liberate_google.discovery import document
from liberate_google.standin.errors import ApiError, bad_request


class Route(NamedTuple):
    """One method of the API, matched."""

    method: str  # "messages.get": as in the discovery document, without "gmail.users."
    path: dict[str, str]
    params: dict[str, list[str]]
    response: str | None  # the schema of its answer; None: it answers nothing
    scopes: frozenset[str]
    upload: str  # "simple", "resumable", "" for none


class _Method(NamedTuple):
    name: str
    http: str
    pattern: re.Pattern[str]
    known: dict[str, dict[str, Any]]
    response: str | None
    scopes: frozenset[str]
    upload: str


@functools.cache
def routes(name: str, prefix: str) -> Routes:
    """The process's table of that document."""
    return Routes(name, prefix)


class Routes:
    """All methods of a discovery document."""

    def __init__(self, name: str, prefix: str) -> None:
        described = document(name)
        self._common: dict[str, dict[str, Any]] = described["parameters"]
        self._methods = list(self._collect(described, described["servicePath"], prefix))
        self.schemas: dict[str, Any] = described["schemas"]
        self.batch_path = "/" + described["batchPath"]

    def _collect(self, node: dict[str, Any], base: str, prefix: str) -> Iterator[_Method]:
        for method in node.get("methods", {}).values():
            name = method["id"].removeprefix(prefix)
            known = method.get("parameters", {})
            response = method.get("response", {}).get("$ref")
            scopes = frozenset(method.get("scopes", ()))
            http = method["httpMethod"]
            yield _Method(name, http, _pattern("/" + base + method["path"], known), known, response, scopes, "")
            for protocol, where in method.get("mediaUpload", {}).get("protocols", {}).items():
                yield _Method(name, http, _pattern(where["path"], known), known, response, scopes, protocol)
        for resource in node.get("resources", {}).values():
            yield from self._collect(resource, base, prefix)

    def find(self, http: str, target: str) -> Route:
        """The method; ApiError 404 for no such address, 400 for a parameter that it does not have."""
        path, _, query = target.partition("?")
        params = parse_qs(query, keep_blank_values=True)
        simple = {}
        for method in self._methods:
            if method.http == http and (match := method.pattern.fullmatch(path)):
                if method.upload == "resumable" and not path.startswith("/resumable/"):
                    continue
                self._check(params, method)
                simple = {name: unquote(value) for name, value in match.groupdict().items()}
                resumable = params.get("uploadType") == ["resumable"]
                upload = "resumable" if method.upload and resumable else method.upload
                return Route(method.name, simple, params, method.response, method.scopes, upload)
        raise ApiError(404, "notFound", "Not Found")

    def _check(self, params: dict[str, list[str]], method: _Method) -> None:
        for name, values in params.items():
            described = method.known.get(name) or self._common.get(name)
            if described is None and name not in ("upload_id", "uploadType"):
                raise bad_request(f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.')
            if described is None:
                continue
            if len(values) > 1 and not described.get("repeated"):
                raise bad_request(f"Repeated parameter {name}")
            for value in values:
                _check_value(name, value, described)


def _check_value(name: str, value: str, described: dict[str, Any]) -> None:
    kind, form = described.get("type"), described.get("format")
    fault = False
    if kind == "integer" or form in ("int64", "uint64"):
        fault = re.fullmatch(r"-?\d+" if form in ("int32", "int64") else r"\d+", value) is None
        fault = fault or (form == "uint64" and int(value) >= 1 << 64)
    elif kind == "boolean":
        fault = value not in ("true", "false")
    if "enum" in described and value not in described["enum"]:
        fault = fault or value.upper() not in described["enum"]  # the service takes either case
    if fault:
        raise bad_request(f"Invalid value at '{name}' ({form or kind}), \"{value}\"")


def _pattern(path: str, known: dict[str, dict[str, Any]]) -> re.Pattern[str]:
    """What the path stands for; "{+name}" is a name with slashes, which its parameter describes."""
    parts = re.split(r"\{(\+?\w+)\}", path)
    out = []
    for at, part in enumerate(parts):
        name = part.removeprefix("+")
        inside = known.get(name, {}).get("pattern", "^.+$")[1:-1] if part.startswith("+") else "[^/]+"
        out.append(f"(?P<{name}>{inside})" if at % 2 else re.escape(part))
    return re.compile("".join(out))
