"""Calendar files and files of contacts: taken apart, moved, and put together again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from liberate_local.connectors import ics, vcf
from liberate_local.pim_source import PimSource

import liberate
from liberate.connector import Item, Kind, Skipped
from liberate.pim import content_digest
from liberate.report import Report
from liberate.settings import Settings
from liberate.testing.plans import plan
from liberate.vcard_old import from_version_2

EVENT = (
    "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID={zone}:20260301T090000\r\n"
    "SUMMARY:{summary}\r\n{more}END:VEVENT\r\n"
)
ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:My own zone\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\n"
    "TZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


def one(uid: str, summary: str = "x", more: str = "", zone: str = "My own zone") -> str:
    return EVENT.format(uid=uid, summary=summary, more=more, zone=zone)


def calendar(*inner: str, head: str = "") -> bytes:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{head}{''.join(inner)}END:VCALENDAR\r\n".encode()


def listed(root: Path, kind: Kind = Kind.EVENT) -> tuple[dict[str, bytes], list[str]]:
    """What the one collection holds by its items' ids, without the file; and the codes of what is skipped."""
    source = PimSource(root, kind)
    (collection,) = source.collections()
    found: dict[str, bytes] = {}
    skipped = []
    for thing in source.items(collection, None):
        if isinstance(thing, Item):
            found[thing.id.partition("#")[2]] = b"".join(source.read(thing))
        elif isinstance(thing, Skipped):
            skipped.append(thing.code)
    return found, skipped


def written(tmp_path: Path, data: bytes, name: str = "Work.ics") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_a_series_and_its_changed_instances_are_one_object_wherever_they_stand(tmp_path: Path) -> None:
    changed = one("s@x", "Later", "RECURRENCE-ID;TZID=My own zone:20260308T090000\r\n")
    series = one("s@x", "Every week", "RRULE:FREQ=WEEKLY\r\n")
    found, _ = listed(written(tmp_path, calendar(changed, one("a@x"), ZONE, series)))
    assert found == {"s@x": calendar(ZONE, series, changed), "a@x": calendar(ZONE, one("a@x"))}


def test_a_method_is_left_out_and_nothing_else(tmp_path: Path) -> None:
    odd = one("a@x", "Böard, unescaped; \\, 漢字", 'X-ODD;P="a:b":1\r\n : folded\r\n').replace("SUMMARY", "Summary")
    found, _ = listed(written(tmp_path, calendar(ZONE, odd, head="METHOD:PUBLISH\r\nX-WR-CALNAME:Ours\r\n")))
    assert found["a@x"] == calendar(ZONE, odd)


def test_a_time_zone_that_the_file_does_not_define_is_defined(tmp_path: Path) -> None:
    found, _ = listed(written(tmp_path, calendar(one("a@x", zone="W. Europe Standard Time"))))
    assert b"TZID:W. Europe Standard Time\r\n" in found["a@x"]
    assert b"TZOFFSETTO:+0200" in found["a@x"]


def test_an_event_without_uid_gets_one_that_stays(tmp_path: Path) -> None:
    nameless = one("a@x").replace("UID:a@x\r\n", "")
    path = written(tmp_path, calendar(ZONE, nameless))
    first, _ = listed(path)
    path.write_bytes(calendar(one("b@x"), ZONE, nameless))
    again, _ = listed(path)
    (uid,) = first
    assert uid.startswith("liberate-")
    assert again[uid] == first[uid]
    assert f"UID:{uid}\r\n".encode() in first[uid]


def test_what_stands_there_twice_moves_once_and_what_differs_moves_by_itself(tmp_path: Path) -> None:
    newer = one("a@x", "Newer", "SEQUENCE:2\r\n")
    found, skipped = listed(written(tmp_path, calendar(ZONE, one("a@x"), one("a@x"), newer)))
    assert skipped == ["double"]
    assert found["a@x"] == calendar(ZONE, newer)
    assert found["a@x (2)"] == calendar(ZONE, one("a@x")), "the destination refuses it, and keeps it under rejects/"


def test_a_file_that_was_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    data = calendar(ZONE, one("a@x"), one("b@x"))
    found, _ = listed(written(tmp_path, data[: data.rindex(b"SUMMARY")]))
    assert set(found) == {"a@x", "b@x"}
    assert b"END:VEVENT" not in found["b@x"], "the destination refuses it, and it is kept under rejects/"


def test_a_file_that_is_no_calendar_is_told(tmp_path: Path) -> None:
    assert listed(written(tmp_path, b"<html>")) == ({}, ["no-calendar"])


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_tasks_keep_company_with_events_and_looks_are_read(tmp_path: Path, end: str) -> None:
    head = "X-WR-CALNAME:Ours\\, all\r\nX-WR-TIMEZONE:Europe/Stockholm\r\nX-APPLE-CALENDAR-COLOR:#FF2968FF\r\n"
    data = calendar(ZONE, one("t@x").replace("VEVENT", "VTODO"), head=head).replace(b"\r\n", end.encode())
    source = PimSource(written(tmp_path, data), Kind.EVENT)
    (collection,) = source.collections()
    looks = source.looks(collection)
    assert (looks.name, looks.colour, looks.timezone) == ("Ours, all", "#ff2968", "Europe/Stockholm")
    assert looks.components == {"VEVENT", "VTODO"}


