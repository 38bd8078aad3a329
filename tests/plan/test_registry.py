from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from liberate import registry
from liberate.connector import Account
from liberate.errors import AccountError, PlanError
from liberate.plan import plan_for


def test_a_strangers_connector_is_found_by_name() -> None:
    assert {"shelf", "post", "well", "hole", "lacks", "broken"} <= set(registry.names())
    assert registry.connector("shelf").title == "letters on a shelf"
    assert "broken" not in {c.name for c in registry.connectors()}


def test_an_unknown_connector_is_told_with_the_nearest_name() -> None:
    with pytest.raises(PlanError, match=r'There is no connector "shlef"[.] Did you mean "shelf"'):
        registry.connector("shlef")


def test_a_missing_package_is_told_with_what_to_install() -> None:
    with pytest.raises(PlanError, match=r"package stranger_that_is_missing.*Run: pip install 'stranger'"):
        registry.connector("broken")


def test_a_package_that_is_missing_only_when_an_account_is_opened_stops_that_account() -> None:
    lacks = registry.connector("lacks")
    assert lacks.source is not None
    with (
        pytest.raises(AccountError, match=r"a_package_that_nobody_has.*pip install 'stranger\[lacks\]'") as caught,
        lacks.source(lacks.settings(path="x"), Account("a")),
    ):
        pass
    assert caught.value.code == "missing-package"


def test_an_endpoint_is_understood_by_its_scheme(tmp_path: Path) -> None:
    connector, settings, account = registry.endpoint("posts://anna@mail.example.coop")
    assert (connector.name, settings.host, account) == ("post", "mail.example.coop", "anna")  # type: ignore[attr-defined]
    connector, settings, account = registry.endpoint("shelf:letters", tmp_path)
    assert (connector.name, settings.path, account) == ("shelf", tmp_path / "letters", "")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("shlef:x", 'No connector takes "shlef:". Did you mean "shelf"'),
        ("letters", "neither a file nor an address"),
        ("posts://", "the host is missing"),
    ],
)
def test_an_endpoint_that_nobody_understands_is_told(url: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        registry.endpoint(url)


def test_a_file_without_a_word_for_what_it_is_is_told_which_words_there_are(folder: Path) -> None:
    (folder / "all.mbox").touch()
    (folder / "mail").mkdir()
    with pytest.raises(PlanError, match=r'Say what "all.mbox" is, such as takeout:all.mbox or mbox:all[.]mbox[.]'):
        registry.endpoint("all.mbox")
    with pytest.raises(PlanError, match=r'Say what "mail" is, such as maildir:mail or folder:mail[.]'):
        registry.endpoint("mail")


def test_a_password_in_an_endpoint_is_never_repeated() -> None:
    with pytest.raises(PlanError) as caught:
        registry.endpoint("pots://anna:hunter2@host")
    assert "hunter2" not in str(caught.value)


def test_finding_names_loads_no_connector() -> None:
    code = (
        "import json, sys; from liberate import registry; registry.names();"
        "print(json.dumps([m for m in sys.modules if m.startswith('liberate_')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


# Two endpoints ------------------------------------------------------------------------------------


def test_two_endpoints_make_a_plan_whose_folder_is_the_same_each_time(folder: Path) -> None:
    first = plan_for("shelf:a", "shelf:./b")
    assert first.job_dir.parent == folder
    assert first.job_dir.name.startswith("liberate-")
    assert first.job_dir.suffix == ".job"
    assert plan_for("shelf:./a", f"shelf:{folder}/b").job_dir == first.job_dir
    assert plan_for("shelf:a", "shelf:c").job_dir != first.job_dir
    assert plan_for("shelf:a", "shelf:b", Path("mine")).job_dir == folder / "mine"
    [move] = first.moves()
    assert (move.source_account().name, move.label) == ("", f"shelf:{folder}/a")


def test_passwords_come_from_the_environment_and_are_asked_for_only_where_one_is_needed(folder: Path) -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "typed"

    def secrets(source: str, destination: str, **environment: str) -> tuple[str | None, str | None]:
        [move] = plan_for(source, destination, ask=ask, environment=environment).moves()
        return move.source_account().secret, move.destination_account().secret

    assert secrets("shelf:a", "posts://anna@new.example", LIBERATE_PASSWORD="one") == (None, "one")
    assert secrets("posts://a@old", "posts://b@new", LIBERATE_FROM_PASSWORD="1", LIBERATE_TO_PASSWORD="2") == ("1", "2")
    assert asked == []
    # one password for two servers would tell the first server's secret to the second
    assert secrets("posts://a@old", "posts://b@new", LIBERATE_PASSWORD="one") == ("typed", "typed")
    assert asked == ["Password of a at post:old", "Password of b at post:new"]


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        ("hole:a", "shelf:b", 'The connector "hole" cannot be read from.'),
        ("shelf:a", "well:b", 'The connector "well" cannot be written to.'),
        ("shelf:a", "hole:b", "no kind of item in common"),
        ("shelf:a", "shelf:./a", "are the same"),
    ],
)
def test_two_endpoints_that_do_not_fit_are_told(source: str, destination: str, said: str, folder: Path) -> None:
    with pytest.raises(PlanError, match=said):
        plan_for(source, destination)


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("imap://anna@127.0.0.1:1143", "imap://anna@127.0.0.1:2143"),
        ("imap://anna@127.0.0.1:1143/old", "imap://anna@127.0.0.1:1143/new"),
    ],
)
def test_two_servers_on_one_host_and_two_folders_of_one_account_are_two_places(
    source: str, destination: str, folder: Path
) -> None:
    plan = plan_for(source, destination, environment={"LIBERATE_FROM_PASSWORD": "1", "LIBERATE_TO_PASSWORD": "2"})
    assert len(plan.connections) == 2
