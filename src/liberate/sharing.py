"""What a permission at the source becomes at the destination: its people mapped, by the route's policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from liberate.connector import Share
from liberate.errors import ItemError
from liberate.files import FilePolicy, Grant
from liberate.people import Person, same_name

_POLICY_TODO = 'To bring it along, add "{word}" to shares in the route and run the same command again.'


@dataclass(frozen=True, slots=True)
class Directory:
    """Who is who at the destination."""

    people: Mapping[str, str] = field(default_factory=dict)  # source name, as same_name() gives it -> destination name
    groups: Mapping[str, str] = field(default_factory=dict)  # the same for groups, and for the organisation's domains

    @classmethod
    def of(cls, people: Iterable[Person]) -> Directory:
        """The directory in a plan's people table; rows that are skipped are in it too: they may have moved before."""
        users: dict[str, str] = {}
        groups: dict[str, str] = {}
        for person in people:
            into = groups if person.kind == "group" else users
            into[same_name(person.source)] = person.destination
        return cls(users, groups)


def share_of(grant: Grant, owner: str, directory: Directory, policy: FilePolicy) -> Share | ItemError:
    """The share to make for a grant on something that moves with `owner` (a name at the source).

    An ItemError says why there is none; its code begins with "policy-" where the route does not want it.
    """
    match grant.to:
        case "link":
            if "links" not in policy.shares:
                return _not_wanted("links", "Whoever had the link could see it, and this route makes no links.")
            return Share("link", "", grant)
        case "group" | "domain":
            if "groups" not in policy.shares:
                return _not_wanted("groups", "A group could see it, and this route does not share with groups.")
            group = directory.groups.get(same_name(grant.name))
            if not group:
                return ItemError(
                    "group-unknown",
                    f"It was shared with {grant.name}, and the people table does not say which group that becomes.",
                    "Add a row with kind group to the people table, then run the same command again.",
                )
            return Share("group", group, grant)
    user = directory.people.get(same_name(grant.name))
    if user is not None:
        if same_name(grant.name) == same_name(owner):
            return ItemError("own", "It is the owner's own.")
        if "people" not in policy.shares:
            return _not_wanted("people", "Somebody could see it, and this route does not share with people.")
        if not user:
            return ItemError(
                "person-unknown",
                f"It was shared with {grant.name or 'somebody without an address'}, and the people table does not say "
                "who that becomes.",
                "Write their account there, also where it is skipped, then run the same command again.",
            )
        return Share("user", user, grant)
    if "outsiders" not in policy.shares:
        return _not_wanted("outsiders", "Somebody outside could see it, and this route does not share with outsiders.")
    return Share("outsider", grant.name, grant)


def _not_wanted(word: str, why: str) -> ItemError:
    return ItemError(f"policy-{word}", why, _POLICY_TODO.format(word=word))
