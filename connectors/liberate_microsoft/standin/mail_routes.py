"""The stand-in's calls for mail: folders, their deltas, messages and their MIME, as Graph v1.0 has them.

Strict where a client's mistake would lose or double letters: an id is good only in the form in which it was
given out, every option must be known, and what Graph answers 405 is answered 405.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from liberate_microsoft.standin import mail_deltas, mail_shapes
from liberate_microsoft.standin.entra import Grant
from liberate_microsoft.standin.errors import ApiError
from liberate_microsoft.standin.faults import Call
from liberate_microsoft.standin.mailbox import Letter, Mailbox, MailFolder
from liberate_microsoft.standin.reply import Reply

if TYPE_CHECKING:
    from liberate_microsoft.standin.server import GraphStandin

IMMUTABLE = 'IdType="ImmutableId"'
_VERB = re.compile(r"singleValueExtendedProperties\(\$filter=id eq 'Integer 0x1081'\)")
_MOST = 1000  # entries of one page
_FOLDERS = 10  # of one page, unless more are asked for
_SKIP = frozenset({"$select", "$expand", "$orderby", "$top", "$skip"})


def is_mail(steps: list[str]) -> bool:
    """Whether a path below the version is about somebody's mail."""
    rest = steps[2:] if steps[:1] == ["users"] else steps[1:] if steps[:1] == ["me"] else []
    return rest[:1] in (["mailFolders"], ["messages"], ["settings"])


def method(steps: list[str]) -> str:
    """What a call about mail is called: see Call."""
    rest = steps[2:] if steps[:1] == ["users"] else steps[1:]
    match rest:
        case ["settings", *_]:
            return "settings"
        case [*_, "$value"]:
            return "value"
        case [*_, "delta"]:
            return "mail-delta"
        case [*_, ("messages" | "childFolders" | "mailFolders") as last]:
            return last
        case ["messages", *_]:
            return "message"
    return "mailFolder"


