"""The fields of Graph's calendars, events and contacts: see graph_schema."""

from __future__ import annotations

_ANSWER = "/none|organizer|tentativelyAccepted|accepted|declined|notResponded/"
_DAY = "/(sun|mon|tues|wednes|thurs|fri|satur)day/"

PIM_TABLE: dict[str, dict[str, str]] = {
    "calendar": {
        "id": "text", "name": "text?", "changeKey": "text?", "hexColor": "text?", "isDefaultCalendar": "flag",
        "canEdit": "flag", "canShare": "flag", "canViewPrivateItems": "flag", "isRemovable": "flag",
        "isTallyingResponses": "flag", "owner": "<address>", "allowedOnlineMeetingProviders": "[text]",
        "defaultOnlineMeetingProvider": "text?",
        "color": "/auto|light(Blue|Green|Orange|Gray|Yellow|Teal|Pink|Brown|Red)|maxColor/",
    },
    "calendarGroup": {"id": "text", "name": "text?"},
    "category": {"id": "text", "displayName": "text?", "color": "/none|preset[0-9]+/"},
    "event": {
        "id": "text", "categories": "[text]", "changeKey": "text?", "createdDateTime": "time",
        "lastModifiedDateTime": "time", "allowNewTimeProposals": "flag?", "attendees": "[<attendee>]", "body": "<body>",
        "bodyPreview": "text?", "end": "<point>", "start": "<point>", "hasAttachments": "flag?",
        "hideAttendees": "flag?", "iCalUId": "text?", "importance": "/low|normal|high/", "isAllDay": "flag?",
        "isCancelled": "flag?", "isDraft": "flag?", "isOnlineMeeting": "flag?", "isOrganizer": "flag?",
        "isReminderOn": "flag?", "location": "<location>", "locations": "[<location>]", "onlineMeeting": "<meeting>?",
        "onlineMeetingProvider": "text?", "onlineMeetingUrl": "text?", "organizer": "<recipient>",
        "originalEndTimeZone": "text?", "originalStartTimeZone": "text?", "originalStart": "time?",
        "recurrence": "<recurrence>?", "reminderMinutesBeforeStart": "number?", "responseRequested": "flag?",
        "responseStatus": "<answer>", "sensitivity": "/normal|personal|private|confidential/",
        "seriesMasterId": "text?", "showAs": "/unknown|free|tentative|busy|oof|workingElsewhere/", "subject": "text?",
        "transactionId": "text?", "type": "/singleInstance|occurrence|exception|seriesMaster/", "webLink": "text?",
        "cancelledOccurrences": "[text]", "exceptionOccurrences": "[<event>]",
    },
    "point": {"dateTime": r"/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.0000000/", "timeZone": "text"},
    "attendee": {"type": "/required|optional|resource/", "status": "<answer>", "emailAddress": "<address>",
                 "proposedNewTime": "<slot>?"},
    "slot": {"start": "<point>", "end": "<point>"},
    "answer": {"response": _ANSWER, "time": "time?"},
    "location": {"displayName": "text?", "locationType": "text", "uniqueId": "text?", "uniqueIdType": "text",
                 "address": "<place>", "coordinates": "<geo>", "locationUri": "text?", "locationEmailAddress": "text?"},
    "place": {"street": "text?", "city": "text?", "state": "text?", "countryOrRegion": "text?", "postalCode": "text?"},
    "geo": {"latitude": "real?", "longitude": "real?"},
    "meeting": {"joinUrl": "text?", "conferenceId": "text?", "tollNumber": "text?", "quickDial": "text?",
                "tollFreeNumbers": "[text]?", "phones": "[<phone>]?"},
    "phone": {"number": "text?", "type": "text?"},
    "recurrence": {"pattern": "<pattern>", "range": "<range>"},
    "pattern": {"type": "/daily|weekly|absoluteMonthly|relativeMonthly|absoluteYearly|relativeYearly/",
                "interval": "number", "month": "number", "dayOfMonth": "number", "daysOfWeek": f"[{_DAY}]",
                "firstDayOfWeek": _DAY, "index": "/first|second|third|fourth|last/"},
    "range": {"type": "/endDate|noEnd|numbered/", "startDate": "day", "endDate": "day", "numberOfOccurrences": "number",
              "recurrenceTimeZone": "text?"},
    "attachment": {"id": "text", "name": "text?", "contentType": "text?", "size": "number", "isInline": "flag",
                   "lastModifiedDateTime": "time?", "contentBytes": "text?", "contentId": "text?"},
    "contactFolder": {"id": "text", "displayName": "text?", "parentFolderId": "text?"},
    "contact": {
        "id": "text", "categories": "[text]", "changeKey": "text?", "createdDateTime": "time",
        "lastModifiedDateTime": "time", "assistantName": "text?", "birthday": "time?", "businessAddress": "<place>",
        "businessHomePage": "text?", "businessPhones": "[text]", "children": "[text]", "companyName": "text?",
        "department": "text?", "displayName": "text?", "emailAddresses": "[<address>]", "fileAs": "text?",
        "generation": "text?", "givenName": "text?", "homeAddress": "<place>", "homePhones": "[text]",
        "imAddresses": "[text]", "initials": "text?", "jobTitle": "text?", "manager": "text?", "middleName": "text?",
        "mobilePhone": "text?", "nickName": "text?", "officeLocation": "text?", "otherAddress": "<place>",
        "parentFolderId": "text?", "personalNotes": "text?", "profession": "text?", "spouseName": "text?",
        "surname": "text?", "title": "text?", "yomiCompanyName": "text?", "yomiGivenName": "text?",
        "yomiSurname": "text?",
    },
}  # fmt: skip

PIM_ALWAYS = {
    "calendar": ("id", "name", "owner", "canEdit", "isDefaultCalendar"),
    "event": ("id", "iCalUId", "type", "start", "end", "isAllDay", "originalStartTimeZone"),
    "contact": ("id",),
    "contactFolder": ("id", "displayName"),
    "attachment": ("id", "name", "size"),
}
PIM_SCHEMAS = {
    "calendar": "Calendar",
    "event": "Event",
    "contact": "Contact",
    "fileAttachment": "FileAttachment",
    "itemAttachment": "ItemAttachment",
}
