"""The bytes of Outlook's messages: written anew each time, damaged, cut, large, several at once, never too many."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path

import pytest
from liberate_microsoft import pace
from liberate_microsoft.outlook import IN_MEMORY
from liberate_microsoft.pace import MailboxPacer
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Blob, Fault, GraphStandin, Mailbox
from liberate_microsoft.standin.mailbox import sorted_form
from microsoft_kit import ANNA, calls, made_settings
from outlook_kit import items, key, listing, mail, opened

from liberate.connector import Account, Remark
from liberate.errors import AccountError, IntegrityError, ItemError, LiberateError, PlanError, TransientError
from liberate.testing.clock import Clock


@pytest.fixture
def mailbox(standin: GraphStandin) -> Mailbox:
    return standin.add_mailbox(ANNA)


def test_a_message_is_read_whole_and_may_come_otherwise_the_next_time(
    mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.add(mail(1))
    with opened(settings) as source:
        (item,) = items(listing(source))
        first, second = (b"".join(source.read(item)) for _ in range(2))
    assert first != second
    assert sorted_form(first) == sorted_form(second) == sorted_form(mail(1))


def test_no_message_is_read_by_way_of_its_folder(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    for n in range(5):
        mailbox.add(mail(n))
    with opened(settings) as source:
        bodies = [one.body for one in source.read_many(items(listing(source)))]
    assert len({sorted_form(body) for body in bodies if isinstance(body, bytes)}) == 5
    assert calls(standin, "value") == 5


def test_a_large_message_is_streamed_and_none_is_held_in_memory(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    size = IN_MEMORY * 8
    letter = mailbox.add(Blob(seed="large", size=size))
    small = mailbox.add(mail(1))
    with opened(settings) as source:
        some = items(listing(source))
        loaded = {one.item.id: one.body for one in source.read_many(some)}
        assert loaded[key(mailbox, letter)] is None
        assert isinstance(loaded[key(mailbox, small)], bytes)
        (item,) = (one for one in some if one.id == key(mailbox, letter))
        tracemalloc.start()
        try:
            assert sum(map(len, source.read(item))) == size
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8 << 20  # the stand-in's pieces are among it


def test_one_damaged_message_is_refused_and_the_others_arrive(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    letters = [mailbox.add(mail(n)) for n in range(9)]
    letters[2].unwritable = True
    letters[5].protected = True
    with opened(settings) as source:
        some = items(listing(source))
        mailbox.delete(letters[7])
        loaded = {one.item.id: one.body for one in source.read_many(some)}
        codes = {
            at: body.code for at, one in enumerate(letters) if isinstance(body := loaded[key(mailbox, one)], ItemError)
        }
        assert codes == {2: "conversion-failed", 5: "forbidden", 7: "gone"}
        assert sum(isinstance(body, bytes) for body in loaded.values()) == 6
        with pytest.raises(ItemError) as told:
            list(source.read(some[2]))
        assert told.value.todo


def test_a_mailbox_that_is_shut_meanwhile_stops_the_account_and_refuses_no_message(
    mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.add(mail(1))
    with opened(settings) as source:
        some = items(listing(source))
        mailbox.refuses = True
        with pytest.raises(AccountError) as told:
            list(source.read_many(some))
        assert told.value.code == "not-permitted"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault(method="value", status=429, code="ApplicationThrottled", retry_after="1.5"), TransientError),
        (Fault(method="value", status=503, retry_after="7"), TransientError),
        (Fault(method="value", status=504), TransientError),
        (Fault(method="value", breaks="reset"), TransientError),
        (Fault(method="value", breaks="truncate", after=20), TransientError),
        (Fault(method="value", breaks="html"), TransientError),
        (Fault(method="value", status=302, code=""), TransientError),
        (Fault(method="value", status=404, code="MailboxNotEnabledForRESTAPI"), AccountError),
        (Fault(method="value", status=400, code="ErrorInvalidIdMalformed"), ItemError),
        (Fault(method="value", status=500, code="ErrorContentConversionFailed"), ItemError),
    ],
    ids=lambda value: getattr(value, "breaks", "") or str(getattr(value, "status", value)),
)
def test_each_failure_of_a_body_is_what_it_is(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings, fault: Fault, raised: type[LiberateError]
) -> None:
    mailbox.add(mail(1))
    fault.hits = 0
    with opened(settings) as source:
        (item,) = items(listing(source))
        standin.faults.add(fault)
        with pytest.raises(raised) as told:
            list(source.read(item))
        if isinstance(told.value, TransientError) and fault.retry_after:
            assert told.value.retry_after == float(fault.retry_after)
        assert b"".join(source.read(item))


def test_a_message_without_content_is_refused_and_not_stored_empty(
    mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.regenerates = False
    mailbox.add(b"")
    with opened(settings) as source:
        (item,) = items(listing(source))
        with pytest.raises(ItemError) as told:
            list(source.read(item))
    assert told.value.code == "source-empty"


def test_a_body_of_another_length_than_announced_is_not_believed(
    mailbox: Mailbox, settings: MicrosoftSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib3

    mailbox.add(mail(1))
    with opened(settings) as source:
        (item,) = items(listing(source))
        monkeypatch.setattr(urllib3.response.HTTPResponse, "stream", lambda *_, **__: iter([b"short"]))
        with pytest.raises(IntegrityError):
            list(source.read(item))


# How much at once --------------------------------------------------------------------------------


def test_three_messages_are_read_at_once_and_never_more_by_all_who_read(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    for n in range(12):
        mailbox.add(mail(n))
    together = threading.Barrier(3)

    def meet() -> None:
        together.wait(20)

    standin.faults.add(Fault(method="value", times=6, does=meet))
    clock = Clock()
    pacer = MailboxPacer(None, clock, clock.sleep)
    with opened(settings, pacer=pacer) as source, opened(settings, pacer=pacer) as other:
        some = items(listing(source))
        twice = [iter(one.read_many(some)) for one in (source, other)]
        bodies = [next(each).body for _ in some for each in twice]
    assert all(isinstance(body, bytes) for body in bodies)
    assert standin.crowd.most[ANNA] == 3
    assert standin.crowd.refused == 0


def test_the_requests_of_a_mailbox_share_one_pacer_and_mailboxes_have_their_own() -> None:
    one = pace.of_mailbox("app", "Anna@x.example", 1000)
    assert one is pace.of_mailbox("app", "anna@x.example", 1000)
    assert one is not pace.of_mailbox("app", "bo@x.example", 1000)
    assert one is not pace.of_mailbox("another app", "anna@x.example", 1000)


def test_no_ten_minutes_see_more_requests_than_were_granted() -> None:
    clock = Clock(0.0)
    pacer = MailboxPacer(pace.REQUESTS_PER_MINUTE, clock, clock.sleep)
    taken = []
    for _ in range(25_000):
        pacer.turn(1)
        taken.append(clock.now)
    assert max(sum(start <= at < start + 600 for at in taken) for start in taken[::5_000]) <= 10_000
    assert clock.now < 25_000 / 800 * 60  # and little less


def test_a_mailbox_is_read_within_what_the_service_enforces(tmp_path: Path) -> None:
    clock = Clock()
    with GraphStandin(clock=clock, page=50) as standin:
        mailbox = standin.add_mailbox(ANNA)
        for n in range(150):
            mailbox.add(mail(n))
        standin.mail_quotas[ANNA].enforce(100, 3.5)  # in any ten minutes
        pacer = MailboxPacer(10, clock, clock.sleep)
        with opened(made_settings(standin, tmp_path), pacer=pacer) as source:
            assert len([one for one in source.read_many(items(listing(source))) if one.body]) == 150
        assert standin.mail_quotas[ANNA].refused == 0
    assert sum(clock.slept) > 600


def test_who_waits_for_room_in_vain_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LONGEST_WAIT", 0.0)
    pacer = MailboxPacer(None, at_once=1)
    pacer.enter()
    with pytest.raises(TransientError):
        pacer.enter()
    pacer.leave()
    pacer.enter()


def test_a_call_that_fails_leaves_its_room_to_others(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.add(mail(1))
    for _ in range(5):
        standin.faults.add(Fault(method="value", breaks="reset"))
        standin.faults.add(Fault(method="value", status=503))
    with opened(settings) as source:
        (item,) = items(listing(source))
        for _ in range(10):
            with pytest.raises(TransientError):
                list(source.read(item))
        reading = source.read(item)
        next(reading)
        del reading  # nobody wants the rest
        for _ in range(4):
            assert b"".join(source.read(item))


# Mailboxes that cannot be read -----------------------------------------------------------------------


def remarks(settings: MicrosoftSettings, account: str = ANNA) -> list[Remark]:
    with opened(settings, account) as source:
        return list(source.check())


def test_a_check_says_what_will_stay_behind(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.add(mail(1))
    assert remarks(settings) == []
    mailbox.archive = True
    mailbox.add_folder("Files", hidden=True)
    mailbox.add(mail(2), "Files")
    mailbox.add_folder("Empty", hidden=True)
    found = remarks(settings)
    assert [one.code for one in found] == ["archive-mailbox", "hidden-folders"]
    assert "(folders: 1, items in them: 1)" in found[1].why
    assert not any(one.stops for one in found)
    standin.entra.roles -= {"MailboxSettings.Read"}
    standin.entra.end_tokens()
    assert [one.code for one in remarks(settings)] == ["archive-unknown", "hidden-folders"]


@pytest.mark.parametrize("what", ["nobody", "no mailbox", "not enabled", "out of scope", "no permission"])
def test_a_mailbox_that_cannot_be_read_stops_its_account_with_the_reason(
    standin: GraphStandin, settings: MicrosoftSettings, what: str
) -> None:
    account = "who@solros.example" if what == "nobody" else ANNA
    if what not in ("nobody", "no mailbox"):
        mailbox = standin.add_mailbox(ANNA)
        mailbox.enabled = what != "not enabled"
        mailbox.refuses = what == "out of scope"
    if what == "no permission":
        standin.entra.roles -= {"Mail.Read"}
    wanted = {"nobody": "no-account", "no mailbox": "no-mailbox", "not enabled": "no-mailbox"}.get(
        what, "not-permitted"
    )
    for look in ("check", "collections", "survey"):
        with opened(settings, account) as source, pytest.raises(AccountError) as told:
            list(getattr(source, look)())
        assert told.value.code == wanted
        assert account in told.value.why


def test_a_group_has_no_mailbox_of_this_kind(settings: MicrosoftSettings) -> None:
    with pytest.raises(PlanError), opened(settings, Account("board@solros.example", kind="group")):
        raise AssertionError("it was opened")


def test_nothing_private_is_logged(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.add(mail(1, "very private"))
    standin.faults.add(Fault(method="mail-delta", status=400, code="ErrorInvalidUrlQuery"))
    standin.faults.add(Fault(method="mail-delta", skip=1, breaks="html"))
    with caplog.at_level("DEBUG", "liberate_microsoft"), opened(settings) as source:
        list(source.read_many(items(listing(source))))
    assert caplog.records
    for word in ("Message-ID", "x.example", "Subject", "private", "standin.access", "a@b.example"):
        assert word not in "\n".join(
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("liberate_microsoft") and "standin" not in record.name
        )
