"""Where a connection's files are, and how file names become ids: text that any ledger can hold."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from liberate.connector import Account
from liberate.errors import AccountError, ItemError, TransientError

_PRINTABLE = bytes(c for c in range(0x20, 0x7F) if c != ord("%")).decode()


def located(path: str, account: Account) -> Path:
    """`path` with {account} and {user} (the part of the account before its "@") filled in.

    Raises AccountError when it needs an account and there is none, or when the account's name
    would lead out of the folder it stands in.
    """
    if "{account}" in path or "{user}" in path:
        if not account.name:
            raise AccountError(
                "account-missing",
                f"The path {path} has a place for an account's name, and no account is named.",
                "Name one in the people table, or write the path without {account} and {user}.",
            )
        for name in (account.name, user := account.name.partition("@")[0]):
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise AccountError(
                    "account-name",
                    f"The account name {account.name!r} cannot be part of a path.",
                    "Give this account a name without slashes, or a path of its own.",
                )
        path = path.replace("{account}", account.name).replace("{user}", user)
    return Path(path).expanduser()


def text(name: bytes) -> str:
    """A file name as text that any ledger can hold; raw(text(name)) == name.

    Plain ASCII and valid UTF-8 stay readable, "%" and everything else is percent-encoded.
    """
    try:
        readable = name.decode("utf-8")
    except UnicodeDecodeError:
        return quote_from_bytes(name, safe=_PRINTABLE)
    if readable.isprintable() and "%" not in readable:
        return readable
    return quote_from_bytes(name, safe=_PRINTABLE)


def raw(name: str) -> bytes:
    """The file name that text() was given."""
    return unquote_to_bytes(name)


NO_ACCESS = "The user who runs liberate needs access to it: check owner and mode, then run the same command again."


@contextmanager
def opening(thing: str) -> Iterator[None]:
    """Classify what goes wrong when `thing`, a part of an account, is opened or listed."""
    try:
        yield
    except FileNotFoundError as error:
        raise AccountError("not-found", f"{thing} does not exist.", "Check the path.") from error
    except PermissionError as error:
        raise AccountError("no-access", f"{thing} cannot be read (permission denied).", NO_ACCESS) from error
    except NotADirectoryError as error:
        raise AccountError("not-a-folder", f"{thing} is not a folder.", "Check the path.") from error
    except IsADirectoryError as error:
        raise AccountError("not-a-file", f"{thing} is a folder, not a file.", "Check the path.") from error
    except OSError as error:
        raise TransientError(f"{thing} cannot be read ({os.strerror(error.errno or 0)}).") from error


@contextmanager
def reading(item: str) -> Iterator[None]:
    """Classify what goes wrong when one item's bytes are read."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ItemError("gone", f"{item} is no longer there.") from error
    except PermissionError as error:
        raise ItemError("no-access", f"{item} cannot be read (permission denied).", NO_ACCESS) from error
    except IsADirectoryError as error:
        raise ItemError("not-a-file", f"{item} is a folder.") from error
    except OSError as error:
        if error.errno == errno.ELOOP:  # O_NOFOLLOW met one
            raise ItemError("symbolic-link", f"{item} is a symbolic link, and links are not followed.") from error
        raise TransientError(f"{item} cannot be read ({os.strerror(error.errno or 0)}).") from error


@contextmanager
def writing(thing: str) -> Iterator[None]:
    """Classify what goes wrong when a destination's files are written."""
    try:
        yield
    except OSError as error:
        raise refused(thing, error) from error


def refused(thing: str, error: OSError) -> AccountError | ItemError | TransientError:
    """The error to raise for `error` met while `thing` was written."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return AccountError(
                "full", f"There is no room left for {thing}.", "Free some space, then run the same command again."
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return AccountError(
                "no-access",
                f"{thing} cannot be written ({os.strerror(error.errno)}).",
                NO_ACCESS,
            )
        case errno.EFBIG | errno.ENAMETOOLONG:
            return ItemError("too-large", f"{thing} is more than this file system takes ({os.strerror(error.errno)}).")
        case errno.ENOENT | errno.ENOTDIR | errno.EEXIST:
            return AccountError(
                "not-a-folder",
                f"{thing} cannot be written: a part of its path is missing or is not a folder.",
                "Check the path, then run the same command again.",
            )
    return TransientError(f"{thing} cannot be written ({os.strerror(error.errno or 0)}).")
