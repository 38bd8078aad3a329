"""Connectors and their settings as facts to print: read from the settings' own fields, so that they cannot differ."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from liberate import registry
from liberate.connector import Connector
from liberate.errors import PlanError
from liberate.settings import SecretRef


@dataclass(frozen=True, slots=True)
class Setting:
    """One key that a plan may hold."""

    name: str
    takes: str  # what it may be: "text", "a whole number", '"tls", "starttls" or "none"'
    default: str | None  # as a plan would write it; None: there is none, and none is meant
    required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Described:
    """One connector."""

    name: str
    title: str
    kinds: tuple[str, ...]
    reads: bool
    writes: bool
    addresses: tuple[str, ...]  # what it takes instead of a plan: "imaps://..."
    settings: tuple[Setting, ...]
    missing: str = ""  # why it cannot be used here, and what to do

    def as_dict(self) -> dict[str, Any]:
        """The same as values that json can write."""
        return asdict(self)

    @property
    def directions(self) -> str:
        return " and ".join(word for word, can in (("source", self.reads), ("destination", self.writes)) if can)


def described(name: str) -> Described:
    """What there is to say about the connector of that name. Raises PlanError if there is none."""
    try:
        connector = registry.connector(name)
    except PlanError as error:
        if name not in registry.names():
            raise
        return Described(name, "not installed", (), False, False, (), (), str(error))
    return _described(connector)


def _described(connector: Connector) -> Described:
    return Described(
        connector.name,
        connector.title,
        tuple(sorted(connector.kinds)),
        connector.source is not None,
        connector.destination is not None,
        tuple(f"{scheme}:" for scheme in connector.schemes),
        tuple(settings_of(connector.settings)),
    )


def settings_of(model: type[BaseModel]) -> Iterator[Setting]:
    """Each setting of a model, in the order its author gave them."""
    for field, info in model.model_fields.items():
        required = info.is_required()
        default = None if required or info.default_factory else toml_value(info.default)
        about = (info.description or "").strip()
        yield Setting(info.alias or field, _takes(info.annotation, info.metadata), default, required, about)


def toml_value(value: object) -> str | None:
    """A value as TOML writes it; None for None and for what TOML cannot write."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case Enum():
            return toml_value(value.value)
        case int() | float():
            return repr(value)
        case str() | Path():
            return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list() | tuple():
            return "[" + ", ".join(filter(None, map(toml_value, value))) + "]"
        case dict():
            return "{ " + ", ".join(f"{key} = {toml_value(one)}" for key, one in value.items()) + " }"
        case _:
            return None


def _takes(annotation: Any, metadata: typing.Sequence[Any] = ()) -> str:
    parts = list(_parts(annotation))
    if {SecretRef, SecretStr} & {*parts, *(part for m in metadata for part in _parts(m))}:
        return "a secret"
    words = []
    for part in parts:
        if typing.get_origin(part) is typing.Literal:
            words += [f'"{word}"' for word in typing.get_args(part)]
        elif typing.get_origin(part) is list:
            words.append(f"a list of {_takes(typing.get_args(part)[0])}")
        elif typing.get_origin(part) is dict or (isinstance(part, type) and issubclass(part, BaseModel)):
            words.append("a table")
        elif isinstance(part, type) and issubclass(part, Enum):
            words += [f'"{one.value}"' for one in part]
        elif part in _WORDS:
            words.append(_WORDS[part])
    words = list(dict.fromkeys(words))
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "text"


_WORDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path", str: "text"}


def _parts(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation, without None."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _parts(part)
    elif typing.get_origin(annotation) is typing.Annotated:
        yield from _parts(typing.get_args(annotation)[0])
    elif annotation is not types.NoneType:
        yield annotation
