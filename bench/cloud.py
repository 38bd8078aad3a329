"""The Nextcloud that files are moved to: a real one that the environment names, or a stand-in in another process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import requests
from liberate_nextcloud import capabilities
from liberate_nextcloud.chunks import WISH

URL, USER, PASSWORD = "LIBERATE_NEXTCLOUD_URL", "LIBERATE_NEXTCLOUD_USER", "LIBERATE_NEXTCLOUD_PASSWORD"
_folders = count()


@dataclass(frozen=True, slots=True)
class Cloud:
    """One account with an app password."""

    url: str
    user: str
    password: str
    real: bool

    @property
    def what(self) -> str:
        return "a real Nextcloud" if self.real else "the stand-in"

    def dav(self, path: str = "") -> str:
        """The address of a path below the account's home."""
        return f"{self.url}/remote.php/dav/files/{self.user}/{path}"

    def endpoint(self, folder: str) -> str:
        """What `liberate migrate` calls that folder."""
        scheme, _, host = self.url.partition("://")
        return f"nextcloud{'+http' if scheme == 'http' else ''}://{self.user}@{host}/{folder}"

    def folder(self) -> str:
        """A new empty folder at the top."""
        name = f"bench-{os.getpid()}-{next(_folders)}"
        self.ask("MKCOL", name).raise_for_status()
        return name

    def remove(self, folder: str) -> None:
        """Delete it, with all that is in it, for ever: a few large files in the trash would fill the disk."""
        self.ask("DELETE", folder, **{"X-NC-Skip-Trashbin": "true"})

    def count(self, folder: str) -> int:
        """How many files stand below the folder."""
        answer = self.ask("PROPFIND", folder, Depth="infinity")
        return answer.text.count("<d:getcontentlength>") or answer.text.count("getcontentlength>") // 2

    def piece(self, size: int) -> int:
        """How many bytes each piece of a file of `size` bytes has when liberate sends it here."""
        where = f"{self.url}/ocs/v2.php/cloud/capabilities?format=json"
        headers = {"OCS-APIRequest": "true"}
        told = requests.get(where, auth=(self.user, self.password), headers=headers, timeout=60).json()
        can = capabilities.read(told["ocs"]["data"])
        assert can is not None
        return capabilities.piece(size, min(can.chunk_size, WISH))

    def pieces(self) -> dict[str, str]:
        """The pieces of half-sent uploads of liberate's: a version of each, by its path."""
        found = self._listed(f"{self.url}/remote.php/dav/uploads/{self.user}")
        out: dict[str, str] = {}
        for folder in found:
            if "/liberate-" in folder:
                inside = self._listed(self.url + folder)
                out.update({path: told for path, told in inside.items() if path.rpartition("/")[2].isdigit()})
        return out

    def _listed(self, url: str) -> dict[str, str]:
        """What a folder holds: ETag or time of each, by its path."""
        login = (self.user, self.password)
        text = requests.request("PROPFIND", url, auth=login, headers={"Depth": "1"}, timeout=60).text
        parts = re.findall(r"<d:response>(.*?)</d:response>", text, re.DOTALL)
        told = (re.search(r"<d:href>([^<]*?)/?</d:href>", part) for part in parts)
        return {found[1]: part for found, part in zip(told, parts, strict=True) if found}

    def ask(self, verb: str, path: str, **headers: str) -> requests.Response:
        """The answer to a request for a path below the account's home."""
        return self.ask_at(verb, self.dav(path), **headers)

    def ask_at(self, verb: str, url: str, body: bytes | None = None, **headers: str) -> requests.Response:
        """The answer to a request for any address of the server."""
        return requests.request(verb, url, data=body, auth=(self.user, self.password), headers=headers, timeout=600)


@contextmanager
def cloud(folder: Path) -> Iterator[Cloud]:
    """The server that the environment names, else the stand-in with its state in `folder`."""
    if URL in os.environ:
        yield Cloud(os.environ[URL].rstrip("/"), os.environ[USER], os.environ[PASSWORD], True)
        return
    with tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", "bench.cloud", str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield Cloud(told["url"], "anna", told["password"], False)
        finally:
            process.communicate(timeout=60)


def _serve(folder: Path) -> None:
    from liberate_nextcloud.standin import NextcloudStandin  # noqa: PLC0415 - in the server's process only

    with NextcloudStandin(folder) as server:
        server.add_user("anna", f"login of anna {time.time()}")
        print(json.dumps({"url": server.url, "password": server.app_password("anna")}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