def test_a_takeout_has_a_calendar_for_each_file(tmp_path: Path) -> None:
    for name in ("Calendar/anna@example.coop.ics", "Calendar/Board.ics"):
        path = tmp_path / "Takeout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(calendar(ZONE, one("a@x"), head=f"X-WR-CALNAME:{path.stem}\r\n"))
    source = PimSource(tmp_path / "Takeout", Kind.EVENT)
    assert [one.path for one in source.collections()] == [("Board",), ("anna@example.coop",)]


OLD = (
    b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C3=96berg;=C3=85sa;;;\r\n"
    b"FN;CHARSET=ISO-8859-1:\xc5sa \xd6berg\r\nTEL;HOME;VOICE:+46 8 123\r\n"
    b"NOTE;ENCODING=QUOTED-PRINTABLE:first=0D=0Asecond, a long line=\r\n that goes on; to here\r\n"
    b"PHOTO;ENCODING=BASE64;TYPE=JPEG:\r\n /9j/4AAQ\r\n SkZJRg==\r\n\r\nEND:VCARD\r\n"
)


def test_an_old_card_becomes_readable() -> None:
    text = from_version_2(OLD).decode()
    for line in (
        "VERSION:3.0", "N:Öberg;Åsa;;;", "FN:Åsa Öberg", "TEL;TYPE=HOME,VOICE:+46 8 123",
        "NOTE:first\\nsecond\\, a long linethat goes on\\; to here", "PHOTO;TYPE=JPEG;ENCODING=b:/9j/4AAQSkZJRg==",
    ):  # fmt: skip
        assert f"{line}\r\n" in text, text


def test_cards_of_all_versions_in_one_file(tmp_path: Path) -> None:
    plain = b"BEGIN:VCARD\nVERSION:4.0\nUID:u4\nFN:Bo\nEND:VCARD\n"
    nameless = b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Berg;Cia;;;\r\nEND:VCARD\r\n"
    found, skipped = listed(written(tmp_path, OLD + plain + nameless + plain, "all.vcf"), Kind.CONTACT)
    assert skipped == ["double"]
    assert found.pop("u4") == plain
    assert sorted(b"VERSION:3.0" in body for body in found.values()) == [True, True]
    assert sorted(b"FN:Cia Berg\r\n" in body for body in found.values()) == [False, True]
    assert all(f"UID:{uid}\r\n".encode() in body for uid, body in found.items())


class Where(Settings):
    path: str


def said(root: Path) -> dict[str, str]:
    return {id_: content_digest(body) for id_, body in listed(root)[0].items()}


def run(tmp_path: Path, connector: Any, out: str = "out") -> Report:
    made = plan(
        tmp_path / "job",
        connector,
        connector,
        source_settings=Where(path=str(tmp_path / "in")),
        destination_settings=Where(path=str(tmp_path / out)),
    )
    return liberate.migrate(made, workers=1)


def test_a_job_leaves_a_file_for_each_event_and_one_with_all_to_import(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    series = one("s@x", "Every week", "RRULE:FREQ=WEEKLY\r\n")
    data = calendar(ZONE, one("a/b@x"), series, head="X-WR-CALNAME:Work\r\n")
    written(tmp_path / "in", data, "w.ics")
    report = run(tmp_path, ics)
    assert (report.accounts[0].moved, report.accounts[0].refusals) == (2, ())
    joined = (tmp_path / "out" / "Work.ics").read_bytes()
    assert joined.count(b"BEGIN:VTIMEZONE") == 1
    assert series.encode() in joined
    assert said(tmp_path / "out") == said(tmp_path / "in")
    assert not run(tmp_path, ics).changed
    written(tmp_path / "in", data.replace(b"Every week", b"Every month"), "w.ics")
    assert run(tmp_path, ics).changed
    assert b"Every month" in (tmp_path / "out" / "Work.ics").read_bytes()


def test_a_joined_file_that_somebody_changed_is_theirs(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    written(tmp_path / "in", calendar(ZONE, one("a@x")), "Work.ics")
    run(tmp_path, ics)
    written(tmp_path / "out", b"mine", "Work.ics")
    written(tmp_path / "in", calendar(ZONE, one("a@x", "New")), "Work.ics")
    run(tmp_path, ics)
    assert (tmp_path / "out" / "Work.ics").read_bytes() == b"mine"


def test_contacts_go_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "in" / "All Contacts").mkdir(parents=True)
    written(tmp_path / "in" / "All Contacts", OLD, "All Contacts.vcf")
    report = run(tmp_path, vcf)
    assert (report.accounts[0].moved, report.accounts[0].refusals) == (1, ())
    assert b"FN:\xc3\x85sa \xc3\x96berg" in (tmp_path / "out" / "All Contacts.vcf").read_bytes()
