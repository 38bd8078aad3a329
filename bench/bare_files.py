"""The floor for files: what sending costs when nothing is recorded, compared or retried.

    python bare_files.py put|bulk CONNECTIONS URL-OF-FILES URL-OF-BULK USER PASSWORD FOLDER-THERE FOLDER-HERE

`put` is one request a file, `bulk` Nextcloud's bulk upload, a hundred files a request. Folders are made first.
"""

from __future__ import annotations

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from urllib.parse import quote

import requests

BATCH = 100


def main() -> None:
    how, connections, files, bulk, user, password, there, here = sys.argv[1:]
    sessions: SimpleQueue[requests.Session] = SimpleQueue()
    for _ in range(int(connections)):
        session = requests.Session()
        session.auth = (user, password)
        session.headers["OCS-APIRequest"] = "true"
        sessions.put(session)
    found = []
    for folder, _, names in sorted(os.walk(here)):
        below = os.path.relpath(folder, here)
        if below != ".":
            session = sessions.get()
            session.request("MKCOL", files + quote(f"{there}/{below}")).raise_for_status()
            sessions.put(session)
        found += [(os.path.join(folder, name), os.path.normpath(f"{there}/{below}/{name}")) for name in sorted(names)]

    def put(one: tuple[str, str]) -> None:
        session = sessions.get()
        with open(one[0], "rb") as file:
            session.put(files + quote(one[1]), file.read()).raise_for_status()
        sessions.put(session)

    def post(some: list[tuple[str, str]]) -> None:
        body = b""
        for path, target in some:
            with open(path, "rb") as file:
                data = file.read()
            digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
            head = f"--b\r\nX-File-Path: /{target}\r\nX-OC-Mtime: {int(os.stat(path).st_mtime)}\r\n"
            head += f"X-File-MD5: {digest}\r\nOC-Checksum: md5:{digest}\r\nContent-Length: {len(data)}\r\n\r\n"
            body += head.encode() + data + b"\r\n"
        session = sessions.get()
        kind = {"Content-Type": "multipart/related; boundary=b"}
        session.post(bulk, body + b"--b--\r\n", headers=kind).raise_for_status()
        sessions.put(session)

    with ThreadPoolExecutor(int(connections)) as pool:
        if how == "put":
            list(pool.map(put, found))
        else:
            list(pool.map(post, [found[at : at + BATCH] for at in range(0, len(found), BATCH)]))


if __name__ == "__main__":
    main()
