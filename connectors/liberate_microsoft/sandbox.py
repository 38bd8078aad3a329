"""What `liberate sandbox` and `liberate demo` start of Microsoft's: stand-ins for OneDrive, SharePoint and Outlook."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from liberate.connector import Kind
from liberate.sandbox import Running, Sandbox, Setting

if TYPE_CHECKING:
    from liberate_microsoft.standin import GraphStandin

DOMAIN = "solros.example"
_SEEDED = 1_780_000_000.0  # seconds since 1970


def _missing() -> str | None:
    for package in ("msal", "requests", "trustme", "cryptography"):
        if find_spec(package) is None:
            return "Run: pip install 'liberate-migrate[microsoft,sandbox]'"
    return None


def _running(standin: GraphStandin, folder: Path, accounts: tuple[str, ...]) -> Running:
    secret = folder / "client-secret"
    secret.unlink(missing_ok=True)
    secret.touch(0o600)
    secret.write_text(standin.entra.client_secret + "\n")
    authority = standin.ca_file(folder / "authority.pem")
    settings: dict[str, Setting] = {
        "connector": "microsoft",
        "tenant": DOMAIN,
        "client_id": standin.entra.client_id,
        "client_secret": {"file": str(secret.absolute())},
        "endpoint": standin.url,
        "ca_file": str(authority.absolute()),
    }
    return Running(settings, accounts)


@contextmanager
def _onedrive(folder: Path, _accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_microsoft.standin import GraphStandin, sample_organisation  # noqa: PLC0415 - where it is started

    made = [_SEEDED]  # the service's own times are to be the same at every start
    with GraphStandin(clock=lambda: made[0] if made else time.time(), tenant=DOMAIN) as standin:
        sample = sample_organisation(standin, DOMAIN)
        made.clear()
        yield _running(standin, folder, sample.addresses)


@contextmanager
def _outlook(folder: Path, _accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_microsoft.standin import GraphStandin, sample_mail  # noqa: PLC0415

    made = [_SEEDED]
    with GraphStandin(clock=lambda: made[0] if made else time.time(), tenant=DOMAIN) as standin:
        addresses = sample_mail(standin, DOMAIN)
        made.clear()
        yield _running(standin, folder, addresses)


onedrive = Sandbox("onedrive", "OneDrive, played by a stand-in", "source", _onedrive, frozenset({Kind.FILE}), _missing)
outlook = Sandbox("outlook", "Outlook, played by a stand-in", "source", _outlook, missing=_missing)
