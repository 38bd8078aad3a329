"""The contract of events and contacts on the stand-in for Nextcloud, which is as strict as the real server."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

import pytest
from dav_kit import Somebody
from liberate_nextcloud.beside_files import WholeNextcloud
from liberate_nextcloud.dav_destination import DavDestination
from liberate_nextcloud.dav_settings import DavSettings
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin
from nextcloud_kit import APP_SECRET
from pydantic import SecretStr

from liberate.connector import Account, Destination, Evidence, Kind
from liberate.errors import AccountError, ItemError
from liberate.testing.contracts import ObjectContract, OpenObjects
from liberate.testing.object_contract import WITH_GUESTS, card, event


class TestOnTheStandin(ObjectContract):
    @pytest.fixture
    def open_objects(self, standin: NextcloudStandin, settings: NextcloudSettings, secret: str) -> OpenObjects:
        account = Account("anna", secret)
        return lambda: cast("AbstractContextManager[Destination]", WholeNextcloud(settings, account, gate=Gate()))

    @pytest.fixture
    def stranger(self, standin: NextcloudStandin, secret: str) -> Somebody:
        return Somebody(standin.url, "anna", secret)

    def test_its_etag_proves_what_it_stored(self, open_objects: OpenObjects) -> None:
        with open_objects() as made:
            receipt = self.put(made, self.calendar(made), "guests@x", WITH_GUESTS)
            assert (receipt.evidence, receipt.size) == (Evidence.STORED, len(WITH_GUESTS))
            book = self.book(made)
            for version in ("3.0", "4.0"):  # it converts them unless it is asked for the very version
                data = card(version, version=version)
                receipt = self.put(made, book, version, data, Kind.CONTACT)
                assert b"".join(made.read(receipt)) == data

    def test_what_the_server_repairs_is_known_again(self, open_objects: OpenObjects) -> None:
        data = event("a@x").replace(b"DTSTAMP:20260101T000000Z\r\n", b"")
        with open_objects() as made:
            receipt = self.put(made, self.calendar(made), "a@x", data)
            assert receipt.evidence is Evidence.READ_BACK
            self.same(b"".join(made.read(receipt)), data)

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (event("x" * 300), "too-long"),
            (event("a@x", more="DESCRIPTION:" + "x" * (11 << 20) + "\r\n"), "too-large"),
            (event("a@x").replace(b"VEVENT", b"VTODO"), "wrong-component"),
            (b"rubbish", "invalid"),
        ],
        ids=["a UID of 300 letters", "11 MiB", "a task", "rubbish"],
    )
    def test_what_it_does_not_take_is_told(self, open_objects: OpenObjects, data: bytes, code: str) -> None:
        with open_objects() as made, pytest.raises(ItemError) as refused:
            self.put(made, self.calendar(made), "a@x", data)
        assert refused.value.code == code

    def test_what_was_deleted_is_brought_back_where_the_trash_has_its_uid(self, open_objects: OpenObjects) -> None:
        """The server has no room for a second event of that UID, not even beside one in the trash."""
        with open_objects() as made:
            place = self.calendar(made)
            for uid in ("a@x", "b@x"):
                receipt = self.put(made, place, uid, event(uid))
                self.remove(made, self.slot(place, uid, event(uid)), receipt)
            assert b"".join(made.read(self.put(made, place, "a@x", event("a@x")))) == event("a@x")
            with pytest.raises(ItemError) as refused:
                self.put(made, place, "b@x", event("b@x", "Something else"))
            assert refused.value.code == "uid-in-trash"
            assert self.put(made, place, "b@x", event("b@x")).evidence is Evidence.READ_BACK

    def test_a_calendar_that_its_owner_deleted_is_not_written_into(
        self, open_objects: OpenObjects, stranger: Somebody
    ) -> None:
        """A Nextcloud lets one write into what lies in its trash."""
        key = self.key()
        with open_objects() as made:
            place = self.calendar(made, key)
            self.put(made, place, "a@x", event("a@x"))
            stranger.ask("DELETE", str(place).removeprefix("/event"))
            with pytest.raises(AccountError) as refused:
                self.calendar(made, key)
        assert refused.value.code == "deleted-there"


@pytest.mark.parametrize("path", ["", "/remote.php/dav"])
def test_the_connector_for_any_server_finds_its_way(standin: NextcloudStandin, secret: str, path: str) -> None:
    contract = ObjectContract()
    with DavDestination(DavSettings(url=standin.url + path), Account("anna", secret), gate=Gate()) as made:
        data = card("c1", version=made.card_version(contract.book(made)))
        contract.put(made, contract.book(made), "c1", data, Kind.CONTACT)
        contract.put(made, contract.calendar(made), "a@x", event("a@x"))
    assert [list(held) for held in standin.objects("anna", "addressbooks").values() if held] == [["c1"]]
    assert [list(held) for held in standin.objects("anna").values() if held] == [["a@x"]]


def test_a_wrong_password_is_tried_once(standin: NextcloudStandin) -> None:
    gate = Gate()
    for _ in range(2):
        with (
            pytest.raises(AccountError) as refused,
            DavDestination(DavSettings(url=standin.url), Account("anna", "wrong"), gate=gate),
        ):
            pass
        assert refused.value.code == "login-refused"
        assert "wrong" not in str(refused.value)
    assert len([seen for seen in standin.requests if seen.status == 401]) == 1


@pytest.mark.parametrize("by_app", [False, True], ids=["app password", "AppAPI"])
def test_nobody_is_sent_an_invitation(standin: NextcloudStandin, secret: str, *, by_app: bool) -> None:
    """Not when a meeting is brought, nor when it is replaced, nor when it is taken back; nor is it put into the
    calendars of guests who have an account there."""
    for user in ("anna", "bo"):
        standin.cloud.accounts.users[user].email = f"{user}@example.coop"
    settings = NextcloudSettings(url=standin.url, appapi_secret=SecretStr(APP_SECRET) if by_app else None)
    contract = ObjectContract()
    with WholeNextcloud(settings, Account("anna", None if by_app else secret), gate=Gate()) as made:
        place = contract.calendar(made)
        old = contract.put(made, place, "guests@x", WITH_GUESTS)
        moved = WITH_GUESTS.replace(b"T090000Z", b"T093000Z")
        new = contract.put(made, place, "guests@x", moved, replaces=contract.left(old, WITH_GUESTS))
        made.remove(contract.slot(place, "guests@x", moved), new)
    assert standin.mails == []
    assert standin.objects("bo") == {"Personal": {}}
    owner = Somebody(standin.url, "anna", secret)
    path = str(place).removeprefix("/event") + "by-hand.ics"
    another = WITH_GUESTS.replace(b"guests@x", b"by-hand@x")  # the first one's UID is taken by the trash
    assert owner.ask("PUT", path, another).status_code == 201
    assert {mail.recipient for mail in standin.mails} == {"bo@example.coop", "guest@outside.example"}
    assert list(standin.objects("bo")["Personal"]) == ["by-hand@x"], "the stand-in would have done it"
