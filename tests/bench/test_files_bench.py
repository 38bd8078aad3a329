"""The benchmark's parts for trees of files: what is made up, what is subtracted, what is compared with what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import files, generated, large, listing, uploads
from bench.cloud import cloud
from bench.ground import ground
from bench.measure import Cost
from bench.report import Findings, Target, markdown
from bench.tools import LIBERATE, items_moved, moving_rate
from liberate.connector import Item, Whole
from liberate.files import FileFacts

COST = Cost(seconds=10.0, processor=5.0, memory=100_000_000, output=())


def cost(seconds: float, processor: float = 1.0, memory: int = 100_000_000) -> Cost:
    return replace(COST, seconds=seconds, processor=processor, memory=memory)


def bare_listing(seconds: float) -> listing.Bare:
    return listing.Bare(205_000, seconds, seconds / 2)


def targets(found: Findings) -> dict[str, Target]:
    return {target.what: target for target in found.targets}


# A tree of many files ----------------------------------------------------------------------------


def test_made_up_files_stand_in_folders_that_were_listed_before_them() -> None:
    source = generated.Generated(400)
    (collection,) = source.collections()
    listed = list(source.items(collection, None))
    assert isinstance(listed.pop(), Whole)
    known = {""}
    sizes: list[tuple[Item, int]] = []
    for thing in listed:
        assert isinstance(thing, Item)
        assert isinstance(thing.facts, FileFacts)
        assert thing.facts.parent in known
        if thing.facts.folder:
            known.add(thing.id)
        else:
            sizes.append((thing, len(b"".join(source.read(thing)))))
    assert len(known) == 1 + source.folders == 11
    assert len({item.id for item, _ in sizes}) == 400
    assert all(item.size == size for item, size in sizes)


def test_the_command_moves_made_up_files_once_and_then_finds_nothing_new(tmp_path: Path) -> None:
    environment = {**os.environ, **generated.installed(tmp_path)}
    command = [str(LIBERATE), "migrate", "generated:80", "nowhere:", "--job", str(tmp_path / "job"), "--json"]

    def run() -> Cost:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
        return replace(COST, output=tuple((1.0, line) for line in done.stdout.splitlines()))

    first = run()
    assert items_moved(first) == 82
    (account,) = json.loads(first.output[-1][1])["report"]["accounts"]
    assert account["evidence"] == {"none": 2, "received-digest": 80}
    assert items_moved(run()) == 0


def test_a_bare_listing_counts_every_item_and_says_how_long_it_took() -> None:
    words = [sys.executable, "-m", "bench.generated", "400"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300, cwd=Path(__file__).parents[2])
    count, seconds, processor = done.stdout.split()
    assert int(count) == 410
    assert float(seconds) > 0
    assert float(processor) > 0


def test_the_listing_is_taken_from_the_pass_before_which_it_was_measured() -> None:
    passes = [cost(9.0), cost(6.0, processor=4.0), cost(7.5)]
    bare = [bare_listing(seconds) for seconds in (1.5, 5.0, 1.0, 2.0)]
    assert listing.middle_besides(passes, bare[1:]) == (passes[1], bare[2])  # besides it: 4.0, 5.0, 5.5
    found = listing.findings(200_000, cost(80.0, processor=70.0), passes, bare)
    told = [line.split("|")[1:-1] for line in markdown([found]).splitlines()]
    cells = [[cell.strip() for cell in line] for line in told]
    assert ["second: nothing is new", "205,000", "6.00", "1.00", "5.00", "4.00", "0.50", "3.50", "100"] in cells
    whole = ["first: everything is recorded and moved", "205,000", "80.00", "1.50", "78.50", "70.00", "0.75", "69.25"]
    assert [*whole, "100"] in cells
    assert "200,000 made-up files in 5,000 folders" in markdown([found])
    assert not targets(found)["second run: as many files, besides the source's listing"].met  # 5 s are not under 5


def test_the_memory_of_the_largest_pass_is_held_to_its_limit() -> None:
    large_one = cost(6.0, memory=150_000_000)
    bare = [listing.Bare(205, 1.0, 0.5)] * 4
    found = listing.findings(200, cost(8.0), [cost(6.0), large_one, cost(6.0)], bare)
    met = {what: target.met for what, target in targets(found).items() if what.startswith("memory")}
    assert met == {
        "memory: 200 files in 5 folders, listed and moved": True,
        "memory: 200 files in 5 folders, nothing new": False,
    }


# Small files -------------------------------------------------------------------------------------


def test_each_way_of_sending_files_is_compared_with_its_own_peer() -> None:
    moved = tuple((when, json.dumps({"event": "moved", "items": 500})) for when in (1.0, 2.0))
    costs = {
        uploads.RCLONE: [cost(20.0), cost(16.0), cost(99.0)],
        uploads.BULK: [cost(2.0)],
        uploads.OURS: [replace(cost(2.5, processor=3.0), output=moved)],
        uploads.NO_BULK: [cost(25.0)],
        uploads.CURL: [cost(5.0, processor=1.0)],
        uploads.EACH: [cost(30.0, processor=15.0)],
    }
    found = targets(files.findings(1000, "the stand-in", costs, dict.fromkeys(costs, 1000)))
    assert {what: (target.found, target.met) for what, target in found.items()} == {
        "files/s beside rclone's": ("8 x", True),
        "files/s beside rclone's, without bulk upload": ("0.80 x", False),
        "files/s beside the bare bulk loop's, while moving": ("1 x", True),
        "files/s beside the bare bulk loop's, start-up included": ("0.80 x", False),
        "processor time, small files, beside a sha256sum and a curl for each": ("0.20 x", True),
        "processor time, small files, beside a sha256sum and a curl for all": ("3 x", False),
    }


def test_a_peer_that_is_not_there_is_compared_with_nobody_and_lost_files_are_told() -> None:
    found = files.findings(1000, "the stand-in", {uploads.OURS: [cost(4.0)]}, {uploads.OURS: 998})
    assert found.targets == ()
    assert "| liberate migrate | 1,000 |     4.0 |     250 |" in markdown([found])
    assert "998 of 1,000" in markdown([found])


def test_the_rate_while_moving_counts_from_the_first_receipt_to_the_last() -> None:
    moved = [(1.0, 20), (2.0, 50), (3.0, 50)]
    output = tuple((when, json.dumps({"event": "moved", "items": count})) for when, count in moved)
    assert moving_rate(replace(COST, output=output)) == 50.0
    assert items_moved(replace(COST, output=output)) == 120


@pytest.mark.parametrize("tool", [uploads.OURS, uploads.NO_BULK, uploads.CURL, uploads.EACH, uploads.PUT, uploads.BULK])
def test_every_program_that_is_there_brings_every_file(tmp_path: Path, tool: uploads.Uploader) -> None:
    with ground(tmp_path, 1, 1) as here, cloud(here.folder("cloud")) as server:
        found, arrived = uploads.once(here, server, tool, files.tree(here.folder("files"), 25))
        assert arrived == 25
        assert server.ask("PROPFIND", "", Depth="1").text.count("<d:response>") == 1, "what was made is removed"
        trash = f"{server.url}/remote.php/dav/trashbin/{server.user}/trash"
        assert server.ask_at("PROPFIND", trash, Depth="1").text.count("<d:response>") == 1, "for ever"
    assert items_moved(found) == (45 if tool.ours else 0)


def test_without_bulk_upload_each_file_is_a_request_of_its_own(tmp_path: Path) -> None:
    with ground(tmp_path, 1, 1) as here, cloud(here.folder("cloud")) as server:
        work, there = here.folder(), server.folder()
        words, _ = uploads.NO_BULK.command(server, tmp_path, there, work)
        assert words[-2] == work / "liberate.toml"
        assert 'bulk = "never"' in (work / "liberate.toml").read_text()


# One large file ----------------------------------------------------------------------------------


def test_the_large_file_is_held_to_curls_rate_and_to_the_processor_time_of_sha256sum_and_curl() -> None:
    costs = ([cost(9.5, processor=1.0)], [cost(12.0)], [cost(10.0, processor=8.0), cost(10.0, processor=6.0)])
    found = large.findings(
        2 << 30, 32 << 20, "the stand-in", costs, cost(2.0, processor=2.0), large.Killed(there=45, twice=1)
    )
    told = {what: (target.found, target.met) for what, target in targets(found).items()}
    assert told["large file: rate beside curl's"] == ("0.95 x", True)
    assert told["large file: beside curl's with digests"] == ("1.20 x", True)
    assert told["large file: pieces sent twice after a kill"] == ("1", True)
    assert told["processor time, large file, beside sha256sum and curl"] == ("2 x", True)
    assert "killed when 45 of 64 pieces had arrived" in markdown([found])


def test_the_pieces_of_a_half_sent_upload_are_counted_without_their_folder(tmp_path: Path) -> None:
    with ground(tmp_path, 1, 1) as here, cloud(here.folder("cloud")) as server:
        folder = f"{server.url}/remote.php/dav/uploads/{server.user}/liberate-0123-33554432"
        server.ask_at("MKCOL", folder).raise_for_status()
        assert server.pieces() == {}
        server.ask_at("PUT", f"{folder}/00001", b"some bytes").raise_for_status()
        before = server.pieces()
        assert [path.rpartition("/")[2] for path in before] == ["00001"]
        server.ask_at("PUT", f"{folder}/00001", b"some other bytes").raise_for_status()
        assert list(server.pieces()) == list(before)
        assert server.pieces() != before, "other bytes are another version"


@pytest.mark.parametrize(("size", "piece"), [(2 << 30, 32 << 20), (512 << 30, 61_083_980)])
def test_curl_is_given_the_pieces_that_liberate_sends(tmp_path: Path, size: int, piece: int) -> None:
    with ground(tmp_path, 1, 1) as here, cloud(here.folder("cloud")) as server:
        assert server.piece(size) == piece
