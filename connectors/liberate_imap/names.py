"""Mailbox names: modified UTF-7 (RFC 3501 5.1.3), quoting, and what a folder is for by its name."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from liberate.mail import Role

_SHIFTED = re.compile(rb"&([^-]*)-?")
_UNSHIFTED = re.compile(r"[^ -~]+|&")


def encode(name: str) -> bytes:
    """The modified UTF-7 form; lone surrogates are kept, so that decode gives `name` back."""

    def shift(match: re.Match[str]) -> str:
        text = match.group()
        if text == "&":
            return "&-"
        coded = base64.b64encode(text.encode("utf-16-be", "surrogatepass")).rstrip(b"=").replace(b"/", b",")
        return f"&{coded.decode('ascii')}-"

    return _UNSHIFTED.sub(shift, name).encode("ascii")


def decode(name: bytes) -> str:
    """The name behind a modified UTF-7 form. What is not valid is taken as UTF-8, as servers mean it then."""

    def unshift(match: re.Match[bytes]) -> bytes:
        coded = match.group(1)
        if not coded:
            return b"&"
        padded = coded.replace(b",", b"/") + b"=" * (-len(coded) % 4)
        text = base64.b64decode(padded, validate=True).decode("utf-16-be", "surrogatepass")
        return text.encode("utf-8", "surrogatepass")

    try:
        return _SHIFTED.sub(unshift, name).decode("utf-8", "surrogatepass")
    except (binascii.Error, UnicodeDecodeError):
        return name.decode("utf-8", "surrogateescape")


def quoted(name: str) -> bytes:
    """The name as a quoted string that no server can read as anything else."""
    return b'"' + encode(name).replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def measure(name: str) -> int:
    """The bytes of the modified UTF-7 form: what servers keep and count."""
    return len(encode(name))


# What a folder is for ----------------------------------------------------------------------------

SPECIAL_USE = {
    "\\archive": Role.ARCHIVE,
    "\\drafts": Role.DRAFTS,
    "\\junk": Role.JUNK,
    "\\sent": Role.SENT,
    "\\trash": Role.TRASH,
}
"""RFC 6154 attributes, in lower case."""

USUAL = {
    Role.ARCHIVE: "Archive",
    Role.DRAFTS: "Drafts",
    Role.JUNK: "Junk",
    Role.SENT: "Sent",
    Role.TRASH: "Trash",
}
"""What a folder for that role is called where there is none yet."""

# Names under which mail programs and servers have made these folders; the first match in a role's
# list wins. English, then German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish and
# Norwegian, Finnish, Polish, Czech.
_WELL_KNOWN: dict[Role, tuple[str, ...]] = {
    Role.ARCHIVE: (
        "archive", "archives", "archiv", "archivo", "archivio", "arquivo", "archief", "arkiv", "arkisto", "archiwum",
    ),
    Role.DRAFTS: (
        "drafts", "draft", "entwürfe", "brouillons", "borradores", "bozze", "rascunhos", "concepten", "utkast",
        "kladder", "luonnokset", "szkice", "wersje robocze", "koncepty",
    ),
    Role.JUNK: (
        "junk", "spam", "junk e-mail", "junk email", "bulk mail", "junk mail", "junk-e-mail", "spamverdacht",
        "courrier indésirable", "pourriel", "indésirables", "correo no deseado", "posta indesiderata",
        "lixo eletrônico", "lixo eletrónico", "ongewenste e-mail", "skräppost", "uønsket e-post", "søppelpost",
        "roskaposti", "niechciane", "wiadomości-śmieci", "nevyžádaná pošta",
    ),
    Role.SENT: (
        "sent", "sent items", "sent messages", "sent mail", "sent-mail", "gesendet", "gesendete objekte",
        "gesendete elemente", "envoyés", "messages envoyés", "éléments envoyés", "enviados", "elementos enviados",
        "mensajes enviados", "inviata", "posta inviata", "itens enviados", "verzonden", "verzonden items", "skickat",
        "skickade", "skickade objekt", "sendt", "sendte elementer", "lähetetyt", "wysłane", "elementy wysłane",
        "odeslané", "odeslaná pošta",
    ),
    Role.TRASH: (
        "trash", "deleted items", "deleted messages", "bin", "papierkorb", "gelöscht", "gelöschte objekte",
        "gelöschte elemente", "corbeille", "éléments supprimés", "papelera", "elementos eliminados", "cestino",
        "posta eliminata", "lixeira", "itens excluídos", "prullenbak", "verwijderde items", "papperskorg",
        "papperskorgen", "borttaget", "papirkurv", "slettede elementer", "roskakori", "kosz", "elementy usunięte",
        "koš", "odstraněná pošta",
    ),
}  # fmt: skip
_BY_NAME = {name: role for role, names in _WELL_KNOWN.items() for name in names}


def role_by_name(name: str) -> Role | None:
    """What an outermost folder of that name is usually for."""
    return _BY_NAME.get(name.casefold())


def best_known(role: Role, names: Iterable[str]) -> str | None:
    """Of these outermost folder names, the one most likely meant for the role."""
    known = _WELL_KNOWN.get(role, ())
    rank = {name: at for at, name in enumerate(known)}
    found = [name for name in names if name.casefold() in rank]
    return min(found, key=lambda name: (rank[name.casefold()], name)) if found else None
