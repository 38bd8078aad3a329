"""The connection to a homeserver: what goes over it, what does not, and what its failures mean."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pytest
import trustme
from liberate_matrix import registration
from liberate_matrix.client import Client
from liberate_matrix.media import Sized
from liberate_matrix.settings import MatrixSettings
from liberate_matrix.wire import Failure, Wire

from liberate.errors import AccountError, ItemError, LiberateError, PlanError, TransientError

WHO = b'{"user_id":"@liberate:example.org"}'


class Cut(bytes):
    """Ends the connection when it has been sent."""


def answer(body: bytes, status: str = "200 OK", *more: str, length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


class Server:
    """Gives one prepared answer a request, over as many connections as are opened, and keeps what it was asked."""

    def __init__(self, answers: Sequence[bytes], context: ssl.SSLContext | None = None) -> None:
        self._answers = list(answers)
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.asked: list[bytes] = []
        self.connections = 0
        self._line: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._socket, self._line):
            if one is not None:
                with suppress(OSError):  # the other side may have ended it
                    one.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                self._line, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with self._line, suppress(OSError):
                if self._context is not None:
                    self._line = self._context.wrap_socket(self._line, server_side=True)
                with self._line:
                    self._talk(self._line)

    def _talk(self, line: socket.socket) -> None:
        with line.makefile("rb") as reads:
            while head := reads.readline():
                while not head.endswith(b"\r\n\r\n"):
                    head += reads.readline()
                fields = http.client.parse_headers(BytesIO(head.partition(b"\r\n")[2]))
                self.asked.append(head + reads.read(int(fields.get("Content-Length", "0"))))
                told = self._answers.pop(0)
                line.sendall(told)
                if isinstance(told, Cut):
                    return

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"


class Tunnel(Server):
    """A proxy that lets everybody through, to a server with that certificate."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__([answer(b"")])
        self._inner = context

    def _talk(self, line: socket.socket) -> None:
        with line.makefile("rb") as reads:
            while reads.readline() not in (b"\r\n", b""):
                pass
        line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self._inner.wrap_socket(line, server_side=True).close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine is told of proxies is not what is tested."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def opening(tmp_path: Path) -> Callable[..., Client]:
    path = tmp_path / "registration.yaml"
    registration.write(path, "example.org")

    def opened(url: str, **more: object) -> Client:
        return Client(MatrixSettings(url=url, registration=path, **more), registration.read(path))

    return opened


@contextmanager
def wire(server: Server) -> Iterator[Wire]:
    made = Wire(server.url, {"Authorization": "Bearer x"}, 30.0, None)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


# What goes over it -------------------------------------------------------------------------------


def test_requests_go_over_one_connection_with_the_token_and_nothing_that_was_not_asked_for(
    opening: Callable[..., Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login anna password hunter2\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    answers = [answer(WHO, "200 OK", "Set-Cookie: a=b"), answer(b"{}"), answer(b"{}")]
    with Server(answers) as server:
        client = opening(server.url)
        client.ask("POST", "/a", {"word": "frö"}, user="@u:example.org", device=True)
        client.ask("POST", "/b")
        client.close()
    token = registration.read(tmp_path / "registration.yaml").token.encode()
    assert server.connections == 1
    assert all(b"Authorization: Bearer " + token in one for one in server.asked)
    assert not any(b"Cookie" in one or b"Basic" in one for one in server.asked)
    assert server.asked[1].startswith(b"POST /a?user_id=%40u%3Aexample.org&device_id=LIBERATE HTTP/1.1\r\n")
    assert server.asked[1].endswith('\r\n\r\n{"word":"frö"}'.encode())
    assert b"Content-Length: 0\r\n" in server.asked[2]


def test_bytes_on_their_way_are_announced_with_their_length() -> None:
    with (
        Server([answer(b"{}")]) as server,
        wire(server) as made,
        made.request("PUT", "/file", Sized(BytesIO(b"abc"), 3)) as response,
    ):
        assert response.data == b"{}"
    assert b"Content-Length: 3\r\n" in server.asked[0]
    assert b"chunked" not in server.asked[0].lower()
    assert server.asked[0].endswith(b"\r\n\r\nabc")


def test_what_is_not_read_to_its_end_is_no_part_of_the_next_answer() -> None:
    large = b"x" * (4 << 20)
    with Server([answer(large), answer(b"next")]) as server, wire(server) as made:
        with made.request("GET", "/large") as response:
            assert next(response.stream(1000)) == b"x" * 1000
        with made.request("GET", "/next") as response:
            assert response.data == b"next"
    assert server.connections == 2


def test_a_path_of_the_address_comes_before_that_of_the_request() -> None:
    with Server([answer(b"{}")]) as server:
        made = Wire(f"{server.url}/below", {}, 30.0, None)
        with made.request("GET", "/_matrix/x") as response:
            assert response.status == 200
        made.close()
    assert server.asked[0].startswith(b"GET /below/_matrix/x HTTP/1.1\r\n")


# What its failures mean --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        (Cut(), TransientError, "broke the connection off"),
        (Cut(answer(b'{"user', length=40)), TransientError, "broke the connection off"),
        (Cut(b"SSH-2.0-OpenSSH_9.2\r\n"), TransientError, "broke the connection off"),
        (answer(b"<html>", "502 Bad Gateway"), TransientError, "has a failure"),
        (answer(b"<html>"), AccountError, "does not answer as a Matrix homeserver"),
        (answer(b"{}"), AccountError, "does not answer as a Matrix homeserver"),
        (answer(b"", "302 Found", "Location: http://127.0.0.1:9/"), AccountError, "does not answer as a Matrix"),
    ],
    ids=["no answer", "half an answer", "no HTTP", "a proxy's page", "a page", "another program's", "elsewhere"],
)
def test_what_is_no_answer_is_told_as_what_it_is(
    opening: Callable[..., Client], told: bytes, kind: type[LiberateError], words: str
) -> None:
    with Server([told]) as server, pytest.raises(kind, match=words):
        opening(server.url)
    assert len(server.asked) == 1, "it is asked once"


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_proxy_that_asks_to_slow_down_is_told_with_its_time(opening: Callable[..., Client], status: str) -> None:
    told = answer(b"<html>", status, "Retry-After: 7")
    with Server([told]) as server, pytest.raises(TransientError) as error:
        opening(server.url)
    assert error.value.retry_after == 7


