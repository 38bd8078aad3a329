"""What was built on is what this server answers: the tests of the stand-in, put to it, in a new folder each."""

from __future__ import annotations

from live_kit import need_server

need_server()

from nextcloud_answers import *  # noqa: E402, F403
