from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from liberate_cli.main import cli

from liberate.hold import Hold
from liberate.report_json import SCHEMA

Write = Callable[..., None]
Start = Callable[..., "subprocess.Popen[str]"]

TWO = {
    "anna": {"INBOX/1": b"Subject: one\r\n\r\none\r\n", "INBOX/2": b"two\r\n", "Work/3": b"three\r\n"},
    "bo": {"INBOX/1": b"Subject: b\r\n\r\nb\r\n"},
}


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def stored(folder: Path) -> dict[str, list[bytes]]:
    """What stands at the destination: the letters of each account's folders."""
    found: dict[str, list[bytes]] = {}
    for file in sorted((folder / "new").rglob("*")):
        if file.is_file() and file.name not in ("waits", "go"):
            found.setdefault(str(file.parent.relative_to(folder / "new")), []).append(file.read_bytes())
    return {name: sorted(letters) for name, letters in found.items()}


EVERYTHING = {
    "anna/INBOX": sorted([TWO["anna"]["INBOX/1"], TWO["anna"]["INBOX/2"]]),
    "anna/Work": [TWO["anna"]["Work/3"]],
    "bo/INBOX": [TWO["bo"]["INBOX/1"]],
}


def test_a_plan_is_carried_out_and_the_second_run_says_that_nothing_is_new(write_job: Write, folder: Path) -> None:
    write_job(TWO)
    first = run("migrate")
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("4 of 4 items of 2 accounts stand at the destination")
    assert first.stdout.endswith("All of it, account by account: liberate report\n")
    assert stored(folder) == EVERYTHING
    again = run("migrate")
    assert (again.exit_code, again.stdout) == (0, "Nothing new: 4 items of 2 accounts were already there.\n")
    assert stored(folder) == EVERYTHING


def test_what_is_new_at_the_source_moves_with_the_next_run(write_job: Write, folder: Path) -> None:
    write_job(TWO)
    run("migrate")
    (folder / "old/bo/INBOX/2").write_bytes(b"late\r\n")
    assert run("migrate").stdout.startswith("5 of 5 items")
    assert b"late\r\n" in stored(folder)["bo/INBOX"]


def test_two_endpoints_need_no_plan(write_job: Write, folder: Path) -> None:
    write_job(TWO)
    first = run("migrate", "box:old/anna", "box:new/anna")
    assert first.exit_code == 0, first.output
    [job] = folder.glob("liberate-*.job")
    assert run("migrate", "box:./old/anna", "box:new/anna").stdout.startswith("Nothing new: 3 items of 1 account were")
    assert run("status", "box:old/anna", "box:new/anna").stdout.startswith("3 of 3 items")
    assert (
        f"liberate report box:old/anna box:new/anna --job {job}"
        in run("verify", "box:old/anna", "box:new/anna", "--job", str(job)).stdout
    )


def test_only_the_named_accounts_move(write_job: Write, folder: Path) -> None:
    write_job(TWO)
    assert run("migrate", "--only", "BO").exit_code == 0
    assert set(stored(folder)) == {"bo/INBOX"}
    wrong = run("migrate", "--only", "bob")
    assert (wrong.exit_code, wrong.stderr) == (
        2,
        'liberate: Nobody called "bob" moves by this plan. Did you mean "bo"?\n',
    )


# Exit codes ---------------------------------------------------------------------------------------


def test_refused_items_are_listed_and_the_code_is_1(write_job: Write, folder: Path) -> None:
    write_job({"anna": {"INBOX/1": b"one\r\n", "INBOX/2": b"REFUSED\r\n"}})
    result = run("migrate")
    assert result.exit_code == 1
    assert "  1  too-odd: The box does not take odd letters. Straighten the letter." in result.stdout
    again = run("migrate")
    assert (again.exit_code, again.stdout) == (
        1,
        "Nothing new: 1 item of 1 account was already there. 1 item could not go; `liberate report` lists it.\n",
    )
    text = run("report").stdout
    assert "too-odd" in text
    kept = [word for word in text.split() if word.startswith("rejects/")]
    assert [(folder / "move.job" / name).read_bytes() for name in kept] == [b"REFUSED\r\n"]


