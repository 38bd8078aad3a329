"""A real Dovecot on loopback, for tests, the demo, the sandbox and the benchmark.

    with Dovecot() as server:
        server.user("anna", "secret")
        ...  # imap://anna@127.0.0.1:{server.port}

It needs the programs of Debian's dovecot-imapd and nothing else of the system: no service, no file
outside its own folders, no port but free ones on loopback. It writes its mail as a default Dovecot
does (Maildir, mail_fsync = optimized), so that what is measured on it is true elsewhere.
"""

from __future__ import annotations

import base64
import contextlib
import grp
import hashlib
import hmac
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from liberate.errors import LiberateError
from liberate.testing.ports import free_port
from liberate_imap.certificates import make_certificates

if TYPE_CHECKING:
    from types import TracebackType

_PATHS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_LIBEXEC = ("/usr/lib/dovecot", "/usr/libexec/dovecot", "/usr/local/libexec/dovecot", "/opt/homebrew/libexec/dovecot")
_LOOPBACK = "127.0.0.1"
_START_SECONDS = 15.0
SPECIAL_USE: Mapping[str, str] = {
    "Archive": "\\Archive",
    "Drafts": "\\Drafts",
    "Junk": "\\Junk",
    "Sent": "\\Sent",
    "Trash": "\\Trash",
}
"""The folders that a usual server calls special, whether they exist yet or not."""


class SandboxError(LiberateError):
    """The server of the sandbox could not be started."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the server differs from a plain one."""

    separator: str = "/"
    prefix: str = ""  # of the personal namespace: "INBOX." is common with separator "."
    layout: str = "maildir++"  # or "fs": one directory for each folder
    quota: int | None = None  # bytes each user may store
    max_message: int | None = None  # bytes of one message
    tls: bool = False  # a second port with TLS from the first byte; STARTTLS on the first one
    xoauth2: bool = False  # tokens made by Dovecot.token
    capability: str | None = None  # announced instead of what the server can do
    special_use: Mapping[str, str] = field(default_factory=lambda: SPECIAL_USE)
    sieve: bool = False  # ManageSieve on a third port, and scripts that act on what LMTP delivers on a fourth
    config: str = ""  # further lines of dovecot.conf


