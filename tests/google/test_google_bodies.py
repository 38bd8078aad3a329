"""Reading messages out of Gmail: each once and whole, whatever goes wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google_kit import (
    ANNA,
    MAILBOX,
    Clock,
    cursor,
    held,
    items,
    listing,
    mail,
    opened,
    patient,
)  # fmt: skip
from liberate_google.gmail import GmailSource
from liberate_google.pace import Pacer, ladder
from liberate_google.settings import GoogleSettings
from liberate_google.standin import Fault, GmailStandin

from liberate.connector import Account, Gone, Item
from liberate.errors import AccountError, ItemError, LiberateError, PlanError, TransientError


def read_all(source: GmailSource, wanted: list[Item]) -> dict[str, bytes | ItemError]:
    """Every body, as the core reads them; asserts that each item is given once."""
    got: dict[str, bytes | ItemError] = {}
    for loaded in source.read_many(wanted):
        assert loaded.item.id not in got
        body = loaded.body
        got[loaded.item.id] = b"".join(source.read(loaded.item)) if body is None else body
    return got


def read_until_done(source: GmailSource, wanted: list[Item]) -> tuple[dict[str, bytes | ItemError], int]:
    """As the engine does: what was not given before an error is asked for again."""
    got: dict[str, bytes | ItemError] = {}
    calls = 0
    while len(got) < len(wanted):
        calls += 1
        assert calls < 100
        try:
            for loaded in source.read_many([item for item in wanted if item.id not in got]):
                assert loaded.item.id not in got
                assert loaded.body is not None
                got[loaded.item.id] = loaded.body
        except TransientError:
            continue
    return got, calls


# Reading -----------------------------------------------------------------------------------------


def test_bodies_come_with_received_time_size_and_labels_of_now(standin: GmailStandin, settings: GoogleSettings) -> None:
    key = standin.add_message(ANNA, mail(1), ["INBOX", "UNREAD"], -86_400_000)  # a day before 1970
    with opened(standin, settings) as source:
        [item] = items(listing(source))
        standin.mailbox(ANNA).modify(key, add=["STARRED"], remove=["UNREAD"])
        [loaded] = source.read_many([item])
    assert loaded.body == mail(1)
    assert loaded.item.size == len(mail(1))
    assert item.facts.received is None
    assert loaded.item.facts.received.isoformat() == "1969-12-31T00:00:00+00:00"
    assert loaded.item.facts.flags == {"\\Seen", "\\Flagged"}
    assert loaded.item.facts_version != item.facts_version


def test_odd_bytes_arrive_unaltered(standin: GmailStandin, settings: GoogleSettings) -> None:
    for raw in (b"\x00\xff\r\r\n\n", b"bare\nlf\n\n", b"a", bytes(range(256)) * 999, b"From x\r\n\r\nFrom y\r\n"):
        standin.add_message(ANNA, raw)
    with opened(standin, settings) as source:
        assert read_all(source, items(listing(source))) == held(standin)


def test_failing_parts_of_batches_lose_no_message_and_double_none(
    standin: GmailStandin, settings: GoogleSettings
) -> None:
    for n in range(2000):
        standin.add_message(ANNA, mail(n), ["INBOX"], n)
    with opened(standin, settings) as source:
        wanted = items(listing(source))
        broken = standin.faults.add(Fault(503, method="messages.get", times=None, chance=0.06))
        limited = standin.faults.add(
            Fault(403, "userRateLimitExceeded", method="messages.get", in_batch=True, times=None, chance=0.01)
        )
        dropped = standin.faults.add(Fault(breaks="drop-part", method="messages.get", in_batch=True, times=9, skip=90))
        cut = standin.faults.add(Fault(breaks="bad-json", method="messages.get", times=9, skip=300))
        reset = standin.faults.add(Fault(breaks="reset", method="messages.get", times=4, skip=900))
        got, _ = read_until_done(source, wanted)
    assert got == held(standin)
    assert broken.hits > 90
    assert limited.hits > 5
    assert (dropped.hits, cut.hits, reset.hits) == (9, 9, 4)


def test_a_service_that_is_down_raises_after_what_could_be_had(standin: GmailStandin, settings: GoogleSettings) -> None:
    keys = [standin.add_message(ANNA, mail(n)) for n in range(60)]
    with opened(standin, settings) as source:
        wanted = items(listing(source))
        down = standin.faults.add(Fault(503, method="messages.get", skip=50, times=None))
        reading = source.read_many(wanted)
        got = [next(reading).item.id for _ in range(50)]
        with pytest.raises(TransientError):
            next(reading)
        assert down.hits <= 10 + 3, "a service that is down is not asked for every message"
        standin.faults.clear()
        assert set(read_all(source, [item for item in wanted if item.id not in got])) == set(keys) - set(got)


def test_a_message_deleted_meanwhile_is_gone_and_the_others_come(
    standin: GmailStandin, settings: GoogleSettings
) -> None:
    keys = [standin.add_message(ANNA, mail(n)) for n in range(4)]
    with opened(standin, settings) as source:
        wanted = items(listing(source))
        standin.mailbox(ANNA).delete(keys[2])
        got = read_all(source, wanted)
        with pytest.raises(ItemError) as caught:
            list(source.read(wanted[2]))
    assert isinstance(got[keys[2]], ItemError)
    assert got[keys[2]].code == caught.value.code == "gone"  # type: ignore[union-attr]
    assert sum(isinstance(body, bytes) for body in got.values()) == 3


def test_a_message_without_an_original_is_refused_with_a_reason(
    standin: GmailStandin, settings: GoogleSettings
) -> None:
    key = standin.add_message(ANNA, mail(1))
    standin.faults.add(Fault(breaks="no-raw", message=key, times=None))
    with opened(standin, settings) as source:
        [item] = items(listing(source))
        [loaded] = source.read_many([item])
        with pytest.raises(ItemError, match="no original"):
            list(source.read(item))
    assert isinstance(loaded.body, ItemError)
    assert loaded.body.code == "empty-source"


def test_a_passing_precondition_is_tried_again_and_a_lasting_one_refuses_the_message(
    standin: GmailStandin, settings: GoogleSettings
) -> None:
    keys = [standin.add_message(ANNA, mail(n)) for n in range(3)]
    standin.faults.add(Fault(400, "failedPrecondition", "Precondition check failed.", message=keys[0], times=1))
    standin.faults.add(Fault(400, "failedPrecondition", "Precondition check failed.", message=keys[1], times=None))
    with opened(standin, settings) as source:
        got = read_all(source, items(listing(source)))
    assert got[keys[0]] == mail(0)
    assert isinstance(got[keys[1]], ItemError)
    assert got[keys[2]] == mail(2)


def test_ten_failed_preconditions_in_a_row_mean_that_there_is_no_mailbox(
    standin: GmailStandin, settings: GoogleSettings
) -> None:
    for n in range(30):
        standin.add_message(ANNA, mail(n))
    standin.faults.add(Fault(400, "failedPrecondition", method="messages.get", times=None))
    with opened(standin, settings) as source, pytest.raises(AccountError) as caught:
        list(source.read_many(items(listing(source))))
    assert caught.value.code == "no-mailbox"


@pytest.mark.parametrize("status", [404, 405, 500, 501])
def test_a_server_that_takes_no_batches_is_read_message_by_message(
    standin: GmailStandin, settings: GoogleSettings, status: int
) -> None:
    for n in range(7):
        standin.add_message(ANNA, mail(n))
    standin.faults.add(Fault(status, "no", method="batch", times=None))
    with opened(standin, settings) as source:
        assert read_all(source, items(listing(source))) == held(standin)
        assert source.survey().items == 7


def test_a_server_that_lowers_its_batch_limit_is_followed(standin: GmailStandin, settings: GoogleSettings) -> None:
    for n in range(120):
        standin.add_message(ANNA, mail(n))
    standin.batch_parts = 20
    with opened(standin, settings) as source:
        assert read_all(source, items(listing(source))) == held(standin)


def test_large_messages_are_left_for_streaming(standin: GmailStandin, settings: GoogleSettings) -> None:
    sizes = [100, 200_000, 600_000, 2_500_000, 5_000_000]
    for size in sizes:
        standin.add_message(ANNA, b"Subject: x\r\n\r\n" + b"y" * size)
    with opened(standin, settings) as source:
        wanted = items(listing(source))
        left = [loaded.item for loaded in source.read_many(wanted) if loaded.body is None]
        assert len(left) == 2
        assert all(item.facts.received is not None for item in left), "their time of arrival comes all the same"
        assert read_all(source, wanted) == held(standin)


def test_a_server_that_cannot_search_by_size_has_every_message_streamed(
    standin: GmailStandin, settings: GoogleSettings
) -> None:
    for n in range(3):
        standin.add_message(ANNA, mail(n))
    with opened(standin, settings) as source:
        wanted = items(listing(source))
        standin.faults.add(Fault(400, "badRequest", method="messages.list", times=None))
        assert [loaded.body for loaded in source.read_many(wanted)] == [None] * 3
        assert read_all(source, wanted) == held(standin)


def test_a_stream_starts_again_at_an_offset(standin: GmailStandin, settings: GoogleSettings) -> None:
    raw = bytes(range(256)) * 5000
    standin.add_message(ANNA, raw)
    with opened(standin, settings) as source:
        [item] = items(listing(source))
        for offset in (0, 1, 70_000, len(raw) - 1, len(raw)):
            assert b"".join(source.read(item, offset)) == raw[offset:]


@pytest.mark.parametrize("breaks", ["reset", "truncate", "bad-json"])
def test_a_stream_that_breaks_off_is_never_taken_for_the_whole_message(
    standin: GmailStandin, settings: GoogleSettings, breaks: Any
) -> None:
    raw = b"z" * 3_000_000
    standin.add_message(ANNA, raw)
    with opened(standin, settings) as source:
        [item] = items(listing(source))
        standin.faults.add(Fault(breaks=breaks, method="messages.get"))
        with pytest.raises(TransientError):
            list(source.read(item))
        assert b"".join(source.read(item)) == raw


def test_two_streams_and_a_batch_may_stand_open_at_once(standin: GmailStandin, settings: GoogleSettings) -> None:
    for n in range(4):
        standin.add_message(ANNA, bytes([65 + n]) * 500_000)
    with opened(standin, settings) as source:
        wanted = items(listing(source))
        streams = [source.read(item) for item in wanted]
        heads = [next(stream) for stream in streams]
        assert read_all(source, wanted) == held(standin)
        assert [head + b"".join(rest) for head, rest in zip(heads, streams, strict=True)] == list(
            held(standin).values()
        )


# Tokens, pace, people ----------------------------------------------------------------------------


def test_tokens_that_end_on_the_way_are_renewed(standin: GmailStandin, settings: GoogleSettings) -> None:
    for n in range(150):
        standin.add_message(ANNA, mail(n) if n else b"x" * 3_000_000)
    with opened(standin, settings) as source:
        wanted = []
        for one in source.items(MAILBOX, None):
            if isinstance(one, Item):
                wanted.append(one)
                if len(wanted) % 50 == 1:
                    standin.oauth.expire_all()
        standin.faults.add(Fault(401, "authError", method="messages.get", in_batch=True, times=3))
        got: dict[str, Any] = {}
        for loaded in source.read_many(wanted):
            standin.oauth.expire_all() if len(got) % 60 == 0 else None
            got[loaded.item.id] = b"".join(source.read(loaded.item)) if loaded.body is None else loaded.body
    assert got == held(standin)


@pytest.mark.parametrize(("prices", "form"), [("2026", "429"), ("2026", "403"), ("before-2026", "429")])
def test_auto_finds_the_price_list_by_itself_and_loses_nothing(tmp_path: Path, prices: str, form: Any) -> None:
    clock = Clock()
    with GmailStandin(clock) as standin:
        standin.add_mailbox(ANNA)
        standin.service_account_file(tmp_path / "sa.json")
        settings = GoogleSettings(service_account_file=tmp_path / "sa.json", endpoint=standin.url)
        for n in range(900):
            standin.add_message(ANNA, mail(n))
        standin.quota.enforce(prices, form=form)
        pacer = Pacer(ladder("auto", published=True), clock, clock.sleep)
        with opened(standin, settings, pacer=pacer) as source:
            got, _ = read_until_done(source, items(listing(source)))
        assert got == held(standin)
        assert pacer.rate.list is not None
        assert pacer.rate.list.name == prices


def test_a_pacer_that_knows_the_price_list_is_never_refused(tmp_path: Path) -> None:
    clock = Clock()
    with GmailStandin(clock) as standin:
        standin.add_mailbox(ANNA)
        standin.service_account_file(tmp_path / "sa.json")
        settings = GoogleSettings(service_account_file=tmp_path / "sa.json", endpoint=standin.url)
        for n in range(1000):
            standin.add_message(ANNA, mail(n), ["INBOX"])
        standin.quota.enforce("2026")
        began = clock.now
        with opened(standin, settings, pacer=Pacer(ladder("2026", published=True), clock, clock.sleep)) as source:
            got = read_all(source, items(listing(source)))
        assert got == held(standin)
        assert standin.quota.refused == 0
        assert standin.quota.peak[ANNA] <= 6000
        assert 150 <= clock.now - began <= 215, "1,000 gets at 300 a minute, and no slower than that"


def test_survey_counts_by_label_without_reading(standin: GmailStandin, settings: GoogleSettings) -> None:
    standin.add_message(ANNA, mail(1), ["INBOX", "Work/Roof"])
    standin.add_message(ANNA, mail(2), ["Work/Roof", "STARRED"])
    standin.add_message(ANNA, mail(3), [])
    with opened(standin, settings) as source:
        survey = source.survey()
    assert survey.items == 3
    assert survey.folders[("Work", "Roof")] == 2
    assert survey.folders[("INBOX",)] == 1
    assert "messages.get" not in {call.method for call in standin.requests}


@pytest.mark.parametrize(
    ("status", "reason", "error", "code"),
    [
        (429, "rateLimitExceeded", TransientError, ""),
        (403, "rateLimitExceeded", TransientError, ""),
        (403, "dailyLimitExceeded", TransientError, ""),
        (500, "backendError", TransientError, ""),
        (503, "backendError", TransientError, ""),
        (401, "authError", AccountError, "sign-in-refused"),
        (403, "domainPolicy", AccountError, "forbidden"),
        (403, "accessNotConfigured", AccountError, "api-disabled"),
        (403, "insufficientPermissions", AccountError, "scope-missing"),
        (400, "failedPrecondition", AccountError, "no-mailbox"),
    ],
)
@pytest.mark.parametrize("method", ["getProfile", "labels.list", "messages.list", "history.list", "messages.get"])
def test_every_call_tells_its_errors_apart(
    standin: GmailStandin, settings: GoogleSettings, status: int, reason: str, error: Any, code: str, method: str
) -> None:
    standin.add_message(ANNA, mail(1))
    with opened(standin, settings) as source:
        [item] = items(listing(source))
        standin.faults.add(Fault(status, reason, method=method, times=None))
        if (method, reason) == ("messages.get", "failedPrecondition"):
            [loaded] = source.read_many([item])
            assert isinstance(loaded.body, ItemError)
            return
        act = (lambda: list(source.read_many([item]))) if method == "messages.get" else (lambda: listing(source))
        with pytest.raises(LiberateError) as caught:
            act()
    assert type(caught.value) is error
    assert getattr(caught.value, "code", "") == code
    assert "ya29" not in str(caught.value)


def test_one_page_that_fails_in_passing_does_not_end_a_listing(standin: GmailStandin, settings: GoogleSettings) -> None:
    for n in range(1100):
        standin.add_message(ANNA, mail(n))
    standin.faults.add(Fault(503, method="messages.list", times=None, chance=0.1))
    standin.faults.add(Fault(breaks="reset", method="messages.list", skip=5))
    standin.faults.add(Fault(breaks="bad-json", method="messages.list", skip=6))
    with opened(standin, settings) as source:
        assert len(items(listing(source))) == 1100


def test_a_server_that_is_not_there_is_a_passing_failure(settings: GoogleSettings) -> None:
    away = settings.model_copy(update={"endpoint": "http://127.0.0.1:9"})
    source = GmailSource(away, Account(ANNA), patient())
    try:
        with pytest.raises(TransientError):
            next(source.collections())
    finally:
        source.close()


def test_a_service_account_needs_to_be_told_for_whom(settings: GoogleSettings) -> None:
    with pytest.raises(PlanError, match=r"anna@example\.coop"):
        GmailSource(settings, Account(""), patient())


def test_gone_is_told_of_by_id(standin: GmailStandin, settings: GoogleSettings) -> None:
    key = standin.add_message(ANNA, mail(1))
    with opened(standin, settings) as source:
        start = cursor(listing(source))
        standin.mailbox(ANNA).delete(key)
        assert Gone(key) in listing(source, start)
