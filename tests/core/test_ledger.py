"""The ledger on both databases: leases, and what is committed together."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest
import sqlalchemy as sa

from liberate.connector import Collection, Cursor, Evidence, Gone, Item, Kind, Place, Receipt, Skipped
from liberate.errors import AccountError, PlanError, TransientError
from liberate.ledger import Ledger
from liberate.ledger_rows import Claim, LeaseLost, Refusal, Row, State, Written, key_of
from liberate.ledger_schema import TO_SEND, items
from liberate.mail import MailFacts
from liberate.testing.clock import Clock

INBOX = Collection("INBOX", ("INBOX",), Kind.MAIL)


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000.0)


@pytest.fixture
def opened(database: str, clock: Clock) -> Iterator[Callable[..., Ledger]]:
    """Opens ledgers over one database, as processes of one job do."""
    made: list[Ledger] = []
    numbers = count(1)

    def opening(**options: object) -> Ledger:
        # PostgreSQL tells the time itself: a lease of one second is short enough to wait for there.
        chosen = {"owner": f"process {next(numbers)}", "lease": 60.0, "clock": clock, "monotonic": clock, **options}
        made.append(Ledger(database, **chosen))  # type: ignore[arg-type]
        return made[-1]

    yield opening
    for ledger in made:
        ledger.close()


def begun(ledger: Ledger) -> Claim:
    """A claim on the only slice of a new account."""
    account = ledger.account("route", "anna", "anna")
    (number,) = ledger.collections(account, [INBOX])
    claim = ledger.claim(number)
    assert claim is not None
    return claim


def row(claim: Claim, name: str, body: bytes = b"x") -> Row:
    item = Item(name, Kind.MAIL, "1", size=len(body), facts=MailFacts())
    return Row(key_of(str(claim.account), "INBOX", name), item, "", State.LISTED, 1, digests={"sha256": body.hex()})


def states(ledger: Ledger) -> dict[str, str]:
    with ledger.reading() as db:
        return {one.item: one.state for one in db.execute(sa.select(items.c.item, items.c.state))}


def expire(ledger: Ledger, claim: Claim) -> None:
    """Let the lease run out by the database's clock, not by the holder's own."""
    with ledger._engine.begin() as db:
        db.execute(sa.text("UPDATE slices SET lease_until = 1"))


# Leases: each rule of these was taken away on purpose once, and each time something arrived twice --


def test_a_slice_has_one_holder(opened: Callable[..., Ledger]) -> None:
    first, second = opened(), opened()
    claim = begun(first)
    assert second.claim(claim.slice) is None
    first.release(claim)
    taken = second.claim(claim.slice)
    assert taken is not None
    assert taken.epoch == claim.epoch + 1


def test_who_lost_the_lease_can_record_nothing(opened: Callable[..., Ledger]) -> None:
    first, second = opened(), opened()
    claim = begun(first)
    mail = row(claim, "1")
    first.listed(claim, [mail])
    expire(first, claim)
    taken = second.claim(claim.slice)
    assert taken is not None
    for record in (
        lambda: first.listed(claim, [row(claim, "2")], cursor=Cursor("c")),
        lambda: first.intend(claim, [mail]),
        lambda: first.written(claim, [Written(mail, Receipt("1", Place("p")))]),
        lambda: first.updated(claim, [(mail, MailFacts(), "2")]),
        lambda: first.adopted(claim, [(mail, row(claim, "2"))]),
        lambda: first.renumbered(claim),
    ):
        with pytest.raises(LeaseLost):
            record()
    assert states(first) == {"1": "listed"}
    assert taken.cursor is None


def test_the_same_owner_that_claims_again_has_another_epoch(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    old = begun(ledger)
    expire(ledger, old)
    new = ledger.claim(old.slice)
    assert new is not None
    with pytest.raises(LeaseLost):
        ledger.listed(old, [row(old, "1")])
    ledger.listed(new, [row(new, "1")])


def test_a_lease_that_ran_out_is_never_renewed_though_nobody_took_it(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    claim = begun(ledger)
    expire(ledger, claim)
    with pytest.raises(LeaseLost):
        ledger.renew(claim, if_less_than=1000)
    with pytest.raises(LeaseLost):
        ledger.listed(claim, [row(claim, "1")])
    assert states(ledger) == {}


def test_who_slept_beyond_the_local_deadline_stops_before_asking_anybody(
    opened: Callable[..., Ledger], clock: Clock
) -> None:
    asked: list[str] = []
    ledger = opened(step=asked.append)
    claim = begun(ledger)
    asked.clear()
    clock.now += 60.0
    with pytest.raises(LeaseLost):
        ledger.renew(claim)
    assert asked == []


def test_the_local_deadline_counts_from_before_the_renewal_was_sent(database: str, clock: Clock) -> None:
    def slow(what: str) -> None:  # the database answers after 50 seconds
        if what == "uncommitted renew":
            clock.now += 50.0

    ledger = Ledger(database, owner="slow", lease=60.0, clock=lambda: 1_000_000.0, monotonic=clock, step=slow)
    try:
        claim = begun(ledger)
        before = clock.now
        ledger.renew(claim, if_less_than=1000)
        assert claim.deadline == before + 60.0
    finally:
        ledger.close()


def test_a_lease_is_renewed_only_when_a_third_of_it_is_left(opened: Callable[..., Ledger], clock: Clock) -> None:
    asked: list[str] = []
    ledger = opened(step=asked.append)
    claim = begun(ledger)
    asked.clear()
    clock.now += 39.0
    ledger.renew(claim)
    assert asked == []
    clock.now += 2.0
    ledger.renew(claim)
    assert "after renew" in asked


def test_whoever_holds_the_whole_job_takes_over_the_slices_of_the_dead_at_once(opened: Callable[..., Ledger]) -> None:
    dead, alive = opened(), opened()
    claim = begun(dead)
    assert alive.claim(claim.slice) is None
    assert alive.claim(claim.slice, alone=True) is not None


def test_two_threads_of_one_process_do_not_share_a_slice(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    claim = begun(ledger)
    assert ledger.claim(claim.slice, alone=True) is None


def test_of_processes_that_claim_at_once_one_gets_the_slice(opened: Callable[..., Ledger], database: str) -> None:
    claim = begun(ledger := opened(clock=__import__("time").time, monotonic=__import__("time").monotonic))
    ledger.release(claim)
    program = (
        "import sys; from liberate.ledger import Ledger; l = Ledger(sys.argv[1], owner=sys.argv[2]);"
        "print(l.claim(int(sys.argv[3])) is not None); l.close()"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, database, str(n), str(claim.slice)], stdout=subprocess.PIPE)
        for n in range(3)
    ]
    answers = [child.communicate()[0].strip() for child in children]
    assert sorted(answers) == [b"False", b"False", b"True"]


# What is committed together -------------------------------------------------------------------------


def test_items_and_the_cursor_behind_them_are_one_transaction(database: str, clock: Clock) -> None:
    class Death(BaseException):
        pass

    def die(what: str) -> None:
        if what == "uncommitted listed":
            raise Death

    ledger = Ledger(database, owner="1", clock=clock, monotonic=clock, step=die)
    claim = begun(ledger)
    with pytest.raises(Death):
        ledger.listed(claim, [row(claim, "1")], cursor=Cursor("behind 1"))
    assert states(ledger) == {}
    ledger.close()
    second = Ledger(database, owner="2", clock=clock, monotonic=clock)
    again = second.claim(claim.slice, alone=True)
    assert again is not None
    assert again.cursor is None
    second.listed(again, [row(again, "1")], cursor=Cursor("behind 1"))
    second.release(again)
    later = second.claim(claim.slice)
    assert later is not None
    assert later.cursor == "behind 1"
    second.close()


def test_a_row_walks_from_listed_to_verified_and_is_found_at_each_step(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    claim = begun(ledger)
    place = ledger.name(claim.account, ("INBOX",), None, ("INBOX",))
    ledger.prepared(place.id, Place("INBOX"))
    mail = replace(row(claim, "1"), place_id=place.id)
    ledger.listed(claim, [mail])
    (found,), _ = ledger.unfinished(claim, State.LISTED)
    assert (found.key, found.item.id, found.item.size) == (mail.key, "1", 1)
    found.mark, found.size, found.digests = "7", 3, {"sha256": "aa", "sha256-wire": "bb"}
    ledger.intend(claim, [found])
    (intended,), _ = ledger.unfinished(claim, State.INTENDED)
    assert (intended.mark, intended.size, intended.digests, intended.attempts) == ("7", 3, found.digests, 1)
    ledger.written(claim, [Written(intended, Receipt("9", Place("INBOX"), 3, evidence=Evidence.SIZE))])
    assert ledger.unfinished(claim, State.INTENDED)[0] == []
    assert ledger.taken(place.id, ["8", "9"]) == {"9"}
    ((there, where),), _ = ledger.to_verify(claim.account)
    assert (there.receipt, there.evidence, where) == ("9", Evidence.SIZE, "INBOX")
    ledger.verified([(there, "identical")])
    assert states(ledger) == {"1": "verified"}
    assert ledger.moved(claim.account) == (1, 3)


def test_refused_rows_come_back_by_their_code(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    claim = begun(ledger)
    never, sent = row(claim, "never"), row(claim, "sent")
    ledger.listed(claim, [never, sent], [("k", Skipped("chat", "chat", "No message."))])
    ledger.intend(claim, [sent])
    ledger.written(claim, [], [Refusal(never, "too-large", "Too large."), Refusal(sent, "illegal", "Illegal.")])
    assert ledger.retry("nothing-has-it") == 0
    assert ledger.retry("too-large") == 1
    assert states(ledger) == {"never": "listed", "sent": "refused", "chat": "skipped"}
    assert ledger.retry() == 1
    assert states(ledger)["sent"] == "intended"  # it was sent once: the destination is asked first


def test_what_is_gone_before_it_was_sent_is_skipped_and_what_was_sent_stays(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    claim = begun(ledger)
    never, sent = row(claim, "never"), row(claim, "sent")
    ledger.listed(claim, [never, sent])
    ledger.intend(claim, [sent])
    ledger.written(claim, [Written(sent, Receipt("1", Place("p")))])
    ledger.listed(claim, [], gone=[never.key, sent.key])
    assert states(ledger) == {"never": "skipped", "sent": "written"}
    assert isinstance(Gone("never"), Gone)


def test_an_account_is_never_moved_to_somebody_else(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    number = ledger.account("route", "anna", "anna")
    assert ledger.account("route", "anna", "anna") == number
    assert ledger.account("another route", "anna", "berta") != number
    with pytest.raises(PlanError, match="anna has been moved to anna"):
        ledger.account("route", "anna", "berta")


def test_a_folder_keeps_the_name_it_got_first(opened: Callable[..., Ledger]) -> None:
    first, second = opened(), opened()
    account = first.account("route", "anna", "anna")
    named = first.name(account, ("a/b",), None, ("a_b",))
    assert second.name(account, ("a/b",), None, ("another",)) == named


def test_rows_that_wait_are_found_by_an_index(opened: Callable[..., Ledger], database: str) -> None:
    if not database.startswith("sqlite"):
        pytest.skip("SQLite's planner is asked")
    ledger = opened()
    for query in (
        sa.select(items).where(items.c.slice == 1, items.c.state == "listed", TO_SEND, items.c.id > 5),
        sa.select(items).where(items.c.slice == 1, items.c.pending_version.is_not(None)),
    ):
        with ledger.reading() as db:
            text = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
            plan = " ".join(line[-1] for line in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
        assert "items_open" in plan


def test_a_ledger_of_another_version_is_refused_with_a_sentence(opened: Callable[..., Ledger], database: str) -> None:
    ledger = opened()
    with ledger._engine.begin() as db:
        db.execute(sa.text("UPDATE meta SET value = '999' WHERE key = 'schema'"))
    with pytest.raises(PlanError, match="another version"):
        opened()


def test_a_full_disk_is_told_as_such(opened: Callable[..., Ledger], database: str) -> None:
    if not database.startswith("sqlite"):
        pytest.skip("PostgreSQL's disk is another machine's")
    ledger = opened()
    claim = begun(ledger)
    with ledger._engine.connect() as db:
        pages = int(db.exec_driver_sql("PRAGMA page_count").scalar_one())
        db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        db.rollback()
    with pytest.raises(AccountError) as told:
        ledger.listed(claim, [row(claim, str(n) * 50) for n in range(2000)])
    assert told.value.code == "ledger-disk-full"
    assert states(ledger) == {}


def test_a_database_that_goes_away_is_waited_for(postgresql: str) -> None:
    ledger = Ledger(postgresql, owner="1")
    try:
        with ledger.reading() as db:
            number = db.scalar(sa.text("SELECT pg_backend_pid()"))
        killer = sa.create_engine(postgresql)
        with killer.begin() as db:
            db.execute(sa.text(f"SELECT pg_terminate_backend({number})"))
        killer.dispose()
        with pytest.raises(TransientError):
            ledger.account("route", "anna", "anna")
        assert ledger.account("route", "anna", "anna")
    finally:
        ledger.close()
        assert os.getpid()
