"""What becomes of each field of Graph's events and contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from liberate.pim import Fate


def _kept(field: str, becomes: str) -> Fate:
    return Fate(field, becomes, "kept")


def _changed(field: str, becomes: str, why: str) -> Fate:
    return Fate(field, becomes, "changed", why)


def _lost(field: str, why: str) -> Fate:
    return Fate(field, "", "lost", why)


_FOR_PROGRAMS = "It belongs to a program that wrote it into the mailbox, and liberate does not ask for it."

EVENTS = (
    _changed("allowNewTimeProposals", "X-MICROSOFT-DISALLOW-COUNTER", "Only where guests may not propose other times."),
    _changed(
        "attachments", "ATTACH", "Files of up to 1 MB, 4 MB in all. Larger ones, attached items and links stay behind."
    ),
    _changed("attendees", "ATTENDEE", "When they answered, and another time that they proposed, have no place."),
    _changed("body", "DESCRIPTION and X-ALT-DESC", "As plain text, and as HTML for programs that show it."),
    _lost("bodyPreview", "It is the beginning of the body."),
    _changed("calendar", "the calendar it stands in", "It is not written into the event."),
    _kept("cancelledOccurrences", "EXDATE"),
    _changed("categories", "CATEGORIES and COLOR", "The colour of the first category that has one, if we may see it."),
    _changed("changeKey", "the item's version", "The bytes tell versions apart."),
    _kept("createdDateTime", "CREATED"),
    _kept("end", "DTEND"),
    _kept("exceptionOccurrences", "VEVENT with RECURRENCE-ID"),
    _lost("extensions", _FOR_PROGRAMS),
    _changed("hasAttachments", "ATTACH", "See attachments."),
    _lost("hideAttendees", "The standard has no place for it: the guests see one another."),
    _kept("iCalUId", "UID"),
    _changed("id", "the item's id", "It is not written into the event."),
    _kept("importance", "PRIORITY"),
    _changed("instances", "RRULE", "The rule gives them."),
    _kept("isAllDay", "DTSTART;VALUE=DATE"),
    _kept("isCancelled", "STATUS:CANCELLED"),
    _lost("isDraft", "A draft arrives as any other event."),
    _changed("isOnlineMeeting", "CONFERENCE", "See onlineMeeting."),
    _changed("isOrganizer", "ORGANIZER", "ORGANIZER says who it is."),
    _kept("isReminderOn", "VALARM"),
    _kept("lastModifiedDateTime", "DTSTAMP and LAST-MODIFIED"),
    _changed("location", "LOCATION and GEO", "Its name and its address, as one line."),
    _changed("locations", "LOCATION", "Several are joined. Which one is a room, the guests tell."),
    _lost("multiValueExtendedProperties", _FOR_PROGRAMS),
    _changed(
        "onlineMeeting",
        "CONFERENCE, URL, X-MICROSOFT-SKYPETEAMSMEETINGURL",
        "Telephone numbers and the conference ID are kept in the text.",
    ),
    _lost("onlineMeetingProvider", "The address of the meeting says it."),
    _changed("onlineMeetingUrl", "CONFERENCE and URL", "Where onlineMeeting has no address."),
    _kept("organizer", "ORGANIZER"),
    _kept("originalEndTimeZone", "DTEND;TZID"),
    _kept("originalStart", "RECURRENCE-ID"),
    _changed("originalStartTimeZone", "DTSTART;TZID", "A zone of Outlook's own becomes universal time."),
    _changed("recurrence", "RRULE", "In a zone of Outlook's own, each time is written by itself (RDATE)."),
    _kept("reminderMinutesBeforeStart", "VALARM"),
    _kept("responseRequested", "RSVP"),
    _changed("responseStatus", "PARTSTAT", "When one answered has no place."),
    _changed("sensitivity", "CLASS", "Personal becomes private."),
    _changed("seriesMasterId", "UID", "An instance has its series' UID."),
    _kept("showAs", "TRANSP and X-MICROSOFT-CDO-BUSYSTATUS"),
    _lost("singleValueExtendedProperties", _FOR_PROGRAMS),
    _kept("start", "DTSTART"),
    _kept("subject", "SUMMARY"),
    _lost("transactionId", "It is how a program knew its own request again."),
    _changed("type", "RRULE, RECURRENCE-ID or neither", "The form of the object says it."),
    _lost("webLink", "It leads into Outlook, which is being left."),
)

CONTACTS = (
    _changed("assistantName", "RELATED;TYPE=agent", "The standard has no word for an assistant."),
    _kept("birthday", "BDAY"),
    _kept("businessAddress", "ADR;TYPE=work"),
    _kept("businessHomePage", "URL;TYPE=work"),
    _kept("businessPhones", "TEL;TYPE=work"),
    _kept("categories", "CATEGORIES"),
    _changed("changeKey", "the item's version", "The bytes tell versions apart."),
    _kept("children", "RELATED;TYPE=child"),
    _kept("companyName", "ORG"),
    _lost("createdDateTime", "The version of the standard that servers know has no place for it."),
    _kept("department", "ORG"),
    _kept("displayName", "FN"),
    _kept("emailAddresses", "EMAIL and X-ABLABEL"),
    _lost("extensions", _FOR_PROGRAMS),
    _changed("fileAs", "X-EVOLUTION-FILE-AS", "Some programs know it."),
    _kept("generation", "N"),
    _kept("givenName", "N"),
    _kept("homeAddress", "ADR;TYPE=home"),
    _kept("homePhones", "TEL;TYPE=home"),
    _changed("id", "UID", "Made of the id, and the same for ever."),
    _kept("imAddresses", "IMPP"),
    _changed("initials", "X-INITIALS", "The standard has no place for it."),
    _kept("jobTitle", "TITLE"),
    _kept("lastModifiedDateTime", "REV"),
    _changed("manager", "RELATED;TYPE=x-manager", "The standard has no word for a manager."),
    _kept("middleName", "N"),
    _kept("mobilePhone", "TEL;TYPE=cell"),
    _lost("multiValueExtendedProperties", _FOR_PROGRAMS),
    _kept("nickName", "NICKNAME"),
    _changed("officeLocation", "X-OFFICE-LOCATION", "The standard has no place for it."),
    _kept("otherAddress", "ADR"),
    _changed("parentFolderId", "the address book it stands in", "It is not written into the card."),
    _kept("personalNotes", "NOTE"),
    _kept("photo", "PHOTO"),
    _changed("profession", "ROLE", "The nearest that the standard has."),
    _lost("singleValueExtendedProperties", _FOR_PROGRAMS),
    _kept("spouseName", "RELATED;TYPE=spouse"),
    _kept("surname", "N"),
    _kept("title", "N"),
    _changed("yomiCompanyName", "X-PHONETIC-ORG", "Many programs know it."),
    _changed("yomiGivenName", "X-PHONETIC-FIRST-NAME", "Many programs know it."),
    _changed("yomiSurname", "X-PHONETIC-LAST-NAME", "Many programs know it."),
)


def fates() -> Mapping[str, Sequence[Fate]]:
    """See Connector.fidelity."""
    return {"Outlook events": EVENTS, "Outlook contacts": CONTACTS}
