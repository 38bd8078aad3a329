"""What the server's refusals come to, one by one: what is stored, what is told, and how often it is asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from liberate_nextcloud.destination import NextcloudDestination
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin
from liberate_nextcloud.standin.faults import Fault, database_locked
from nextcloud_kit import APP_SECRET, CHUNK, ROOT, USERS, Bytes, Somebody, file, folder, nobody, opened
from pydantic import SecretStr

from liberate.connector import CHANGED_THERE, NAME_TAKEN, Place, Receipt, Share
from liberate.errors import AccountError, IntegrityError, ItemError, LiberateError, TransientError
from liberate.files import Grant, Role

PUT: list[tuple[int, type[LiberateError], str]] = [
    (400, ItemError, "refused"),
    (403, ItemError, "forbidden"),
    (413, ItemError, "too-large"),
    (415, ItemError, "refused"),
    (423, TransientError, ""),
    (429, TransientError, ""),
    (500, TransientError, ""),
    (502, TransientError, ""),
    (503, TransientError, ""),
    (504, TransientError, ""),
    (507, AccountError, "full"),
]


@pytest.mark.parametrize(("status", "kind", "code"), PUT)
def test_a_refused_put_is_told_for_what_it_is_and_asked_once(
    destination: NextcloudDestination,
    standin: NextcloudStandin,
    owner: Somebody,
    status: int,
    kind: type[LiberateError],
    code: str,
) -> None:
    place = destination.prepare(ROOT)
    fault = standin.faults.add(Fault(status=status, method="PUT", times=None))
    with pytest.raises(kind) as told:
        destination.write(file(place, "a.txt", b"one"), Bytes(b"one"))
    assert fault.hits == 1
    assert getattr(told.value, "code", "") == code
    standin.faults.clear()
    assert "Work/a.txt" not in owner.tree()
    assert isinstance(destination.write(file(place, "a.txt", b"one"), Bytes(b"one")), Receipt)


def test_what_the_server_asks_to_wait_is_handed_on(
    destination: NextcloudDestination, standin: NextcloudStandin
) -> None:
    place = destination.prepare(ROOT)
    standin.faults.add(Fault(status=429, retry_after="17", method="PUT"))
    with pytest.raises(TransientError) as told:
        destination.write(file(place, "a.txt", b"one"), Bytes(b"one"))
    assert told.value.retry_after == 17


def test_a_locked_database_is_a_failure_that_passes(
    destination: NextcloudDestination, standin: NextcloudStandin
) -> None:
    place = destination.prepare(ROOT)
    standin.faults.add(database_locked(method="PUT"))
    with pytest.raises(TransientError):
        destination.write(file(place, "a.txt", b"one"), Bytes(b"one"))


@pytest.mark.parametrize("status", [409, 404])
def test_a_folder_that_vanished_is_made_again(
    destination: NextcloudDestination, owner: Somebody, status: int, standin: NextcloudStandin
) -> None:
    place = destination.prepare(ROOT)
    owner.remove("Work")
    if status == 409:
        standin.faults.add(Fault(status=409, method="PUT"))
    slot = file(place, "a.txt", b"one")
    with pytest.raises(TransientError):
        destination.write(slot, Bytes(b"one"))
    destination.write(slot, Bytes(b"one"))
    assert owner.tree()["Work/a.txt"] == b"one"


def test_412_means_that_the_name_is_somebodys(destination: NextcloudDestination, owner: Somebody) -> None:
    place = destination.prepare(ROOT)
    owner.put("Work/a.txt", b"theirs")
    for slot, code in (
        (file(place, "a.txt", b"ours"), NAME_TAKEN),
        (file(place, "a.txt", b"ours", Receipt("1/a.txt", place, 3, version="other")), CHANGED_THERE),
    ):
        with pytest.raises(ItemError) as told:
            destination.write(slot, Bytes(b"ours"))
        assert told.value.code == code
    assert owner.tree()["Work/a.txt"] == b"theirs"


@pytest.mark.parametrize("status", [400, 403, 404, 413, 500, 501])
def test_where_bulk_fails_each_file_goes_alone(
    destination: NextcloudDestination, standin: NextcloudStandin, owner: Somebody, status: int
) -> None:
    place = destination.prepare(ROOT)
    fault = standin.faults.add(Fault(status=status, path="/dav/bulk", times=None))
    bodies = {f"{n}.txt": b"%d" % n for n in range(30)}
    parts = [(file(place, name, body), body) for name, body in bodies.items()]
    outcomes = list(destination.write_many(iter(parts)))
    assert all(isinstance(outcome, Receipt) for _, outcome in outcomes)
    assert fault.hits >= 1
    assert {path: body for path, body in owner.tree().items() if body is not None} == {
        f"Work/{name}": body for name, body in bodies.items()
    }


@pytest.mark.parametrize("status", [423, 429, 502, 503, 507])
def test_a_failure_that_passes_ends_a_bulk_call_and_find_tells_what_arrived(
    destination: NextcloudDestination, standin: NextcloudStandin, owner: Somebody, status: int
) -> None:
    place = destination.prepare(ROOT)
    standin.faults.add(Fault(status=status, path="/dav/bulk", after=True))
    parts = [(file(place, f"{n}.txt", b"%d" % n), b"%d" % n) for n in range(5)]
    with pytest.raises((TransientError, AccountError)):
        list(destination.write_many(iter(parts)))
    found = destination.find([slot for slot, _ in parts], nobody)
    assert set(found) == {slot.key for slot, _ in parts}
    assert len([path for path in owner.tree() if path.endswith(".txt")]) == 5


@pytest.mark.parametrize("cut", ["before", "body", "after"])
def test_a_broken_connection_passes_and_find_tells_the_truth(
    destination: NextcloudDestination, standin: NextcloudStandin, owner: Somebody, cut: Any
) -> None:
    place = destination.prepare(ROOT)
    standin.faults.add(Fault(cut=cut, method="PUT"))
    body = b"x" * 300_000
    slot = file(place, "a.txt", body)
    with pytest.raises(TransientError):
        destination.write(slot, Bytes(body))
    found = destination.find([slot], nobody)
    assert bool(found) == (owner.tree().get("Work/a.txt") == body) == (cut == "after")


@pytest.mark.parametrize("many", [False, True])
def test_a_bit_that_flips_on_its_way_is_noticed_and_leaves_nothing(
    destination: NextcloudDestination, standin: NextcloudStandin, owner: Somebody, many: bool
) -> None:
    place = destination.prepare(ROOT)
    slot = file(place, "a.txt", b"one")
    if many:
        standin.faults.add(Fault(flip="transit", path="/dav/bulk"))
        ((_, outcome),) = destination.write_many(iter([(slot, b"one")]))
        assert isinstance(outcome, Receipt)
        assert owner.tree()["Work/a.txt"] == b"one"
        return
    standin.faults.add(Fault(flip="transit", method="PUT"))
    with pytest.raises(IntegrityError):
        destination.write(slot, Bytes(b"one"))
    assert "Work/a.txt" not in owner.tree()


@pytest.mark.parametrize("size", [3, 20_000])
def test_a_bit_that_flips_on_the_way_of_a_newer_version_costs_neither_the_file_nor_its_name(
    destination: NextcloudDestination, standin: NextcloudStandin, owner: Somebody, size: int
) -> None:
    place = destination.prepare(ROOT)
    old, new = b"o" * size, b"n" * size
    receipt = destination.write(file(place, "a.txt", old), Bytes(old))
    slot = file(place, "a.txt", new, replaces=receipt)
    standin.faults.add(Fault(method="PUT", flip="transit"))
    with pytest.raises(IntegrityError):
        destination.write(slot, Bytes(new))
    assert owner.tree().get("Work/a.txt") == old
    destination.write(slot, Bytes(new))
    assert owner.tree() == {"Work": None, "Work/a.txt": new}


def test_what_changed_on_the_servers_disk_is_never_taken_for_ours(
    destination: NextcloudDestination, standin: NextcloudStandin
) -> None:
    place = destination.prepare(ROOT)
    standin.faults.add(Fault(flip="disk", method="PUT"))
    slot = file(place, "a.txt", b"one")
    receipt = destination.write(slot, Bytes(b"one"))
    ((_, digests),) = destination.rehash([receipt])
    assert isinstance(digests, dict)
    assert digests["sha256"] != slot.item.digests["sha256"]
    assert destination.find([slot], nobody) == {}


# Pieces ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=504, method="MOVE", after=True),
        Fault(status=502, method="MOVE", after=True),
        Fault(cut="after", method="MOVE"),
    ],
    ids=["504", "502", "cut"],
)
def test_an_assembly_that_was_not_answered_is_found_and_not_repeated(
    destination: NextcloudDestination, standin: NextcloudStandin, owner: Somebody, fault: Fault
) -> None:
    place = destination.prepare(ROOT)
    body = bytes(range(256)) * (CHUNK // 128)
    slot = file(place, "big.bin", body)
    upload = destination.begin(slot)
    for offset in range(0, len(body), CHUNK):
        destination.append(upload, slot, offset, Bytes(body[offset : offset + CHUNK]))
    standin.faults.add(fault)
    with pytest.raises(TransientError):
        destination.finish(upload, slot)
    receipt = destination.finish(upload, slot)
    assert receipt.digests["sha256"] == slot.item.digests["sha256"]
    assert standin.counts["MOVE"] == 1
    assert owner.tree()["Work/big.bin"] == body


def test_an_upload_that_expired_begins_again(destination: NextcloudDestination, standin: NextcloudStandin) -> None:
    place = destination.prepare(ROOT)
    slot = file(place, "big.bin", b"x" * (2 * CHUNK))
    upload = destination.begin(slot)
    destination.abandon(upload)
    assert destination.received(upload, CHUNK) is None

    def go_on() -> None:
        for offset in (0, CHUNK):
            destination.append(upload, slot, offset, Bytes(b"x" * CHUNK))
        destination.finish(upload, slot)

    with pytest.raises(TransientError, match="expired"):
        go_on()
    assert standin.counts["MOVE"] == 0


@pytest.mark.parametrize("many", [False, True], ids=["alone", "among others"])
def test_a_line_that_breaks_while_a_newer_version_comes_leaves_the_older_one_whole(
    destination: NextcloudDestination, standin: NextcloudStandin, owner: Somebody, many: bool
) -> None:
    place = destination.prepare(ROOT)
    old, new = b"the old one " * 20_000, b"the new one " * 40_000
    before = destination.write(file(place, "a.txt", old), Bytes(old))
    slot = file(place, "a.txt", new, replaces=before)

    def send() -> Receipt:
        if not many:
            return destination.write(slot, Bytes(new))
        ((_, receipt),) = destination.write_many([(slot, new)])
        assert isinstance(receipt, Receipt)
        return receipt

    standin.faults.add(Fault(cut="body", method="PUT"))
    with pytest.raises(TransientError):
        send()
    assert owner.tree()["Work/a.txt"] == old
    receipt = send()
    assert owner.tree()["Work/a.txt"] == new
    assert b"".join(destination.read(receipt)) == new


def test_a_file_that_a_broken_line_cut_off_at_the_server_is_not_taken_for_what_we_left(
    destination: NextcloudDestination, standin: NextcloudStandin, owner: Somebody
) -> None:
    place = destination.prepare(ROOT)
    old, new = b"the old one " * 20_000, b"the new one " * 40_000
    before = destination.write(file(place, "a.txt", old), Bytes(old))
    standin.faults.add(Fault(cut="body", method="PUT"))
    with pytest.raises(requests.ConnectionError):
        owner.put("Work/a.txt", new)
    with pytest.raises(ItemError) as told:
        destination.write(file(place, "a.txt", new, replaces=before), Bytes(new))
    assert told.value.code == CHANGED_THERE


# Sharing -----------------------------------------------------------------------------------------


def test_too_many_shares_are_to_be_waited_for(destination: NextcloudDestination, standin: NextcloudStandin) -> None:
    place = destination.prepare(ROOT)
    receipts = [destination.make_folder(folder(place, f"{n}")) for n in range(21)]
    share = Share("user", "ben", Grant("user", "ben@x", Role.READER))
    rate = destination.share_rate
    assert rate is not None
    for receipt in receipts[: rate[0]]:
        destination.share(receipt, share)
    with pytest.raises(TransientError) as told:
        destination.share(receipts[-1], share)
    assert told.value.retry_after == rate[1]


def test_a_share_with_nobody_is_refused(destination: NextcloudDestination) -> None:
    place = destination.prepare(ROOT)
    receipt = destination.make_folder(folder(place, "Plans"))
    with pytest.raises(ItemError) as told:
        destination.share(receipt, Share("user", "nobody", Grant("user", "n@x", Role.READER)))
    assert told.value.code == "no-such-user"


def test_a_share_that_ends_with_the_calendar_never_ends(
    destination: NextcloudDestination, standin: NextcloudStandin
) -> None:
    place = destination.prepare(ROOT)
    receipt = destination.make_folder(folder(place, "Plans"))
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    made = destination.share(receipt, Share("user", "bo", Grant("user", "bo@x", Role.READER, last)))
    answer = requests.get(
        f"{standin.url}/ocs/v2.php/apps/files_sharing/api/v1/shares/{made}",
        headers={"OCS-APIRequest": "true", "Accept": "application/json"},
        auth=("anna", USERS["anna"]),
        timeout=10,
    )
    (told,) = answer.json()["ocs"]["data"]
    assert (told["share_with"], told["expiration"]) == ("bo", None)


def test_a_page_of_a_proxys_in_the_place_of_an_answer_is_waited_out(
    destination: NextcloudDestination, standin: NextcloudStandin, owner: Somebody
) -> None:
    place = destination.prepare(ROOT)
    for method in ("PUT", "MKCOL", "PROPFIND"):
        standin.faults.add(Fault(status=200, method=method, body=b"<html>We are back soon.</html>"))
    with pytest.raises(TransientError):
        destination.write(file(place, "a.txt", b"one"), Bytes(b"one"))
    with pytest.raises(TransientError):
        destination.make_folder(folder(place, "Plans"))
    with pytest.raises(TransientError):
        list(destination.held(place))
    destination.write(file(place, "a.txt", b"one"), Bytes(b"one"))
    assert owner.tree() == {"Work": None, "Work/a.txt": b"one"}


def test_a_path_that_is_too_long_is_told_as_such(destination: NextcloudDestination) -> None:
    deep = Place("/".join(["d" * 240] * 17))
    with pytest.raises(ItemError) as told:
        destination.make_folder(folder(deep, "x"))
    assert told.value.code == "path-too-long"


@pytest.mark.parametrize(
    ("status", "message"),
    [(404, "Cannot set expiration date more than 7 days in the future"), (403, "Expiration date is enforced")],
)
def test_a_share_that_would_last_too_long_is_not_put_down_to_an_unknown_user(
    destination: NextcloudDestination, standin: NextcloudStandin, status: int, message: str
) -> None:
    place = destination.prepare(ROOT)
    receipt = destination.make_folder(folder(place, "Plans"))
    body = json.dumps({"ocs": {"meta": {"statuscode": status, "message": message}, "data": []}}).encode()
    standin.faults.add(Fault(status=status, method="POST", path="shares", body=body, content_type="application/json"))
    with pytest.raises(ItemError) as told:
        destination.share(receipt, Share("user", "bo", Grant("user", "bo@x", Role.READER)))
    assert told.value.code == "end-refused"


# Logins ------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once_in_a_process(settings: NextcloudSettings, standin: NextcloudStandin) -> None:
    gate = Gate()
    for _ in range(3):
        with pytest.raises(AccountError) as told, opened(settings, "wrong-password", gate=gate):
            pass
        assert told.value.code == "login-refused"
        assert "wrong-password" not in f"{told.value!r}"
    assert len(standin.requests) == 1


def test_a_password_that_stops_working_stops_everybody_at_once(
    settings: NextcloudSettings, standin: NextcloudStandin, secret: str
) -> None:
    with opened(settings, secret) as destination:
        place = destination.prepare(ROOT)
        standin.forget_requests()
        standin.faults.add(Fault(status=401, method="PUT", times=None))
        for _ in range(3):
            with pytest.raises(AccountError):
                destination.write(file(place, "a.txt", b"one"), Bytes(b"one"))
        assert standin.counts["PUT"] == 1


def test_a_login_password_is_exchanged_at_once_and_what_was_made_is_deleted(
    settings: NextcloudSettings, standin: NextcloudStandin
) -> None:
    with opened(settings, USERS["anna"]) as destination:
        place = destination.prepare(ROOT)
        destination.write(file(place, "a.txt", b"one"), Bytes(b"one"))
    asked = [(seen.method, seen.path.rpartition("/")[2]) for seen in standin.requests]
    assert asked[0] == ("GET", "getapppassword")
    assert asked[-1] == ("DELETE", "apppassword")
    assert [seen.status for seen in standin.requests][-1] == 200


@pytest.mark.parametrize("password", ["Straße ü", "hasło € 🔑"])
def test_a_password_may_have_any_characters(tmp_path: Path, password: str) -> None:
    with (
        NextcloudStandin(tmp_path / "another", {"anna": password}) as server,
        opened(NextcloudSettings(url=server.url), password) as destination,
    ):
        receipt = destination.write(file(destination.prepare(ROOT), "a.txt", b"one"), Bytes(b"one"))
        assert b"".join(destination.read(receipt)) == b"one"


def test_an_app_acts_for_everybody_without_their_passwords(standin: NextcloudStandin, owner: Somebody) -> None:
    made = NextcloudSettings(url=standin.url, appapi_secret=SecretStr(APP_SECRET))
    with opened(made, None) as destination:
        place = destination.prepare(ROOT)
        destination.write(file(place, "a.txt", b"one"), Bytes(b"one"))
    assert owner.tree()["Work/a.txt"] == b"one"


def test_a_wrong_secret_of_the_app_is_tried_once(standin: NextcloudStandin) -> None:
    made = NextcloudSettings(url=standin.url, appapi_secret=SecretStr("not it"))
    gate = Gate()
    for user in ("anna", "bo"):
        with pytest.raises(AccountError) as told, opened(made, None, user, gate):
            pass
        assert told.value.code == "app-refused"
    assert len(standin.requests) == 1
