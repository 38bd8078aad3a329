"""Partial responses: the `fields=` parameter that every Google API honours."""

from __future__ import annotations

from typing import Any, TypeAlias

from liberate_google.standin.errors import ApiError, bad_request

Mask: TypeAlias = "dict[str, Mask | None]"
"""What to keep, by field name ("*" for any); None keeps all below."""


def parse(text: str) -> Mask:
    """The mask for "id,labels(id,name),messages/id"; ApiError 400 if it cannot be read."""
    mask, at = _list(text, 0)
    if at != len(text):
        raise _invalid(text)
    return mask


def _invalid(text: str) -> ApiError:
    return bad_request(f"Invalid field selection {text}", "invalidParameter")


def _list(text: str, at: int) -> tuple[Mask, int]:
    mask: Mask = {}
    while True:
        at = _one(text, at, mask)
        if at >= len(text) or text[at] != ",":
            return mask, at
        at += 1


def _one(text: str, at: int, mask: Mask) -> int:
    start = at
    while at < len(text) and text[at] not in ",/()":
        at += 1
    name = text[start:at].strip()
    if not name:
        raise _invalid(text)
    below: Mask | None = None
    if at < len(text) and text[at] == "/":
        below = {}
        at = _one(text, at + 1, below)
    elif at < len(text) and text[at] == "(":
        below, at = _list(text, at + 1)
        if at >= len(text) or text[at] != ")":
            raise _invalid(text)
        at += 1
    known = mask.get(name)
    if below is None:
        mask[name] = None
    elif name not in mask:
        mask[name] = below
    elif known is not None:
        known.update(below)
    return at


def apply(mask: Mask, value: Any) -> Any:
    """`value` with only what the mask keeps; a list is masked member by member."""
    if isinstance(value, list):
        return [apply(mask, member) for member in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name, member in value.items():
        for key in (name, "*"):
            if key in mask:
                below = mask[key]
                out[name] = member if below is None else apply(below, member)
                break
    return out


def check(mask: Mask, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """ApiError 400 for a field that the answer's schema, from the discovery document, does not have."""
    while "$ref" in schema or "items" in schema:
        schema = schemas[schema["$ref"]] if "$ref" in schema else schema["items"]
    known = schema.get("properties")
    if known is None:
        return
    for name, below in mask.items():
        if name != "*" and name not in known:
            raise _invalid(name)
        if below is not None:
            for one in known.values() if name == "*" else (known[name],):
                check(below, one, schemas)
