"""What becomes of each field of Google's events and contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from liberate.pim import Fate


def fates() -> Mapping[str, Sequence[Fate]]:
    """By heading: a row for every property of the Event and Person resources (discovery documents)."""
    return {"Google Calendar events": EVENTS, "Google contacts": CONTACTS}


def _kept(field: str, becomes: str) -> Fate:
    return Fate(field, becomes, "kept")


def _changed(field: str, becomes: str, why: str) -> Fate:
    return Fate(field, becomes, "changed", why)


def _lost(field: str, why: str) -> Fate:
    return Fate(field, "", "lost", why)


_GOOGLES_OWN = "Google's own word for the object; it says nothing about the appointment."
_DEPRECATED = "Google gives it no more."

EVENTS = (
    _lost("anyoneCanAddSelf", "What guests may do is not kept."),
    _changed("attachments", "ATTACH", "The address is kept. The file itself moves with its owner's Drive."),
    _kept("attendees", "ATTENDEE with CN, ROLE, PARTSTAT, RSVP, CUTYPE"),
    _changed("attendees.additionalGuests", "X-NUM-GUESTS", "The standard knows no guests of guests."),
    _changed("attendees.comment", "X-RESPONSE-COMMENT", "The standard has no place for what a guest answers in words."),
    _lost("attendeesOmitted", "Google left guests out of what it told."),
    _lost("birthdayProperties", "Birthdays come from the contacts, and are not copied as events."),
    _changed("colorId", "COLOR", "The colour of CSS3 that is nearest to it."),
    _changed(
        "conferenceData",
        "CONFERENCE, DESCRIPTION",
        "Addresses and numbers are kept. PINs, passcodes and notes are kept as text in the description.",
    ),
    _kept("created", "CREATED"),
    _lost("creator", "The standard knows the organiser only."),
    _changed(
        "description",
        "DESCRIPTION, X-ALT-DESC",
        "HTML is kept as it is for programs that show it, and as plain text for all others.",
    ),
    _kept("end", "DTEND"),
    _lost("endTimeUnspecified", "The end is the one that Google shows."),
    _lost("etag", _GOOGLES_OWN),
    _changed(
        "eventLabelId", "COLOR, CATEGORIES", "The label's name, and the colour of CSS3 that is nearest to its own."
    ),
    _changed(
        "eventType",
        "X-GOOGLE-EVENT-TYPE",
        "Time out of office gets X-MICROSOFT-CDO-BUSYSTATUS too. Birthdays and working locations are not copied.",
    ),
    _kept("extendedProperties", "X-GOOGLE-PRIVATE-PROPERTY, X-GOOGLE-SHARED-PROPERTY"),
    _lost("focusTimeProperties", "Nothing declines invitations by itself at the destination."),
    _lost("gadget", _DEPRECATED),
    _lost("guestsCanInviteOthers", "What guests may do is not kept."),
    _lost("guestsCanModify", "What guests may do is not kept."),
    _lost("guestsCanSeeOtherGuests", "What guests may do is not kept."),
    _kept("hangoutLink", "CONFERENCE, DESCRIPTION"),
    _lost("htmlLink", "It leads back to Google."),
    _changed("iCalUID", "UID", "A second event with the same one in a calendar gets one of its own."),
    _lost("id", _GOOGLES_OWN),
    _lost("kind", _GOOGLES_OWN),
    _kept("location", "LOCATION"),
    _lost("locked", "At the destination nothing of an event is locked."),
    _kept("organizer", "ORGANIZER, where there are guests or it is somebody else"),
    _kept("originalStartTime", "RECURRENCE-ID; EXDATE of the series for a cancelled time"),
    _lost("outOfOfficeProperties", "Nothing declines invitations by itself at the destination."),
    _lost("privateCopy", "It says what Google tells others, and nothing about the appointment."),
    _changed(
        "recurrence",
        "RRULE, RDATE, EXDATE, EXRULE",
        "The same times in the form that the standard wants. Programs of today ignore EXRULE.",
    ),
    _kept("recurringEventId", "the changed time stands in one object with its series"),
    _changed("reminders", "VALARM", "The calendar's own reminders are written into each event that goes by them."),
    _kept("sequence", "SEQUENCE"),
    _changed("source", "URL", "The address is kept, its title is not."),
    _changed("start", "DTSTART", "A time in a zone that is none of the IANA database is kept in universal time."),
    _kept("status", "STATUS"),
    _kept("summary", "SUMMARY"),
    _kept("transparency", "TRANSP"),
    _kept("updated", "LAST-MODIFIED, DTSTAMP"),
    _kept("visibility", "CLASS"),
    _lost("workingLocationProperties", "Working locations are listed, not copied: they are no appointments."),
)

CONTACTS = (
    _kept("addresses", "ADR with TYPE, LABEL, CC; a label of one's own as X-ABLABEL"),
    _lost("ageRange", _DEPRECATED),
    _lost("ageRanges", "Google works it out; it is nothing that anybody wrote down."),
    _changed("biographies", "NOTE", "As plain text."),
    _kept("birthdays", "BDAY"),
    _lost("braggingRights", _DEPRECATED),
    _kept("calendarUrls", "CALURI, FBURL"),
    _changed("clientData", "X-GOOGLE-CLIENT-DATA", "It belongs to a program that wrote to Google."),
    _lost("coverPhotos", "A vCard has one picture."),
    _kept("emailAddresses", "EMAIL with TYPE, PREF; a label of one's own as X-ABLABEL"),
    _lost("etag", _GOOGLES_OWN),
    _changed("events", "ANNIVERSARY, X-ABDATE", "The first anniversary is the standard's; other days have a label."),
    _changed("externalIds", "X-GOOGLE-EXTERNAL-ID", "The standard has no place for it."),
    _changed("fileAses", "X-FILE-AS", "The standard has no place for it."),
    _kept("genders", "GENDER"),
    _kept("imClients", "IMPP"),
    _kept("interests", "INTEREST"),
    _kept("locales", "LANG"),
    _changed("locations", "X-GOOGLE-LOCATION", "The standard has no place for desks and floors."),
    _changed("memberships", "CATEGORIES", "The names of the person's groups, and Starred."),
    _changed("metadata", "UID, REV", "Whence a field came is not kept."),
    _changed("miscKeywords", "X-GOOGLE-KEYWORD", "They came from Outlook; the standard has no place for them."),
    _changed("names", "N, FN, X-PHONETIC-...", "How a name is spoken has no place in the standard."),
    _changed("nicknames", "NICKNAME, X-MAIDENNAME, X-INITIALS, X-SHORT-NAME", "The standard knows one kind."),
    _kept("occupations", "ROLE"),
    _changed(
        "organizations",
        "ORG, TITLE, X-GOOGLE-ORGANIZATION-...",
        "Besides name, department and title the standard has no place.",
    ),
    _kept("phoneNumbers", "TEL with TYPE, PREF; a label of one's own as X-ABLABEL"),
    _changed("photos", "PHOTO", "Of at most 720 pixels. Pictures that Google draws are not copied."),
    _changed("relations", "RELATED", "The nearest type of the standard, and a label where it says more."),
    _lost("relationshipInterests", _DEPRECATED),
    _lost("relationshipStatuses", _DEPRECATED),
    _lost("residences", _DEPRECATED),
    _lost("resourceName", _GOOGLES_OWN),
    _kept("sipAddresses", "IMPP"),
    _kept("skills", "EXPERTISE"),
    _lost("taglines", _DEPRECATED),
    _kept("urls", "URL; a label of one's own as X-ABLABEL"),
    _changed("userDefined", "X-GOOGLE-USER-DEFINED, NOTE", "It stands in the note as well, where people see it."),
)
