"""Google's own machine-readable description of an API, as it ships inside google-api-python-client."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any


@functools.cache
def _bundled(name: str) -> str:
    folder = resources.files("googleapiclient.discovery_cache.documents")
    return (folder / f"{name}.json").read_text("utf-8")


def document(name: str, endpoint: str | None = None) -> dict[str, Any]:
    """The discovery document "gmail.v1" and the like; with `endpoint`, for a server that plays the service.

    client_options.api_endpoint is not enough for that: batches and uploads would still go to
    Google. Root and base address in the document itself decide for all of them.
    """
    found: dict[str, Any] = json.loads(_bundled(name))  # anew each time: the library alters what it is given
    if endpoint is not None:
        found["rootUrl"] = endpoint.rstrip("/") + "/"
        found["baseUrl"] = found["rootUrl"] + found["servicePath"]
        found.pop("mtlsRootUrl", None)
    return found
