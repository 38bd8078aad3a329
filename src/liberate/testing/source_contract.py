"""What every source promises, as tests: see liberate.testing.contracts."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import pytest

from liberate.chat import ChatFacts, Message
from liberate.connector import (
    Collection,
    Cursor,
    Gone,
    HasRooms,
    Item,
    Kind,
    Listed,
    ReadsMany,
    Renumbered,
    Skipped,
    Source,
)
from liberate.errors import AccountError, ItemError
from liberate.files import FileFacts

OpenSource: TypeAlias = Callable[[], AbstractContextManager[Source]]
_MEMORY = 32 << 20  # bytes that a listing of any length may take


def items_of(listed: list[Listed]) -> list[Item]:
    """The items among what was listed."""
    return [one for one in listed if isinstance(one, Item)]


def is_folder(item: Item) -> bool:
    """Whether it is a folder: an item without bytes."""
    return isinstance(item.facts, FileFacts) and item.facts.folder


def bodies_of(listed: list[Listed]) -> list[Item]:
    """The items among what was listed that have bytes."""
    return [item for item in items_of(listed) if not is_folder(item)]


def _known_by(item: Item) -> tuple[str, str, str]:
    return item.id, item.version, item.facts_version


class SourceContract:
    """Subclass it and give it the fixture `open_source`; the source must hold at least two items."""

    @pytest.fixture
    def open_source(self) -> OpenSource:
        """Opens the same account each time it is called."""
        raise NotImplementedError("give the contract a fixture `open_source`")

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]] | None:
        """What the account holds, by collection path; order does not matter."""
        return None

    @pytest.fixture
    def remove(self) -> Callable[[Collection, Item], None] | None:
        """Deletes an item at the source, as its owner would."""
        return None

    @pytest.fixture
    def big(self) -> tuple[OpenSource, int] | None:
        """A source with many items, and how many."""
        return None

    @pytest.fixture
    def state(self) -> Callable[[], Any] | None:
        """What reading must not change at the source: two of them are compared with ==."""
        return None

    @pytest.fixture
    def refused(self) -> tuple[OpenSource, tuple[str, ...]] | None:
        """An account that cannot be logged in to, and the secrets that no message may show."""
        return None

    # Listing -------------------------------------------------------------------------------------

    def test_every_collection_is_listed_once_and_again_the_same(self, open_source: OpenSource) -> None:
        with open_source() as source:
            first = list(source.collections())
        with open_source() as source:
            again = list(source.collections())
        assert first
        assert len({one.id for one in first}) == len(first)
        assert [(one.id, one.path, one.kind, one.role) for one in first] == [
            (one.id, one.path, one.kind, one.role) for one in again
        ]

    def test_every_item_is_listed_once_and_again_under_the_same_id(self, open_source: OpenSource) -> None:
        first = self._whole_listing(open_source)
        again = self._whole_listing(open_source)
        assert sum(len(items_of(listed)) for _, listed in first) >= 2, "give the source two items at least"
        for (collection, listed), (_, listed_again) in zip(first, again, strict=True):
            ids = [one.id for one in listed if isinstance(one, Item | Skipped)]
            assert len(set(ids)) == len(ids), collection.path
            assert [_known_by(i) for i in items_of(listed)] == [_known_by(i) for i in items_of(listed_again)]
            kinds = {collection.kind, *({Kind.FILE} if collection.kind is Kind.CHAT else ())}  # files hang on messages
            assert {item.kind for item in items_of(listed)} <= kinds, collection.path

    def test_a_count_given_beforehand_is_near_the_truth(self, open_source: OpenSource) -> None:
        for collection, listed in self._whole_listing(open_source):
            if collection.count is not None:
                things = sum(isinstance(one, Item | Skipped) for one in listed)
                assert len(items_of(listed)) <= collection.count <= things, collection.path

    def test_after_a_cursor_comes_what_followed_it_or_everything(self, open_source: OpenSource) -> None:
        for collection, listed in self._whole_listing(open_source):
            for at, thing in enumerate(listed):
                if not isinstance(thing, str):
                    continue
                with open_source() as source:
                    rest = list(source.items(collection, thing))
                later, whole = ({_known_by(item) for item in items_of(some)} for some in (listed[at:], listed))
                assert {_known_by(item) for item in items_of(rest)} in (later, whole), (collection.path, at)
                assert not any(isinstance(one, Gone | Renumbered) for one in rest), (collection.path, at)

    def test_a_listing_ends_with_a_cursor_or_gives_none(self, open_source: OpenSource) -> None:
        for collection, listed in self._whole_listing(open_source):
            if any(isinstance(one, str) for one in listed):
                assert isinstance(listed[-1], str), collection.path

    def test_a_cursor_that_fits_no_more_is_answered_by_listing_everything(self, open_source: OpenSource) -> None:
        for collection, listed in self._whole_listing(open_source):
            with open_source() as source:
                everything = list(source.items(collection, Cursor("no cursor of this source")))
            assert {i.id for i in items_of(everything)} == {i.id for i in items_of(listed)}, collection.path

    def test_a_listing_that_was_broken_off_can_begin_again(self, open_source: OpenSource) -> None:
        for collection, listed in self._whole_listing(open_source):
            with open_source() as source:
                begun = iter(source.items(collection, None))
                next(begun, None)
                if hasattr(begun, "close"):
                    begun.close()
                again = list(source.items(collection, None))
            assert [i.id for i in items_of(again)] == [i.id for i in items_of(listed)], collection.path

    def test_a_long_listing_takes_bounded_memory(self, big: tuple[OpenSource, int] | None) -> None:
        if big is None:
            pytest.skip("no big source was given")
        open_source, count = big
        with open_source() as source:
            collections = list(source.collections())
            tracemalloc.start()
            try:
                seen = sum(isinstance(one, Item) for c in collections for one in source.items(c, None))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert seen == count
        assert peak < _MEMORY

    # Reading -------------------------------------------------------------------------------------

    def test_bytes_sizes_and_digests_agree(
        self, open_source: OpenSource, bodies: Mapping[tuple[str, ...], list[bytes]] | None
    ) -> None:
        found: dict[tuple[str, ...], list[bytes]] = {}
        with open_source() as source:
            for collection in list(source.collections()):
                for item in bodies_of(list(source.items(collection, None))):
                    body = b"".join(source.read(item))
                    found.setdefault(collection.path, []).append(body)
                    assert item.size in (None, len(body)), item.id
                    for name, value in item.digests.items():
                        if name not in hashlib.algorithms_available:
                            continue  # the source itself compared it
                        assert hashlib.new(name.replace("-", ""), body).hexdigest() == value, (item.id, name)
        if bodies is not None:
            wanted = {path: sorted(some) for path, some in bodies.items() if some}
            assert {path: sorted(some) for path, some in found.items()} == wanted

    def test_a_repeatable_item_gives_the_same_bytes_twice(self, open_source: OpenSource) -> None:
        with open_source() as source:
            for _, item in self._some(source):
                if item.repeatable:
                    assert b"".join(source.read(item)) == b"".join(source.read(item)), item.id

    def test_read_from_an_offset_gives_the_tail(self, open_source: OpenSource) -> None:
        with open_source() as source:
            for _, item in self._some(source):
                if not item.repeatable:
                    continue  # its tail is another one each time
                whole = b"".join(source.read(item))
                for offset in {0, 1, len(whole) // 2, len(whole)}:
                    if offset <= len(whole):
                        assert b"".join(source.read(item, offset)) == whole[offset:], (item.id, offset)

    def test_items_listed_by_one_opening_are_read_by_another(self, open_source: OpenSource) -> None:
        with open_source() as source:
            some = self._some(source)
        with open_source() as source:
            for _, item in some:
                body = b"".join(source.read(item))
                assert item.size in (None, len(body)), item.id

    def test_read_many_gives_every_item_once_with_the_bytes_that_read_gives(self, open_source: OpenSource) -> None:
        with open_source() as source:
            if not isinstance(source, ReadsMany):
                pytest.skip("it does not read many at once")
            for collection in list(source.collections()):
                items = bodies_of(list(source.items(collection, None)))[:50]
                loaded = list(source.read_many(items))
                assert sorted(one.item.id for one in loaded) == sorted(item.id for item in items), collection.path
                for one in loaded:
                    if isinstance(one.body, bytes) and one.item.repeatable:
                        assert one.body == b"".join(source.read(one.item)), one.item.id
                assert list(source.read_many([])) == []

    def test_reading_between_two_steps_of_a_listing_disturbs_neither(self, open_source: OpenSource) -> None:
        for collection, listed in self._whole_listing(open_source):
            seen = []
            with open_source() as source:
                for thing in source.items(collection, None):
                    if isinstance(thing, Item) and not is_folder(thing):
                        seen.append(thing.id)
                        body = b"".join(source.read(thing))
                        assert thing.size in (None, len(body)), thing.id
                        if isinstance(source, ReadsMany):
                            assert len(list(source.read_many([thing]))) == 1
            assert seen == [item.id for item in bodies_of(listed)], collection.path

    def test_an_item_that_is_gone_is_told_as_gone(
        self, open_source: OpenSource, remove: Callable[[Collection, Item], None] | None
    ) -> None:
        if remove is None:
            pytest.skip("no way to remove an item was given")
        with open_source() as source:
            (collection, item), *_ = self._some(source)
        remove(collection, item)
        with open_source() as source:
            with pytest.raises(ItemError) as gone:
                list(source.read(item))
            assert gone.value.code == "gone"
            if isinstance(source, ReadsMany):
                (loaded,) = source.read_many([item])
                assert isinstance(loaded.body, ItemError)
                assert loaded.body.code == "gone"
        assert item.id not in {i.id for _, listed in self._whole_listing(open_source) for i in items_of(listed)}

    def test_reading_changes_nothing_at_the_source(
        self, open_source: OpenSource, state: Callable[[], Any] | None
    ) -> None:
        if state is None:
            pytest.skip("no way to look at the source's state was given")
        before = state()
        with open_source() as source:
            for _, item in self._some(source):
                list(source.read(item))
                if isinstance(source, ReadsMany):
                    list(source.read_many([item]))
        assert state() == before

    def test_three_openings_at_once_read_the_same(self, open_source: OpenSource) -> None:
        def read(_: int) -> list[tuple[str, bytes]]:
            with open_source() as source:
                read = ((item, b"".join(source.read(item))) for _, item in self._some(source))
                return [(item.id, body if item.repeatable else b"") for item, body in read]

        with ThreadPoolExecutor(3) as pool:
            first, *others = pool.map(read, range(3))
        assert all(other == first for other in others)

    # Rooms ---------------------------------------------------------------------------------------

    def test_what_an_item_of_a_room_refers_to_is_listed_before_it(self, open_source: OpenSource) -> None:
        for collection, listed in self._whole_listing(open_source):
            if collection.kind is not Kind.CHAT:
                continue
            assert collection.ordered, collection.path
            before: set[str] = set()
            for item in items_of(listed):
                assert before.issuperset(item.refs), item.id
                before.add(item.id)

    def test_messages_are_told_oldest_first_and_name_what_they_refer_to(self, open_source: OpenSource) -> None:
        with open_source() as source:
            for collection in list(source.collections()):
                if collection.kind is not Kind.CHAT:
                    continue
                listed = items_of(list(source.items(collection, None)))
                files = {item.id for item in listed if item.kind is Kind.FILE}
                said = {item.id: self._message(source, item) for item in listed if item.kind is Kind.CHAT}
                times = [message.time for message in said.values()]
                assert times == sorted(times), collection.path
                for item in listed:
                    if item.kind is not Kind.CHAT:
                        continue
                    message = said[item.id]
                    named = {one.id for one in message.files if one.id}
                    assert named <= files, item.id
                    assert set(item.refs) == named | ({message.thread} & said.keys()), item.id
                    assert isinstance(item.facts, ChatFacts), item.id
                    assert item.facts_version, item.id
                    assert (message.id, message.reactions) == (item.id, item.facts.reactions)

    def test_rooms_and_those_who_speak_in_them_are_known(self, open_source: OpenSource) -> None:
        with open_source() as source:
            for collection in list(source.collections()):
                if collection.kind is not Kind.CHAT:
                    continue
                assert isinstance(source, HasRooms)
                room = source.room(collection)
                assert room.id == collection.id
                speakers = {*room.members, *((room.creator,) if room.creator else ())}
                for item in items_of(list(source.items(collection, None))):
                    if item.kind is Kind.CHAT:
                        speakers.add(self._message(source, item).author)
                for id_ in {*speakers, "nobody of that id"}:
                    assert source.author(id_).id == id_
                    assert source.author(id_).name, id_

    @staticmethod
    def _message(source: Source, item: Item) -> Message:
        body = b"".join(source.read(item))
        message = Message.load(body)
        assert message.dump() == body, item.id
        return message

    # Errors --------------------------------------------------------------------------------------

    def test_an_account_that_cannot_log_in_is_told_without_its_secret(
        self, refused: tuple[OpenSource, tuple[str, ...]] | None
    ) -> None:
        if refused is None:
            pytest.skip("no account that cannot log in was given")
        open_source, secrets = refused
        with pytest.raises(AccountError) as told, open_source() as source:
            list(source.collections())
        error = told.value
        for secret in secrets:
            assert secret not in f"{error} {error!r} {error.why} {error.todo}"

    # Helpers -------------------------------------------------------------------------------------

    @staticmethod
    def _whole_listing(open_source: OpenSource) -> list[tuple[Collection, list[Listed]]]:
        with open_source() as source:
            return [(one, list(source.items(one, None))) for one in list(source.collections())]

    @staticmethod
    def _some(source: Source) -> list[tuple[Collection, Item]]:
        """A few items of each collection, those with bytes."""
        out: list[tuple[Collection, Item]] = []
        for collection in list(source.collections()):
            out += [(collection, item) for item in bodies_of(list(source.items(collection, None)))[:5]]
        return out
