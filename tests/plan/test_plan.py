from __future__ import annotations

from pathlib import Path

import pytest

from liberate.connector import Kind
from liberate.errors import PlanError
from liberate.labels import LabelPolicy
from liberate.plan import load_plan

GOOD = """\
[job]
name = "solros"

[connections.old]
connector = "post"
host = "mail.old.example"
parallel = 3
master_user = "m"
master_password = { env = "OLD_MASTER" }
ca_file = "keys/ca.pem"

[connections.new]
connector = "shelf"
path = "mail/{account}"

[[routes]]
from = "old"
to = "new"
labels = "primary"
evidence = "read-back"

[people]
table = "people.csv"
"""
PEOPLE = """\
source,destination
anna@old.example,anna
bo@old.example,bo
"""


def write(folder: Path, plan: str = GOOD, people: str | None = PEOPLE) -> Path:
    if people is not None:
        (folder / "people.csv").write_text(people)
    path = folder / "liberate.toml"
    path.write_text(plan)
    return path


def test_a_plan_is_read_as_it_is_meant(folder: Path) -> None:
    plan = load_plan(write(folder))
    assert (plan.name, plan.job_dir, plan.ledger) == ("solros", folder / "solros.job", None)
    [route] = plan.routes
    assert (route.key, route.kinds, route.evidence) == ("old->new", frozenset({Kind.MAIL}), "read-back")
    assert (route.mail.labels, route.mail.spam) == (LabelPolicy.PRIMARY, "skip")
    assert (route.source.max_parallel, route.destination.max_parallel) == (3, 8)
    assert [(m.label, m.source_account().name, m.destination_account().name) for m in plan.moves()] == [
        ("anna@old.example", "anna@old.example", "anna"),
        ("bo@old.example", "bo@old.example", "bo"),
    ]


def test_paths_start_at_the_plan_and_not_where_the_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "plans").mkdir()
    write(folder / "plans")
    monkeypatch.chdir("/")
    plan = load_plan(folder / "plans" / "liberate.toml")
    assert plan.connections["old"].settings.ca_file == folder / "plans/keys/ca.pem"  # type: ignore[attr-defined]
    assert plan.connections["new"].settings.path == folder / "plans/mail/{account}"  # type: ignore[attr-defined]
    assert plan.job_dir == folder / "plans/solros.job"


def test_no_secret_is_read_before_an_account_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANNAS", raising=False)
    people = "source,destination,source_password_env\nanna,anna,ANNAS\n"
    [move] = load_plan(write(folder, people=people)).moves()
    with pytest.raises(PlanError, match="ANNAS holds no password"):
        move.source_account()
    monkeypatch.setenv("ANNAS", "s3cret")
    account = move.source_account()
    assert account.secret == "s3cret"
    assert "s3cret" not in repr(account)
    assert move.destination_account().secret is None


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