def test_refused_items_go_after_retry_when_the_cause_is_gone(write_job: Write, folder: Path) -> None:
    write_job({"anna": {"INBOX/1": b"one\r\n", "INBOX/2": b"REFUSED\r\n"}})
    run("migrate")
    wrong = run("retry", "--code", "too-old")
    assert (wrong.exit_code, wrong.stderr) == (
        2,
        'liberate: No item was refused with the code "too-old". Did you mean "too-odd"?\n',
    )
    assert run("retry", "--code", "too-odd").stdout == "1 item will be tried again. Now run: liberate migrate\n"
    (folder / "old/anna/INBOX/2").write_bytes(b"SMOOTH!\r\n")
    assert run("migrate").exit_code == 0
    assert stored(folder) == {"anna/INBOX": [b"SMOOTH!\r\n", b"one\r\n"]}
    assert run("retry").stdout == "No item is refused, so there is nothing to try again.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["migrate"], "The plan liberate.toml cannot be read (No such file or directory)."),
        (["migrate", "a", "b", "c"], "Name one plan, or two endpoints"),
        (["migrate", "box:old"], "Name the destination too"),
        (["migrate", "box:old", "bux:new"], 'Did you mean "box"?'),
        (["migrate", "--labels", "copy"], "'copy' is not one of"),
        (["migrat"], 'Did you mean "migrate"?'),
        (["verify", "--sample", "200%"], "no share of the items"),
        (["connectors", "bax"], 'There is no connector "bax". Did you mean "box"?'),
        (["sandbox", "nosuch"], 'There is no sandbox "nosuch".'),
        (["init", "--from", "nosuch"], 'There is no connector "nosuch".'),
    ],
)
def test_a_wrong_command_line_is_told_and_the_code_is_2(arguments: list[str], said: str, folder: Path) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["status", "report", "retry", "verify"])
def test_a_job_that_has_not_begun_has_nothing_to_tell(name: str, write_job: Write) -> None:
    write_job(TWO)
    result = run(name)
    assert result.exit_code == 2
    assert "This job has not begun" in result.stderr


def test_an_account_that_needs_a_person_stops_alone_and_the_code_is_3(write_job: Write, folder: Path) -> None:
    write_job({**TWO, "locked": {"INBOX/1": b"x\r\n"}})
    result = run("migrate")
    assert result.exit_code == 3
    assert "locked: The box refuses locked. Correct the password." in result.stdout.splitlines()
    assert stored(folder) == EVERYTHING


def test_what_is_away_for_a_while_is_left_for_the_next_run_and_the_code_is_4(write_job: Write, folder: Path) -> None:
    write_job({**TWO, "cy": {"INBOX/1": b"AWAY\r\n"}})
    result = run("migrate", "--patience", "0")
    assert result.exit_code == 4, result.output
    assert "Run the same command again to go on; nothing will arrive twice." in result.stdout
    assert stored(folder) == EVERYTHING
    (folder / "old/cy/INBOX/1").write_bytes(b"HERE\r\n")
    assert run("migrate").exit_code == 0
    assert stored(folder) == {**EVERYTHING, "cy/INBOX": [b"HERE\r\n"]}


def test_what_changed_behind_our_back_is_found_by_verify_and_the_code_is_5(write_job: Write, folder: Path) -> None:
    write_job(TWO)
    run("migrate")
    fine = run("verify")
    assert fine.exit_code == 0, fine.output
    assert "4 items were read back from the destination: 4 are as at the source." in fine.stdout
    [gone] = (folder / "new/bo/INBOX").iterdir()
    gone.unlink()
    [changed] = (folder / "new/anna/Work").iterdir()
    changed.write_bytes(b"three!\r\n")
    result = run("verify")
    assert result.exit_code == 5
    assert "2 are as at the source, 1 missing, 1 different." in result.stdout


def test_a_second_run_at_the_same_time_is_refused_and_the_code_is_6(write_job: Write, folder: Path) -> None:
    write_job(TWO)
    with Hold("move", folder / "move.job"):
        result = run("migrate")
    assert result.exit_code == 6
    assert result.stderr.startswith("liberate: ")
    assert "Traceback" not in result.stderr
    assert not (folder / "new").exists()


