"""The bytes of files: pre-authenticated addresses, ranges, renewals, digests, and what SharePoint alters."""

from __future__ import annotations

import dataclasses

import pytest
from liberate_microsoft.reading import IN_MEMORY
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Blob, Drive, Fault, GraphStandin
from microsoft_kit import by_name, calls, items, listing, made_settings, opened

from liberate.connector import Item
from liberate.errors import IntegrityError, ItemError, TransientError
from liberate.testing.clock import Clock

BODY = Blob(seed="body", size=1_024_000).read()


@pytest.fixture
def item(settings: MicrosoftSettings, drive: Drive) -> Item:
    drive.add_file("a.bin", BODY)
    with opened(settings) as source:
        return by_name(listing(source))["a.bin"]


def test_no_token_goes_to_where_the_bytes_are(settings: MicrosoftSettings, standin: GraphStandin, item: Item) -> None:
    with opened(settings) as source:
        assert b"".join(source.read(item)) == BODY
        assert b"".join(source.read(item, 1_000)) == BODY[1_000:]
    downloads = [one for one in standin.requests if one.method == "download"]
    assert [one.headers.get("range") for one in downloads] == [None, "bytes=1000-"]
    assert all("authorization" not in one.headers for one in downloads)
    assert not any("range" in one.headers for one in standin.requests if one.method == "content")


def test_a_server_that_ignores_ranges_is_read_past_what_we_have(
    settings: MicrosoftSettings, standin: GraphStandin, item: Item
) -> None:
    standin.faults.add(Fault(method="download", breaks="no-range", times=None))
    with opened(settings) as source:
        assert b"".join(source.read(item, 300_001)) == BODY[300_001:]


def test_an_address_whose_time_is_up_is_renewed(standin: GraphStandin, item: Item, settings: MicrosoftSettings) -> None:
    standin.faults.add(Fault(method="download", status=401, code="unauthenticated"))
    with opened(settings) as source:
        assert b"".join(source.read(item)) == BODY
    assert calls(standin, "content") == 2
    standin.faults.add(Fault(method="download", status=403, code="accessDenied", times=None))
    with opened(settings) as source, pytest.raises(ItemError) as told:
        list(source.read(item))
    assert told.value.code == "no-content"


def test_the_line_that_breaks_is_told_and_read_again_from_where_it_was(
    settings: MicrosoftSettings, standin: GraphStandin, item: Item
) -> None:
    standin.faults.add(Fault(method="download", breaks="truncate", after=600_000))
    pieces: list[bytes] = []
    with opened(settings) as source:
        with pytest.raises(TransientError):
            pieces.extend(source.read(item))
        got = b"".join(pieces)
        assert got == BODY[: len(got)]
        assert got
        got += b"".join(source.read(item, len(got)))
    assert got == BODY


def test_a_flipped_bit_is_seen_by_the_digest_and_the_digest_is_not_given_up_for_it(
    settings: MicrosoftSettings, standin: GraphStandin, item: Item
) -> None:
    standin.faults.add(Fault(method="download", breaks="flip", after=123_456))
    with opened(settings) as source:
        with pytest.raises(IntegrityError):
            list(source.read(item))
        now = source.describe(item)
        assert (now.size, now.digests) == (item.size, item.digests)
        assert b"".join(source.read(now)) == BODY


@pytest.mark.parametrize("lie", ["size", "digest", "both"])
def test_what_sharepoint_describes_wrongly_loses_size_and_digests(
    settings: MicrosoftSettings, drive: Drive, lie: str
) -> None:
    node = drive.add_file("report.docx", BODY)
    if lie in ("size", "both"):
        node.told_size = len(BODY) + 77
    if lie in ("digest", "both"):
        node.told_quickxor = Blob.of(b"as it was uploaded").quickxor
    with opened(settings) as source:
        item = by_name(listing(source))["report.docx"]
        if lie != "size":
            with pytest.raises(IntegrityError):
                list(source.read(item))
        now = source.describe(item)
        assert (now.id, now.version, now.size, now.digests) == (item.id, item.version, None, {})
        assert b"".join(source.read(now)) == BODY


