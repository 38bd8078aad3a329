"""What becomes of each field of Google's events and contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from liberate.pim import Fate, changed, kept, lost


def fates() -> Mapping[str, Sequence[Fate]]:
    """By heading: a row for every property of the Event and Person resources (discovery documents)."""
    return {"Google Calendar events": EVENTS, "Google contacts": CONTACTS}


_GOOGLES_OWN = "Google's own word for the object; it says nothing about the appointment."
_DEPRECATED = "Google gives it no more."

EVENTS = (
    lost("anyoneCanAddSelf", "What guests may do is not kept."),
    changed("attachments", "ATTACH", "The address is kept. The file itself moves with its owner's Drive."),
    kept("attendees", "ATTENDEE with CN, ROLE, PARTSTAT, RSVP, CUTYPE"),
    changed("attendees.additionalGuests", "X-NUM-GUESTS", "The standard knows no guests of guests."),
    changed("attendees.comment", "X-RESPONSE-COMMENT", "The standard has no place for what a guest answers in words."),
    lost("attendeesOmitted", "Google left guests out of what it told."),
    lost("birthdayProperties", "Birthdays come from the contacts, and are not copied as events."),
    changed("colorId", "COLOR", "The colour of CSS3 that is nearest to it."),
    changed(
        "conferenceData",
        "CONFERENCE, DESCRIPTION",
        "Addresses and numbers are kept. PINs, passcodes and notes are kept as text in the description.",
    ),
    kept("created", "CREATED"),
    lost("creator", "The standard knows the organiser only."),
    changed(
        "description",
        "DESCRIPTION, X-ALT-DESC",
        "HTML is kept as it is for programs that show it, and as plain text for all others.",
    ),
    kept("end", "DTEND"),
    lost("endTimeUnspecified", "The end is the one that Google shows."),
    lost("etag", _GOOGLES_OWN),
    changed(
        "eventLabelId", "COLOR, CATEGORIES", "The label's name, and the colour of CSS3 that is nearest to its own."
    ),
    changed(
        "eventType",
        "X-GOOGLE-EVENT-TYPE",
        "Time out of office gets X-MICROSOFT-CDO-BUSYSTATUS too. Birthdays and working locations are not copied.",
    ),
    kept("extendedProperties", "X-GOOGLE-PRIVATE-PROPERTY, X-GOOGLE-SHARED-PROPERTY"),
    lost("focusTimeProperties", "Nothing declines invitations by itself at the destination."),
    lost("gadget", _DEPRECATED),
    lost("guestsCanInviteOthers", "What guests may do is not kept."),
    lost("guestsCanModify", "What guests may do is not kept."),
    lost("guestsCanSeeOtherGuests", "What guests may do is not kept."),
    kept("hangoutLink", "CONFERENCE, DESCRIPTION"),
    lost("htmlLink", "It leads back to Google."),
    changed("iCalUID", "UID", "A second event with the same one in a calendar gets one of its own."),
    lost("id", _GOOGLES_OWN),
    lost("kind", _GOOGLES_OWN),
    kept("location", "LOCATION"),
    lost("locked", "At the destination nothing of an event is locked."),
    kept("organizer", "ORGANIZER, where there are guests or it is somebody else"),
    kept("originalStartTime", "RECURRENCE-ID; EXDATE of the series for a cancelled time"),
    lost("outOfOfficeProperties", "Nothing declines invitations by itself at the destination."),
    lost("privateCopy", "It says what Google tells others, and nothing about the appointment."),
    changed(
        "recurrence",
        "RRULE, RDATE, EXDATE, EXRULE",
        "The same times in the form that the standard wants. Programs of today ignore EXRULE.",
    ),
    kept("recurringEventId", "the changed time stands in one object with its series"),
    changed("reminders", "VALARM", "The calendar's own reminders are written into each event that goes by them."),
    kept("sequence", "SEQUENCE"),
    changed("source", "URL", "The address is kept, its title is not."),
    changed("start", "DTSTART", "A time in a zone that is none of the IANA database is kept in universal time."),
    kept("status", "STATUS"),
    kept("summary", "SUMMARY"),
    kept("transparency", "TRANSP"),
    kept("updated", "LAST-MODIFIED, DTSTAMP"),
    kept("visibility", "CLASS"),
    lost("workingLocationProperties", "Working locations are listed, not copied: they are no appointments."),
)

CONTACTS = (
    kept("addresses", "ADR with TYPE, LABEL, CC; a label of one's own as X-ABLABEL"),
    lost("ageRange", _DEPRECATED),
    lost("ageRanges", "Google works it out; it is nothing that anybody wrote down."),
    changed("biographies", "NOTE", "As plain text."),
    kept("birthdays", "BDAY"),
    lost("braggingRights", _DEPRECATED),
    kept("calendarUrls", "CALURI, FBURL"),
    changed("clientData", "X-GOOGLE-CLIENT-DATA", "It belongs to a program that wrote to Google."),
    lost("coverPhotos", "A vCard has one picture."),
    kept("emailAddresses", "EMAIL with TYPE, PREF; a label of one's own as X-ABLABEL"),
    lost("etag", _GOOGLES_OWN),
    changed("events", "ANNIVERSARY, X-ABDATE", "The first anniversary is the standard's; other days have a label."),
    changed("externalIds", "X-GOOGLE-EXTERNAL-ID", "The standard has no place for it."),
    changed("fileAses", "X-FILE-AS", "The standard has no place for it."),
    kept("genders", "GENDER"),
    kept("imClients", "IMPP"),
    kept("interests", "INTEREST"),
    kept("locales", "LANG"),
    changed("locations", "X-GOOGLE-LOCATION", "The standard has no place for desks and floors."),
    changed("memberships", "CATEGORIES", "The names of the person's groups, and Starred."),
    changed("metadata", "UID, REV", "Whence a field came is not kept."),
    changed("miscKeywords", "X-GOOGLE-KEYWORD", "They came from Outlook; the standard has no place for them."),
    changed("names", "N, FN, X-PHONETIC-...", "How a name is spoken has no place in the standard."),
    changed("nicknames", "NICKNAME, X-MAIDENNAME, X-INITIALS, X-SHORT-NAME", "The standard knows one kind."),
    kept("occupations", "ROLE"),
    changed(
        "organizations",
        "ORG, TITLE, X-GOOGLE-ORGANIZATION-...",
        "Besides name, department and title the standard has no place.",
    ),
    kept("phoneNumbers", "TEL with TYPE, PREF; a label of one's own as X-ABLABEL"),
    changed("photos", "PHOTO", "Of at most 720 pixels. Pictures that Google draws are not copied."),
    changed("relations", "RELATED", "The nearest type of the standard, and a label where it says more."),
    lost("relationshipInterests", _DEPRECATED),
    lost("relationshipStatuses", _DEPRECATED),
    lost("residences", _DEPRECATED),
    lost("resourceName", _GOOGLES_OWN),
    kept("sipAddresses", "IMPP"),
    kept("skills", "EXPERTISE"),
    lost("taglines", _DEPRECATED),
    kept("urls", "URL; a label of one's own as X-ABLABEL"),
    changed("userDefined", "X-GOOGLE-USER-DEFINED, NOTE", "It stands in the note as well, where people see it."),
)