def test_a_fault_of_ours_is_a_traceback_and_a_sentence_and_loses_nothing(write_job: Write, folder: Path) -> None:
    write_job({"anna": {"INBOX/1": b"FAULT\r\n"}})
    result = run("migrate")
    assert result.exit_code == 70
    assert "RuntimeError: a fault of ours" in result.stderr
    assert "this is a fault in liberate itself" in result.stderr
    (folder / "old/anna/INBOX/1").write_bytes(b"right\r\n")
    assert run("migrate").exit_code == 0
    assert stored(folder) == {"anna/INBOX": [b"right\r\n"]}


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ctrl_c_once_finishes_what_is_under_way_and_the_code_is_130(
    write_job: Write, start: Start, folder: Path
) -> None:
    letters = {f"INBOX/{n:04}": b"letter %d\r\n" % n for n in range(300)}
    write_job({"anna": {"INBOX/0000": b"SLOW\r\n", **{k: v for k, v in letters.items() if k != "INBOX/0000"}}})
    process = start("migrate")
    wait_for(folder / "new/anna/waits")
    process.send_signal(signal.SIGINT)
    stderr = process.stderr
    assert stderr is not None
    assert stderr.readline() == "\n"
    assert "finishing what is under way" in stderr.readline()
    (folder / "new/anna/go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"SLOW\r\n" in stored(folder)["anna/INBOX"]
    assert run("migrate").exit_code == 0
    assert stored(folder)["anna/INBOX"] == sorted([b"SLOW\r\n", *(v for k, v in letters.items() if k != "INBOX/0000")])


def test_ctrl_c_twice_stops_at_once_and_the_next_run_completes(write_job: Write, start: Start, folder: Path) -> None:
    write_job({"anna": {"INBOX/0": b"SLOW\r\n", "INBOX/1": b"one\r\n"}})
    process = start("migrate")
    wait_for(folder / "new/anna/waits")
    stderr = process.stderr
    assert stderr is not None
    process.send_signal(signal.SIGINT)
    stderr.readline()
    stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped at once" in rest
    (folder / "new/anna/go").touch()
    assert run("migrate").exit_code == 0
    assert stored(folder) == {"anna/INBOX": [b"SLOW\r\n", b"one\r\n"]}


# For machines, and for people ---------------------------------------------------------------------


def test_json_gives_events_line_by_line_and_the_report_at_the_end(write_job: Write) -> None:
    write_job({**TWO, "locked": {"INBOX/1": b"x\r\n"}})
    result = run("migrate", "--json")
    assert result.exit_code == 3
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert {"planned", "moved", "finished", "stopped"} <= {event["event"] for event in events}
    assert sum(event["items"] for event in events if event["event"] == "moved") == 4
    assert events[-1]["event"] == "report"
    jsonschema.validate(events[-1]["report"], SCHEMA)
    assert events[-1]["report"]["exit_code"] == 3


def test_the_report_is_written_whole_in_the_form_of_its_ending(write_job: Write, folder: Path) -> None:
    write_job(TWO)
    run("migrate")
    for name, beginning in (("r.html", "<!doctype html>"), ("r.json", "{"), ("r.txt", "Report on the job move")):
        assert run("report", "--output", name).exit_code == 0
        assert (folder / name).read_text().startswith(beginning)
    jsonschema.validate(json.loads((folder / "r.json").read_text()), SCHEMA)
    assert run("report", "--format", "json").stdout == (folder / "r.json").read_text()
    denied = run("report", "--output", "no/such/folder/r.html")
    assert (denied.exit_code, denied.stderr.split("(")[0]) == (2, "liberate: no/such/folder/r.html cannot be written ")


def test_a_members_page_tells_of_nobody_else(write_job: Write) -> None:
    write_job(TWO)
    run("migrate")
    page = run("report", "--person", "anna", "--format", "html").stdout
    assert "anna" in page
    assert ">bo<" not in page


def test_accounts_that_have_not_begun_are_not_forgotten(write_job: Write) -> None:
    write_job(TWO)
    run("migrate", "--only", "bo")
    result = run("status", "--exit-code")
    assert "1 more account of the plan has not begun." in result.stdout
    assert result.exit_code == 4
    assert "1 more account of the plan has not begun." in run("report").stdout
    run("migrate")
    assert "not begun" not in run("status").stdout


def test_status_ends_with_the_jobs_code_only_when_asked(write_job: Write) -> None:
    write_job({"anna": {"INBOX/1": b"REFUSED\r\n"}})
    run("migrate")
    assert run("status").exit_code == 0
    assert run("status", "--exit-code").exit_code == 1
    jsonschema.validate(json.loads(run("status", "--json").stdout), SCHEMA)


def test_a_password_is_asked_for_only_where_somebody_can_answer(folder: Path, start: Start) -> None:
    (folder / "old").mkdir()
    process = start("migrate", "box:old", "imaps://anna@mail.invalid")
    out, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "there is nobody to ask. Set LIBERATE_PASSWORD" in told
    assert out == ""


def test_quiet_says_nothing_but_the_result(write_job: Write) -> None:
    write_job(TWO)
    assert run("migrate", "--quiet").stderr == ""
