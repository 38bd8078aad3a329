"""What Google's types of addresses, numbers and relations are called in a vCard. Tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labels:
    """Types of the standard, and labels where it has none."""

    types: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, str]

    def of(self, kind: str) -> tuple[tuple[str, ...], str]:
        """TYPE and label for one of Google's types; what it does not know somebody made up, and is a label."""
        types = self.types.get(kind, ())
        return types, self.labels.get(kind, "" if types or not kind else kind)


_PLACES = {"home": ("home",), "work": ("work",), "other": ("other",)}
EMAILS = Labels(_PLACES, {})
ADDRESSES = EMAILS
PHONES = Labels(
    {
        **_PLACES,
        "mobile": ("cell",),
        "homeFax": ("home", "fax"),
        "workFax": ("work", "fax"),
        "otherFax": ("fax",),
        "pager": ("pager",),
        "workMobile": ("work", "cell"),
        "workPager": ("work", "pager"),
        "main": ("voice",),
        "googleVoice": ("voice",),
    },
    {"main": "Main", "googleVoice": "Google Voice"},
)
URLS = Labels(
    _PLACES,
    {
        "blog": "Blog",
        "profile": "Profile",
        "homePage": "Home page",
        "ftp": "FTP",
        "reservations": "Reservations",
        "appInstallPage": "App",
    },
)
RELATIONS = Labels(
    {
        "spouse": ("spouse",),
        "child": ("child",),
        "mother": ("parent",),
        "father": ("parent",),
        "parent": ("parent",),
        "brother": ("sibling",),
        "sister": ("sibling",),
        "friend": ("friend",),
        "relative": ("kin",),
        "domesticPartner": ("co-resident",),
        "partner": ("sweetheart",),
        "manager": ("colleague",),
        "assistant": ("agent",),
        "referredBy": ("contact",),
    },
    {
        "mother": "Mother",
        "father": "Father",
        "brother": "Brother",
        "sister": "Sister",
        "domesticPartner": "Domestic partner",
        "partner": "Partner",
        "manager": "Manager",
        "assistant": "Assistant",
        "referredBy": "Referred by",
    },
)
MESSENGERS = {
    "aim": "aim",
    "msn": "msnim",
    "yahoo": "ymsgr",
    "skype": "skype",
    "qq": "qq",
    "googleTalk": "xmpp",
    "icq": "icq",
    "jabber": "xmpp",
    "netMeeting": "callto",
}
GENDERS = {"male": "M", "female": "F", "unspecified": "U"}
NICKNAMES = {"MAIDEN_NAME": "X-MAIDENNAME", "INITIALS": "X-INITIALS", "SHORT_NAME": "X-SHORT-NAME"}
