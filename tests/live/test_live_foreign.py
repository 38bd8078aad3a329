"""What a real Nextcloud shows of others in an account, and that nothing is moved into it."""

from __future__ import annotations

import pytest
from liberate_nextcloud.settings import NextcloudSettings
from live_kit import LOGIN, URL, Member, Person, a_name
from nextcloud_kit import CHUNK, file, folder, nobody, opened

from liberate.connector import NAME_TAKEN, Collection, Kind, Place
from liberate.errors import AccountError, ItemError


def test_a_folder_that_somebody_shares_is_not_used_though_it_has_the_name(member: Member) -> None:
    name, home = a_name("photos"), Place("")
    his = Person(URL, member.user, member.password)
    his.mkdir(name)
    his.put(f"{name}/a.txt", b"the same")
    his.share(name, LOGIN.user)
    try:
        with opened(NextcloudSettings(url=URL, chunk_size=CHUNK), LOGIN.password, LOGIN.user) as destination:
            (held,) = (one for one in destination.held(home) if one.name == name)
            assert (held.folder, held.foreign) == (True, True)
            slot = folder(home, name)
            with pytest.raises(ItemError) as refused:
                destination.make_folder(slot)
            assert refused.value.code == NAME_TAKEN
            assert destination.find([slot, file(Place(name), "a.txt", b"the same")], nobody) == {}
            with pytest.raises(AccountError) as told:
                destination.prepare(Collection("work", (name, "Work"), Kind.FILE))
            assert told.value.code == "foreign-folder"
            assert not any(one.name == name for one in destination.inventory(home))
        assert Person(URL, member.user, member.password, name).tree() == {f"{name}/a.txt": b"the same"}
    finally:
        his.remove(name)


def test_a_folder_that_its_owner_shares_with_others_is_not_used_though_it_has_the_name(member: Member) -> None:
    name, home = a_name("board"), Place("")
    owner = Person(URL, LOGIN.user, LOGIN.password)
    owner.mkdir(name)
    try:
        with opened(NextcloudSettings(url=URL, chunk_size=CHUNK), LOGIN.password, LOGIN.user) as destination:
            assert destination.make_folder(folder(home, name)).id
            owner.share(name, member.user)
            with pytest.raises(ItemError) as refused:
                destination.make_folder(folder(home, name))
            assert refused.value.code == NAME_TAKEN
    finally:
        owner.remove(name)
