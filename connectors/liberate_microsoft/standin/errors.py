"""The errors that Graph answers with, in Graph's JSON shape (learn.microsoft.com/graph/errors)."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def answer(self) -> dict[str, Any]:
        """The body of the answer."""
        inner = {"date": "2026-01-01T00:00:00", "request-id": "00000000-0000-4000-8000-000000000000"}
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


def not_found(what: str = "The resource could not be found.") -> ApiError:
    return ApiError(404, "itemNotFound", what)


def forbidden() -> ApiError:
    return ApiError(403, "accessDenied", "Access denied")


def unauthenticated() -> ApiError:
    return ApiError(
        401,
        "InvalidAuthenticationToken",
        "Lifetime validation failed, the token is expired.",
        {"WWW-Authenticate": 'Bearer realm="", error="invalid_token"'},
    )


def resync(location: str) -> ApiError:
    """A delta token that has expired (driveItem: delta)."""
    return ApiError(410, "resyncChangesApplyDifferences", "Resync required.", {"Location": location})
