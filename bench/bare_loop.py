"""The floor: what appending costs when nothing is recorded, compared or retried.

    python bare_loop.py PORT USER PASSWORD MAILDIR

Reads a Maildir and appends it to INBOX, fifty messages a command (RFC 3502, 7888), one command
after the other. No migration can be much faster on the same server; none this careless should be used.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import BinaryIO

BATCH = 50


def main(port: int, user: str, password: str, maildir: str) -> None:
    folder = os.path.join(maildir, "cur")
    names = sorted(os.listdir(folder))
    with socket.create_connection(("127.0.0.1", port)) as sock, sock.makefile("rb") as answers:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers.readline()
        for line in (f"LOGIN {user} {password}", "SELECT INBOX"):
            sock.sendall(b"a " + line.encode() + b"\r\n")
            _wait(answers)
        for at in range(0, len(names), BATCH):
            pieces = [b"a APPEND INBOX"]
            for name in names[at : at + BATCH]:
                with open(os.path.join(folder, name), "rb") as file:
                    message = file.read().replace(b"\n", b"\r\n")
                flags = b"\\Seen" if name.endswith("S") else b""
                pieces.append(b' (%b) "07-Apr-2025 14:31:02 +0000" {%d+}\r\n' % (flags, len(message)))
                pieces.append(message)
            pieces.append(b"\r\n")
            sock.sendall(b"".join(pieces))
            _wait(answers)


def _wait(answers: BinaryIO) -> None:
    while not (line := answers.readline()).startswith(b"a "):
        if not line:
            sys.exit("the server is gone")
    if not line.startswith(b"a OK"):
        sys.exit(line.decode("ascii", "replace"))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:5])
