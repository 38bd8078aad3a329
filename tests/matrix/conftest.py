"""One real Synapse for a session, rooms of their own for each test, and ordinary people who look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from liberate_matrix import registration
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.sandbox import SERVER_NAME, Synapse
from liberate_matrix.settings import MatrixSettings
from matrix_kit import Company, Reader, synapse_or_skip


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application service's registration."""
    path = tmp_path_factory.mktemp("matrix") / "registration.yaml"
    registration.write(path, SERVER_NAME)
    return path


@pytest.fixture(scope="session")
def synapse(registered: Path) -> Iterator[Synapse]:
    synapse_or_skip()
    with Synapse([registered]) as running:
        yield running


@pytest.fixture
def settings(synapse: Synapse, registered: Path) -> MatrixSettings:
    return MatrixSettings(url=synapse.url, registration=registered, timeout=60)


@pytest.fixture
def company(synapse: Synapse) -> Company:
    """A workspace that no other test knows, with people of whom some have accounts."""
    return Company(synapse)


@pytest.fixture
def opening(settings: MatrixSettings) -> Callable[[], MatrixDestination]:
    return lambda: MatrixDestination(settings)


@pytest.fixture
def anna(company: Company) -> Reader:
    return Reader(company.synapse, company.anna)


@pytest.fixture
def ben(company: Company) -> Reader:
    return Reader(company.synapse, company.ben)


@pytest.fixture
def stranger(company: Company) -> Reader:
    """Somebody at the homeserver who is not in the workspace."""
    return Reader(company.synapse, company.synapse.member(f"stranger{company.tag}"))
