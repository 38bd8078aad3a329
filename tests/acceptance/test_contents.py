"""What hoarders bring: mail that breaks every rule, labels that no server takes, and a great deal of both."""

from __future__ import annotations

import imaplib
import json
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from email.header import Header
from hashlib import sha256

import pytest
from acceptance_kit import PASSWORD, Coop

from liberate.mail import served_form

pytestmark = pytest.mark.dovecot

LIMIT = 3_000_000  # bytes of a message that the server takes
MESSAGES = (
    b"", b"\n", b"Subject: header only\n", b"Subject: no end", b"\n\nonly a body\n", b" folded at first\n\nbody\n",
    b"this is no header\nSubject: x\n\nbody\n", b"Subject: \xe5\xe4\xf6\n\n\xff\xfe\x80\n", b"Subject: nul\n\na\0b\n",
    b"Subject: lone\n\na\rb\n", b"Subject: two\n\na\r\r\nb\r\n", b"Subject: last\n\nend\r", "To: x".encode("utf-16"),
    b"Date: Fri, 99 Zzz 9999 99:99:99 +9999\n\nmad\n", b"Date: Mon, 1 Jan 0001 00:00:00 +0000\n\nold\n",
    b"Message-ID: <twin@x>\n\nsame\n", b"Message-ID: <twin@x>\n\nsame\n", b"Message-ID: <twin@x>\n\nother\n",
    b"Subject: long\n\n" + b"x" * 200_000 + b"\n", b"Subject: from\n\nFrom here\n>From there\n>>From afar\n",
    b"Subject: large\n\n" + b"y" * (LIMIT + 1) + b"\n",
)  # fmt: skip
LABELS = (
    "Work", "work", "WORK", "Caf\u00e9", "Cafe\u0301", "Inbox/x", "INBOX/z", "a.b", "~", "*", "%", "..", ".", "a//b",
    "a,b", "&", "&amp", "#news", 'quote"d', "back\\slash", "emoji 🎉", "日本語/ラベル", "cur", "new", "tmp", "dovecot",
    "/".join(["x" * 100] * 3), "L" * 300, "/".join(f"d{n}" for n in range(40)), "Sent/old", "Trash 2",
)  # fmt: skip


def _mbox(entries: Iterable[tuple[list[str], bytes]]) -> bytes:
    """As Takeout writes it: labels quoted and encoded, From lines quoted."""
    out = bytearray()
    for number, (labels, message) in enumerate(entries):
        quoted = ",".join('"' + one.replace('"', '""') + '"' if "," in one or '"' in one else one for one in labels)
        field = Header(quoted, "utf-8", maxlinelen=76, header_name="X-Gmail-Labels").encode()
        out += b"From %d@xxx Mon Apr 07 14:31:02 +0000 2025\n" % (10**18 + number)
        out += f"X-Gmail-Labels: {field}\n".encode()
        lines = message.split(b"\n")
        out += b"\n".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines)
        out += b"\n" if message.endswith(b"\n") else b"\n\n"
    return bytes(out)


def test_a_takeout_full_of_oddities_arrives_whole_but_for_what_is_refused_with_its_original(
    found: Callable[..., Coop],
) -> None:
    coop = found(max_message=LIMIT)
    coop.server.user("anna", PASSWORD)
    with zipfile.ZipFile(coop.folder / "takeout.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        odd = [(["Inbox"], message) for message in MESSAGES]
        named = [([label], b"Subject: label %d\n\nx\n" % n) for n, label in enumerate(LABELS)]
        many = [(["Inbox", *(f"Label {n}" for n in range(60))], b"Subject: sixty labels\n\nx\n")]
        archive.writestr("Takeout/Mail/All mail Including Spam and Trash.mbox", _mbox([*odd, *many]))
        archive.writestr("Takeout/Mail/Labels.mbox", _mbox(named))
        archive.writestr("Takeout/archive_browser.html", "<html>")
    ends = ("takeout:takeout.zip", f"imap://anna@127.0.0.1:{coop.server.port}")
    os.environ["LIBERATE_PASSWORD"] = PASSWORD
    try:
        code, said, _ = coop.run("migrate", *ends)
        assert code == 1, said
        assert "too-large" in said
        code, said, _ = coop.run("verify", *ends)
        assert code == 1, said
        _, report, _ = coop.run("report", *ends, "--format", "json")
        again = coop.run("migrate", *ends)
    finally:
        del os.environ["LIBERATE_PASSWORD"]
    account = json.loads(report)["accounts"][0]
    whole = len(MESSAGES) + len(LABELS) + 1
    rest = {"waiting": 0, "skipped": 0, "with_owner": 0, "refused": 1}
    assert account["items"] == {"listed": whole, "moved": whole - 1, **rest}
    assert account["copies"] == 60
    assert (account["verification"]["missing"], account["verification"]["different"]) == (0, 0)
    assert {one["found"] for one in account["findings"]} <= {"altered"}
    (refusal,) = account["refusals"]
    (kept,) = (one for one in coop.folder.glob("*.job/rejects/**/*.eml"))
    assert (refusal["code"], kept.name) == ("too-large", refusal["kept"].rpartition("/")[2])
    assert kept.read_bytes().endswith(b"\n\n" + b"y" * (LIMIT + 1) + b"\n")
    assert again[1].startswith(f"Nothing new: {whole - 1} items of 1 account were already there. 1 item could not go")

    held = _bodies(coop)
    for message in MESSAGES[:-1]:
        assert any(served_form(message).rstrip(b"\r\n") in one for one in held), message[:80]
    assert Counter(b"Subject: sixty labels" in one for one in held)[True] == 61
    for number in range(len(LABELS)):
        assert sum(b"Subject: label %d\r\n" % number in one for one in held) == 1
    assert len(held) == whole - 1 + 60


def _bodies(coop: Coop) -> list[bytes]:
    """Every message of anna's, in whatever folder, read by another program than ours."""
    out: list[bytes] = []
    with imaplib.IMAP4("127.0.0.1", coop.server.port) as session:
        session.login("anna", PASSWORD)
        for line in session.list()[1]:
            if isinstance(line, tuple):
                name = line[1].decode()
            elif b"\\No" in line:  # only a level above other folders
                continue
            else:
                name = line.decode().partition(' "/" ')[2].strip('"').replace('\\"', '"').replace("\\\\", "\\")
            quoted = name.replace("\\", "\\\\").replace('"', '\\"')
            status, count = session.select(f'"{quoted}"', readonly=True)
            assert status == "OK", name
            if count != [b"0"]:
                out += [part[1] for part in session.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(part, tuple)]
    return out


@pytest.mark.torture
def test_an_mbox_of_a_hundred_thousand_messages_moves_and_is_verified_in_little_memory(
    found: Callable[..., Coop],
) -> None:
    coop = found()
    coop.server.user("anna", PASSWORD)
    coop.join("anna", [b"Subject: %d\n\nletter %d\n" % (n, n) for n in range(100_000)])
    for command in ("migrate", "migrate", "verify"):
        process = coop.command(command, "--quiet")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.communicate()
        assert process.returncode == 0
        assert used.ru_maxrss < 150_000  # kB
    assert coop.count("anna") == 100_000
    assert sha256(b"Subject: 0\r\n\r\nletter 0\r\n").hexdigest() in coop.held("anna")
