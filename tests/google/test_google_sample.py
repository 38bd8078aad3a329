"""The sample co-op is the same every time, and comes through whole."""

from __future__ import annotations

import mailbox
from email.header import decode_header, make_header
from pathlib import Path

from google_kit import held, items, listing, opened, skipped
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GmailStandin, sample_coop, sample_takeout
from liberate_google.standin.sample import PEOPLE, mails


def test_the_sample_is_the_same_at_every_call(tmp_path: Path) -> None:
    assert [list(mails(person)) for person in PEOPLE] == [list(mails(person)) for person in PEOPLE]
    sample_takeout(tmp_path / "one.mbox")
    sample_takeout(tmp_path / "two.mbox")
    assert (tmp_path / "one.mbox").read_bytes() == (tmp_path / "two.mbox").read_bytes()


def test_every_mailbox_of_the_sample_comes_through_whole(standin: GmailStandin, settings: GoogleSettings) -> None:
    addresses = sample_coop(standin)
    assert len(addresses) == 6
    for address in addresses:
        with opened(standin, settings, address) as source:
            listed = listing(source)
            got = {loaded.item.id: loaded.body for loaded in source.read_many(items(listed))}
        assert got == held(standin, address)
        assert len(skipped(listed)) == 1
        assert {"SPAM", "TRASH", "DRAFT", "SENT", "INBOX", "STARRED", "UNREAD", "CHAT"} <= {
            label for message in standin.mailbox(address).messages.values() for label in message.labels
        }


def test_the_takeout_file_names_labels_in_swedish_over_folded_lines(tmp_path: Path) -> None:
    claire = PEOPLE[2]
    count = sample_takeout(tmp_path / "All mail.mbox", claire)
    box = mailbox.mbox(tmp_path / "All mail.mbox", create=False)
    try:
        labels = [str(make_header(decode_header(message["X-Gmail-Labels"]))) for message in box]
    finally:
        box.close()
    assert len(labels) == count == len(list(mails(claire)))
    assert any("Inkorgen" in one for one in labels)
    assert any('"Achats, devis"' in one for one in labels)
    assert any("Arkiverade" in one for one in labels)
    assert b"=?utf-8?b?" in (tmp_path / "All mail.mbox").read_bytes()