def test_describe_tells_of_new_bytes_by_a_new_version(settings: MicrosoftSettings, drive: Drive, item: Item) -> None:
    drive.write(drive.nodes[item.id], b"other")
    with opened(settings) as source:
        now = source.describe(item)
        assert now.version != item.version
        assert (now.size, now.digests) == (5, {"quickxor": Blob.of(b"other").quickxor})
        drive.delete(drive.nodes[item.id])
        with pytest.raises(ItemError) as told:
            source.describe(item)
    assert told.value.code == "gone"


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [(403, "malwareDetected", "malware"), (403, "accessDenied", "forbidden"), (404, "itemNotFound", "gone"),
     (400, "notSupported", "source-refused")],
)  # fmt: skip
def test_what_is_not_handed_over_is_an_error_of_the_item(
    settings: MicrosoftSettings, drive: Drive, item: Item, status: int, code: str, told: str
) -> None:
    drive.nodes[item.id].refuses = (status, code)
    with opened(settings) as source:
        with pytest.raises(ItemError) as error:
            list(source.read(item))
        (loaded,) = source.read_many([item])
    assert error.value.code == told
    assert isinstance(loaded.body, ItemError)
    assert loaded.body.code == told


def test_many_are_read_by_several_threads_and_large_ones_left_to_read(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive
) -> None:
    bodies = {f"{n}.bin": bytes([n]) * (n * 10_000) for n in range(40)}
    for name, body in bodies.items():
        drive.add_file(name, body)
    drive.add_file("large.bin", Blob(seed="large", size=IN_MEMORY + 1))
    drive.add_file("just.bin", Blob(seed="just", size=IN_MEMORY))
    with opened(settings) as source:
        some = items(listing(source))
        got = {one.item.name: one.body for one in source.read_many(some)}
        assert got.pop("large.bin") is None
        just = got.pop("just.bin")
        assert isinstance(just, bytes)
        assert len(just) == IN_MEMORY
        assert got == bodies
        unknown = dataclasses.replace(some[0], size=None, digests={})
        assert [one.body for one in source.read_many([unknown])] == [None]


def test_no_more_bodies_wait_than_fit_in_memory(
    settings: MicrosoftSettings, drive: Drive, standin: GraphStandin
) -> None:
    for n in range(12):
        drive.add_file(f"{n}.bin", Blob(seed=str(n), size=7 << 20))
    with opened(settings) as source:
        some = items(listing(source))
        loading = source.read_many(some)
        next(loading)
        assert calls(standin, "content") <= 3, "24 MiB are three of these"
        loading.close()  # type: ignore[attr-defined] # a generator


def test_a_refusal_for_rate_ends_read_many_with_its_wait(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive
) -> None:
    for n in range(5):
        drive.add_file(f"{n}.bin", b"1")
    with opened(settings) as source:
        some = items(listing(source))
        standin.faults.add(Fault(method="content", status=429, code="tooManyRequests", retry_after="37", times=None))
        with pytest.raises(TransientError) as told:
            list(source.read_many(some))
    assert told.value.retry_after == 37


def test_addresses_that_expire_by_the_clock_are_asked_for_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    clock = Clock()
    with GraphStandin(clock=clock) as standin:
        drive = standin.add_person("anna@solros.example")
        drive.add_file("a.bin", BODY)
        standin.download_seconds = -1.0
        with opened(made_settings(standin, tmp_path_factory.mktemp("s"))) as source:
            (item,) = items(listing(source))
            with pytest.raises(ItemError):
                list(source.read(item))
            standin.faults.add(Fault(method="download", does=lambda: setattr(standin, "download_seconds", 60.0)))
            assert b"".join(source.read(item)) == BODY


def test_the_description_is_a_note(settings: MicrosoftSettings, drive: Drive) -> None:
    drive.add_file("a.txt", b"1", description="see the minutes")
    drive.add_file("b.txt", b"1")
    with opened(settings) as source:
        found = {item.name: [note.text for note in source.notes(item)] for item in items(listing(source))}
    assert found == {"a.txt": ["see the minutes"], "b.txt": []}
