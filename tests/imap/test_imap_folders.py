"""Where mail lands: names as this very server takes them, folders found, made and made only once."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest
from imap_kit import Mailbox, folder, message, parts, receipts
from liberate_imap import names

from liberate.connector import Collection, Kind
from liberate.errors import ItemError
from liberate.mail import Role
from liberate.naming import Rules, decode, encode, fold

pytestmark = pytest.mark.dovecot

LAYOUTS: dict[str, dict[str, object]] = {
    "slash": {},
    "dot": {"separator": "."},
    "INBOX. prefix": {"separator": ".", "prefix": "INBOX."},
    "fs layout": {"layout": "fs"},
}
HOSTILE = [
    "a.b",
    "INBOX/x",
    "inbox",
    "~",
    "~root",
    "a~b",
    "n" * 300,
    "ö" * 200,
    "😀 party 🎉",
    "Case",
    "case",
    "R&D",
    "&",
    "&AOQ-",
    "*",
    "%",
    "a*b%c",
    'say "hi"',
    "back\\slash",
    "tab\there",
    "line\r\nend",
    " leading blank",
    "trailing blank ",
    "trailing dot.",
    ".hidden",
    "..",
    ".",
    "",
    unicodedata.normalize("NFD", "Räksmörgås"),
    "[Gmail]",
    "{5+}",
    "(x)",
    "NIL",
    "日本語/メール",
    "#news",
    "a\x7fb",
    "-",
    "cur",
    "new",
]


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS)
def laid_out(request: pytest.FixtureRequest, new_mailbox: Callable[..., Mailbox]) -> Mailbox:
    return new_mailbox(**request.param)


def legal(name: str, rules: Rules) -> str:
    """The name as the core makes it for an outermost folder."""
    out = encode(name, rules)
    if out.casefold() in rules.reserved_top:
        out = encode(name, replace(rules, first=rules.first | {name[0]}))
    return out


def test_every_name_that_the_rules_call_legal_is_taken_and_comes_back(laid_out: Mailbox) -> None:
    with laid_out.destination() as destination:
        rules = destination.rules
        given = {name: legal(name, rules) for name in HOSTILE}
        assert len({fold(one, rules) for one in given.values()}) == len(given)
        for name, made in given.items():
            place = destination.prepare(folder(made))
            receipts(destination.write_many(iter(parts(place, [b"Subject: x\r\n\r\n" + name.encode()]))))
    with laid_out.source() as source:
        back = {one.path: one for one in source.collections()}
        assert set(back) >= {(made,) for made in given.values()}
        for name, made in given.items():
            listed = [item for item in source.items(back[made,], None) if not isinstance(item, str)]
            assert len(listed) == 1, name
            if "~" not in made[-10:-7] and name:
                assert decode(made) == unicodedata.normalize("NFC", name)


def test_folders_within_folders_are_made_and_their_parents_can_be_made_later(laid_out: Mailbox) -> None:
    with laid_out.destination() as destination:
        deep = destination.prepare(folder("Projects", "2020", "Räksmörgås"))
        middle = destination.prepare(folder("Projects", "2020"))
        top = destination.prepare(folder("Projects"))
        for at, place in enumerate((deep, middle, top)):
            receipts(destination.write_many(iter(parts(place, [message(at)]))))
    with laid_out.source() as source:
        paths = {one.path: one.count for one in source.collections()}
    assert paths["Projects", "2020", "Räksmörgås"] == paths["Projects", "2020"] == paths["Projects",] == 1


def test_probing_leaves_no_folder_behind(laid_out: Mailbox) -> None:
    before = laid_out.folders()
    with laid_out.destination() as destination:
        rules = destination.rules
        assert destination.rules is rules
    assert laid_out.folders() == before


def test_what_is_probed_is_what_dovecot_does(new_mailbox: Callable[..., Mailbox]) -> None:
    with new_mailbox().destination() as destination:
        rules = destination.rules
    assert rules.forbidden == {"/", "."}
    assert rules.first == {"~"}
    assert 200 <= rules.max_bytes <= 255
    assert not rules.caseless
    assert rules.reserved_top == {"inbox"}
    with new_mailbox(layout="fs").destination() as destination:
        assert "." not in destination.rules.forbidden


def test_names_at_the_limits_are_taken(laid_out: Mailbox) -> None:
    with laid_out.destination() as destination:
        rules = destination.rules
        longest = "L" * rules.max_bytes
        destination.prepare(folder(longest))
        size, path = 0, []
        while size + 50 < rules.max_path:
            path.append("p" * 49)
            size += 50
        destination.prepare(folder(*path))
        assert destination.mark(destination.prepare(folder(longest)))


def test_leftovers_of_a_probe_that_died_are_removed_and_folders_of_people_are_not(mailbox: Mailbox) -> None:
    mailbox.deliver("liberate-probe-6000000a-abcdef01-plain")
    mailbox.deliver("About liberate-probe-6000000a-abcdef01-plain", message(1))
    mailbox.deliver("liberate-probe-fffffff0-abcdef01-plain")  # of a probe that is at work just now
    with mailbox.destination() as destination:
        assert destination.rules.max_bytes > 100
    assert mailbox.folders() == {
        "INBOX",
        "About liberate-probe-6000000a-abcdef01-plain",
        "liberate-probe-fffffff0-abcdef01-plain",
    }


def test_an_account_that_may_make_no_folders_gets_cautious_rules(new_mailbox: Callable[..., Mailbox]) -> None:
    strict = new_mailbox(config="plugin {\n  acl = vfile\n}\nmail_plugins = $mail_plugins acl")
    (strict.server.maildir(strict.name)).mkdir(parents=True, exist_ok=True)
    with strict.destination() as destination:
        assert destination.rules.reserved_top == {"inbox"}


# What a folder is for ----------------------------------------------------------------------------


def role(name: Role, *path: str) -> Collection:
    return Collection(f"the {name}", path, Kind.MAIL, role=name)


def test_each_role_lands_in_the_servers_own_folder(new_mailbox: Callable[..., Mailbox]) -> None:
    german = {"Gesendet": "\\Sent", "Entwürfe": "\\Drafts", "Archiv": "\\Archive", "Papierkorb": "\\Trash"}
    mailbox = new_mailbox(special_use=german)
    with mailbox.plain() as session:
        for name in german:
            session.create(f'"{names.encode(name).decode()}"')
    with mailbox.destination() as destination:
        assert destination.prepare(role(Role.SENT, "Sent Mail")) == "Gesendet"
        assert destination.prepare(role(Role.DRAFTS)) == "Entwürfe"
        assert destination.prepare(role(Role.ARCHIVE, "All")) == "Archiv"
        assert destination.prepare(role(Role.TRASH)) == "Papierkorb"
        assert destination.prepare(role(Role.INBOX, "Inkorgen")) == "INBOX"
        assert destination.prepare(role(Role.JUNK)) == "Junk"  # not there: made


@pytest.mark.parametrize("known", ["Sent Items", "sent", "Gesendete Objekte", "Skickat", "Envoyés"])
def test_a_folder_that_is_known_by_its_name_is_used(new_mailbox: Callable[..., Mailbox], known: str) -> None:
    mailbox = new_mailbox(special_use={})
    with mailbox.plain() as session:
        session.create(f'"{names.encode(known).decode()}"')
    with mailbox.destination() as destination:
        assert destination.prepare(role(Role.SENT)) == known


def test_roles_are_made_in_the_personal_namespace(new_mailbox: Callable[..., Mailbox]) -> None:
    mailbox = new_mailbox(separator=".", prefix="INBOX.")
    with mailbox.destination() as destination:
        assert destination.prepare(role(Role.SENT)) == "INBOX.Sent"
        assert destination.prepare(role(Role.INBOX)) == "INBOX"
        assert destination.prepare(folder("Work", "2020")) == "INBOX.Work.2020"
        assert destination.prepare(folder()) == "INBOX"


def test_preparing_again_changes_nothing(mailbox: Mailbox) -> None:
    for _ in range(2):
        with mailbox.destination() as destination:
            assert destination.prepare(folder("Once", "inner")) == "Once/inner"
            assert destination.prepare(folder("Once", "inner")) == "Once/inner"
    assert mailbox.folders() == {"INBOX", "Once", "Once/inner"}


def test_what_is_made_is_subscribed_unless_told_not_to(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        destination.prepare(folder("Seen", "inner"))
    with mailbox.destination(subscribe=False) as destination:
        destination.prepare(folder("Unseen"))
    with mailbox.plain() as session:
        lines = b"\n".join(line for line in session.lsub()[1] if isinstance(line, bytes))
    assert b"Seen/inner" in lines
    assert b"Unseen" not in lines


def test_everything_lands_under_the_folder_of_the_settings(mailbox: Mailbox) -> None:
    with mailbox.destination(folder="From Google/anna") as destination:
        assert destination.rules.max_path < 253
        assert destination.prepare(role(Role.INBOX)) == "From Google/anna/Inbox"
        assert destination.prepare(role(Role.SENT, "Skickat")) == "From Google/anna/Skickat"
        assert destination.prepare(folder("Work")) == "From Google/anna/Work"
        assert destination.prepare(folder()) == "From Google/anna"


def test_a_name_that_the_server_refuses_is_the_folders_own_failure(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        for name in ("a.b", "~x", "x" * 400):
            with pytest.raises(ItemError) as refused:
                destination.prepare(folder(name))
            assert refused.value.code == "illegal-name"
            assert "secs" not in refused.value.why
        assert destination.prepare(folder("fine"))
