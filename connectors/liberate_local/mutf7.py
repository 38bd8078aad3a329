"""Modified UTF-7 (RFC 3501 5.1.3): how Dovecot and Courier write folder names on disk. Pure."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

_ENCODE = re.compile("&|[^\x20-\x7e]+")
_DECODE = re.compile("&([^-]*)(-|$)")


def encode(name: str) -> str:
    """The name in printable ASCII; decode gives it back."""

    def shifted(run: re.Match[str]) -> str:
        if run[0] == "&":
            return "&-"
        return f"&{b64encode(run[0].encode('utf-16-be', 'surrogatepass')).decode().rstrip('=').replace('/', ',')}-"

    return _ENCODE.sub(shifted, name)


def decode(text: str) -> str | None:
    """The name; None if encode would not have written this text."""

    def unshifted(run: re.Match[str]) -> str:
        if not run[1]:
            return "&"
        raw = b64decode(run[1].replace(",", "/") + "=" * (-len(run[1]) % 4), validate=True)
        return raw.decode("utf-16-be")

    try:
        name = _DECODE.sub(unshifted, text)
    except (Base64Error, UnicodeDecodeError):
        return None
    return name if encode(name) == text else None