class Dovecot:
    """One running server; also a context manager."""

    def __init__(self, folder: Path | None = None, options: Options | None = None) -> None:
        """`folder` keeps the mail and the log, and what it holds is there again; None: a temporary one.

        A server started by root reads mail as somebody else. In a folder that only root may enter the
        mail therefore stands while the server is stopped, and elsewhere while it runs.
        """
        self.options = options or Options()
        self._temporary = Path(tempfile.mkdtemp(prefix="liberate-dovecot-"))  # short: sockets live in it
        self._temporary.chmod(0o755)  # mail is read by another user when the server runs as root
        self._keeps = folder is not None
        self.folder = folder or self._temporary / "data"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.tls_port = free_port() if self.options.tls else 0
        self.sieve_port = free_port() if self.options.sieve else 0
        self.lmtp_port = free_port() if self.options.sieve else 0
        self.log = self.folder / "dovecot.log"
        self.ca_file = self.folder / "ca.pem"
        self._mail = self.folder / "mail"
        self._users: dict[str, str] = {}
        self._masters: dict[str, str] = {}
        self._token_key = secrets.token_bytes(32)
        self._process: subprocess.Popen[bytes] | None = None
        self._root = os.geteuid() == 0
        self._mail_user = _mail_user() if self._root else pwd.getpwuid(os.geteuid())

    @staticmethod
    def installed() -> bool:
        """Whether this machine has Dovecot's programs."""
        return _program() is not None

    @staticmethod
    def sieves() -> bool:
        """Whether it can also play Options.sieve: Debian's dovecot-managesieved, -sieve and -lmtpd are there."""
        return Dovecot.installed() and all(
            any((Path(folder) / name).exists() for folder in _LIBEXEC) for name in ("managesieve", "lmtp")
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Accounts ------------------------------------------------------------------------------------

    def user(self, name: str, password: str | None = None) -> str:
        """An account, also while the server runs; its password, a random one if none is given."""
        self._users[name] = password or secrets.token_urlsafe(12)
        self._write_users()
        return self._users[name]

    def master(self, name: str, password: str | None = None) -> str:
        """An account that may log in as anybody: as "user*name" or by SASL PLAIN; its password."""
        self._masters[name] = password or secrets.token_urlsafe(12)
        self._write_users()
        return self._masters[name]

    def token(self, user: str, seconds: int = 3600) -> str:
        """An XOAUTH2 token for that account; expired if `seconds` is negative. Needs Options.xoauth2."""
        now = int(time.time())
        head = _base64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        claims = {"sub": user, "iat": min(now, now + seconds) - 1, "exp": now + seconds}
        signed = head + b"." + _base64url(json.dumps(claims).encode())
        return (signed + b"." + _base64url(hmac.digest(self._token_key, signed, hashlib.sha256))).decode()

    def maildir(self, user: str) -> Path:
        """Where the server keeps that account's mail."""
        return self._mail / user.lower()

    # Life ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and return once the server greets. Raises SandboxError with what its log says."""
        program = _program()
        if program is None:
            raise SandboxError("Dovecot is not installed on this machine. Install it: apt-get install dovecot-imapd")
        if self._process is not None:
            return
        self._temporary.mkdir(mode=0o755, exist_ok=True)
        self._write_config()
        with (self._temporary / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                [program, "-F", "-c", str(self._temporary / "dovecot.conf")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,  # so that kill() reaches its helpers and nobody else
            )
        try:
            self._await_greeting()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop in good order, and remove what is temporary. May be called twice."""
        self._end(signal.SIGTERM if self._keeps else signal.SIGKILL)  # there is no hurry where mail is kept
        self._bring_home()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def kill(self) -> None:
        """Stop the server and every session at once, as a power cut would; start() brings it back."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop in good order and start again on the same ports with the same mail."""
        self._end(signal.SIGTERM)
        self.start()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if how is signal.SIGKILL:
            _signal_group(process.pid, signal.SIGKILL)
        else:
            process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        _signal_group(process.pid, signal.SIGKILL)  # sessions that outlive their master

    def _await_greeting(self) -> None:
        process = self._process
        deadline = time.monotonic() + _START_SECONDS
        while process is not None:
            try:
                with socket.create_connection((_LOOPBACK, self.port), timeout=_START_SECONDS) as connection:
                    if connection.recv(256).startswith(b"* OK"):
                        return
            except OSError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise SandboxError(f"Dovecot did not start: {self._last_words()}")
            time.sleep(0.01)

    def _last_words(self) -> str:
        words = [path.read_text(errors="replace") for path in (self._temporary / "stderr", self.log) if path.exists()]
        return " ".join("\n".join(words).split()[-60:]) or "it said nothing"

    # Its files -----------------------------------------------------------------------------------

    def _write_users(self) -> None:
        """One file for each account: Dovecot looks at most once a second whether a file it knows has changed."""
        for kind, users in (("users", self._users), ("masters", self._masters)):
            folder = self._temporary / kind
            folder.mkdir(exist_ok=True)
            for user, password in users.items():
                name = user.lower()  # auth_username_format is %Lu
                _replace(folder / name, f"{name}:{{PLAIN}}{password}::::::\n", 0o600)

    def _write_config(self) -> None:
        home = self.folder / "mail"
        self._mail = home
        if self._root and not _open_to_all(self.folder):
            self._mail = self._temporary / "mail"
            if home.exists() and not self._mail.exists():
                shutil.move(home, self._mail)
        self._mail.mkdir(exist_ok=True)
        if self._root:
            for path in (self._mail, *self._mail.rglob("*")):
                shutil.chown(path, self._mail_user.pw_uid, self._mail_user.pw_gid)
        if self.options.tls and not self.ca_file.exists():
            make_certificates(self.folder)
        keys = self._temporary / "keys" / "default" / "HS256"
        keys.mkdir(parents=True, exist_ok=True)
        _replace(keys / "default", base64.b64encode(self._token_key).decode(), 0o600)
        self._write_users()
        _replace(self._temporary / "oauth2.conf", self._oauth2_config(), 0o600)
        _replace(self._temporary / "dovecot.conf", self._config(), 0o600)

    def _bring_home(self) -> None:
        home = self.folder / "mail"
        if self._mail != home and self._mail.exists() and self._temporary not in self.folder.parents:
            shutil.move(self._mail, home)
        self._mail = home

    def _oauth2_config(self) -> str:
        return (
            "introspection_mode = local\n"
            f"local_validation_key_dict = fs:posix:prefix={self._temporary}/keys/\n"
            "username_attribute = sub\n"
        )

    def _config(self) -> str:
        o = self.options
        me = pwd.getpwuid(os.geteuid()).pw_name
        own = self._temporary
        layout = "" if o.layout == "maildir++" else ":LAYOUT=fs"
        plugins, plugin_lines = ("quota", "imap_quota"), []
        if o.quota is not None or o.max_message is not None:
            plugin_lines.append("  quota = count:User quota")
            plugin_lines.append("  quota_vsizes = yes")
            if o.quota is not None:
                plugin_lines.append(f"  quota_rule = *:bytes={o.quota}")
                plugin_lines.append("  quota_grace = 0")
            if o.max_message is not None:
                plugin_lines.append(f"  quota_max_mail_size = {o.max_message}")
        special = "\n".join(
            f'  mailbox "{name}" {{\n    special_use = {attribute}\n  }}' for name, attribute in o.special_use.items()
        )
        lines = [
            f"base_dir = {own}/run",
            f"state_dir = {own}/state",
            f"log_path = {self.log}",
            f"info_log_path = {self.log}",
            "protocols = imap sieve lmtp" if o.sieve else "protocols = imap",
            f"listen = {_LOOPBACK}",
            "instance_name = liberate-sandbox",
            "verbose_proctitle = no",
            "mail_max_userip_connections = 200",
            "auth_failure_delay = 0",
            "auth_mechanisms = plain login" + (" xoauth2 oauthbearer" if o.xoauth2 else ""),
            "auth_master_user_separator = *",
            f"mail_location = maildir:{self._mail}/%u{layout}",
            "first_valid_uid = 1",
            f"ssl = {'yes' if o.tls else 'no'}",
            f"imap_capability = {o.capability}" if o.capability else "",
            # A master may log in only as somebody who exists: the next passdb decides that.
            "passdb {\n  driver = passwd-file\n  master = yes\n  result_success = continue\n"
            f"  args = {own}/masters/%u\n}}",
            f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {own}/oauth2.conf\n}}"
            if o.xoauth2
            else "",
            f"passdb {{\n  driver = passwd-file\n  args = {own}/users/%u\n}}",
            f"userdb {{\n  driver = passwd-file\n  args = {own}/users/%u\n"
            f"  override_fields = uid={self._mail_user.pw_uid} gid={self._mail_user.pw_gid}"
            f" home={self._mail}/%u\n}}",
            f'namespace inbox {{\n  inbox = yes\n  separator = {o.separator}\n  prefix = "{o.prefix}"\n{special}\n}}',
            "service imap-login {\n  service_count = 0\n  process_min_avail = 1\n  chroot =\n"
            f"  inet_listener imap {{\n    port = {self.port}\n  }}\n"
            f"  inet_listener imaps {{\n    port = {self.tls_port}\n    ssl = yes\n  }}\n}}",
            # A wrong password must not make the next right one from the same address wait.
            "service anvil {\n  chroot =\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}",
            "service imap {\n  process_limit = 400\n}",
            self._sieve_config() if o.sieve else "",
            o.config,
        ]
        if o.tls:
            lines += [f"ssl_cert = <{self.folder}/server.pem", f"ssl_key = <{self.folder}/server.key"]
        if self._root:
            lines += ["service auth {\n  user = root\n}"]
        else:
            group = self._group()
            lines += [
                f"default_login_user = {me}",
                f"default_internal_user = {me}",
                f"default_internal_group = {group}",
            ]
        if plugin_lines:
            lines += [
                f"mail_plugins = {plugins[0]}",
                f"protocol imap {{\n  mail_plugins = {' '.join(plugins)}\n}}",
                "plugin {\n" + "\n".join(plugin_lines) + "\n}",
            ]
        return "\n".join(line for line in lines if line) + "\n"

    def _sieve_config(self) -> str:
        return (
            "service managesieve-login {\n  chroot =\n"
            f"  inet_listener sieve {{\n    port = {self.sieve_port}\n  }}\n}}\n"
            f"service lmtp {{\n  inet_listener lmtp {{\n    address = {_LOOPBACK}\n    port = {self.lmtp_port}\n  }}\n"
            "  client_limit = 1\n}\n"
            "protocol lmtp {\n  mail_plugins = sieve\n  postmaster_address = postmaster@example.coop\n}\n"
            f"plugin {{\n  sieve = file:{self._mail}/%u/sieve;active={self._mail}/%u/.active.sieve\n}}"
        )

    def _group(self) -> str:
        return grp.getgrgid(self._mail_user.pw_gid).gr_name


def _program() -> str | None:
    return shutil.which("dovecot", path=os.pathsep.join((os.environ.get("PATH", ""), *_PATHS)))


def _mail_user() -> pwd.struct_passwd:
    # Dovecot never lets root read mail; "mail" is on every Debian, "nobody" everywhere.
    for name in ("mail", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise SandboxError('Dovecot needs a user named "mail" or "nobody" on this machine, and there is none.')


def _open_to_all(folder: Path) -> bool:
    """Whether every user may pass through to the folder."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.resolve().parents))


def _signal_group(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, how)


def _replace(path: Path, text: str, mode: int) -> None:
    """Write a file whole: the server may read it at any moment."""
    new = path.with_name(path.name + ".new")
    new.touch(mode=mode)
    new.write_text(text)
    new.replace(path)


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
