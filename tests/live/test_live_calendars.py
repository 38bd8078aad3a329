"""The whole contract of events and contacts on a real Nextcloud, and what of them it proves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import cast

import pytest
from live_kit import LOGIN, URL, need_server

need_server()

from dav_kit import Somebody  # noqa: E402
from liberate_nextcloud.beside_files import WholeNextcloud  # noqa: E402
from liberate_nextcloud.gate import Gate  # noqa: E402
from liberate_nextcloud.settings import NextcloudSettings  # noqa: E402

from liberate.connector import Account, Destination, Evidence, Kind, Place  # noqa: E402
from liberate.testing.contracts import ObjectContract, OpenObjects  # noqa: E402
from liberate.testing.object_contract import WITH_GUESTS, card  # noqa: E402


class TestOnAServer(ObjectContract):
    @pytest.fixture
    def made_there(self) -> Iterator[list[Place]]:
        """The calendars and address books of one test, which are gone after it."""
        places: list[Place] = []
        yield places
        owner = Somebody(URL, LOGIN.user, LOGIN.password)
        for place in places:
            owner.ask("DELETE", "/" + str(place)[1:].partition("/")[2], X_NC_CalDAV_No_Trashbin="1")

    @pytest.fixture
    def open_objects(self, made_there: list[Place]) -> OpenObjects:
        class Remembering(WholeNextcloud):
            def open_collection(self, *args: object) -> Place:
                place = super().open_collection(*args)  # type: ignore[arg-type]
                made_there.append(place)
                return place

        account, settings = Account(LOGIN.user, LOGIN.password), NextcloudSettings(url=URL)
        return lambda: cast("AbstractContextManager[Destination]", Remembering(settings, account, gate=Gate()))

    @pytest.fixture
    def stranger(self) -> Somebody:
        return Somebody(URL, LOGIN.user, LOGIN.password)

    def test_its_etag_proves_what_it_stored(self, open_objects: OpenObjects) -> None:
        with open_objects() as made:
            place, book = self.calendar(made), self.book(made)
            receipt = self.put(made, place, "guests@x", WITH_GUESTS)
            assert (receipt.evidence, receipt.size) == (Evidence.STORED, len(WITH_GUESTS))
            assert self.keeper(made).card_version(book) == "4.0"
            for version in ("3.0", "4.0"):
                data = card(version, version=version)
                receipt = self.put(made, book, version, data, Kind.CONTACT)
                assert receipt.evidence is Evidence.STORED
                assert b"".join(made.read(receipt)) == data
