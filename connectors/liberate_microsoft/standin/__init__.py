"""A stand-in for Microsoft Graph's drives, mail, calendars and contacts, and for Entra's sign-in, on this machine."""

from liberate_microsoft.standin.faults import Call, Fault
from liberate_microsoft.standin.mail_sample import sample_mail
from liberate_microsoft.standin.mailbox import Letter, Mailbox
from liberate_microsoft.standin.pim import PimBox
from liberate_microsoft.standin.pim_sample import sample_pim
from liberate_microsoft.standin.sample import sample_organisation
from liberate_microsoft.standin.server import GraphStandin
from liberate_microsoft.standin.tree import Blob, Drive, Node

__all__ = [
    "Blob",
    "Call",
    "Drive",
    "Fault",
    "GraphStandin",
    "Letter",
    "Mailbox",
    "Node",
    "PimBox",
    "sample_mail",
    "sample_organisation",
    "sample_pim",
]
