"""The stand-in's delta listing: pages of everything, then pages of what changed since."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from liberate_microsoft.standin import shapes
from liberate_microsoft.standin.errors import ApiError, resync
from liberate_microsoft.standin.tree import Drive, Node

# "epoch.a.<position>.<sequence at the start>" amid everything, "epoch.d.<sequence>" behind it, and
# "epoch.c.<position>.<sequence before>.<sequence at the start>" amid changes. A position is that of the last item told.
_TOKEN = re.compile(r"(\d+)\.(?:(a)\.(-?\d+)\.(\d+)|(d)\.(\d+)|(c)\.(-?\d+)\.(\d+)\.(\d+))")
_START = -(1 << 40)


def page(
    drive: Drive, base: str, query: Mapping[str, str], size: int, *, hierarchical: bool, disorder: bool
) -> dict[str, Any]:
    """One page. `disorder`: children come before their folders, and some entries twice, as Graph may."""
    with drive.lock:
        token = query.get("token", "")
        rest = {name: value for name, value in query.items() if name in ("$select", "$top")}
        if token == "latest":  # noqa: S105 - a place in a listing
            return {"value": [], "@odata.deltaLink": _link(base, f"{drive.epoch}.d.{drive.sequence}", rest)}
        found = _TOKEN.fullmatch(token)
        if token and found is None:
            raise ApiError(400, "invalidRequest", "The provided token is not valid.")
        if found is not None and int(found[1]) != drive.epoch:
            raise resync(f"{base}?{urlencode(rest)}")
        position, before, at_start = _START, None, drive.sequence
        if found is not None and found[2]:
            position, at_start = int(found[3]), int(found[4])
        elif found is not None and found[5]:
            before = int(found[6])
        elif found is not None:
            position, before, at_start = int(found[8]), int(found[9]), int(found[10])
        order = -1 if disorder else 1
        nodes = _nodes(drive, before, at_start, order, position)
        here, more = nodes[:size], len(nodes) > size
        entries = _entries(drive, here, hierarchical=hierarchical, disorder=disorder)
        if not more:
            return {"value": entries, "@odata.deltaLink": _link(base, f"{drive.epoch}.d.{at_start}", rest)}
        where = order * here[-1].number
        following = f"a.{where}.{at_start}" if before is None else f"c.{where}.{before}.{at_start}"
        return {"value": entries, "@odata.nextLink": _link(base, f"{drive.epoch}.{following}", rest)}


def _nodes(drive: Drive, before: int | None, at_start: int, order: int, position: int) -> list[Node]:
    """What the rest of the listing names, in an order that later changes do not disturb."""
    some = [one for one in drive.nodes.values() if one.made <= at_start and order * one.number > position]
    some = [one for one in some if (not one.deleted if before is None else one.changed > before)]
    some.sort(key=lambda one: order * one.number)
    return some


def _entries(drive: Drive, nodes: list[Node], *, hierarchical: bool, disorder: bool) -> list[dict[str, Any]]:
    out = []
    for node in nodes:
        told = shapes.item(drive, node, delta=True, hierarchical=hierarchical)
        if disorder and node.number % 3 == 0 and node.parent and not node.deleted:
            out.append({**told, "name": f"before-{node.name}"})
        out.append(told)
    if disorder:  # the last occurrence is the one that counts
        out.sort(key=lambda one: not str(one.get("name", "")).startswith("before-"))
    return out


def _link(base: str, token: str, rest: Mapping[str, str]) -> str:
    return f"{base}?{urlencode({**rest, 'token': token})}"
