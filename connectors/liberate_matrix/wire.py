"""One kept HTTP connection, with nothing on it that is not asked for: no cookies, no redirects, no .netrc, no repeats.

urllib3 is used directly. What requests adds to it for each request is as much processor time again as the rest of a
message takes, and a chat has millions of them.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
from urllib3 import PoolManager, ProxyManager, Timeout
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers, parse_url

from liberate.errors import PlanError
from liberate.settings import loopback

Failure = HTTPError
"""What is raised where the connection itself fails."""

_CONNECT = 15.0  # seconds to reach the server


class Wire:
    """A server at its address; used by one thread at a time. `proxy`: by which it is reached; "" for none."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float, ca_file: Path | None) -> None:
        """`timeout`: seconds without an answer. Raises PlanError for a proxy or authorities that there are none of."""
        parts = urlsplit(url)
        self._path = parts.path
        self._headers = {"Accept-Encoding": "gzip, deflate", **headers}
        patience = Timeout(connect=min(_CONNECT, timeout), read=timeout)
        pools = _pools(url, retries=False, timeout=patience, ssl_context=_trust(ca_file))
        self._pool = pools.connection_from_url(url)
        self.proxy = pools.proxy.netloc or "" if isinstance(pools, ProxyManager) and pools.proxy is not None else ""

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[BaseHTTPResponse]:
        """The answer, whatever its status, while it may be read; `body` has a length. Raises Failure."""
        given = {**self._headers, **(headers or {})}
        if body is not None:
            given["Content-Length"] = str(len(body))
        elif method != "GET":
            given["Content-Length"] = "0"
        answer = self._pool.urlopen(
            method, self._path + path, body, given, redirect=False, assert_same_host=False, preload_content=False
        )
        try:
            yield answer
        finally:
            answer.close()  # of one that is not read to its end, the connection too
            answer.release_conn()


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Who is believed about names of servers."""
    authorities = ca_file or Path(os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where())
    if not authorities.exists():
        raise PlanError(f"The file of authorities {authorities} is not there.")
    try:
        if authorities.is_dir():
            return ssl.create_default_context(capath=str(authorities))
        return ssl.create_default_context(cafile=str(authorities))
    except OSError:  # as what OpenSSL finds wrong is, too
        raise PlanError(f"The file of authorities {authorities} cannot be read, or holds none as PEM.") from None


def _pools(url: str, **how: Any) -> PoolManager:
    """By way of the proxy that the environment names for the address, if any; never for this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or loopback(host) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return PoolManager(1, **how)
    try:
        told = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        if told.scheme not in ("http", "https"):
            raise LocationParseError("scheme")
        login = make_headers(proxy_basic_auth=told.auth) if told.auth else None
        return ProxyManager(told._replace(auth=None).url, 1, proxy_headers=login, **how)
    except LocationParseError:
        raise PlanError(
            f"The proxy that the environment names for {host} is none that liberate can use. "
            "Give https_proxy the form http://host:port, or empty it."
        ) from None
