"""The originals of what a destination refused, kept beside the ledger for their owner."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from liberate.body import job_folder_failed

_SUFFIX = {"mail": ".eml", "event": ".ics", "contact": ".vcf", "chat": ".json"}


class Rejects:
    """The folder rejects/ of a job: one folder an account, one file an item, readable by the owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, account: str, key: str, kind: str, body: Iterable[bytes]) -> str:
        """Store the original; its name relative to rejects/. The same name at every attempt.

        Raises AccountError if the disk does not take it.
        """
        name = re.sub(r"[^A-Za-z0-9@._-]", "_", account).lstrip(".") or "account"
        folder = self._folder / name
        path = folder / (key + _SUFFIX.get(kind, ".bin"))
        part = path.with_name(path.name + ".part")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(part, "wb", opener=_private) as file:
                for chunk in body:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise job_folder_failed(error) from error
        return f"{name}/{path.name}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
