"""Refusals, spelled as Nextcloud's DAV server spells them."""

from __future__ import annotations

from typing import Literal
from xml.sax.saxutils import escape

_METHODS = "OPTIONS, GET, HEAD, DELETE, PROPFIND, PUT, PROPPATCH, COPY, MOVE, REPORT"
_SABRE = "Sabre\\DAV\\Exception\\"
_NEXTCLOUD = "OCA\\DAV\\Connector\\Sabre\\Exception\\"


class Refusal(Exception):
    """A request that is not fulfilled: its status and the answer's body."""

    def __init__(
        self, status: int, exception: str, message: str, *, extra: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.exception = exception
        self.message = message
        self.extra = extra  # XML that stands after the message
        self.headers = headers or {}

    def body(self) -> bytes:
        said = f"<s:message>{escape(self.message)}</s:message>" if self.message else "<s:message/>"
        spaces = 'xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"'
        if "<o:" in self.extra:
            spaces += ' xmlns:o="http://owncloud.org/ns"'
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            f"<d:error {spaces}>\n"
            f"  <s:exception>{escape(self.exception)}</s:exception>\n"
            f"  {said}\n{self.extra}</d:error>\n"
        ).encode()


def bad_request(message: str) -> Refusal:
    return Refusal(400, _SABRE + "BadRequest", message)


def invalid_path(reason: str) -> Refusal:
    """A name or path that the server does not take."""
    said = escape(reason)
    extra = f'  <o:retry xmlns:o="o:">false</o:retry>\n  <o:reason xmlns:o="o:">{said}</o:reason>\n'
    return Refusal(400, _NEXTCLOUD + "InvalidPath", reason, extra=extra)


def unauthenticated(message: str) -> Refusal:
    challenge = {"WWW-Authenticate": 'Basic realm="Nextcloud", charset="UTF-8"'}
    return Refusal(401, _SABRE + "NotAuthenticated", message, headers=challenge)


def forbidden(message: str) -> Refusal:
    return Refusal(403, _SABRE + "Forbidden", message)


def not_found(message: str) -> Refusal:
    return Refusal(404, _SABRE + "NotFound", message)


def not_located(path: str) -> Refusal:
    """`path` is as the server names it: with a slash before it, below the user's home."""
    return not_found(f"File with name {path} could not be located")


def not_allowed(message: str) -> Refusal:
    return Refusal(405, _SABRE + "MethodNotAllowed", message, headers={"Allow": _METHODS})


def conflict(message: str) -> Refusal:
    return Refusal(409, _SABRE + "Conflict", message)


def precondition_failed(message: str, header: str, etag: str | None = None) -> Refusal:
    named = f"  <s:header>{header}</s:header>\n" if header else ""
    tag = {"ETag": f'"{etag}"'} if etag else {}
    return Refusal(412, _SABRE + "PreconditionFailed", message, extra=named, headers=tag)


def unsupported(message: str = "") -> Refusal:
    return Refusal(415, _SABRE + "UnsupportedMediaType", message)


def range_unsatisfiable(start: int, size: int) -> Refusal:
    message = f"The start offset ({start}) exceeded the size of the entity ({size})"
    return Refusal(416, _SABRE + "RequestedRangeNotSatisfiable", message)


def locked(path: str) -> Refusal:
    return Refusal(423, _NEXTCLOUD + "FileLocked", f'"{path}" is locked')


def too_many_requests() -> Refusal:
    hint = '  <o:hint xmlns:o="o:">too many requests</o:hint>\n'
    return Refusal(429, _NEXTCLOUD + "TooManyRequests", "", extra=hint)


def failed(exception: str, message: str) -> Refusal:
    """What an exception in the server's own code becomes."""
    return Refusal(500, exception, message)


def not_implemented(method: str) -> Refusal:
    message = f"There was no plugin in the system that was willing to handle this {method} method."
    return Refusal(501, _SABRE + "NotImplemented", message)


def maintenance() -> Refusal:
    return Refusal(503, _SABRE + "ServiceUnavailable", "System is in maintenance mode.")


def database_locked() -> Refusal:
    message = "An exception occurred while executing a query: SQLSTATE[HY000]: General error: 5 database is locked"
    return Refusal(503, _SABRE + "ServiceUnavailable", message)


def insufficient_storage(path: str, needed: int, available: int) -> Refusal:
    message = f"Insufficient space in {path}, {needed} required, {available} available"
    return Refusal(507, _SABRE + "InsufficientStorage", message)


class OcsRefusal(Exception):
    """A refusal inside the OCS envelope."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.code = status if code is None else code
        self.message = message


Depth = Literal[0, 1, -1]  # -1: infinity
