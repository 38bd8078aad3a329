"""A stand-in for Google on this machine."""

from liberate_google.standin.faults import Call, Fault
from liberate_google.standin.sample import sample_coop, sample_takeout
from liberate_google.standin.server import GmailStandin

__all__ = ["Call", "Fault", "GmailStandin", "sample_coop", "sample_takeout"]
