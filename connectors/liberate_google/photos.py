"""Fetches the pictures of contacts, which stand at addresses that anybody may read who knows them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from liberate_google.settings import GoogleSettings

_log = logging.getLogger(__name__)
_HOSTS = ("googleusercontent.com", "ggpht.com")
_LARGEST = 4 << 20  # bytes
_SIDE = 720  # pixels; Google gives 100 to who does not say
_TRIES = 3


class Photos:
    """For one thread. No token goes with a request."""

    def __init__(self, settings: GoogleSettings, sleep: Callable[[float], None]) -> None:
        self._settings = settings
        self._sleep = sleep
        self._session: Any = None

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def get(self, url: str) -> bytes | None:
        """The picture's bytes; None for one that is not to be had, or is too large."""
        if not self._trusted(url):
            return None
        sized = f"{url}{'&' if urlsplit(url).query else '?'}sz={_SIDE}"
        for address in (sized, url):
            for tries in range(_TRIES):
                status, data = self._fetch(address)
                if data is not None:
                    return data
                if 400 <= status < 500 and status != 429:
                    break
                self._sleep(0.5 * 4**tries)
        return None

    def _trusted(self, url: str) -> bool:
        parts = urlsplit(url)
        if self._settings.endpoint is not None:
            return (parts.scheme, parts.netloc) == urlsplit(self._settings.endpoint)[:2]
        host = (parts.hostname or "").casefold()
        return parts.scheme == "https" and any(host == one or host.endswith(f".{one}") for one in _HOSTS)

    def _fetch(self, url: str) -> tuple[int, bytes | None]:
        import requests  # noqa: PLC0415 - an extra, imported where a source is opened

        if self._session is None:
            self._session = requests.Session()
        try:
            with self._session.get(url, stream=True, timeout=self._settings.timeout, allow_redirects=False) as response:
                if response.status_code != 200:
                    return response.status_code, None
                data = bytearray()
                for piece in response.iter_content(1 << 16):
                    data += piece
                    if len(data) > _LARGEST:
                        return 413, None
                wanted = response.headers.get("content-length")
                if wanted is not None and wanted.isdigit() and int(wanted) != len(data):
                    return 0, None
                return 200, bytes(data)
        except requests.exceptions.RequestException as error:
            _log.info("a contact's picture did not come: %s", type(error).__name__)
            return 0, None