class Mail:
    """Answers calls about one mailbox, whose token was found good."""

    def __init__(self, standin: GraphStandin) -> None:
        self._standin = standin

    def mailbox(self, who: str, grant: Grant) -> Mailbox:
        """The mailbox of that address or id, if the token allows it."""
        person = self._standin.person(who)
        found = self._standin.mailboxes.get(person.address) if person is not None else None
        if person is None:
            raise ApiError(404, "ErrorInvalidUser", f"The requested user '{who}' is invalid.")
        own = not grant.user or grant.user == person.address
        allowed = "Mail.Read" in grant.roles if own else "Mail.Read.Shared" in grant.roles
        if not allowed or (found is not None and found.refuses):
            raise ApiError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        if found is None or not found.enabled:
            raise ApiError(
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            )
        if not own and not found.shared:
            raise ApiError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        return found

    def answer(self, version: str, who: str, rest: list[str], call: Call, grant: Grant) -> tuple[str, Any] | Reply:
        """The type of the answer and the answer; "[]" behind the type for a list."""
        mailbox = self.mailbox(who, grant)
        immutable = IMMUTABLE.lower() in call.headers.get("prefer", "").lower()
        base = f"{self._standin.url}/v1.0/users/{quote(who)}"
        match rest:
            case ["settings", "exchange"] if version == "beta":
                return self._settings(mailbox, grant)
            case ["mailFolders"]:
                return self._folders(mailbox, mailbox.root, f"{base}/mailFolders", call)
            case ["mailFolders", key, *more]:
                folder = self._folder(mailbox, key)
                where = f"{base}/mailFolders/{quote(key, safe='')}"
                return self._in_folder(mailbox, folder, more, where, call, immutable=immutable)
            case ["messages", key]:
                letter = self._letter(mailbox, key, immutable=immutable)
                if letter.untellable:
                    raise mail_deltas.conversion_failed()
                verb = _options(call, frozenset({"$select", "$expand"}))
                return "message", mail_shapes.message(mailbox, letter, immutable=immutable, verb=verb)
            case ["messages", key, "$value"]:
                _options(call, frozenset())
                return self._value(mailbox, self._letter(mailbox, key, immutable=immutable))
        raise ApiError(400, "BadRequest", f"Resource not found for the segment '{rest[-1]}'.")

    # Folders -------------------------------------------------------------------------------------

    @staticmethod
    def _folder(mailbox: Mailbox, key: str) -> MailFolder:
        with mailbox.lock:
            known = mailbox.folders.get(key)
            if known is None:
                known = next((one for one in mailbox.folders.values() if one.well_known == key.lower()), None)
        if known is None:
            raise ApiError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return known

    def _folders(self, mailbox: Mailbox, above: MailFolder, base: str, call: Call) -> tuple[str, Any]:
        _options(call, frozenset({"$select", "$top", "$skip", "includeHiddenFolders"}), mail_shapes.FOLDER_FIELDS)
        hidden = call.query.get("includeHiddenFolders", "").lower() == "true"
        with mailbox.lock:
            some = [one for one in mailbox.children(above.id) if hidden or not one.hidden]
            told = [mail_shapes.folder(mailbox, one) for one in some]
        return "mailFolder[]", _paged(told, call, base, _FOLDERS)

    def _in_folder(
        self, mailbox: Mailbox, folder: MailFolder, more: list[str], base: str, call: Call, *, immutable: bool
    ) -> tuple[str, Any] | Reply:
        match more:
            case []:
                _options(call, frozenset({"$select"}), mail_shapes.FOLDER_FIELDS)
                with mailbox.lock:
                    return "mailFolder", mail_shapes.folder(mailbox, folder)
            case ["childFolders"]:
                return self._folders(mailbox, folder, f"{base}/childFolders", call)
            case ["messages"]:
                return "message[]", self._messages(mailbox, folder, f"{base}/messages", call, immutable=immutable)
            case ["messages", "delta"]:
                return "message[]", self._delta(mailbox, folder, f"{base}/messages/delta", call, immutable=immutable)
            case ["messages", _, "$value"]:  # microsoft-graph-docs-contrib 2755, 5546
                raise ApiError(405, "ErrorInvalidRequest", "The OData request is not supported.")
        raise ApiError(400, "BadRequest", f"Resource not found for the segment '{more[0]}'.")

    # Messages ------------------------------------------------------------------------------------

    @staticmethod
    def _letter(mailbox: Mailbox, key: str, *, immutable: bool) -> Letter:
        if re.fullmatch(r"AAMk[\w=+-]+|AAkA[\w=+-]+", key) is None:
            raise ApiError(400, "ErrorInvalidIdMalformed", "Id is malformed.")
        letter = mailbox.letter(key, immutable=immutable)
        if letter is None:
            raise ApiError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return letter

    def _messages(
        self, mailbox: Mailbox, folder: MailFolder, base: str, call: Call, *, immutable: bool
    ) -> dict[str, Any]:
        verb = _options(call, _SKIP)
        order = call.query.get("$orderby", "")
        if order not in ("", "receivedDateTime asc", "receivedDateTime desc"):
            raise ApiError(400, "ErrorInvalidUrlQuery", f"The sort order '{order}' is not supported.")
        with mailbox.lock:
            some = sorted(mailbox.inside(folder.id), key=lambda one: (one.received, one.number))
            if not order.endswith("asc"):
                some.reverse()
            start, stop = _window(call, _FOLDERS)
            if any(one.untellable for one in some[start:stop]):
                raise mail_deltas.conversion_failed()
            told = [mail_shapes.message(mailbox, one, immutable=immutable, verb=verb) for one in some]
        return _paged(told, call, base, _FOLDERS)

    def _delta(self, mailbox: Mailbox, folder: MailFolder, base: str, call: Call, *, immutable: bool) -> dict[str, Any]:
        names = call.query.keys() & {"$deltatoken", "$skiptoken"}
        if names and len(call.query) > 1:
            raise ApiError(400, "BadRequest", "A state token already says what was asked for.")
        if not names:
            verb = _options(call, frozenset({"$select", "$expand"}))
            token = mail_deltas.Token(folder.id, folder.epoch, call.query.get("$select", ""), verb, mailbox.sequence)
        else:
            token = mail_deltas.Token.read(next(iter(call.query.values())))
            if "$deltatoken" in names:
                token = mail_deltas.begun(mailbox, token)
            call.query["$select"] = token.select  # for whoever leaves out what was not asked for
            if token.verb:
                call.query["$expand"] = "singleValueExtendedProperties"
        size = self._standin.page
        wanted = re.search(r"odata\.maxpagesize=(\d+)", call.headers.get("prefer", ""))
        if wanted is not None:
            if not 1 <= int(wanted[1]) <= _MOST:
                raise ApiError(400, "ErrorInvalidParameter", "The page size is out of range.")
            size = min(size, int(wanted[1]))
        return mail_deltas.page(mailbox, folder, base, token, size, immutable=immutable)

    @staticmethod
    def _value(mailbox: Mailbox, letter: Letter) -> Reply:
        if letter.unwritable or letter.untellable:
            raise mail_deltas.conversion_failed()
        if letter.protected:
            raise ApiError(403, "ErrorAccessDenied", "Access is denied.")
        return Reply(200, None, {"Content-Type": "text/plain"}, blob=mailbox.mime(letter))

    @staticmethod
    def _settings(mailbox: Mailbox, grant: Grant) -> tuple[str, Any]:
        if "MailboxSettings.Read" not in grant.roles:
            raise ApiError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        archive = f"MBX:archive-of-{mailbox.address}" if mailbox.archive else None
        return "", {"primaryMailboxId": f"MBX:{mailbox.address}", "inPlaceArchiveMailboxId": archive}


def _options(call: Call, known: frozenset[str], fields: frozenset[str] = mail_shapes.MESSAGE_FIELDS) -> bool:
    """Refuse what this call does not take; whether the last verb is asked for."""
    for name in call.query.keys() - known:
        raise ApiError(400, "ErrorInvalidUrlQuery", f"The query option '{name}' is not supported here.")
    for name in filter(None, call.query.get("$select", "").split(",")):
        if name.strip() not in fields:
            text = f"Parsing OData Select and Expand failed: Could not find a property named '{name}'."
            raise ApiError(400, "RequestBroker--ParseUri", text)
    expand = call.query.get("$expand", "")
    if expand and _VERB.fullmatch(expand) is None:
        raise ApiError(400, "ErrorInvalidUrlQuery", "The expand is not supported.")
    return bool(expand)


def _window(call: Call, usual: int) -> tuple[int, int]:
    top, skip = call.query.get("$top", ""), call.query.get("$skip", "0")
    if not skip.isdigit() or (top and not (top.isdigit() and 1 <= int(top) <= _MOST)):
        raise ApiError(400, "ErrorInvalidUrlQuery", "The page is out of range.")
    return int(skip), int(skip) + int(top or usual)


def _paged(told: list[dict[str, Any]], call: Call, base: str, usual: int) -> dict[str, Any]:
    start, stop = _window(call, usual)
    answer: dict[str, Any] = {"value": told[start:stop]}
    if stop < len(told):
        answer["@odata.nextLink"] = f"{base}?{urlencode({**call.query, '$skip': str(stop)})}"
    return answer
