"""A stand-in for Nextcloud on this machine."""

from liberate_nextcloud.standin.cloud import Switches
from liberate_nextcloud.standin.exchange import Seen
from liberate_nextcloud.standin.faults import Call, Fault, database_locked
from liberate_nextcloud.standin.names import WINDOWS, NameRules
from liberate_nextcloud.standin.server import NextcloudStandin

__all__ = ["WINDOWS", "Call", "Fault", "NameRules", "NextcloudStandin", "Seen", "Switches", "database_locked"]
