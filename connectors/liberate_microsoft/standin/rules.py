"""The stand-in's inbox rules, mailbox settings and the folders that rules name, as Graph v1.0 has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from liberate_microsoft.standin.entra import Grant
from liberate_microsoft.standin.errors import ApiError, not_found
from liberate_microsoft.standin.faults import Call
from liberate_microsoft.standin.shapes import guid

if TYPE_CHECKING:
    from liberate_microsoft.standin.server import GraphStandin

PERMISSION = "MailboxSettings.Read"
WELL_KNOWN = {
    "msgfolderroot": "Top of Information Store",
    "inbox": "Inbox",
    "archive": "Archive",
    "deleteditems": "Deleted Items",
    "drafts": "Drafts",
    "junkemail": "Junk Email",
    "sentitems": "Sent Items",
}
_CONDITIONS = frozenset(
    {"bodyContains", "bodyOrSubjectContains", "categories", "fromAddresses", "hasAttachments", "headerContains",
     "importance", "isApprovalRequest", "isAutomaticForward", "isAutomaticReply", "isEncrypted", "isMeetingRequest",
     "isMeetingResponse", "isNonDeliveryReport", "isPermissionControlled", "isReadReceipt", "isSigned", "isVoicemail",
     "messageActionFlag", "notSentToMe", "recipientContains", "senderContains", "sensitivity", "sentCcMe",
     "sentOnlyToMe", "sentToAddresses", "sentToMe", "sentToOrCcMe", "subjectContains", "withinSizeRange"}
)  # fmt: skip
_ACTIONS = frozenset(
    {"assignCategories", "copyToFolder", "delete", "forwardAsAttachmentTo", "forwardTo", "markAsRead",
     "markImportance", "moveToFolder", "permanentDelete", "redirectTo", "stopProcessingRules"}
)  # fmt: skip
_NO_REPLY = {
    "status": "disabled",
    "externalAudience": "all",
    "internalReplyMessage": "",
    "externalReplyMessage": "",
    "scheduledStartDateTime": {"dateTime": "2026-11-25T19:00:00.0000000", "timeZone": "UTC"},
    "scheduledEndDateTime": {"dateTime": "2026-11-26T19:00:00.0000000", "timeZone": "UTC"},
}


def plays(standin: GraphStandin, who: str, rest: list[str]) -> bool:
    """Whether what follows the person is answered here: a folder only for whoever has rules and no mail."""
    if rest == ["mailboxSettings"] or rest[-1:] == ["messageRules"]:
        return True
    person = standin.person(who)
    if person is None or person.address not in standin.rules or person.address in standin.mailboxes:
        return False
    return rest[:1] == ["mailFolders"] == rest[:-1]


@dataclass
class RuleBox:
    """What one mailbox does by itself. Test code fills it as the person would."""

    owner: str
    rules: list[dict[str, Any]] = field(default_factory=list)
    replies: dict[str, Any] = field(default_factory=lambda: dict(_NO_REPLY))
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root = self._id("msgfolderroot")
        for key, name in WELL_KNOWN.items():
            self.folders[self._id(key)] = {"id": self._id(key), "displayName": name, "parentFolderId": root}

    def _id(self, key: str) -> str:
        return f"AQMk{guid(self.owner + key).replace('-', '')}AAA="

    def folder(self, *path: str) -> str:
        """The id of a folder below the top, made if need be."""
        above = self._id("msgfolderroot")
        for name in path:
            found = (
                k for k, one in self.folders.items() if (one["displayName"], one["parentFolderId"]) == (name, above)
            )
            key = next(found, None) or self._id("/".join((above, name)))
            self.folders.setdefault(key, {"id": key, "displayName": name, "parentFolderId": above})
            above = key
        return above

    def add(self, name: str, conditions: dict[str, Any], actions: dict[str, Any], **more: Any) -> None:
        """A rule behind those that are there. Names that Graph does not have are refused."""
        for given, known in (
            (conditions, _CONDITIONS),
            (more.get("exceptions") or {}, _CONDITIONS),
            (actions, _ACTIONS),
        ):
            if strange := set(given) - known:
                raise ValueError(f"Graph has no {sorted(strange)}")
        number = len(self.rules) + 1
        rule = {
            "id": f"AQAAAJ5dZ{number:04}=",
            "displayName": name,
            "sequence": number,
            "isEnabled": True,
            "hasError": False,
            "isReadOnly": False,
            "conditions": conditions,
            "actions": actions,
            **more,
        }
        self.rules.append(rule)


class Rules:
    """Answers calls about them, whose token was found good."""

    def __init__(self, standin: GraphStandin) -> None:
        self._standin = standin

    def answer(self, who: str, rest: list[str], call: Call, grant: Grant) -> tuple[str, Any]:
        person = self._standin.person(who)
        if person is None:
            raise ApiError(404, "ErrorInvalidUser", f"The requested user '{who}' is invalid.")
        needed = "Mail.Read" if len(rest) == 2 else PERMISSION
        if needed not in grant.roles or (grant.user and grant.user != person.address):
            raise ApiError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        box = self._standin.rule_box(person.address)
        match rest:
            case ["mailboxSettings"]:
                return "mailboxSettings", {"timeZone": "UTC", "automaticRepliesSetting": box.replies}
            case ["mailFolders", "inbox", "messageRules"]:
                return "messageRule[]", self._page(who, box, call)
            case ["mailFolders", key]:
                found = box.folders.get(box._id(key) if key in WELL_KNOWN else key)
                if found is None:
                    raise ApiError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
                return "ruleFolder", found
        raise not_found()

    def _page(self, who: str, box: RuleBox, call: Call) -> dict[str, Any]:
        start = int(call.query.get("$skip") or 0)
        stop = start + self._standin.page
        answer: dict[str, Any] = {"value": box.rules[start:stop]}
        if stop < len(box.rules):
            path = f"users/{quote(who)}/mailFolders/inbox/messageRules"
            answer["@odata.nextLink"] = f"{self._standin.url}/v1.0/{path}?$skip={stop}"
        return answer
