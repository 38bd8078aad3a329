"""What a real Nextcloud does for an administrator, for many users at once, and for a whole job."""

from __future__ import annotations

from typing import Any

import pytest
from live_kit import APP, URL, Admin, Member, Person, a_name, need_server

need_server()

import requests  # noqa: E402
from liberate_nextcloud.destination import NextcloudDestination  # noqa: E402
from liberate_nextcloud.gate import Gate  # noqa: E402
from liberate_nextcloud.login import log_in  # noqa: E402
from liberate_nextcloud.settings import NextcloudSettings  # noqa: E402
from nextcloud_kit import ROOT, Bytes, file, folder, nobody, opened  # noqa: E402
from pydantic import SecretStr  # noqa: E402

from liberate.connector import Account, Receipt, Share  # noqa: E402
from liberate.errors import AccountError, ItemError  # noqa: E402
from liberate.files import Grant, Role  # noqa: E402


def wishes(admin: Admin, **more: Any) -> NextcloudSettings:
    secret = SecretStr(admin.app_password)
    return NextcloudSettings(url=URL, admin_user=admin.user, admin_password=secret, **more)


def write(there: NextcloudDestination, name: str, body: bytes) -> Receipt:
    """The file of that name, written unless it is there."""
    slot = file(there.prepare(ROOT), name, body)
    return there.find([slot], nobody).get(slot.key) or there.write(slot, Bytes(body))


def listed(user: str, password: str) -> int:
    """The status of a listing of the user's home."""
    where = f"{URL}/remote.php/dav/files/{user}/"
    return requests.request("PROPFIND", where, headers={"Depth": "0"}, auth=(user, password), timeout=60).status_code


# Logging in --------------------------------------------------------------------------------------


def test_a_login_password_is_exchanged_at_once_and_what_came_for_it_is_taken_away(admin: Admin) -> None:
    member = admin.member("login")
    settings = NextcloudSettings(url=URL)
    with opened(settings, member.login, member.user) as there:
        write(there, "a.txt", b"one")
    assert Person(URL, member.user, member.password).tree()["Work/a.txt"] == b"one"
    login = log_in(settings, Account(member.user, member.login), Gate())
    assert login.made is not None
    made = login.made.password or ""
    assert made not in ("", member.login, member.password)
    assert listed(member.user, made) == 207
    login.close(settings)
    assert listed(member.user, made) == 401
    assert listed(member.user, member.login) == listed(member.user, member.password) == 207


def test_an_app_password_stays_what_it_is(admin: Admin) -> None:
    member = admin.member("app")
    for _ in range(2):
        with opened(NextcloudSettings(url=URL), member.password, member.user) as there:
            write(there, "a.txt", b"one")
    assert Person(URL, member.user, member.password).tree()["Work/a.txt"] == b"one"


# Users and groups --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["by password", "by the app"])
def test_a_user_that_is_missing_is_made_once(admin: Admin, way: str, request: pytest.FixtureRequest) -> None:
    user, login = admin.removes(user=a_name("made")), "Her own, and long: " + a_name("x")
    more: dict[str, Any] = {}
    if way == "by the app":
        more = {"appapi_secret": SecretStr(request.getfixturevalue("app_secret")), **APP}
    assert not admin.knows(user)
    for body in (b"one", b"two"):
        with opened(wishes(admin, create_users=True, **more), login, user) as there:
            assert b"".join(there.read(write(there, f"{body.decode()}.txt", body))) == body
    assert admin.knows(user)
    assert admin.groups_of(user) == []
    if not more:
        files = Person(URL, user, login).tree()
        assert (files["Work/one.txt"], files["Work/two.txt"]) == (b"one", b"two")


def test_nobody_is_made_unasked(admin: Admin, app_secret: str) -> None:
    user = admin.removes(user=a_name("unasked"))
    settings = wishes(admin, appapi_secret=SecretStr(app_secret), **APP)
    with pytest.raises(AccountError) as told, opened(settings, None, user):
        pass
    assert told.value.code == "unknown-account"
    assert not admin.knows(user)


def test_a_group_is_made_if_the_plan_says_so(admin: Admin) -> None:
    member, group = admin.member("sharer"), admin.removes(group=a_name("board"))
    share = Share("group", group, Grant("group", "board@solros.example", Role.READER))
    with opened(wishes(admin), member.password, member.user) as there:
        receipt = write(there, "a.txt", b"a")
        with pytest.raises(ItemError) as told:
            there.share(receipt, share)
        assert told.value.code == "no-such-group"
    assert group not in admin.groups()
    with opened(wishes(admin, create_groups=True), member.password, member.user) as there:
        receipt = write(there, "a.txt", b"a")
        assert there.share(receipt, share) == there.share(receipt, share)
    assert group in admin.groups()


# Shares ------------------------------------------------------------------------------------------


def test_files_and_folders_are_shared_with_people_groups_and_whoever_has_the_link(admin: Admin) -> None:
    sharer, reader, colleague = admin.member("sharer"), admin.member("reader"), admin.member("colleague")
    group = admin.group(colleague.user)
    with opened(wishes(admin), sharer.password, sharer.user) as there:
        place = there.prepare(ROOT)
        folder_receipt = there.make_folder(folder(place, "Plans"))
        there.write(file(there.prepare(ROOT), "a.txt", b"a"), Bytes(b"a"))
        receipt = write(there, "a.txt", b"a")
        wanted = [
            (receipt, Share("user", reader.user, Grant("user", "", Role.READER)), 1),
            (folder_receipt, Share("group", group, Grant("group", "", Role.WRITER)), 15),
            (receipt, Share("link", "", Grant("link", "", Role.READER)), 17),
        ]
        ids = [there.share(one, share) for one, share, _ in wanted]
        assert [there.share(one, share) for one, share, _ in wanted] == ids
    told = sharer.client().ocs("GET", "apps/files_sharing/api/v1/shares").json()["ocs"]["data"]
    assert sorted(one["id"] for one in told) == sorted(ids)
    for number, (_, share, bits) in zip(ids, wanted, strict=True):
        one = next(one for one in told if one["id"] == number)
        assert one["share_with"] == (share.name or None)
        assert one["permissions"] & ~16 == bits & ~16
    assert Person(URL, reader.user, reader.password).tree()["a.txt"] == b"a"
    others = Person(URL, colleague.user, colleague.password)
    others.put("Plans/theirs.txt", b"theirs")
    link = next(one for one in told if one["share_type"] == 3)
    assert requests.get(f"{URL}/public.php/dav/files/{link['token']}/", timeout=60).content == b"a"
    assert Person(URL, sharer.user, sharer.password).tree()["Work/Plans/theirs.txt"] == b"theirs"
    with opened(wishes(admin), sharer.password, sharer.user) as there:
        for number in ids * 2:
            there.unshare(number)
    assert sharer.client().ocs("GET", "apps/files_sharing/api/v1/shares").json()["ocs"]["data"] == []


def test_a_share_with_nobody_is_told(admin: Admin, member: Member) -> None:
    with opened(wishes(admin), member.password, member.user) as there:
        receipt = write(there, "shared.txt", b"a")
        with pytest.raises(ItemError) as told:
            there.share(receipt, Share("user", a_name("nobody"), Grant("user", "", Role.READER)))
    assert told.value.code == "no-such-user"
