"""Checks what a person wrote against a pydantic model and tells each problem by its key path and line."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from liberate.errors import PlanError
from liberate.problems import Problems, did_you_mean
from liberate.settings import SecretRef
from liberate.toml_lines import KeyPath

M = TypeVar("M", bound=BaseModel)
LineOf: typing.TypeAlias = Callable[[KeyPath], int | None]


def validated(
    model: type[M],
    raw: Mapping[str, Any],
    folder: Path,
    problems: Problems,
    where: str | Path,
    prefix: KeyPath = (),
    line_of: LineOf = lambda _path: None,
) -> M | None:
    """`raw` as a `model`, or None with what is wrong added to `problems`.

    Relative paths in it start at `folder`. `where` is the file (or URL) that it stands in, `prefix` the key
    path of `raw` in that file. No value is repeated in a problem: any of them may be a secret in the wrong place.
    """
    file = Path(where)
    try:
        return model.model_validate(_anchored(model, raw, folder))
    except ValidationError as error:
        for path, text in _told(model, raw, error.errors(include_url=False, include_context=True)):
            whole = prefix + path
            problems.add(file, line_of(whole), ".".join(map(_segment, whole)), text)
    except PlanError as error:
        problems.add(file, line_of(prefix), ".".join(map(_segment, prefix)), str(error))
    return None


def takes_secrets(model: type[BaseModel]) -> list[str]:
    """The names of the fields that hold a secret."""
    return [
        name
        for name, info in model.model_fields.items()
        if {SecretRef, SecretStr} & set(_types_in(info.annotation, *info.metadata))
    ]


def _segment(part: str | int) -> str:
    return str(part + 1) if isinstance(part, int) else part


def _types_in(*annotations: Any) -> Iterator[Any]:
    for annotation in annotations:
        yield annotation
        yield from _types_in(*typing.get_args(annotation))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    return next((t for t in _types_in(annotation) if isinstance(t, type) and issubclass(t, BaseModel)), None)


def _anchored(model: type[BaseModel], raw: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """`raw` with each relative path in it made absolute, so that it means the same wherever the command runs.

    Paths are the fields of type Path, and any field that is called "path".
    """
    out = dict(raw)
    for field, info in model.model_fields.items():
        name = info.alias or field
        value = out.get(name)
        inner = _model_in(info.annotation)
        is_path = name == "path" or Path in set(_types_in(info.annotation))  # "path" may hold {account}: text
        if isinstance(value, str) and value and is_path:
            out[name] = str(folder / Path(value).expanduser())
        elif isinstance(value, Mapping) and inner is not None:
            out[name] = _anchored(inner, value, folder)
    return out


def _told(model: type[BaseModel], raw: Any, errors: list[ErrorDetails]) -> Iterator[tuple[KeyPath, str]]:
    chosen: dict[KeyPath, str] = {}  # at each key with alternatives, the first that failed speaks for all
    for error in errors:
        path, tag = _key_path(raw, error["loc"], missing=error["type"] == "missing")
        if tag is not None:
            at, name = tag
            if chosen.setdefault(at, name) != name:
                continue
        yield path, _sentence(_known_at(model, path[:-1]), path, error)


def _key_path(raw: Any, loc: tuple[str | int, ...], *, missing: bool) -> tuple[KeyPath, tuple[KeyPath, str] | None]:
    """The error's place in the file, and the first of the names of alternatives that pydantic mixes into `loc`."""
    path: KeyPath = ()
    here = raw
    tag = None
    for number, part in enumerate(loc):
        if isinstance(here, Mapping) and part in here:
            here = here[str(part)]
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        elif missing and number == len(loc) - 1:
            here = None
        else:
            tag = tag or (path, str(part))
            continue
        path += (part,)
    return path, tag


def _known_at(model: type[BaseModel], path: KeyPath) -> dict[str, str]:
    """The settings that may stand at `path` and what each means."""
    here: type[BaseModel] | None = model
    for part in path:
        if here is None or isinstance(part, int):
            continue
        info = next((i for n, i in here.model_fields.items() if (i.alias or n) == part), None)
        if info is None:
            return {}
        here = _model_in(info.annotation)
    return {i.alias or n: i.description or "" for n, i in here.model_fields.items()} if here else {}


def _sentence(known: Mapping[str, str], path: KeyPath, error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    key = str(path[-1]) if path else ""
    match error["type"]:
        case "extra_forbidden":
            return f"There is no such setting.{did_you_mean(key, known)}"
        case "missing":
            meaning = f" ({known[key]})" if known.get(key) else ""
            return f"This setting is missing{meaning}. Add {key} = ..."
        case "literal_error" | "enum":
            return f"It must be {context['expected']}.{_meant(error)}"
        case "value_error":
            text = str(context.get("error", error["msg"]))
            return f"{text[:1].upper()}{text[1:].rstrip('.')}."
        case _:
            return f"{error['msg'].replace('Input should', 'It should', 1).rstrip('.')}."


def _meant(error: ErrorDetails) -> str:
    given = error.get("input")
    expected = str(error.get("ctx", {}).get("expected", ""))
    known = [word.strip("'\"") for word in expected.replace(" or ", ", ").split(", ")]
    suggestion = did_you_mean(given, known) if isinstance(given, str) else ""
    return suggestion if suggestion.startswith(" Did") else ""
