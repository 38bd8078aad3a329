"""After a crash: exactly what had arrived is found, amid strangers and twins, and nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from imap_kit import (
    ALTERED,
    FakeClock,
    Mailbox,
    Stream,
    folder,
    message,
    nobody,
    parts,
    receipts,
    slot,
)
from liberate_imap.sandbox import Dovecot

from liberate.connector import Place, Receipt
from liberate.errors import TransientError
from liberate.mail import Sameness, sameness

pytestmark = pytest.mark.dovecot


def test_nothing_is_found_where_nothing_was_sent(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("A"))
        assert destination.find([slot(place, message(1), mark=destination.mark(place))], nobody) == {}
        missing = Place("Never made")
        assert destination.find([slot(missing, message(1))], nobody) == {}


def test_what_was_sent_is_found_amid_strangers(mailbox: Mailbox) -> None:
    mailbox.deliver("A", message(1), message(2), message(3))  # the same bytes, but before the mark
    with mailbox.destination() as destination:
        place = destination.prepare(folder("A"))
        rows = parts(place, [message(n) for n in range(6)], mark=destination.mark(place))
        mailbox.deliver("A", message(500), message(2)[:-1] + b"!", b"Subject: other\r\n\r\n")
        sent = list(destination.write_many(iter(rows[:4])))
        mailbox.deliver("A", message(501, 5000))
    with mailbox.destination() as destination:
        found = destination.find([one for one, _ in rows], nobody)
    assert {key: receipt.id for key, receipt in found.items()} == {
        one.key: outcome.id for one, outcome in sent if isinstance(outcome, Receipt)
    }
    assert len(found) == 4


def test_identical_twins_get_one_message_each(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("A"))
        rows = parts(place, [message(1)] * 5, mark=destination.mark(place))
        receipts(destination.write_many(iter(rows[:3])))
        found = destination.find([one for one, _ in rows], nobody)
    assert len(found) == 3
    assert len({receipt.id for receipt in found.values()}) == 3


def test_what_belongs_to_others_is_not_found(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("A"))
        rows = parts(place, [message(1)] * 3, mark=destination.mark(place))
        made = receipts(destination.write_many(iter(rows)))
        owned = {made[0].id, made[2].id}

        def taken(asked: Place, ids: Sequence[str]) -> set[str]:
            assert asked == place
            return owned & set(ids)

        found = destination.find([one for one, _ in rows], taken)
    assert [receipt.id for receipt in found.values()] == [made[1].id]


def test_a_message_that_the_server_altered_is_found(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("A"))
        rows = parts(place, [*ALTERED.values(), message(1)], mark=destination.mark(place))
        made = receipts(destination.write_many(iter(rows)))
        found = destination.find([one for one, _ in rows], nobody)
    assert {receipt.id for receipt in found.values()} == {receipt.id for receipt in made}
    bodies = {str(one.uid): one.body for one in mailbox.stored("A")}
    for one, _ in rows:
        body = bodies[found[one.key].id.partition(":")[2]]
        assert sameness(body, one.item.digests) is not Sameness.DIFFERENT


def test_a_large_message_is_found(mailbox: Mailbox) -> None:
    data = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 700_000
    with mailbox.destination() as destination:
        place = destination.prepare(folder("A"))
        one = slot(place, data, mark=destination.mark(place))
        made = destination.write(one, Stream(data))
        assert destination.find([one], nobody)[one.key].id == made.id


def test_a_folder_that_was_made_anew_is_searched_from_its_beginning(mailbox: Mailbox) -> None:
    with mailbox.destination() as destination:
        place = destination.prepare(folder("A"))
        receipts(destination.write_many(iter(parts(place, [message(n) for n in range(5)]))))
        one = slot(place, message(9), mark=destination.mark(place))
        validity, _, uidnext = (one.mark or "").partition(":")
        older = slot(place, message(9), mark=f"{int(validity) - 1}:{int(uidnext) + 100}")
        receipts(destination.write_many(iter([(one, message(9))])))
        assert set(destination.find([older], nobody)) == {older.key}


def test_a_session_that_still_works_is_waited_for(mailbox: Mailbox) -> None:
    with mailbox.destination() as setup:
        place = setup.prepare(folder("A"))
        rows = parts(place, [message(n) for n in range(3)], mark=setup.mark(place))
        late = [data for _, data in rows]

        def deliver_one() -> None:
            if late:
                mailbox.deliver("A", late.pop(0))

        time = FakeClock(deliver_one)
        with mailbox.destination(settle=3, clock=time.clock) as destination:
            found = destination.find([one for one, _ in rows], nobody)
    assert set(found) == {one.key for one, _ in rows}
    assert time.now >= 3


def test_waiting_happens_only_if_something_is_missing_and_once_a_folder(mailbox: Mailbox) -> None:
    time = FakeClock()
    with mailbox.destination(settle=3, clock=time.clock) as destination:
        place = destination.prepare(folder("A"))
        rows = parts(place, [message(n) for n in range(3)], mark=destination.mark(place))
        receipts(destination.write_many(iter(rows)))
        destination.find([one for one, _ in rows], nobody)
        assert time.slept == []
        for _ in range(2):
            assert destination.find([slot(place, message(77))], nobody) == {}
    assert 3 <= time.now < 3.5


def test_a_folder_that_never_stops_growing_is_told_as_unsure(mailbox: Mailbox) -> None:
    time = FakeClock(lambda: mailbox.deliver("A", b"Subject: x\r\n\r\n"))
    with mailbox.destination(settle=0.5, clock=time.clock) as destination:
        place = destination.prepare(folder("A"))
        with pytest.raises(TransientError):
            destination.find([slot(place, message(1))], nobody)


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[5])
from imap_kit import *
from liberate_imap.destination import ImapDestination
port, name, password, at = sys.argv[1:5]
steps = 0
def step(what):
    global steps
    steps += 1
    if steps == int(at):
        os.kill(os.getpid(), signal.SIGKILL)
settings = ImapSettings(host="127.0.0.1", port=int(port), security="none", settle=0, batch_items=3)
with ImapDestination(settings, Account(name, password), step=step) as destination:
    place = destination.prepare(folder("A"))
    rows = parts(place, [message(n) for n in range(8)] + [message(1)])
    list(destination.write_many(iter(rows)))
print(steps)
"""


