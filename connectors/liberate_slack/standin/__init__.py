"""Exports of a workspace that was never there, and a server for their files."""

from liberate_slack.standin.export import Layout, Made, Shape, make_export
from liberate_slack.standin.files_server import FileServer

__all__ = ["FileServer", "Layout", "Made", "Shape", "make_export"]