PAGE = answer(b"<html>Request blocked", "403 Forbidden")


@pytest.mark.parametrize(
    ("then", "kind", "code"),
    [(answer(WHO), ItemError, "blocked"), (PAGE, AccountError, "not-a-homeserver")],
    ids=["one message", "everything"],
)
def test_what_a_firewall_refuses_is_one_message_as_long_as_the_homeserver_answers(
    opening: Callable[..., Client], then: bytes, kind: type[LiberateError], code: str
) -> None:
    with Server([answer(WHO), PAGE, then]) as server, pytest.raises(kind) as told:
        opening(server.url).send("@a:example.org", "!r", "m.room.message", "t", {"body": "' OR 1=1 --"}, 0)
    assert getattr(told.value, "code", "") == code


def test_a_server_that_says_nothing_is_waited_for_as_long_as_the_settings_say(opening: Callable[..., Client]) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(TransientError, match="did not answer in time"):
        opening(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)


def test_a_server_that_is_not_there_can_be_tried_again(opening: Callable[..., Client]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(TransientError, match=f"127.0.0.1:{port} cannot be reached"):
        opening(f"http://127.0.0.1:{port}")


def test_a_name_that_no_server_has_is_told(opening: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(AccountError, match="no server of that name") as caught:
        opening("https://matrix.example.org")
    assert caught.value.code == "unknown-server"


def test_a_certificate_of_nobody_known_is_refused_until_its_authority_is_named(
    opening: Callable[..., Client], authority: trustme.CA, secure: ssl.SSLContext, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Server([answer(WHO)], secure) as server:
        with pytest.raises(AccountError, match="certificate that cannot be trusted") as caught:
            opening(server.url)
        assert caught.value.code == "certificate-refused"
        assert "ca_file" in caught.value.todo
        assert server.asked == []
        assert opening(server.url, ca_file=tmp_path / "ca.pem").bot == "@liberate:example.org"


def test_a_certificate_of_another_name_is_refused(
    opening: Callable[..., Client], authority: trustme.CA, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("matrix.example.org").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Server([answer(WHO)], context) as server, pytest.raises(AccountError, match="cannot be trusted"):
        opening(server.url, ca_file=tmp_path / "ca.pem")


def test_a_file_of_authorities_that_is_not_there_is_an_error_of_the_plan(
    opening: Callable[..., Client], tmp_path: Path
) -> None:
    with pytest.raises(PlanError, match=r"file of authorities .*ca[.]pem is not there"):
        opening("https://matrix.example.org", ca_file=tmp_path / "ca.pem")


def test_a_file_of_authorities_that_holds_none_is_an_error_of_the_plan(
    opening: Callable[..., Client], tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("no certificate\n")
    with pytest.raises(PlanError, match=r"file of authorities .*ca[.]pem .* holds none"):
        opening("https://matrix.example.org", ca_file=tmp_path / "ca.pem")


# Proxies -----------------------------------------------------------------------------------------


def test_another_machine_is_reached_by_the_proxy_that_the_environment_names(
    opening: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server([answer(b"", "407 Proxy Authentication Required")]) as proxy:
        monkeypatch.setenv("https_proxy", f"http://anna:frö@127.0.0.1:{proxy.port}")
        with pytest.raises(LiberateError) as caught:
            opening("https://matrix.example.org")
    assert proxy.asked[0].startswith(b"CONNECT matrix.example.org:443 HTTP/1.")
    assert b"Proxy-Authorization: Basic " in proxy.asked[0] or b"proxy-authorization: Basic " in proxy.asked[0]
    assert b"Bearer" not in proxy.asked[0], "the token is for the homeserver alone"
    assert "anna" not in str(caught.value)
    assert isinstance(caught.value, AccountError)
    assert caught.value.why.startswith(
        f"The proxy 127.0.0.1:{proxy.port}, by which matrix.example.org is reached, wants"
    )
    assert "http://user:password@" in caught.value.todo


def test_this_machine_and_names_that_are_excepted_are_reached_without_it(
    opening: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with Server([answer(WHO)]) as server:
        assert opening(server.url).domain == "example.org"
    seen = []

    def unknown(host: str, *_: object, **__: object) -> None:
        seen.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(AccountError, match="no server of that name"):
        opening("https://matrix.example.org")
    assert seen == ["matrix.example.org"]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://[::1", "http://host:port"])
def test_a_proxy_that_cannot_be_used_is_an_error_of_the_plan(
    opening: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(PlanError, match="proxy that the environment names"):
        opening("https://matrix.example.org")


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        (answer(b"", "403 Forbidden"), AccountError, r"does not let liberate through \(403\)"),
        (answer(b"", "502 Bad Gateway"), TransientError, r"does not reach it \(502\).* Check the url"),
        (Cut(b"SSH-2.0-OpenSSH_9.2\r\n"), TransientError, "broke the connection off"),
        (Cut(), TransientError, "broke the connection off"),
        (Cut(b"HTTP/1.1 200 OK\r\n\r\n"), TransientError, "broke the connection off"),
    ],
    ids=["forbidden", "no way", "no HTTP", "no answer", "a way to nowhere"],
)
def test_what_fails_at_the_proxy_is_told_of_the_proxy(
    opening: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    told: bytes,
    kind: type[LiberateError],
    words: str,
) -> None:
    with Server([told]) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(kind, match=f"The proxy 127.0.0.1:{proxy.port}, by which .*{words}") as caught:
            opening("https://matrix.example.org")
    assert "no_proxy" in f"{caught.value} {getattr(caught.value, 'todo', '')}", "what to do about it"
    assert b"Bearer" not in b"".join(proxy.asked)


def test_a_proxy_that_is_not_there_can_be_tried_again(
    opening: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
    with pytest.raises(
        TransientError, match=rf"The proxy 127.0.0.1:{port}, by which matrix\.example\.org .* https_proxy"
    ):
        opening("https://matrix.example.org")


def test_a_proxy_that_says_nothing_is_waited_for_as_long_as_the_settings_say(
    opening: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(
            TransientError, match=f"The proxy 127.0.0.1:{port}, .* did not answer in time. .*https_proxy"
        ):
            opening("https://matrix.example.org", timeout=0.2)


def test_a_proxy_of_a_name_that_no_server_has_is_told_and_not_the_homeserver(
    opening: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("https_proxy", "http://anna:secret@proxy.example.org:3128")
    with pytest.raises(AccountError, match=r"The proxy proxy\.example\.org:3128, .* no server has that name") as caught:
        opening("https://matrix.example.org")
    assert caught.value.code == "unknown-server"
    assert "https_proxy" in caught.value.todo
    assert "secret" not in f"{caught.value} {caught.value.todo}"


def test_a_certificate_that_comes_through_a_proxy_is_the_homeservers(
    opening: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("matrix.example.org").configure_cert(context)
    with Tunnel(context) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(AccountError, match=r"^matrix\.example\.org shows a certificate that cannot") as caught:
            opening("https://matrix.example.org")
    assert "ca_file" in caught.value.todo


def test_failures_are_of_one_kind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    made = Wire(f"http://127.0.0.1:{port}", {}, 1.0, None)
    with pytest.raises(Failure), made.request("GET", "/"):
        pass
    made.close()
