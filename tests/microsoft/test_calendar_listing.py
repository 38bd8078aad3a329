"""Outlook's calendars through the stand-in: everything once, what changed meanwhile, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from liberate_microsoft.objects import Kept, Made, item
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Fault, GraphStandin, PimBox
from liberate_microsoft.standin.pim_sample import sample_calendar, sample_pim
from microsoft_kit import ANNA, BJORN, calls, made_settings
from outlook_pim_kit import bodies, calendars, items, lines, of_event, skipped, told, truth, whole

from liberate.connector import HasLooks, Item, Kind
from liberate.errors import AccountError, ItemError, LiberateError, TransientError
from liberate.pim import ObjectFacts

DAILY = {"type": "daily"}
NINE = datetime.fromisoformat("2026-03-20T09:00")


@pytest.fixture
def box(standin: GraphStandin) -> PimBox:
    return standin.add_pim(ANNA)


def listing(settings: MicrosoftSettings, box: PimBox) -> list[Any]:
    with calendars(settings) as source:
        return list(source.items(of_event(box.calendar.id), None))


def test_every_event_of_a_sample_takes_place_when_the_stand_in_says(settings: MicrosoftSettings, box: PimBox) -> None:
    sample_calendar(box)
    with calendars(settings) as source:
        found = bodies(source, box)
    assert found.keys() == box.events.keys()
    for number, body in found.items():
        assert told(body) == truth(box.events[number]), box.events[number].fields["subject"]


def test_items_are_known_by_their_bytes(settings: MicrosoftSettings, box: PimBox) -> None:
    event = box.add_event("Board", NINE)
    listed = listing(settings, box)
    assert whole(listed)
    (one,) = items(listed)
    assert (one.id, one.kind, one.facts, one.facts_version) == (box.id_of(event.number), Kind.EVENT, ObjectFacts(), "")
    assert one.digests == {"sha256": one.version}
    assert lines(b"".join(_read(settings, one)))[1] == f"UID:{one.name}"


def _read(settings: MicrosoftSettings, one: Item) -> list[bytes]:
    with calendars(settings) as source:
        return list(source.read(one))


def test_ids_stay_and_every_call_asks_for_them(settings: MicrosoftSettings, standin: GraphStandin, box: PimBox) -> None:
    sample_calendar(box)
    for one in items(listing(settings, box)):
        assert one.id.startswith("AAkA")
    asked = [one for one in standin.requests if one.method not in ("token", "discovery")]
    assert len(asked) > 20
    assert all('IdType="ImmutableId"' in one.headers["prefer"] for one in asked)


@pytest.mark.parametrize(
    "work",
    [
        lambda box, event: box.change(event, subject="Renamed"),
        lambda box, event: box.change_instance(event, date(2026, 4, 2), timedelta(hours=1)),
        lambda box, event: box.change_instance(event, date(2026, 4, 2), subject="Only today"),
        lambda box, event: box.cancel(event, date(2026, 4, 3)),
        lambda box, event: event.attachments.append(
            {
                "@odata.type": "#microsoft.graph.fileAttachment",
                "id": "a1",
                "name": "a.txt",
                "size": 3,
                "contentBytes": "YWJj",
            }
        ),
    ],
)
def test_whatever_changed_gives_the_series_anew(
    settings: MicrosoftSettings, box: PimBox, work: Callable[[PimBox, Any], None]
) -> None:
    series = box.add_event("Series", NINE, pattern=DAILY)
    box.add_event("Other", NINE)
    before = {one.id: one.version for one in items(listing(settings, box))}
    work(box, series)
    after = {one.id: one.version for one in items(listing(settings, box))}
    assert before.keys() == after.keys()
    assert [id_ for id_ in after if after[id_] != before[id_]] == [box.id_of(series.number)]


def test_what_was_deleted_is_missing_from_the_whole(settings: MicrosoftSettings, box: PimBox) -> None:
    box.delete(box.add_event("Gone", NINE))
    kept = box.add_event("Kept", NINE)
    listed = listing(settings, box)
    assert [one.id for one in items(listed)] == [box.id_of(kept.number)]
    assert whole(listed)


def test_series_far_in_the_past_and_in_the_future_are_there(settings: MicrosoftSettings, box: PimBox) -> None:
    for year in (1998, 2061):
        begin = datetime(year, 3, 1, 9)  # noqa: DTZ001 - as the clocks show it
        series = box.add_event(str(year), begin, pattern=DAILY, span={"type": "numbered", "numberOfOccurrences": 40})
        box.change_instance(series, date(year, 3, 4), timedelta(hours=3))
        box.cancel(series, date(year, 3, 30))
    with calendars(settings) as source:
        found = bodies(source, box)
    for body in found.values():
        assert sum(line.startswith("RECURRENCE-ID") for line in lines(body)) == 1
        assert sum(line.startswith("EXDATE") for line in lines(body)) == 1


def test_an_event_that_is_pushed_past_the_listing_is_found_all_the_same(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    events = [box.add_event(f"{n}", NINE) for n in range(230)]
    # The newest come first: what goes from the first page pulls one of the second page onto it.
    standin.faults.add(Fault(method="events", skip=1, does=lambda: box.delete(events[-1])))
    listed = listing(settings, box)
    there = {one.id for one in items(listed)}
    assert {box.id_of(number) for number in box.events} <= there
    assert not whole(listed), "what was seen and what is there are not the same"
    assert whole(listing(settings, box))


# Cancelled and changed instances -----------------------------------------------------------------


@pytest.mark.parametrize("utc_days", [False, True])
@pytest.mark.parametrize("hour", [0, 12, 23])
@pytest.mark.parametrize("zone", ["W. Europe Standard Time", "Eastern Standard Time", "Tokyo Standard Time"])
def test_a_cancelled_instance_is_the_right_one_whichever_day_it_is_called_by(
    settings: MicrosoftSettings, box: PimBox, zone: str, hour: int, utc_days: bool
) -> None:
    box.utc_days = utc_days
    series = box.add_event("Series", NINE.replace(hour=hour, minute=20), zone=zone, pattern=DAILY)
    box.cancel(series, date(2026, 4, 14))
    weekly = box.add_event(
        "Weekly", NINE.replace(hour=hour, minute=20), zone=zone, pattern={"type": "weekly", "daysOfWeek": ["friday"]}
    )
    box.cancel(weekly, date(2026, 4, 17))
    with calendars(settings) as source:
        found = bodies(source, box)
    for one in (series, weekly):
        assert told(found[one.number]) == truth(one)


def test_without_the_lists_of_instances_the_instances_themselves_are_asked_for(
    settings: MicrosoftSettings, box: PimBox
) -> None:
    box.tells_exceptions = False
    series = box.add_event(
        "Series", datetime.fromisoformat("2021-07-01T09:00"), pattern={"type": "absoluteMonthly", "dayOfMonth": 1},
        span={"type": "endDate", "endDate": "2028-12-30"},
    )  # fmt: skip
    box.change_instance(series, date(2026, 3, 1), timedelta(hours=2), subject="Moved")
    box.change_instance(series, date(2028, 12, 1), timedelta(days=60), subject="Moved out")
    for day in (date(2021, 7, 1), date(2026, 11, 1), date(2028, 11, 1)):
        box.cancel(series, day)
    whole_days = box.add_event(
        "Days", datetime.fromisoformat("2026-01-01T00:00"), all_day=True, pattern={"type": "daily", "interval": 31}
    )
    box.cancel(whole_days, date(2026, 3, 4))
    with calendars(settings) as source:
        found = bodies(source, box)
    for one in (series, whole_days):
        assert told(found[one.number]) == truth(one)


def test_in_a_zone_of_outlook_s_own_each_time_is_written_by_itself(settings: MicrosoftSettings, box: PimBox) -> None:
    series = box.add_event(
        "Custom", datetime.fromisoformat("2026-02-20T22:30"), zone="tzone://Microsoft/Custom", pattern=DAILY,
        span={"type": "endDate", "endDate": "2026-03-31"},
    )  # fmt: skip
    box.change_instance(series, date(2026, 3, 8), timedelta(hours=1), subject="Moved")
    box.cancel(series, date(2026, 2, 20))
    box.cancel(series, date(2026, 3, 15))
    with calendars(settings) as source:
        (one,) = items(list(source.items(of_event(box.calendar.id), None)))
        body = b"".join(source.read(one))
    assert told(body) == truth(series)
    assert one.facts == ObjectFacts(("recurrence-rule", "time-zone"))


# Which calendars ---------------------------------------------------------------------------------


def test_own_calendars_move_and_the_others_are_listed(standin: GraphStandin, settings: MicrosoftSettings) -> None:
    sample_pim(standin)
    with calendars(settings) as source:
        found = list(source.collections())
        assert isinstance(source, HasLooks)
        assert [(one.path, source.looks(one).colour) for one in found] == [
            (("Calendar",), ""), (("Allotment",), "#2e8b57"),
        ]  # fmt: skip
        assert len({one.id for one in found}) == 2
        behind = [skipped(source.items(one, None)) for one in found]
    assert [list(one.values()) for one in behind] == [["generated-calendar"], []]


@pytest.mark.parametrize(("policy", "paths"), [("list", 1), ("copy", 2)])
def test_shared_calendars_move_if_the_plan_says_so(
    standin: GraphStandin, tmp_path: Path, policy: str, paths: int
) -> None:
    sample_pim(standin)
    settings = made_settings(standin, tmp_path, shared_calendars=policy)
    with calendars(settings, BJORN) as source:
        found = list(source.collections())
        assert len(found) == paths
        codes = skipped(one for collection in found for one in source.items(collection, None))
        assert list(codes.values()) == (["shared-calendar"] if policy == "list" else [])
        assert [one.code for one in source.check()] == (["shared-calendars"] if policy == "list" else [])


def test_events_in_a_calendar_of_another_s_are_found_in_it(standin: GraphStandin, tmp_path: Path, box: PimBox) -> None:
    theirs = box.add_calendar("Björn", owner=(BJORN, "Björn"))
    single = box.add_event("Single", NINE, calendar=theirs)
    single.attachments.append(
        {"@odata.type": "#microsoft.graph.fileAttachment", "id": "a1", "name": "a", "size": 3, "contentBytes": "YWJj"}
    )
    series = box.add_event("Series", NINE, calendar=theirs, pattern=DAILY)
    box.cancel(series, date(2026, 4, 1))
    settings = made_settings(standin, tmp_path, shared_calendars="copy")
    with calendars(settings) as source:
        listed = list(source.items(of_event(theirs.id), None))
        bodies_ = {one.id: b"".join(source.read(one)) for one in items(listed)}
    assert bodies_.keys() == {box.id_of(one.number) for one in (single, series)}
    assert told(bodies_[box.id_of(series.number)]) == truth(series)
    for one in items(listed):
        assert b"".join(_read(settings, one)) == bodies_[one.id]
    box.delete(single)
    with pytest.raises(ItemError) as gone_:
        _read(settings, next(one for one in items(listed) if one.id == box.id_of(single.number)))
    assert gone_.value.code == "gone"


def test_a_person_may_sign_in_with_another_address_than_their_mailbox_has(
    settings: MicrosoftSettings, box: PimBox
) -> None:
    box.calendar.owner = ("anna.akerstrom@solros.example", "Anna")
    box.add_calendar("Second", owner=box.calendar.owner)
    with calendars(settings) as source:
        assert len(list(source.collections())) == 2


# What goes wrong ---------------------------------------------------------------------------------


def test_one_bad_event_is_told_and_the_others_move(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    box.add_event("Good", NINE)
    bad = box.add_event("Bad", NINE, pattern=DAILY)
    damaged = box.add_event("Damaged", NINE, pattern=DAILY)
    assert bad.recurrence is not None
    bad.recurrence["pattern"]["daysOfWeek"] = ["monday"]
    bad.recurrence["pattern"]["type"] = "relativeMonthly"
    bad.recurrence["pattern"]["index"] = "last"
    standin.faults.add(Fault(500, "ErrorCorruptData", method="event", item=box.id_of(damaged.number), times=None))
    listed = listing(settings, box)
    assert len(items(listed)) == 2
    assert list(skipped(listed).values()) == ["conversion-failed"]
    assert whole(listed)


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [
        (403, "ErrorAccessDenied", "not-permitted"),
        (404, "MailboxNotEnabledForRESTAPI", "no-mailbox"),
        (404, "ErrorInvalidUser", "no-account"),
    ],
)
def test_a_mailbox_that_cannot_be_read_says_what_to_do(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox, status: int, code: str, wanted: str
) -> None:
    standin.faults.add(Fault(status, code, method="calendars", times=None))
    with calendars(settings) as source, pytest.raises(AccountError) as found:
        list(source.collections())
    assert found.value.code == wanted
    assert found.value.todo
    if wanted == "not-permitted":
        assert "Calendars.Read" in found.value.todo


def test_without_the_permission_nothing_is_read(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    standin.entra.roles = standin.entra.roles - {"Calendars.Read"}
    with calendars(settings) as source, pytest.raises(AccountError, match="calendars"):
        list(source.collections())


def test_colours_of_categories_are_left_out_without_their_permission(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    box.categories["Board"] = "preset7"
    box.add_event("Board", NINE, categories=["Board"])
    (one,) = items(listing(settings, box))
    assert "COLOR:blue" in lines(_read(settings, one)[0])
    standin.entra.roles = standin.entra.roles - {"MailboxSettings.Read"}
    standin.entra.end_tokens()
    (other,) = items(listing(settings, box))
    assert other.version != one.version


def test_exchange_is_left_alone_for_as_long_as_it_asks(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    box.add_event("Board", NINE)
    standin.faults.add(Fault(429, "ApplicationThrottled", retry_after="7", method="events"))
    assert len(items(listing(settings, box))) == 1
    standin.faults.add(Fault(429, "ApplicationThrottled", retry_after="700", method="events", times=None))
    with pytest.raises(TransientError) as found:
        listing(settings, box)
    assert found.value.retry_after == 700


@pytest.mark.parametrize("breaks", ["reset", "bad-json", "html"])
def test_a_line_that_breaks_loses_nothing(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox, breaks: Any
) -> None:
    sample_calendar(box)
    count = len(items(listing(settings, box)))
    for method in ("calendars", "events", "event", "attachments"):
        standin.faults.add(Fault(breaks=breaks, method=method))
        try:
            found = listing(settings, box)
        except LiberateError as error:
            assert isinstance(error, TransientError)  # noqa: PT017
        else:
            assert len(items(found)) == count


# Reading -----------------------------------------------------------------------------------------


def test_bodies_that_were_just_listed_are_not_asked_for_again(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    sample_calendar(box)
    with calendars(settings) as source:
        found = items(list(source.items(of_event(box.calendar.id), None)))
        before = len(standin.requests)
        assert {one.item.id for one in source.read_many(found) if isinstance(one.body, bytes)} == {
            one.id for one in found
        }
        assert len(standin.requests) == before


def test_an_event_that_changed_since_is_described_anew(settings: MicrosoftSettings, box: PimBox) -> None:
    event = box.add_event("Board", NINE)
    (old,) = items(listing(settings, box))
    box.change(event, subject="Moved")
    with calendars(settings) as source:
        new = source.describe(old)
        assert new.version != old.version
        assert b"".join(source.read(new)) == b"".join(_read(settings, old))
    box.delete(event)
    with calendars(settings) as source, pytest.raises(ItemError) as gone:
        list(source.read(old))
    assert gone.value.code == "gone"


def test_what_is_kept_is_bounded() -> None:
    kept = Kept(items=3, size=100)
    some = [item(f"{n}", Kind.EVENT, Made(f"{n}", b"x" * 20 + b"%d" % n)) for n in range(5)]
    for one in some:
        kept.keep(one, b"x" * 20)
    assert [kept.body(one) is not None for one in some] == [False, False, True, True, True]
    kept.keep(some[0], b"y" * 90)
    assert [kept.body(one) is not None for one in some] == [True, False, False, False, False]


def test_large_files_and_other_things_attached_are_told(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    event = box.add_event("Board", NINE)
    file = {"@odata.type": "#microsoft.graph.fileAttachment"}
    event.attachments += [
        {**file, "id": "a1", "name": "a.txt", "size": 9, "contentBytes": "YQ=="},
        {**file, "id": "a2", "name": "b.mp4", "size": 99 << 20},
        {"@odata.type": "#microsoft.graph.itemAttachment", "id": "a3", "name": "A message", "size": 10},
    ]  # fmt: skip
    (one,) = items(listing(settings, box))
    assert one.facts == ObjectFacts(("attachment",))
    assert calls(standin, "attachment") == 1
