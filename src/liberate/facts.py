"""How each kind's facts are kept in the ledger."""

from __future__ import annotations

from typing import Any

from liberate.chat import ChatFacts
from liberate.connector import Kind
from liberate.files import FileFacts
from liberate.mail import MailFacts
from liberate.pim import ObjectFacts


def dump_facts(kind: Kind, facts: Any) -> str | None:
    """The facts as text, the same for equal facts; None for a kind or an item without facts."""
    return facts.dump() if kind in _FORMS and facts is not None else None


def load_facts(kind: Kind, text: str | None) -> Any:
    """The facts that dump_facts wrote."""
    return _FORMS[kind].load(text) if kind in _FORMS and text is not None else None


_FORMS: dict[Kind, type[MailFacts] | type[FileFacts] | type[ChatFacts] | type[ObjectFacts]] = {
    Kind.MAIL: MailFacts,
    Kind.FILE: FileFacts,
    Kind.CHAT: ChatFacts,
    Kind.EVENT: ObjectFacts,
    Kind.CONTACT: ObjectFacts,
}
