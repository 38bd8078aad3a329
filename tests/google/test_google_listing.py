"""The join of Gmail's listings is exact, and small for the largest mailboxes."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from google_kit import ANNA, opened
from liberate_google.listing import LabelTable, SizeClasses
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GmailStandin


def key(number: int) -> str:
    return f"{0x18C0000000000000 + number:016x}"


def test_messages_come_out_once_in_the_reverse_of_their_listing_with_their_labels() -> None:
    chance = random.Random(5)
    ids = [key(n) for n in chance.sample(range(10_000), 500)]
    bears: dict[str, set[str]] = {one: set() for one in ids}
    table = LabelTable()
    table.extend(ids[:300])
    table.extend(ids[250:])  # mail that arrives while we list pushes some onto the next page again
    table.seal()
    for label in ("INBOX", "Label_1", "UNREAD"):
        chosen = chance.sample(ids, 200)
        table.label(label, [*chosen, key(99_999)])
        for one in chosen:
            bears[one].add(label)
    assert len(table) == 500
    assert list(table.oldest_first()) == [(one, frozenset(bears[one])) for one in reversed(ids)]


def test_ids_of_another_shape_are_kept_as_they_are() -> None:
    table = LabelTable()
    ids = ["msg-1", "ABCDEF", key(1), "0" * 15, "18C0000000000000"]
    table.extend([*ids, "msg-1"])
    table.seal()
    table.label("INBOX", ["msg-1", "ABCDEF", "none"])
    assert table.put("0" * 15, ["SENT"])
    assert not table.put("none", ["SENT"])
    found = dict(table.oldest_first())
    assert set(found) == set(ids)
    assert found["msg-1"] == {"INBOX"}
    assert found["0" * 15] == {"SENT"}


def test_an_empty_mailbox_lists_nothing() -> None:
    table = LabelTable()
    table.seal()
    table.label("INBOX", [key(1)])
    assert list(table.oldest_first()) == []


def test_size_classes_give_the_least_bound() -> None:
    sizes = SizeClasses()
    sizes.add(100, [key(1), key(2), "odd"])
    sizes.add(1000, [key(2)])
    assert [sizes.bound(one, 9999) for one in (key(0), key(1), key(2), "odd")] == [100, 1000, 9999, 1000]


_PEAK = """
def peak():  # not ru_maxrss, which a child inherits from whoever started it
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
"""

_LISTS = """
import sys
from liberate.connector import Account, Collection, Item, Kind
from liberate_google.gmail import GmailSource
from liberate_google.settings import GoogleSettings

source = GmailSource(GoogleSettings(service_account_file=sys.argv[1], endpoint=sys.argv[2]), Account(sys.argv[3]))
count = sum(isinstance(one, Item) for one in source.items(Collection("mail", (), Kind.MAIL), None))
source.close()
print(count, peak() // 1024)
"""

_STREAMS = """
import hashlib, sys
from liberate.connector import Account, Collection, Item, Kind
from liberate_google.gmail import GmailSource
from liberate_google.settings import GoogleSettings

source = GmailSource(GoogleSettings(service_account_file=sys.argv[1], endpoint=sys.argv[2]), Account(sys.argv[3]))
[item] = [one for one in source.items(Collection("mail", (), Kind.MAIL), None) if isinstance(one, Item)]
[loaded] = source.read_many([item])
assert loaded.body is None
before = peak()
digest = hashlib.sha256()
for piece in source.read(item):
    digest.update(piece)
source.close()
print(digest.hexdigest(), (peak() - before) // 1024)
"""


def child(program: str, settings: GoogleSettings) -> list[str]:
    """What the program prints, run by itself so that its memory is its own."""
    arguments = [str(settings.service_account_file), str(settings.endpoint), ANNA]
    done = subprocess.run(
        [sys.executable, "-c", _PEAK + program, *arguments], capture_output=True, text=True, timeout=200, check=True
    )
    return done.stdout.split()


@pytest.fixture
def quick(tmp_path: Path) -> GmailStandin:
    """A stand-in that does not check its answers: these tests are about many of them."""
    standin = GmailStandin()
    standin.add_mailbox(ANNA)
    return standin


def test_sixty_thousand_messages_are_listed_in_little_memory(quick: GmailStandin, tmp_path: Path) -> None:
    with quick as standin:
        standin.service_account_file(tmp_path / "sa.json")
        settings = GoogleSettings(service_account_file=tmp_path / "sa.json", endpoint=standin.url)
        sets = [["INBOX", "UNREAD"], ["Work"], ["Work", "STARRED"], [], ["SENT"]]
        for n in range(60_000):
            standin.add_message(ANNA, b"\r\n\r\n", sets[n % 5], n)
        count, megabytes = child(_LISTS, settings)
    assert int(count) == 60_000
    assert int(megabytes) < 80  # 53 of them are the client library


def test_a_message_of_60_mb_is_streamed_in_little_memory(quick: GmailStandin, tmp_path: Path) -> None:
    import hashlib

    raw = random.Random(1).randbytes(60_000_000)
    with quick as standin:
        standin.service_account_file(tmp_path / "sa.json")
        settings = GoogleSettings(service_account_file=tmp_path / "sa.json", endpoint=standin.url)
        standin.add_message(ANNA, raw)
        digest, megabytes = child(_STREAMS, settings)
    assert digest == hashlib.sha256(raw).hexdigest()
    assert int(megabytes) < 30


def test_a_batch_never_holds_more_than_its_share_of_bytes(standin: GmailStandin, settings: GoogleSettings) -> None:
    for _ in range(30):
        standin.add_message(ANNA, b"x" * 400_000)
    with opened(standin, settings) as source:
        wanted = [one for one in source.items(next(source.collections()), None) if hasattr(one, "kind")]
        standin.requests.clear()
        assert sum(loaded.body is not None for loaded in source.read_many(wanted)) == 30  # type: ignore[arg-type]
    batches = [call for call in standin.requests if call.method == "batch"]
    assert len(batches) >= 3
