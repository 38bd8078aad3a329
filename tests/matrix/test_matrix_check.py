"""A look at a real Synapse before a move: what it says of a sound one, and of those that would lose something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from liberate_matrix import refusals, registration
from liberate_matrix.checking import Checking
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.sandbox import SERVER_NAME, Synapse
from liberate_matrix.settings import MatrixSettings
from matrix_kit import Company, synapse_or_skip

from liberate.connector import Checks, Remark
from liberate.errors import TransientError


def look(settings: MatrixSettings) -> list[Remark]:
    with MatrixDestination(settings) as destination:
        assert isinstance(destination, Checks)
        return list(destination.check())


def rooms_of_ours(settings: MatrixSettings) -> list[str]:
    """The rooms that liberate's own account and those of the check are in."""
    with MatrixDestination(settings) as destination:
        client = destination._client
        ghosts = [f"@slack_liberatecheck_{name}:{client.domain}" for name in ("u1", "u2")]
        out: list[str] = []
        for user in (client.bot, *ghosts):
            out += client.get("/_matrix/client/v3/joined_rooms", user=user).body["joined_rooms"]
        return out


@pytest.mark.parametrize(
    "administered",
    [pytest.param(True, id="administrator"), pytest.param(False, id="nobody", marks=pytest.mark.torture)],
)
def test_a_sound_homeserver_is_told_as_that_and_nothing_stays(
    synapse: Synapse, settings: MatrixSettings, company: Company, administered: bool
) -> None:
    if administered:
        admin = synapse.member(f"admin{company.tag}", admin=True).id
        settings = settings.model_copy(update={"admin": admin})
    before = rooms_before(settings)
    remarks = look(settings)
    assert [one for one in remarks if one.stops] == []
    last = "purged" if administered else "left"
    assert [one.code for one in remarks] == ["room-version", "upload-limit", "join-pace", "pace", last]
    assert set(rooms_of_ours(settings)) == before


def rooms_before(settings: MatrixSettings) -> set[str]:
    look(settings)  # makes the two accounts of the check
    return set(rooms_of_ours(settings))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    """Starts a homeserver of its own, with this registration and configuration, and looks at it."""

    def run(config: dict[str, Any], words: tuple[str, str] = ("", "")) -> list[Remark]:
        synapse_or_skip()
        path = tmp_path / "registration.yaml"
        registration.write(path, SERVER_NAME)
        path.write_text(path.read_text().replace(*words) if words[0] else path.read_text())
        with Synapse([path], config) as synapse:
            return look(MatrixSettings(url=synapse.url, registration=path))

    return run


def test_a_homeserver_that_keeps_no_old_messages_and_takes_small_files_only_is_found_out(elsewhere: Any) -> None:
    policy = {"enabled": True, "default_policy": {"min_lifetime": "1d", "max_lifetime": "1y"}}
    remarks = elsewhere({"retention": policy, "max_upload_size": "1M"})
    (limit,) = (one for one in remarks if one.code == "upload-limit")
    assert "1,048,576 bytes" in limit.why
    assert limit.todo
    assert [one.code for one in remarks if one.stops] == ["retention"]
    assert remarks[-1].code == "left"


@pytest.mark.torture
def test_a_homeserver_that_slows_liberate_down_is_found_out(elsewhere: Any) -> None:
    remarks = elsewhere({}, ("rate_limited: false", "rate_limited: true"))
    assert [one.code for one in remarks if one.stops] == ["rate-limited"]


@pytest.mark.torture  # a homeserver of its own; that such a one is told is shown by a room, too
def test_a_homeserver_that_encrypts_rooms_is_found_out(elsewhere: Any) -> None:
    remarks = elsewhere({"encryption_enabled_by_default_for_room_type": "all"})
    assert [one.code for one in remarks if one.stops] == ["encrypted-rooms"]


class _Fails:
    """A homeserver that answers every room in the same way."""

    def __init__(self, error: TransientError) -> None:
        self._error = error

    def open_room(self, *_: Any) -> Any:
        raise self._error

    def place_of(self, *_: Any) -> None:
        return None


def test_only_a_homeserver_that_says_so_is_told_to_slow_liberate_down(settings: MatrixSettings) -> None:
    def looked(error: TransientError) -> list[str]:
        fails: Any = _Fails(error)
        return [one.code for one in Checking(fails, fails, settings).run()]

    assert looked(refusals.TooFast("It does not say for how long.")) == ["rate-limited", "no-room"]
    with pytest.raises(TransientError, match="being made"):
        looked(TransientError("A room is only just being made.", 2.0))
