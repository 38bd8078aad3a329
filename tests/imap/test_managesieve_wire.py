"""The ManageSieve client against servers that are slow, rude or hostile: played word by word."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from liberate_imap.managesieve import ManageSieve, NotOffered
from liberate_imap.settings import ImapSettings

from liberate.connector import Account
from liberate.errors import AccountError, ItemError, TransientError

GREETING = b'"IMPLEMENTATION" "x"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto vacation"\r\n"VERSION" "1.0"\r\nOK\r\n'


@contextmanager
def played(*answers: bytes, greeting: bytes = GREETING) -> Iterator[tuple[int, list[bytes]]]:
    """A server that greets, then gives each answer to whatever comes next; what it was sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            line, _ = listening.accept()
            with line:
                line.sendall(greeting)
                for answer in answers:
                    heard.append(line.recv(1 << 16))
                    line.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], heard
        thread.join(5)


def settings(port: int, **more: object) -> ImapSettings:
    return ImapSettings(host="127.0.0.1", security="none", sieve_port=port, timeout=2, **more)  # type: ignore[arg-type]


def meets(port: int, do: Callable[[ManageSieve], object] = lambda _: None) -> object:
    with ManageSieve(settings(port), Account("anna", "s3cret")) as line:
        return do(line)


def test_answers_may_come_as_literals_with_any_word_in_them() -> None:
    listed = b'{3+}\r\nOK \r\n"a \\"b\\\\" ACTIVE\r\n{8}\r\nNO "x"\r\n ACTIVE\r\nOK {4}\r\ndone\r\n'
    with played(b"OK\r\n", GREETING, listed, b"OK\r\n") as (port, heard):
        assert meets(port, lambda line: line.scripts()) == {"OK ": False, 'a "b\\': True, 'NO "x"\r\n': True}
    assert heard[0].startswith(b'AUTHENTICATE "PLAIN" {')
    assert b"s3cret" not in heard[0]  # as base64


def test_a_script_may_say_what_a_server_would_say() -> None:
    text = b'OK "x"\r\nNO\r\n{5}\r\n"y"\r\n'
    with played(b"OK\r\n", GREETING, b"{%d}\r\n%s\r\nOK\r\n" % (len(text), text), b"OK\r\n") as (port, _):
        assert meets(port, lambda line: line.get("x")) == text.decode()


@pytest.mark.parametrize("greeting", [b"", b"* OK IMAP4rev1 ready\r\n", b"HTTP/1.1 400 no\r\n\r\n", b"OK\r\n", b'"x'])
def test_what_is_no_managesieve_offers_none(greeting: bytes) -> None:
    with played(greeting=greeting) as (port, _), pytest.raises(NotOffered):
        meets(port)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b'NO (QUOTA/MAXSIZE) "s3cret words"\r\n', "script-too-large"),
        (b"NO {12}\r\ns3cret words\r\n", "script-refused"),
        (b'NO "line 2: s3cret"\r\n', "script-refused"),
    ],
)
def test_what_a_server_says_of_a_script_is_not_told_on(answer: bytes, code: str) -> None:
    with played(b"OK\r\n", GREETING, answer, b"OK\r\n") as (port, _), pytest.raises(ItemError) as refused:
        meets(port, lambda line: line.put("x", "keep;"))
    assert refused.value.code == code
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "answer", [b"", b'BYE "later"\r\n', b'"x', b"{99999999999}\r\n", b"{9}\r\nabc", b"what\r\n", b"NO (TRYLATER)\r\n"]
)
def test_a_line_that_breaks_is_a_passing_trouble(answer: bytes) -> None:
    with played(b"OK\r\n", GREETING, answer) as (port, _), pytest.raises(TransientError):
        meets(port, lambda line: line.scripts())


@pytest.mark.parametrize("answer", [b"NO\r\n", b'NO (AUTH-TOO-WEAK) "s3cret"\r\n'])
def test_a_login_that_is_refused_is_told_without_its_secret(answer: bytes) -> None:
    with played(answer) as (port, _), pytest.raises(AccountError) as refused:
        meets(port)
    assert refused.value.code == "login-refused"
    assert "s3cret" not in str(refused.value)


def test_a_token_that_is_refused_by_a_challenge_is_refused() -> None:
    greeting = GREETING.replace(b"PLAIN", b"XOAUTH2")
    with played(b'"eyJzdGF0dXMiOiI0MDAifQ=="\r\n', b"NO\r\n", greeting=greeting) as (port, heard):
        token = ManageSieve(settings(port, auth="xoauth2"), Account("anna", "t0ken"))
        with pytest.raises(AccountError):
            token.__enter__()
    assert heard[1] == b'""\r\n'


def test_nothing_is_said_readable_where_starttls_is_wanted() -> None:
    with played(b"") as (port, heard):
        line = ManageSieve(settings(port, sieve_security="starttls"), Account("anna", "s3cret"))
        with pytest.raises(AccountError, match="STARTTLS"):
            line.__enter__()
    assert heard in ([], [b""])


def test_what_came_before_the_encryption_is_not_believed() -> None:
    """A man in the middle who says more than "OK" to STARTTLS speaks for nobody: TLS begins, and fails."""
    greeting = GREETING.replace(b"OK\r\n", b'"STARTTLS"\r\nOK\r\n')
    with played(b"OK\r\n" + GREETING + b"OK\r\n", b"OK\r\n", greeting=greeting) as (port, heard):
        line = ManageSieve(settings(port, sieve_security="starttls"), Account("anna", "s3cret"))
        with pytest.raises(TransientError):
            line.__enter__()
    assert heard[0] == b"STARTTLS\r\n"
    assert all(not one.startswith(b"AUTHENTICATE") for one in heard)
