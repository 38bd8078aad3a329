"""What becomes of each field of Graph's events and contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from liberate.pim import Fate, changed, kept, lost

_FOR_PROGRAMS = "It belongs to a program that wrote it into the mailbox, and liberate does not ask for it."

EVENTS = (
    changed("allowNewTimeProposals", "X-MICROSOFT-DISALLOW-COUNTER", "Only where guests may not propose other times."),
    changed(
        "attachments", "ATTACH", "Files of up to 1 MB, 4 MB in all. Larger ones, attached items and links stay behind."
    ),
    changed("attendees", "ATTENDEE", "When they answered, and another time that they proposed, have no place."),
    changed("body", "DESCRIPTION and X-ALT-DESC", "As plain text, and as HTML for programs that show it."),
    lost("bodyPreview", "It is the beginning of the body."),
    changed("calendar", "the calendar it stands in", "It is not written into the event."),
    kept("cancelledOccurrences", "EXDATE"),
    changed("categories", "CATEGORIES and COLOR", "The colour of the first category that has one, if we may see it."),
    changed("changeKey", "the item's version", "The bytes tell versions apart."),
    kept("createdDateTime", "CREATED"),
    kept("end", "DTEND"),
    kept("exceptionOccurrences", "VEVENT with RECURRENCE-ID"),
    lost("extensions", _FOR_PROGRAMS),
    changed("hasAttachments", "ATTACH", "See attachments."),
    lost("hideAttendees", "The standard has no place for it: the guests see one another."),
    kept("iCalUId", "UID"),
    changed("id", "the item's id", "It is not written into the event."),
    kept("importance", "PRIORITY"),
    changed("instances", "RRULE", "The rule gives them."),
    kept("isAllDay", "DTSTART;VALUE=DATE"),
    kept("isCancelled", "STATUS:CANCELLED"),
    lost("isDraft", "A draft arrives as any other event."),
    changed("isOnlineMeeting", "CONFERENCE", "See onlineMeeting."),
    changed("isOrganizer", "ORGANIZER", "ORGANIZER says who it is."),
    kept("isReminderOn", "VALARM"),
    kept("lastModifiedDateTime", "DTSTAMP and LAST-MODIFIED"),
    changed("location", "LOCATION and GEO", "Its name and its address, as one line."),
    changed("locations", "LOCATION", "Several are joined. Which one is a room, the guests tell."),
    lost("multiValueExtendedProperties", _FOR_PROGRAMS),
    changed(
        "onlineMeeting",
        "CONFERENCE, URL, X-MICROSOFT-SKYPETEAMSMEETINGURL",
        "Telephone numbers and the conference ID are kept in the text.",
    ),
    lost("onlineMeetingProvider", "The address of the meeting says it."),
    changed("onlineMeetingUrl", "CONFERENCE and URL", "Where onlineMeeting has no address."),
    kept("organizer", "ORGANIZER"),
    kept("originalEndTimeZone", "DTEND;TZID"),
    kept("originalStart", "RECURRENCE-ID"),
    changed("originalStartTimeZone", "DTSTART;TZID", "A zone of Outlook's own becomes universal time."),
    changed("recurrence", "RRULE", "In a zone of Outlook's own, each time is written by itself (RDATE)."),
    kept("reminderMinutesBeforeStart", "VALARM"),
    kept("responseRequested", "RSVP"),
    changed("responseStatus", "PARTSTAT", "When one answered has no place."),
    changed("sensitivity", "CLASS", "Personal becomes private."),
    changed("seriesMasterId", "UID", "An instance has its series' UID."),
    kept("showAs", "TRANSP and X-MICROSOFT-CDO-BUSYSTATUS"),
    lost("singleValueExtendedProperties", _FOR_PROGRAMS),
    kept("start", "DTSTART"),
    kept("subject", "SUMMARY"),
    lost("transactionId", "It is how a program knew its own request again."),
    changed("type", "RRULE, RECURRENCE-ID or neither", "The form of the object says it."),
    lost("webLink", "It leads into Outlook, which is being left."),
)

CONTACTS = (
    changed("assistantName", "RELATED;TYPE=agent", "The standard has no word for an assistant."),
    kept("birthday", "BDAY"),
    kept("businessAddress", "ADR;TYPE=work"),
    kept("businessHomePage", "URL;TYPE=work"),
    kept("businessPhones", "TEL;TYPE=work"),
    kept("categories", "CATEGORIES"),
    changed("changeKey", "the item's version", "The bytes tell versions apart."),
    kept("children", "RELATED;TYPE=child"),
    kept("companyName", "ORG"),
    lost("createdDateTime", "The version of the standard that servers know has no place for it."),
    kept("department", "ORG"),
    kept("displayName", "FN"),
    kept("emailAddresses", "EMAIL and X-ABLABEL"),
    lost("extensions", _FOR_PROGRAMS),
    changed("fileAs", "X-EVOLUTION-FILE-AS", "Some programs know it."),
    kept("generation", "N"),
    kept("givenName", "N"),
    kept("homeAddress", "ADR;TYPE=home"),
    kept("homePhones", "TEL;TYPE=home"),
    changed("id", "UID", "Made of the id, and the same for ever."),
    kept("imAddresses", "IMPP"),
    changed("initials", "X-INITIALS", "The standard has no place for it."),
    kept("jobTitle", "TITLE"),
    kept("lastModifiedDateTime", "REV"),
    changed("manager", "RELATED;TYPE=x-manager", "The standard has no word for a manager."),
    kept("middleName", "N"),
    kept("mobilePhone", "TEL;TYPE=cell"),
    lost("multiValueExtendedProperties", _FOR_PROGRAMS),
    kept("nickName", "NICKNAME"),
    changed("officeLocation", "X-OFFICE-LOCATION", "The standard has no place for it."),
    kept("otherAddress", "ADR"),
    changed("parentFolderId", "the address book it stands in", "It is not written into the card."),
    kept("personalNotes", "NOTE"),
    kept("photo", "PHOTO"),
    changed("profession", "ROLE", "The nearest that the standard has."),
    lost("singleValueExtendedProperties", _FOR_PROGRAMS),
    kept("spouseName", "RELATED;TYPE=spouse"),
    kept("surname", "N"),
    kept("title", "N"),
    changed("yomiCompanyName", "X-PHONETIC-ORG", "Many programs know it."),
    changed("yomiGivenName", "X-PHONETIC-FIRST-NAME", "Many programs know it."),
    changed("yomiSurname", "X-PHONETIC-LAST-NAME", "Many programs know it."),
)


def fates() -> Mapping[str, Sequence[Fate]]:
    """See Connector.fidelity."""
    return {"Outlook events": EVENTS, "Outlook contacts": CONTACTS}
