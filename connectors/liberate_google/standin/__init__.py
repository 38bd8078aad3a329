"""A stand-in for Google on this machine."""

from liberate_google.standin.faults import Call, Fault
from liberate_google.standin.organisation import AWKWARD, sample_organisation
from liberate_google.standin.pim_sample import sample_calendars, sample_contacts
from liberate_google.standin.sample import sample_coop, sample_takeout
from liberate_google.standin.server import GoogleStandin

GmailStandin = GoogleStandin

__all__ = [
    "AWKWARD",
    "Call",
    "Fault",
    "GmailStandin",
    "GoogleStandin",
    "sample_calendars",
    "sample_contacts",
    "sample_coop",
    "sample_organisation",
    "sample_takeout",
]
