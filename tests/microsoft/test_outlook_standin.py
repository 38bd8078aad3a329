"""The stand-in for mail answers as Graph does where it matters, and refuses what a careless client would send."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from graph_schema import VARIABLE, by_table, checker
from liberate_microsoft.sandbox import outlook
from liberate_microsoft.standin import Fault, GraphStandin, Mailbox, mail_shapes, sample_mail
from liberate_microsoft.standin.mailbox import regenerated, sorted_form
from microsoft_kit import ANNA
from outlook_kit import mail

from liberate.connector import Account, Item, Kind, ReadsMany
from liberate.registry import connector as registered

Get = Callable[..., requests.Response]
STAY = {"Prefer": 'IdType="ImmutableId"'}
WHOSE = f"/users/{ANNA}"
INBOX = f"{WHOSE}/mailFolders/inbox"


@pytest.fixture
def mailbox(standin: GraphStandin) -> Mailbox:
    return standin.add_mailbox(ANNA)


@pytest.fixture
def get(standin: GraphStandin, mailbox: Mailbox, tmp_path: Path) -> Get:
    authority = str(standin.ca_file(tmp_path / "authority.pem"))
    form = {
        "grant_type": "client_credentials",
        "client_id": standin.entra.client_id,
        "client_secret": standin.entra.client_secret,
        "scope": "https://graph.microsoft.com/.default",
    }
    where = f"{standin.url}/{standin.entra.tenant}/oauth2/v2.0/token"
    token = requests.post(where, data=form, verify=authority, timeout=9).json()["access_token"]

    def call(path: str, headers: dict[str, str] = STAY) -> requests.Response:
        url = path if path.startswith("https://") else f"{standin.url}/v1.0{path}"
        headers = {"Authorization": f"Bearer {token}", **headers}
        return requests.get(url, headers=headers, verify=authority, allow_redirects=False, timeout=9)

    return call


def refused(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_the_mime_of_a_message_is_not_had_by_way_of_its_folder(get: Get, mailbox: Mailbox) -> None:
    letter = mailbox.add(mail(1))
    one = mailbox.id_of(letter, immutable=True)
    assert refused(get(f"{INBOX}/messages/{one}/$value")) == (405, "ErrorInvalidRequest")
    answer = get(f"{WHOSE}/messages/{one}/$value")
    assert (answer.status_code, sorted_form(answer.content)) == (200, sorted_form(mail(1)))
    assert get(f"{WHOSE}/messages/{one}/$value").content != answer.content


def test_an_id_is_good_in_the_form_in_which_it_was_given_and_changes_with_a_move_without_the_header(
    get: Get, mailbox: Mailbox
) -> None:
    letter = mailbox.add(mail(1))

    def ids(headers: dict[str, str], folder: str = "inbox") -> str:
        answer = get(f"{WHOSE}/mailFolders/{folder}/messages", headers)
        assert answer.headers.get("Preference-Applied") == headers.get("Prefer")
        return str(answer.json()["value"][0]["id"])

    stays, changes = ids(STAY), ids({})
    assert refused(get(f"{WHOSE}/messages/{stays}", {})) == (404, "ErrorItemNotFound")
    assert refused(get(f"{WHOSE}/messages/{changes}")) == (404, "ErrorItemNotFound")
    mailbox.move(letter, "archive")
    assert ids(STAY, "archive") == stays
    assert ids({}, "archive") != changes
    assert refused(get(f"{WHOSE}/messages/{changes}", {})) == (404, "ErrorItemNotFound")
    assert refused(get(f"{WHOSE}/messages/nonsense")) == (400, "ErrorInvalidIdMalformed")


def test_ids_differ_by_case_alone(get: Get, mailbox: Mailbox) -> None:
    letters = [mailbox.add(mail(n)) for n in range(4)]
    ids = [mailbox.id_of(one, immutable=True) for one in letters]
    assert len(set(ids)) == 4
    assert len({one.casefold() for one in ids}) < 4
    found = [sorted_form(get(f"{WHOSE}/messages/{one}/$value").content) for one in ids]
    assert found == [sorted_form(mail(n)) for n in range(4)]


def test_a_delta_pages_and_then_tells_a_move_as_removed_here_and_new_there(get: Get, mailbox: Mailbox) -> None:
    letters = [mailbox.add(mail(n)) for n in range(12)]

    def follow(url: str, headers: dict[str, str] = STAY) -> tuple[list[dict[str, Any]], str]:
        seen = []
        while True:
            page = get(url, headers).json()
            seen += page["value"]
            if "@odata.nextLink" not in page:
                return seen, page["@odata.deltaLink"]
            url = page["@odata.nextLink"]

    first, here = follow(f"{INBOX}/messages/delta?$select=isRead", {"Prefer": "odata.maxpagesize=5, " + STAY["Prefer"]})
    _, there = follow(f"{WHOSE}/mailFolders/archive/messages/delta?$select=isRead")
    assert [set(one) - {"@odata.type", "@odata.etag"} for one in first] == [{"id", "isRead"}] * 12
    mailbox.move(letters[3], "archive")
    mailbox.change(letters[4], read=True)
    mailbox.delete(letters[5])
    key = [mailbox.id_of(one, immutable=True) for one in letters]
    changes, _ = follow(here)
    assert "flag" not in changes[1], "of a message that was only read, no more is told than that"
    assert [(one["id"], one.get("isRead"), one.get("@removed")) for one in changes] == [
        (key[3], None, {"reason": "deleted"}),
        (key[4], True, None),
        (key[5], None, {"reason": "deleted"}),
    ]
    assert [one["id"] for one in follow(there)[0]] == [key[3]]
    mailbox.expired_as = (410, "syncStateNotFound")
    mailbox.expire_tokens("inbox")
    assert refused(get(here)) == (410, "syncStateNotFound")
    assert get(there).status_code == 200
    assert refused(get(there.replace("archive", "inbox"))) == (400, "SyncStateInvalid")
    assert refused(get(f"{here}&$select=id")) == (400, "BadRequest")
    assert refused(get(f"{INBOX}/messages/delta?$deltatoken=rubbish")) == (400, "SyncStateInvalid")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{INBOX}/messages/delta?$select=id,sizeInBytes", 400, "RequestBroker--ParseUri"),
        (f"{INBOX}/messages/delta?$expand=attachments", 400, "ErrorInvalidUrlQuery"),
        (f"{INBOX}/messages/delta?$search=x", 400, "ErrorInvalidUrlQuery"),
        (f"{INBOX}/messages?$orderby=subject", 400, "ErrorInvalidUrlQuery"),
        (f"{INBOX}/messages?$top=1001", 400, "ErrorInvalidUrlQuery"),
        (f"{WHOSE}/mailFolders?$select=wellKnownName", 400, "RequestBroker--ParseUri"),
        (f"{WHOSE}/mailFolders/clutter", 404, "ErrorItemNotFound"),
        (f"{WHOSE}/mailFolders/AQMknothing/childFolders", 404, "ErrorItemNotFound"),
        (f"{WHOSE}/settings/exchange", 400, "BadRequest"),
        ("/users/who@solros.example/mailFolders", 404, "ErrorInvalidUser"),
        ("/me/mailFolders", 400, "BadRequest"),
    ],
)
def test_what_graph_does_not_take_is_refused(get: Get, path: str, status: int, code: str) -> None:
    assert refused(get(path)) == (status, code)


def test_a_page_size_out_of_range_is_refused(get: Get) -> None:
    assert refused(get(f"{INBOX}/messages/delta", {"Prefer": "odata.maxpagesize=1001"})) == (
        400,
        "ErrorInvalidParameter",
    )


def test_folders_come_ten_at_a_time_and_hidden_ones_only_if_asked_for(get: Get, mailbox: Mailbox) -> None:
    for n in range(9):
        mailbox.add_folder(f"{n}", hidden=n > 6)
    mailbox.add_folder("found", search=True)

    def names(url: str) -> list[str]:
        seen: list[str] = []
        while url:
            page = get(url).json()
            assert len(page["value"]) <= 10
            seen += [one["displayName"] for one in page["value"]]
            url = page.get("@odata.nextLink", "")
        return seen

    shown, every = names(f"{WHOSE}/mailFolders"), names(f"{WHOSE}/mailFolders?includeHiddenFolders=true")
    assert (len(shown), len(every)) == (7 + 7 + 1, 7 + 9 + 1)
    assert every.count("8") == 1
    types = {one.get("@odata.type") for one in get(f"{WHOSE}/mailFolders?$top=99").json()["value"]}
    assert "#microsoft.graph.mailSearchFolder" in types


def test_the_fifth_request_at_once_is_one_too_many(get: Get, standin: GraphStandin, mailbox: Mailbox) -> None:
    here, go_on = threading.Barrier(5), threading.Event()

    def hold() -> None:
        here.wait(20)
        go_on.wait(20)

    standin.faults.add(Fault(method="mailFolder", times=4, does=hold))
    held = [threading.Thread(target=get, args=(INBOX,)) for _ in range(4)]
    for one in held:
        one.start()
    here.wait(20)
    fifth = get(INBOX)
    go_on.set()
    for one in held:
        one.join()
    assert refused(fifth) == (429, "ApplicationThrottled")
    assert "MailboxConcurrency" in fifth.json()["error"]["message"]
    assert float(fifth.headers["Retry-After"]) == 0.5
    assert get(INBOX).status_code == 200
    standin.mail_quotas[ANNA].enforce(2, 30)
    assert [get(INBOX).status_code for _ in range(3)] == [200, 200, 429]


def test_a_damaged_message_breaks_its_content_or_every_page_it_stands_on(get: Get, mailbox: Mailbox) -> None:
    letters = [mailbox.add(mail(n)) for n in range(4)]
    letters[1].unwritable = letters[2].untellable = True
    broken = (500, "ErrorContentConversionFailed")
    assert refused(get(f"{WHOSE}/messages/{mailbox.id_of(letters[1], immutable=True)}/$value")) == broken
    assert refused(get(f"{INBOX}/messages/delta")) == broken
    small = {"Prefer": 'IdType="ImmutableId", odata.maxpagesize=2'}
    assert len(get(f"{INBOX}/messages/delta", small).json()["value"]) == 2
    assert get(f"{INBOX}/messages?$top=1&$skip=1&$orderby=receivedDateTime%20asc").status_code == 200
    assert refused(get(f"{INBOX}/messages?$top=1&$skip=2&$orderby=receivedDateTime%20asc")) == broken


def test_a_draft_that_is_sent_keeps_its_immutable_id(get: Get, mailbox: Mailbox) -> None:
    draft = mailbox.add(mail(1), "drafts", draft=True)
    one = mailbox.id_of(draft, immutable=True)
    mailbox.edit(draft, mail(1, "the whole text"))
    mailbox.send(draft)
    told = get(f"{WHOSE}/messages/{one}").json()
    assert (told["isDraft"], told["parentFolderId"]) == (False, mailbox.folder("sentitems").id)
    assert b"the whole text" in get(f"{WHOSE}/messages/{one}/$value").content


def test_the_last_verb_is_told_only_if_asked_for(get: Get, mailbox: Mailbox) -> None:
    mailbox.add(mail(1), last_verb=104)
    (plain,) = get(f"{INBOX}/messages/delta?$select=isRead").json()["value"]
    expand = "singleValueExtendedProperties($filter=id%20eq%20'Integer%200x1081')"
    (told,) = get(f"{INBOX}/messages/delta?$select=isRead&$expand={expand}").json()["value"]
    assert "singleValueExtendedProperties" not in plain
    assert told["singleValueExtendedProperties"] == [{"id": "Integer 0x1081", "value": "104"}]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("message", {"isRead": "yes"}),
        ("message", {"size": 7}),
        ("message", {"importance": 5}),
        ("message", {"flag": {"flagStatus": 1}}),
        ("mailFolder", {"totalItemCount": "7"}),
        ("mailFolder", {"wellKnownName": "inbox"}),
    ],
)
def test_the_check_sees_planted_faults(mailbox: Mailbox, kind: str, change: dict[str, Any]) -> None:
    letter = mailbox.add(mail(1), last_verb=102)
    told = (
        mail_shapes.message(mailbox, letter, immutable=True, verb=True)
        if kind == "message"
        else mail_shapes.folder(mailbox, mailbox.folder("inbox"))
    )
    for check in (by_table, checker()):
        assert check(kind, told) == []
        assert check(kind, {**told, **change})


def test_a_message_written_anew_has_the_same_headers_and_text() -> None:
    raw = b"A: 1\r\n folded\r\nB: 2\r\nC: 3\r\n\r\ntext\r\n\r\nmore"
    forms = {regenerated(raw, n) for n in range(1, 9)}
    assert len(forms) == 3
    assert {sorted_form(one) for one in forms} == {sorted_form(raw)}
    assert sorted_form(raw) != sorted_form(raw.replace(b"text", b"test"))


def test_the_sample_is_the_same_every_time_and_fits_graphs_types() -> None:
    made = []
    for _ in range(2):
        with GraphStandin(clock=lambda: 1_780_000_000.0) as standin:
            addresses = sample_mail(standin)
            made.append(
                {
                    one: [(x.raw, x.folder, x.read, x.flag) for x in standin.mailboxes[one].letters.values()]
                    for one in addresses
                }
            )
            for mailbox in standin.mailboxes.values():
                for letter in mailbox.letters.values():
                    assert checker()("message", mail_shapes.message(mailbox, letter, immutable=True)) == []
    assert made[0] == made[1]
    assert len(made[0]) == 7
    assert all(len(letters) > 20 for letters in made[0].values())


def test_the_sandbox_runs_and_its_settings_lead_to_it(tmp_path: Path) -> None:
    with outlook.start(tmp_path, ()) as running:
        settings = dict(running.connection)
        found = registered(str(settings.pop("connector")))
        assert found.source is not None
        with found.source(
            found.settings(**settings), Account(running.accounts[0], kinds=frozenset({Kind.MAIL}))
        ) as one:
            (collection,) = one.collections()
            listed = [item for item in one.items(collection, None) if isinstance(item, Item)]
            assert len(listed) > 20
            assert isinstance(one, ReadsMany)
            assert all(loaded.body for loaded in one.read_many(listed[:3]))


def test_the_schemas_are_used_where_they_are_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert checker() is by_table