def _run(mailbox: Mailbox, at: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(mailbox.server.port), mailbox.name, mailbox.password, str(at)]
    return subprocess.run([*command, str(Path(__file__).parent)], capture_output=True, text=True, check=False)


def test_a_writer_killed_at_any_step_is_told_exactly_what_arrived(new_mailbox: Callable[..., Mailbox]) -> None:
    whole = _run(new_mailbox(), 0)
    assert whole.returncode == 0, whole.stderr
    total = int(whole.stdout)
    assert total > 40
    first = total // 4  # everything before it is login and preparation
    for at in range(first, total, max(1, total // 10)):
        mailbox = new_mailbox()
        assert _run(mailbox, at).returncode == -signal.SIGKILL
        rows = None
        with mailbox.destination(settle=0.3) as destination:
            place = destination.prepare(folder("A"))
            rows = parts(place, [message(n) for n in range(8)] + [message(1)])
            found = destination.find([one for one, _ in rows], nobody)
            assert len(found) == len(mailbox.bodies("A")) % (len(rows) + 1)
            receipts(destination.write_many(part for part in rows if part[0].key not in found))
        assert sorted(mailbox.bodies("A")) == sorted(data for _, data in rows)


def test_a_server_killed_in_mid_batch_is_asked_what_landed() -> None:
    if not Dovecot.installed():
        pytest.skip("Dovecot is not installed: apt-get install dovecot-imapd")
    with Dovecot() as server:
        mailbox = Mailbox(server, "anna", server.user("anna"))
        with mailbox.destination(batch_items=5) as destination:
            place = destination.prepare(folder("A"))
            rows = parts(place, [message(n) for n in range(60)], mark=destination.mark(place))
            told: set[str] = set()

            def writing() -> None:
                for one, outcome in destination.write_many(iter(rows)):
                    assert isinstance(outcome, Receipt)
                    told.add(one.key)
                    if len(told) == 20:
                        server.kill()

            with pytest.raises(TransientError):
                writing()
            with pytest.raises(TransientError):
                destination.mark(place)
            with pytest.raises(TransientError):
                destination.find([], nobody)
        server.start()
        with mailbox.destination() as destination:
            found = destination.find([one for one, _ in rows], nobody)
            assert told <= set(found)
            assert len(found) == len(mailbox.bodies("A"))
            receipts(destination.write_many(part for part in rows if part[0].key not in found))
        assert sorted(mailbox.bodies("A")) == sorted(data for _, data in rows)
