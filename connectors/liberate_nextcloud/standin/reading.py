"""Sending what is stored: WsgiDAV reads the file and its ranges, the headers are Nextcloud's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from wsgidav.dav_error import DAVError
from wsgidav.dav_provider import DAVNonCollection, DAVProvider
from wsgidav.wsgidav_app import WsgiDAVApp

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.exchange import Reply, Request
from liberate_nextcloud.standin.props import date, mime_type


class _File(DAVNonCollection):  # type: ignore[misc]
    """A file on disk under a name and with a time of its own."""

    def __init__(self, path: Path, size: int, mtime: int, etag: str, environ: dict[str, Any]) -> None:
        super().__init__("/file", environ)
        self._path, self._size, self._mtime, self._etag = path, size, mtime, etag

    def get_content_length(self) -> int:
        return self._size

    def get_content_type(self) -> str:
        return "application/octet-stream"

    def get_last_modified(self) -> int:
        return self._mtime

    def get_etag(self) -> str:
        return self._etag

    def support_etag(self) -> bool:
        return True

    def support_ranges(self) -> bool:
        return True

    def get_content(self) -> BinaryIO:
        return self._path.open("rb")


class _Provider(DAVProvider):  # type: ignore[misc]
    """Finds what the request brings with it."""

    def get_resource_inst(self, _path: str, environ: dict[str, Any]) -> Any:
        path, size, mtime, etag = environ["standin.file"]
        return _File(path, size, mtime, etag, environ)


class Reader:
    def __init__(self) -> None:
        self._app = WsgiDAVApp(
            {
                "provider_mapping": {"/": _Provider()},
                "middleware_stack": ["wsgidav.request_resolver.RequestResolver"],
                "http_authenticator": {"domain_controller": None},
                "simple_dc": {"user_mapping": {"*": True}},
                "logging": {"enable": False},
                "lock_storage": False,
                "property_manager": False,
                "verbose": 0,
            }
        )

    def send(
        self, request: Request, path: Path, name: str, *, size: int, mtime: int, etag: str, quoted: bool = True
    ) -> Reply:
        """The file, or the range of it that is asked for. Raises 416."""
        environ = dict(request.environ)
        environ |= {"PATH_INFO": "/file", "SCRIPT_NAME": "", "CONTENT_LENGTH": "0", "HTTP_DEPTH": "0"}
        for condition in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF", "HTTP_IF_MODIFIED_SINCE"):
            environ.pop(condition, None)  # judged before
        environ["standin.file"] = (path, size, mtime, etag)
        told: dict[str, Any] = {}

        def begin(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
            told["status"] = int(status.partition(" ")[0])
            told["headers"] = {key.lower(): value for key, value in headers}

        kind = mime_type(name)
        tag = f'"{etag}"' if quoted else etag
        headers = [
            ("Content-Type", kind + (";charset=UTF-8" if kind.startswith("text/") else "")),
            ("Last-Modified", date(mtime)),
            ("ETag", tag),
        ]
        try:
            body = self._first(self._app(environ, begin))
        except DAVError as error:
            if error.value != 416:
                raise errors.failed("Exception", str(error)) from None
            first = request.header("range").partition("=")[2].partition("-")[0]
            refusal = errors.range_unsatisfiable(int(first) if first.isdigit() else 0, size)
            refusal.headers |= dict(headers[1:])
            raise refusal from None
        found = told["headers"]
        headers += [(key, found[key.lower()]) for key in ("Content-Length", "Content-Range") if key.lower() in found]
        spelled = quote(name)
        plain = name.encode("ascii", "replace").decode().replace('"', "'").replace("?", "_")
        headers.append(("OC-ETag", tag))
        headers.append(("Content-Disposition", f"attachment; filename*=UTF-8''{spelled}; filename=\"{plain}\""))
        return Reply(told["status"], headers, body)

    def _first(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        """The body, begun, so that status and headers are known."""
        pending = iter(pieces)
        first = next(pending, b"")

        def rest() -> Iterable[bytes]:
            yield first
            yield from pending

        return rest()
