"""Checks the stand-in's answers against Google's own discovery document.

The document knows types, not which fields are present: a missing field passes. Tests of behaviour
have to see to that.
"""

from __future__ import annotations

import functools
from typing import Any

from liberate_google.discovery import document

_DROPPED = ("id", "annotations", "enumDescriptions", "required", "readOnly", "default", "description", "deprecated")
_PATTERNS = {
    "int64": r"^-?[0-9]+$",
    "uint64": r"^[0-9]+$",
    "byte": r"^[A-Za-z0-9_-]*={0,2}$",
    "google-datetime": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$",
    "date-time": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",  # Calendar tells offsets
    "date": r"^\d{4}-\d\d-\d\d$",
}


def json_schemas(name: str) -> dict[str, Any]:
    """The document's schemas as JSON Schema (draft 2020-12) definitions, unknown fields forbidden."""
    return {key: _convert(value) for key, value in document(name)["schemas"].items()}


def _convert(node: Any) -> Any:
    if isinstance(node, list):
        return [_convert(member) for member in node]
    if not isinstance(node, dict):
        return node
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref":
            out["$ref"] = f"#/$defs/{value}"
        elif key == "properties":
            out["properties"] = {name: _convert(member) for name, member in value.items()}
            out["additionalProperties"] = False
        elif key in _DROPPED or (key == "type" and value == "any"):
            continue
        elif key == "format":
            if node.get("type") == "string" and value in _PATTERNS:
                out["pattern"] = _PATTERNS[value]
        else:
            out[key] = _convert(value)
    return out


@functools.cache
def checker(name: str) -> Checker:
    """The process's checker of that document: making one takes longer than using it."""
    return Checker(name)


class Checker:
    """Says whether an answer is one that the described service could give."""

    def __init__(self, name: str) -> None:
        self._definitions = json_schemas(name)
        self._validators: dict[str, Any] = {}

    def faults(self, schema: str, answer: Any) -> list[str]:
        """What is wrong with `answer` as a `schema`, one sentence each; [] when nothing is."""
        from jsonschema import Draft202012Validator  # noqa: PLC0415 - only those who check pay for it

        if schema not in self._validators:
            root = {"$ref": f"#/$defs/{schema}", "$defs": self._definitions}
            self._validators[schema] = Draft202012Validator(root)
        return [f"{error.json_path}: {error.message}" for error in self._validators[schema].iter_errors(answer)]
