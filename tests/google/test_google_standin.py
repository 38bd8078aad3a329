"""The stand-in behaves as Gmail's documentation says, seen through Google's own client library."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from google_kit import ANNA, mail, vendor_client
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload
from liberate_google.prices import PRICE_LISTS
from liberate_google.standin import Fault, GmailStandin
from liberate_google.standin.fields import apply, parse
from liberate_google.standin.schema import Checker

from liberate.testing.clock import Clock


@pytest.fixture
def gmail(standin: GmailStandin) -> Iterator[Any]:
    with vendor_client(standin) as api:
        yield api.users()


def refused(request: Any) -> tuple[int, str]:
    """Status and reason of the error that the request meets."""
    with pytest.raises(HttpError) as caught:
        request.execute()
    error = json.loads(caught.value.content)["error"]
    assert error["code"] == caught.value.status_code
    assert {"message", "errors", "status"} <= set(error)
    return caught.value.status_code, error["errors"][0]["reason"]


def asked(standin: GmailStandin, path: str, token: str) -> tuple[int, str]:
    """Status and reason of an error, without a client in between that would know better."""
    answer = requests.get(standin.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


# Messages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: x\r\n\r\nhi\r\n",
        b"bare\nLF\n\nbody\n",
        b"8-bit: \xe4\xf6\r\n\r\n\x00\xff NUL and more",
        b"X: y\r\r\n\r\nlone \r CR",
        bytes(range(256)) * 5000,
    ],
)
def test_the_bytes_of_a_message_come_back_as_they_went_in(standin: GmailStandin, gmail: Any, raw: bytes) -> None:
    key = standin.add_message(ANNA, raw)
    answer = gmail.messages().get(userId="me", id=key, format="raw").execute()
    assert base64.urlsafe_b64decode(answer["raw"]) == raw
    assert answer["sizeEstimate"] == len(raw)


def test_ids_have_16_hex_digits_and_history_ids_do_not_fit_a_double(standin: GmailStandin, gmail: Any) -> None:
    key = standin.add_message(ANNA, mail(1))
    answer = gmail.messages().get(userId="me", id=key, format="minimal").execute()
    assert re.fullmatch("[0-9a-f]{16}", key)
    assert re.fullmatch("[0-9a-f]{16}", answer["threadId"])
    assert int(answer["historyId"]) > 1 << 53
    assert isinstance(answer["historyId"], str)
    assert int(float(answer["historyId"])) != int(answer["historyId"]) or int(answer["historyId"]) % 2 == 0


def test_a_listing_has_pages_of_at_most_500_ids_and_100_unless_asked(standin: GmailStandin, gmail: Any) -> None:
    put = [standin.add_message(ANNA, mail(n), internal_date=n * 1000) for n in range(620)]
    first = gmail.messages().list(userId="me").execute()
    assert len(first["messages"]) == 100
    assert set(first["messages"][0]) == {"id", "threadId"}
    seen: list[str] = []
    request = gmail.messages().list(userId="me", maxResults=1000)
    while request is not None:
        answer = request.execute()
        assert len(answer["messages"]) <= 500
        seen += [m["id"] for m in answer["messages"]]
        request = gmail.messages().list_next(request, answer)
    assert seen == put[::-1], "newest first, each once"


def test_an_empty_listing_has_no_messages_field(gmail: Any) -> None:
    assert gmail.messages().list(userId="me").execute() == {"resultSizeEstimate": 0}


def test_a_page_token_that_is_garbage_or_of_another_listing_is_refused(standin: GmailStandin, gmail: Any) -> None:
    for n in range(3):
        standin.add_message(ANNA, mail(n))
    token = gmail.messages().list(userId="me", maxResults=1).execute()["nextPageToken"]
    for request in (
        gmail.messages().list(userId="me", pageToken="garbage"),
        gmail.messages().list(userId="me", pageToken=token, q="larger:1"),
    ):
        assert refused(request)[0] == 400


def test_labels_are_anded_and_spam_and_trash_are_left_out_unless_asked_for(standin: GmailStandin, gmail: Any) -> None:
    both = standin.add_message(ANNA, mail(1), ["INBOX", "Work"])
    inbox = standin.add_message(ANNA, mail(2), ["INBOX"])
    spam = standin.add_message(ANNA, mail(3), ["SPAM"])
    work = standin.mailbox(ANNA).label_named("work").id  # type: ignore[union-attr]

    def found(**params: Any) -> set[str]:
        return {m["id"] for m in gmail.messages().list(userId="me", **params).execute().get("messages", ())}

    assert found() == {both, inbox}
    assert found(includeSpamTrash=True) == {both, inbox, spam}
    assert found(labelIds=["INBOX", work]) == {both}
    assert found(labelIds=["SPAM"]) == {spam}
    assert refused(gmail.messages().list(userId="me", labelIds=["Label_99"])) == (400, "invalidArgument")


def test_searches_find_what_they_say(standin: GmailStandin, gmail: Any) -> None:
    small = standin.add_message(ANNA, mail(1), ["INBOX", "Åsa/Söner & co"])
    large = standin.add_message(ANNA, mail(2, "x" * 5000), ["SENT", "STARRED"])
    unread = standin.add_message(ANNA, mail(3), ["TRASH", "UNREAD"])
    chat = standin.add_message(ANNA, mail(4), ["CHAT"])

    def found(q: str) -> set[str]:
        return {m["id"] for m in gmail.messages().list(userId="me", q=q).execute().get("messages", ())}

    assert found("larger:4K") == {large}
    assert found("smaller:4K -is:chat") == {small}
    assert found("in:trash") == {unread}
    assert found("in:anywhere is:unread") == {unread}
    assert found("is:starred in:sent") == {large}
    assert found("is:chat") == {chat}
    assert found("label:åsa-söner-&-co") == {small}
    assert found("rfc822msgid:<2@x.example>") == {large}
    assert found("rfc822msgid:nobody@x.example") == set()
    assert refused(gmail.messages().list(userId="me", q="around:noon"))[0] == 400


def test_only_the_fields_asked_for_come_back(standin: GmailStandin, gmail: Any) -> None:
    key = standin.add_message(ANNA, mail(1))
    standin.add_message(ANNA, mail(2))
    answer = gmail.messages().get(userId="me", id=key, format="raw", fields="id,raw").execute()
    assert set(answer) == {"id", "raw"}
    page = gmail.messages().list(userId="me", maxResults=1, fields="messages/id,nextPageToken").execute()
    assert set(page) == {"messages", "nextPageToken"}
    assert set(page["messages"][0]) == {"id"}
    assert refused(gmail.messages().get(userId="me", id=key, fields="id,("))[0] == 400


@pytest.mark.parametrize(
    ("mask", "kept"),
    [
        ("a", {"a": 1}),
        ("b(c,d)", {"b": {"c": 2, "d": [{"e": 3, "f": 4}]}}),
        ("b/d/e", {"b": {"d": [{"e": 3}]}}),
        ("b/d(e),a", {"a": 1, "b": {"d": [{"e": 3}]}}),
        ("b/c,b/d/f", {"b": {"c": 2, "d": [{"f": 4}]}}),
        ("*", {"a": 1, "b": {"c": 2, "d": [{"e": 3, "f": 4}]}}),
        ("none", {}),
    ],
)
def test_field_masks_select(mask: str, kept: dict[str, Any]) -> None:
    assert apply(parse(mask), {"a": 1, "b": {"c": 2, "d": [{"e": 3, "f": 4}]}}) == kept


def test_full_and_metadata_show_headers_and_parts(standin: GmailStandin, gmail: Any) -> None:
    raw = (
        b"From: a@b\r\nSubject: S\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"
        b"--B\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
        b"--B\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=a.png\r\n\r\nPNG\r\n--B--\r\n"
    )
    key = standin.add_message(ANNA, raw)
    payload = gmail.messages().get(userId="me", id=key).execute()["payload"]
    assert [part["mimeType"] for part in payload["parts"]] == ["text/plain", "image/png"]
    assert payload["parts"][1]["filename"] == "a.png"
    told = gmail.messages().get(userId="me", id=key, format="metadata", metadataHeaders=["subject"]).execute()
    assert told["payload"]["headers"] == [{"name": "Subject", "value": "S"}]


def test_messages_are_inserted_raw_and_by_every_kind_of_upload(standin: GmailStandin, gmail: Any) -> None:
    raw = b"Date: Mon, 07 Apr 2025 14:31:02 +0000\r\nSubject: \xe4\r\n\r\n\x00\xff bytes\r\nFrom here\r\n"
    body = {"raw": base64.urlsafe_b64encode(raw).decode(), "labelIds": ["INBOX"]}
    first = gmail.messages().insert(userId="me", body=body, internalDateSource="dateHeader").execute()
    media = MediaIoBaseUpload(io.BytesIO(raw), "message/rfc822", resumable=True)
    second = gmail.messages().insert(userId="me", body={"labelIds": ["SENT"]}, media_body=media).execute()
    media = MediaIoBaseUpload(io.BytesIO(raw * 9000), "message/rfc822", chunksize=1 << 18, resumable=True)
    third = gmail.messages().insert(userId="me", media_body=media).execute()
    ascii_only = MediaIoBaseUpload(io.BytesIO(mail(5)), "message/rfc822")
    fourth = gmail.messages().insert(userId="me", body={"labelIds": ["INBOX"]}, media_body=ascii_only).execute()
    mailbox = standin.mailbox(ANNA)
    assert [mailbox.get(one["id"]).raw for one in (first, second, third)] == [raw, raw, raw * 9000]
    assert mailbox.get(fourth["id"]).raw.rstrip() == mail(5).rstrip()
    assert second["labelIds"] == ["SENT"]
    assert mailbox.get(first["id"]).date == 1744036262000
    assert refused(gmail.messages().insert(userId="me", body={"raw": "%%"}))[0] == 400


def test_replies_join_the_thread_they_answer(standin: GmailStandin, gmail: Any) -> None:
    first = standin.add_message(ANNA, b"Message-ID: <one@x>\r\n\r\nhi")
    second = standin.add_message(ANNA, b"Message-ID: <two@x>\r\nIn-Reply-To: <one@x>\r\n\r\nhi back")
    answers = [gmail.messages().get(userId="me", id=key, format="minimal").execute() for key in (first, second)]
    assert answers[0]["threadId"] == answers[1]["threadId"] == first
    assert gmail.getProfile(userId="me").execute()["threadsTotal"] == 1


def test_a_message_that_is_not_there_is_404_and_no_id_at_all_400(gmail: Any) -> None:
    assert refused(gmail.messages().get(userId="me", id="18c0000000000000")) == (404, "notFound")
    assert refused(gmail.messages().get(userId="me", id="not-an-id"))[0] == 400


# Labels ------------------------------------------------------------------------------------------


def test_labels_are_made_renamed_counted_and_deleted(standin: GmailStandin, gmail: Any) -> None:
    label = gmail.labels().create(userId="me", body={"name": "Projekt/Sol"}).execute()
    key = standin.add_message(ANNA, mail(1), ["INBOX", "UNREAD", "Projekt/Sol"])
    told = gmail.labels().get(userId="me", id=label["id"]).execute()
    assert (told["messagesTotal"], told["messagesUnread"], told["type"]) == (1, 1, "user")
    assert "messagesTotal" not in gmail.labels().list(userId="me").execute()["labels"][-1]
    assert refused(gmail.labels().create(userId="me", body={"name": "projekt/sol"})) == (409, "aborted")
    assert refused(gmail.labels().create(userId="me", body={"name": "inbox"}))[0] == 409
    gmail.labels().patch(userId="me", id=label["id"], body={"name": "Projekt/Vind"}).execute()
    assert standin.mailbox(ANNA).labels[label["id"]].name == "Projekt/Vind"
    gmail.labels().delete(userId="me", id=label["id"]).execute()
    assert gmail.messages().get(userId="me", id=key, format="minimal").execute()["labelIds"] == ["INBOX", "UNREAD"]
    assert refused(gmail.labels().delete(userId="me", id="INBOX"))[0] == 400
    assert refused(gmail.labels().get(userId="me", id=label["id"])) == (404, "notFound")


# History -----------------------------------------------------------------------------------------


def test_history_tells_each_change_with_the_labels_after_it(standin: GmailStandin, gmail: Any) -> None:
    start = gmail.getProfile(userId="me").execute()["historyId"]
    key = standin.add_message(ANNA, mail(1), ["INBOX", "UNREAD"])
    gmail.messages().modify(userId="me", id=key, body={"removeLabelIds": ["UNREAD"]}).execute()
    gmail.messages().trash(userId="me", id=key).execute()
    gmail.messages().untrash(userId="me", id=key).execute()
    gmail.messages().delete(userId="me", id=key).execute()
    answer = gmail.history().list(userId="me", startHistoryId=start).execute()
    kinds = [next(k for k in record if k not in ("id", "messages")) for record in answer["history"]]
    assert kinds == [
        "messagesAdded", "labelsRemoved", "labelsAdded", "labelsRemoved", "labelsRemoved", "messagesDeleted",
    ]  # fmt: skip
    assert answer["history"][1]["labelsRemoved"][0]["message"]["labelIds"] == ["INBOX"]
    assert "labelIds" not in answer["history"][4]["labelsRemoved"][0]["message"], "none left: the field is left out"
    numbers = [int(record["id"]) for record in answer["history"]]
    assert numbers == sorted(set(numbers))
    assert int(answer["historyId"]) == numbers[-1]


def test_a_page_of_history_may_be_empty_and_not_the_last(standin: GmailStandin, gmail: Any) -> None:
    start = gmail.getProfile(userId="me").execute()["historyId"]
    keys = [standin.add_message(ANNA, mail(n)) for n in range(4)]
    gmail.messages().delete(userId="me", id=keys[0]).execute()
    request = gmail.history().list(userId="me", startHistoryId=start, historyTypes=["messageDeleted"], maxResults=2)
    pages = []
    while request is not None:
        pages.append(request.execute())
        request = gmail.history().list_next(request, pages[-1])
    assert ["history" in page for page in pages] == [False, False, True]


def test_history_that_has_expired_is_404(standin: GmailStandin, gmail: Any) -> None:
    start = gmail.getProfile(userId="me").execute()["historyId"]
    standin.mailbox(ANNA).expire_history()
    assert refused(gmail.history().list(userId="me", startHistoryId=start)) == (404, "notFound")
    assert refused(gmail.history().list(userId="me", startHistoryId=str(1 << 64)))[0] == 400


# Batches -----------------------------------------------------------------------------------------


def batch(standin: GmailStandin, api: Any, keys: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    bundle = api.new_batch_http_request(callback=lambda key, answer, error: out.update({key: error or answer}))
    for key in keys:
        bundle.add(api.users().messages().get(userId="me", id=key, format="raw"), request_id=key)
    bundle.execute()
    return out


def test_a_batch_answers_every_part_and_parts_fail_alone(standin: GmailStandin) -> None:
    keys = [standin.add_message(ANNA, mail(n)) for n in range(50)]
    standin.faults.add(Fault(503, message=keys[7]))
    with vendor_client(standin) as api:
        out = batch(standin, api, [*keys, "18c0000000000000"])
    assert {key for key, one in out.items() if isinstance(one, HttpError)} == {keys[7], "18c0000000000000"}
    assert out[keys[7]].status_code == 503
    assert base64.urlsafe_b64decode(out[keys[8]]["raw"]) == mail(8)


def test_a_batch_with_too_many_parts_is_refused_whole(standin: GmailStandin) -> None:
    keys = [standin.add_message(ANNA, mail(n)) for n in range(101)]
    with vendor_client(standin) as api:
        assert len(batch(standin, api, keys[:100])) == 100
        with pytest.raises(HttpError, match=r"Inner request count exceeds the limit. Received: 101, Limit: 100"):
            batch(standin, api, keys)
        standin.batch_parts = 50
        with pytest.raises(HttpError, match="Received: 100, Limit: 50"):
            batch(standin, api, keys[:100])


# Signing in --------------------------------------------------------------------------------------


def test_a_token_that_is_unknown_or_has_expired_is_401(standin: GmailStandin) -> None:
    for token in ("nonsense", standin.oauth.access_token(ANNA)):
        standin.oauth.expire_all()
        status, reason = asked(standin, "/gmail/v1/users/me/profile", token)
        assert (status, reason) == (401, "authError")


def test_a_token_lives_as_long_as_it_says() -> None:
    clock = Clock()
    with GmailStandin(clock) as standin:
        standin.add_mailbox(ANNA)
        with vendor_client(standin) as api:
            clock.now += 3599
            api.users().getProfile(userId="me").execute()
            clock.now += 2
            assert refused(api.users().getProfile(userId="me"))[0] == 401


def test_a_token_reads_its_own_mailbox_and_does_what_its_scope_allows(standin: GmailStandin) -> None:
    standin.add_mailbox("bo@solros.example")
    key = standin.add_message(ANNA, mail(1))
    with vendor_client(standin, scope="https://www.googleapis.com/auth/gmail.readonly") as api:
        assert refused(api.users().messages().trash(userId="me", id=key)) == (403, "insufficientPermissions")
        assert refused(api.users().getProfile(userId="bo@solros.example")) == (403, "forbidden")
        assert api.users().getProfile(userId=ANNA).execute()["emailAddress"] == ANNA


def test_a_person_without_gmail_meets_a_failed_precondition(standin: GmailStandin) -> None:
    standin.add_mailbox("none@solros.example", licensed=False)
    with vendor_client(standin, "none@solros.example") as api:
        assert refused(api.users().getProfile(userId="me")) == (400, "failedPrecondition")


# Quota -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "gets"), [("2026", 300), ("before-2026", 3000)])
def test_quota_is_kept_to_the_unit(name: str, gets: int) -> None:
    clock = Clock()
    with GmailStandin(clock) as standin:
        standin.add_mailbox(ANNA)
        standin.quota.enforce(name)
        prices = PRICE_LISTS[name]
        for _ in range(gets):
            standin.quota.spend(ANNA, "messages.get")
        assert gets * prices.price("messages.get") == prices.user_units
        with vendor_client(standin) as api:
            assert refused(api.users().getProfile(userId="me")) == (429, "rateLimitExceeded")
            standin.quota.enforce(name, form="403")
            assert refused(api.users().getProfile(userId="me")) == (403, "userRateLimitExceeded")
            clock.now += 60.1
            assert api.users().getProfile(userId="me").execute()["emailAddress"] == ANNA


def test_too_many_requests_at_once_are_refused(standin: GmailStandin) -> None:
    standin.quota.enforce(concurrent=1)
    standin.latency = 0.0
    standin.quota.enter(ANNA)
    with vendor_client(standin) as api:
        assert refused(api.users().getProfile(userId="me")) == (429, "rateLimitExceeded")
        standin.quota.leave(ANNA)
        api.users().getProfile(userId="me").execute()


# Form --------------------------------------------------------------------------------------------


def test_parameters_that_gmail_does_not_know_or_cannot_read_are_refused(standin: GmailStandin) -> None:
    token = standin.oauth.access_token(ANNA)
    for query in ("maxResult=5", "maxResults=many", "includeSpamTrash=perhaps"):
        assert asked(standin, f"/gmail/v1/users/me/messages?{query}", token)[0] == 400


def test_the_checker_notices_a_wrong_type_and_an_unknown_field() -> None:
    checker = Checker("gmail.v1")
    assert checker.faults("Message", {"id": "1", "historyId": "18446744073709551615"}) == []
    for wrong in ({"historyId": 5}, {"historyId": "-1"}, {"color": "red"}, {"raw": "a+b/"}, {"labelIds": "INBOX"}):
        assert checker.faults("Message", wrong) != []


def test_many_clients_at_once_are_answered(standin: GmailStandin) -> None:
    keys = [standin.add_message(ANNA, mail(n)) for n in range(40)]
    seen: set[str] = set()

    def read(part: list[str]) -> None:
        with vendor_client(standin) as api:
            for key in part:
                seen.add(api.users().messages().get(userId="me", id=key, format="raw").execute()["id"])

    threads = [threading.Thread(target=read, args=(keys[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == set(keys)
