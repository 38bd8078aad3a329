"""What every destination that keeps trees of files promises, as tests: see liberate.testing.contracts."""

from __future__ import annotations

from liberate.testing.tree_contract.base import Owner
from liberate.testing.tree_contract.beside import Beside
from liberate.testing.tree_contract.folders import Folders
from liberate.testing.tree_contract.looking import Looking
from liberate.testing.tree_contract.moving import Moving
from liberate.testing.tree_contract.pieces import Pieces
from liberate.testing.tree_contract.replacing import Replacing

__all__ = ["Owner", "TreeDestinationContract"]


class TreeDestinationContract(Folders, Replacing, Moving, Looking, Pieces, Beside):
    """Subclass it and give it the fixtures `open_destination` and `owner`."""
