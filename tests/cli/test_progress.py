from __future__ import annotations

import io
import json
import sys

import pytest
from liberate_cli.progress import _picture, duration, progress_line, showing, shown, style_for
from liberate_cli.tally import Tally
from rich.console import Console

from liberate.events import Checked, Event, Finished, Moved, Planned, Refused, Stopped, Waiting


def told(tally: Tally, *events: tuple[float, Event]) -> Tally:
    for moment, event in events:
        tally.take(event, moment)
    return tally


def test_a_line_says_how_far_and_how_long() -> None:
    tally = told(
        Tally(2),
        (0, Planned("anna", 1000, 400, 9_000)),
        (0, Planned("bo", 600, 0, 0)),
        (0, Moved("anna", 100, 1_000_000)),
        (10, Moved("anna", 100, 1_000_000)),
        (10, Refused("anna", "x", "too-large", "It is too large.")),
    )
    assert progress_line(tally, "moved", 10.0) == (
        "601 of 1,600 items moved, 0 of 2 accounts done, 2.0 MB in this run, 20 items/s, 200 kB/s, "
        "about 50 s left, 1 refused"
    )


def test_nothing_is_promised_before_every_account_has_told_its_number() -> None:
    tally = told(Tally(2), (0, Planned("anna", 10, 0, 0)), (1, Moved("anna", 5, 10)))
    assert tally.items is None
    assert tally.remaining(1) is None
    assert progress_line(tally, "moved", 1.0).startswith("5 items moved, 0 of 2 accounts done")


def test_the_rate_is_that_of_the_last_minute() -> None:
    tally = told(Tally(1), (0, Planned("a", 1_000_000, 0, 0)), (0, Moved("a", 60_000, 0)), (100, Moved("a", 100, 0)))
    assert tally.rate(110)[0] == 10


def test_a_wait_is_shown_until_something_moves() -> None:
    tally = told(Tally(1), (0, Planned("anna", 10, 0, 0)), (0, Waiting("anna", 30.4, "The server is away.")))
    assert progress_line(tally, "moved", 0).endswith("anna waits 30 s: The server is away.")
    tally.take(Moved("anna", 1, 1), 31)
    assert "away" not in progress_line(tally, "moved", 31)


def test_a_source_that_holds_more_than_it_said_never_shows_more_than_all() -> None:
    tally = told(Tally(1), (0, Planned("anna", 10, 0, 0)), (0, Moved("anna", 12, 1)), (0, Finished("anna")))
    assert progress_line(tally, "moved", 1).startswith("12 of 12 items moved, 1 of 1 account done")
    assert tally.remaining(1) == 0


def test_a_second_count_of_an_account_does_not_count_its_items_twice() -> None:
    tally = told(Tally(1), (0, Planned("a", 10, 2, 0)), (0, Moved("a", 3, 1)), (0, Planned("a", 12, 5, 0)))
    assert (tally.settled, tally.items) == (5, 12)


def test_verification_counts_what_it_read() -> None:
    tally = told(Tally(1), (0, Planned("a", 10, 0, 0)), (0, Checked("a", 4, 400)))
    assert progress_line(tally, "read back", 1).startswith("4 of 10 items read back")


def test_a_terminal_sees_trouble_first_and_no_more_rows_than_fit() -> None:
    tally = Tally(40)
    for number in range(40):
        tally.take(Planned(f"p{number}", 10, 0, 0), 0)
    tally.take(Stopped("p39", "login", "The password is wrong.", "Correct it."), 0)
    tally.take(Finished("p0"), 0)
    rows = shown(tally)
    assert (rows[0].name, rows[1].name, len(rows)) == ("p39", "p1", 12)
    out = io.StringIO()
    Console(file=out, width=100).print(_picture(tally, "moved", 1.0, 100))
    assert "The password is wrong." in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_numbers_are_never_cut_on_a_narrow_terminal() -> None:
    name = "a" * 70 + "@old.example"
    tally = told(Tally(1), (0, Planned(name, 41_211, 41_000, 0)), (0, Waiting(name, 30, "The server is away.")))
    out = io.StringIO()
    Console(file=out, width=60).print(_picture(tally, "moved", 1.0, 60))
    assert "41,000 / 41,211" in out.getvalue()


def test_events_are_json_lines_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    with showing("json", 1, "moved") as observe:
        observe(Moved("anna", 2, 300))
        observe(Stopped("anna", "login", "Nej, åäö", "x"))
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"event": "moved", "account": "anna", "items": 2, "bytes": 300},
        {"event": "stopped", "account": "anna", "code": "login", "why": "Nej, åäö", "todo": "x"},
    ]


def test_an_account_that_stopped_waits_no_more() -> None:
    tally = Tally(2)
    tally.take(Waiting("anna", 1.0, "The server is away."), 0.0)
    tally.take(Stopped("anna", "login", "The password is wrong.", "Correct it."), 1.0)
    tally.take(Waiting("bo", 2.0, "The server is slow."), 1.0)
    line = progress_line(tally, "moved", 1.0)
    assert "anna" not in line
    assert line.endswith("bo waits 2 s: The server is slow.")


def test_without_a_terminal_trouble_is_a_line_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with showing("lines", 1, "moved") as observe:
        observe(Moved("anna", 2, 300))
        observe(Stopped("anna", "login", "The password is wrong.", "Correct it."))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "anna: The password is wrong. Correct it.\n")


def test_the_display_is_live_only_on_a_terminal_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})())
    assert style_for(as_json=False, quiet=False, plain_lines=False) == "live"
    assert style_for(as_json=False, quiet=False, plain_lines=True) == "lines"
    assert style_for(as_json=True, quiet=True, plain_lines=False) == "json"
    monkeypatch.setenv("TERM", "dumb")
    assert style_for(as_json=False, quiet=False, plain_lines=False) == "lines"
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert style_for(as_json=False, quiet=False, plain_lines=False) == "lines"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "1 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5_300, "88 min"),
        (5_400, "1 h 30 min"),
        (7_200, "2 h"),
        (100_000, "27 h 47 min"),
        (130_000, "1 day 12 h"),
        (200_000, "2 days 7 h"),
    ],
)
def test_a_time_to_come_is_as_exact_as_it_deserves(seconds: float, said: str) -> None:
    assert duration(seconds) == said