BAD = {
    "an unknown table": (changed("[job]", "[jobs]"), 1, "jobs", 'Did you mean "job"?'),
    "an unknown key of the job": (changed('name = "sol', 'nmae = "sol'), 2, "job.nmae", 'Did you mean "name"?'),
    "an unknown setting": (changed("host =", "hots ="), 6, "connections.old.hots", 'Did you mean "host"?'),
    "an unknown key of a route": (changed("labels =", "lables ="), 19, "routes.1.lables", 'Did you mean "labels"?'),
    "an unknown key beside the table": (
        GOOD + 'tabel = "x"\n',
        24,
        "people.tabel",
        'Did you mean "table"?',
    ),
    "an unknown connector": (changed('"shelf"', '"shelv"'), 13, "connections.new.connector", 'Did you mean "shelf"?'),
    "a connector whose package is missing": (
        changed('"shelf"', '"broken"'),
        13,
        "connections.new.connector",
        "pip install 'stranger'",
    ),
    "no connector": (changed('connector = "shelf"\n', ""), 12, "connections.new.connector", "missing"),
    "an unknown connection": (changed('to = "new"', 'to = "nwe"'), 18, "routes.1.to", 'Did you mean "new"?'),
    "a source that cannot be read": (
        changed('"post"\nhost = "mail.old.example"', '"hole"\npath = "{user}"').replace(
            'master_user = "m"\nmaster_password = { env = "OLD_MASTER" }\nca_file = "keys/ca.pem"\n', ""
        ),
        14,
        "routes.1.from",
        "cannot be read from",
    ),
    "a destination that cannot be written": (changed('"shelf"', '"well"'), 18, "routes.1.to", "cannot be written to"),
    "an unsupported kind": (
        changed('labels = "primary"', 'kinds = [\n  "mail",\n  "file",\n]'),
        21,
        "routes.1.kinds.2",
        'The connector "post" hands out mail, but not file.',
    ),
    "a kind that is none": (
        changed('labels = "primary"', 'kinds = ["mial"]'),
        19,
        "routes.1.kinds.1",
        'Did you mean "mail"?',
    ),
    "no kinds at all": (changed('labels = "primary"', "kinds = []"), 19, "routes.1.kinds", "Nothing would move"),
    "a secret written out": (
        changed('{ env = "OLD_MASTER" }', '"hunter2"'),
        9,
        "connections.old.master_password",
        "A secret does not stand in the plan",
    ),
    "a misspelt reference to a secret": (
        changed("{ env =", "{ evn ="),
        9,
        "connections.old.master_password.evn",
        'Did you mean "env"?',
    ),
    "a reference to two secrets": (
        changed("{ env =", '{ file = "x", env ='),
        9,
        "connections.old.master_password",
        "Say where the secret is with one of",
    ),
    "a word that is none of the allowed": (
        changed("parallel = 3", 'security = "tsl"'),
        7,
        "connections.old.security",
        "It must be 'tls', 'starttls' or 'none'. Did you mean \"tls\"?",
    ),
    "a number that is none": (
        changed("parallel = 3", 'port = "imap"'),
        7,
        "connections.old.port",
        "It should be a valid integer",
    ),
    "no workers": (
        changed("parallel = 3", "parallel = 0"),
        7,
        "connections.old.parallel",
        "greater than or equal to 1",
    ),
    "settings that do not go together": (
        changed('master_user = "m"\n', ""),
        4,
        "connections.old",
        "Master_user and master_password go together.",
    ),
    "an unknown policy": (
        changed('"primary"', '"keyword"'),
        19,
        "routes.1.labels",
        'Did you mean "keywords"?',
    ),
    "the same route twice": (
        changed("[people]", '[[routes]]\nfrom = "old"\nto = "new"\n\n[people]'),
        22,
        "routes.2",
        "Join the two",
    ),
    "no people": (changed('[people]\ntable = "people.csv"\n', ""), None, "people", "missing (who becomes whom)"),
    "people without a table": (changed('table = "people.csv"\n', ""), 22, "people.table", "the people table"),
    "an unknown phase": (GOOD + 'phases = ["pilot"]\n', 24, "people.phases.1", "Nobody in the people table is in"),
    "no routes": (
        changed('[[routes]]\nfrom = "old"\nto = "new"\nlabels = "primary"\nevidence = "read-back"\n', ""),
        None,
        "routes",
        "missing (what goes from where to where)",
    ),
    "one path for several people": (
        changed("mail/{account}", "mail"),
        14,
        "connections.new.path",
        '"anna" and "bo" would share this one place',
    ),
    "a connection that is no table": (
        changed("[connections.old]", "[connections]\nodd = 1\n[connections.old]"),
        5,
        "connections.odd",
        "A connection is a table of its own: [connections.odd]",
    ),
    "a job named after a folder": (changed('"solros"', '"../x"'), 2, "job.name", "no slashes"),
    "a ledger that is no database": (
        changed("[job]", '[job]\nledger = "mysql://x"'),
        2,
        "job.ledger",
        "postgresql://host/database",
    ),
    "a password in the ledger's address": (
        changed("[job]", '[job]\nledger = "postgresql://me:hunter2@host/db"'),
        2,
        "job.ledger",
        "PGPASSWORD",
    ),
    "a text without quotes": (changed('"solros"', "solros"), 2, "", "This is not TOML: invalid value."),
    "a key twice": (changed('name = "solros"', 'name = "a"\nname = "b"'), 3, "", "This is not TOML"),
    "an unclosed text": (changed('"people.csv"', '"people.csv'), 23, "", "This is not TOML"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_wrong_plan_is_told_with_its_line_and_key(what: str, folder: Path) -> None:
    text, line, key, said = BAD[what]
    with pytest.raises(PlanError) as caught:
        load_plan(write(folder, text))
    expected = "liberate.toml" + (f":{line}" if line else "") + ": " + (f"{key}: " if key else "")
    told = [part.strip() for part in str(caught.value).splitlines()]
    assert any(part.startswith(expected) and said in part for part in told), told
    assert "hunter2" not in str(caught.value)


def test_lines_are_right_in_a_plan_written_in_other_ways(folder: Path) -> None:
    text = (
        '\ufeffpeople = { table = "people.csv", tabel = 1 } # a [comment] = "with" signs\r\n'
        'routes = [ # one line or many\r\n  { from = "a.b", to = "c" },\r\n  { from = "c",   too = "d" }, ]\r\n'
        "[connections]\r\n"
        "\"a.b\" . connector = 'shelf'\r\n"
        '"a.b".path = """\r\nover \\""" many ["\r\n\r\nlines {account}"""\r\n'
        "'a.b'.pth = 1\r\n"
        'c = { connector = "shelf", path = "{user}" }\r\n'
    )
    (folder / "people.csv").write_text(PEOPLE)
    path = folder / "liberate.toml"
    path.write_bytes(text.encode())
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert [part.split(": ")[:2] for part in str(caught.value).splitlines()[1:]] == [
        ["  liberate.toml:1", "people.tabel"],
        ["  liberate.toml:4", "routes.2.to"],
        ["  liberate.toml:4", "routes.2.too"],
        ["  liberate.toml:11", "connections.a.b.pth"],
    ]


def test_all_problems_of_the_plan_and_the_table_are_told_together(folder: Path) -> None:
    plan = changed("labels =", "lables =").replace("hunter", "x").replace('to = "new"', 'to = "nwe"')
    with pytest.raises(PlanError) as caught:
        load_plan(write(folder, plan, "source,destination\nanna,x\nbo,X\n,c\n"))
    told = str(caught.value)
    assert told.startswith("3 things have to be put right before anything starts:\n  liberate.toml:19: routes.1.lables")
    assert 'people.csv:3: destination: "X" already is a destination in line 2.' in told
    assert "people.csv:4: source: The name is empty." in told


@pytest.mark.parametrize("missing", ["liberate.toml", "people.csv"])
def test_a_file_that_is_not_there_is_told_with_a_next_step(missing: str, folder: Path) -> None:
    path = write(folder)
    (folder / missing).unlink()
    with pytest.raises(PlanError, match=f"{missing}.* cannot be read .No such file or directory.*[.] .*[.:]"):
        load_plan(path)


def test_a_plan_that_is_not_utf8_names_the_line(folder: Path) -> None:
    path = folder / "liberate.toml"
    path.write_bytes(b'[job]\nname = "caf\xe9"\n')
    with pytest.raises(PlanError, match=r"liberate[.]toml:2: A character here is not UTF-8"):
        load_plan(path)


def test_the_digest_follows_the_plan_and_not_its_comments(folder: Path) -> None:
    first = load_plan(write(folder)).digest()
    assert load_plan(write(folder, "# a comment\n" + GOOD)).digest() == first
    assert load_plan(write(folder, changed("mail.old", "mail.older"))).digest() != first
    assert load_plan(write(folder, GOOD, PEOPLE.replace(",bo", ",bodil"))).digest() != first


def test_phases_and_names_narrow_a_plan(folder: Path) -> None:
    people = "source,destination,phase,action\na@x,a,pilot,\nb@x,b,,\nc@x,,,skip\n"
    plan = load_plan(write(folder, people=people))
    assert [m.label for m in plan.moves()] == ["a@x", "b@x"]
    assert [m.label for m in plan.narrowed(phases=["pilot"]).moves()] == ["a@x"]
    assert [m.label for m in plan.narrowed(["B@X"]).moves()] == ["b@x"]
    assert [m.label for m in plan.narrowed(["b", "a"]).moves()] == ["a@x", "b@x"]
    with pytest.raises(PlanError, match='Nobody called "c@x" moves'):
        plan.narrowed(["c@x"])
    with pytest.raises(PlanError, match='Did you mean "pilot"'):
        plan.narrowed(phases=["piolt"])
    piloted = load_plan(write(folder, GOOD + 'phases = ["pilot"]\n', people))
    assert [m.label for m in piloted.moves()] == ["a@x"]


def test_one_person_on_two_routes_is_told_apart(folder: Path) -> None:
    more = '[connections.too]\nconnector = "shelf"\npath = "{user}"\n[[routes]]\nfrom = "old"\nto = "too"\n\n[people]'
    plan = load_plan(write(folder, changed("[people]", more), "source,destination\na@x,a\n"))
    assert [m.label for m in plan.moves()] == ["a@x (old->new)", "a@x (old->too)"]


def test_two_people_who_differ_only_behind_the_at_do_not_share_a_path(folder: Path) -> None:
    people = "source,destination\na@x,anna@one.example\nb@x,Anna@two.example\n"
    assert len(list(load_plan(write(folder, people=people)).moves())) == 2
    with pytest.raises(PlanError, match=r'new[.]path: "anna@one.example" and "anna@two.example" would share'):
        load_plan(write(folder, changed("{account}", "{user}"), people))


def test_a_workspace_is_one_place_for_all_who_are_in_it(folder: Path) -> None:
    chat = """
[job]
name = "coop"
[connections.old]
connector = "slack-export"
path = "export.zip"
[connections.new]
connector = "chat-archive"
path = "archive"
[[routes]]
from = "old"
to = "new"
kinds = ["chat"]
[people]
table = "people.csv"
"""
    plan = load_plan(write(folder, chat, "source,destination\na@x,anna\nb@x,bo\n"))
    assert len(list(plan.moves())) == 1


def test_options_of_a_run_go_over_every_route(folder: Path) -> None:
    plan = load_plan(write(folder)).with_options(
        evidence="size", labels=LabelPolicy.KEYWORDS, spam="copy", job_dir=Path("elsewhere")
    )
    [route] = plan.routes
    assert (route.evidence, route.mail.labels, route.mail.spam, route.mail.trash) == (
        "size",
        LabelPolicy.KEYWORDS,
        "copy",
        "copy",
    )
    assert plan.job_dir == folder / "elsewhere"


TWO_SERVERS = changed('"shelf"\npath = "mail/{account}"', '"post"\nhost = "mail.new.example"')
NO_MASTER = TWO_SERVERS.replace('master_user = "m"\nmaster_password = { env = "OLD_MASTER" }\n', "")


@pytest.mark.parametrize(
    ("plan", "side"),
    [
        (TWO_SERVERS, "destination"),  # the old server has a master user, so it is the new one that asks
        (GOOD, "source"),  # a shelf asks for no password
    ],
)
def test_a_password_without_a_side_goes_to_the_one_side_that_asks(
    plan: str, side: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNAS", "s3cret")
    people = "source,destination,password_env\na,b,ANNAS\n"
    [move] = load_plan(write(folder, plan, people)).moves()
    assert (move.source_account().secret == "s3cret") is (side == "source")
    assert (move.destination_account().secret == "s3cret") is (side == "destination")


def test_a_password_is_never_told_to_a_server_that_might_not_be_meant(folder: Path) -> None:
    with pytest.raises(PlanError, match=r"people[.]csv:2: password_env: Whose password is this, at old or at new[?]"):
        load_plan(write(folder, NO_MASTER, "source,destination,password_env\na,b,ANNAS\n"))
