"""What `liberate sandbox` and `liberate demo` start of Nextcloud: a stand-in that keeps its files in a folder."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from liberate.connector import Kind
from liberate.sandbox import Running, Sandbox

_ADMIN = "admin"
_APP, _VERSION = "liberate", "1.0.0"


def _missing() -> str | None:
    for package in ("wsgidav", "cheroot", "defusedxml"):
        if find_spec(package) is None:
            return "Run: pip install 'liberate-migrate[nextcloud,sandbox]'"
    return None


def _secret(path: Path) -> str:
    """What stands in that file, made when it is first asked for."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(16) + "\n")
    return path.read_text().strip()


@contextmanager
def _start(folder: Path, accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_nextcloud.standin import NextcloudStandin  # noqa: PLC0415 - where it is started

    admin, app = folder / "admin-password", folder / "app-secret"
    server = NextcloudStandin(folder / "nextcloud")
    server.add_user(_ADMIN, _secret(admin), display="Administrator", admin=True)
    for account in accounts:
        server.add_user(account, secrets.token_urlsafe(16))
    server.allow_app(_APP, _VERSION, _secret(app))
    with server:
        yield Running(
            {
                "connector": "nextcloud",
                "url": server.url,
                "admin_user": _ADMIN,
                "admin_password": {"file": str(admin.absolute())},
                "appapi_id": _APP,
                "appapi_secret": {"file": str(app.absolute())},
                "appapi_version": _VERSION,
            }
        )


nextcloud = Sandbox(
    "nextcloud", "Nextcloud, played by a stand-in", "destination", _start, frozenset({Kind.FILE}), _missing
)
