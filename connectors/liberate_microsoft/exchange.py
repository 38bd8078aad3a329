"""One mailbox's line for events or contacts: ids that stay, calls paced as Exchange wants them, lists page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from liberate.connector import Account, Kind
from liberate.errors import PlanError
from liberate_microsoft import auth, pace
from liberate_microsoft.client import Client, segment
from liberate_microsoft.pace import Pacer
from liberate_microsoft.paging import IMMUTABLE, values
from liberate_microsoft.pim_problems import judge, object_error
from liberate_microsoft.problems import Failure
from liberate_microsoft.settings import MicrosoftSettings


class Exchange:
    """For one kind of one account. `whose` is where Graph has what is theirs."""

    def __init__(
        self,
        settings: MicrosoftSettings,
        account: Account,
        kind: Kind,
        pacer: Pacer | None = None,
        sign_in: auth.SignIn | None = None,
    ) -> None:
        if account.kind not in ("person", "shared"):
            raise PlanError(f'{account.name}: a "{account.kind}" has no mailbox whose {kind}s can be read.')
        rate = settings.mailbox_requests_per_minute
        if rate is None and settings.endpoint is None:  # a stand-in is trusted to say so itself
            rate = pace.REQUESTS_PER_MINUTE
        self.client = Client(
            settings,
            account,
            pacer or pace.of_mailbox(auth.application(settings), account.name, rate),
            sign_in or auth.shared(settings, account, kind),
            {"Prefer": IMMUTABLE},
            judge(kind),
        )
        self.whose = f"/users/{segment(account.name)}" if account.name else "/me"

    def close(self) -> None:
        self.client.close()

    def each(self, path: str, params: Mapping[str, str], *, missing: bool = False) -> Iterator[Mapping[str, Any]]:
        """The members of a list below `whose`. `missing`: one that is not there has none."""
        return values(self.client, f"{self.whose}{path}", params, missing=missing)

    def one(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        """One thing below `whose`. Raises ItemError where only that one cannot be had."""
        answer = self.client.call(
            f"{self.whose}{path}", pace.REQUEST, params, takes=lambda found: object_error(found) is not None
        )
        if isinstance(answer, Failure):
            raise object_error(answer) or self.client.told(answer)
        return answer

    def some(self, path: str, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """A list that belongs to one thing. Raises ItemError where only that one cannot be had."""
        out: list[Mapping[str, Any]] = []
        answer = self.one(path, params)
        while True:
            out += [one for one in answer.get("value") or () if isinstance(one, Mapping)]
            following = answer.get("@odata.nextLink")
            if not following:
                return out
            answer = self.client.ask(str(following), pace.REQUEST)
