"""An organisation that leaves a service for a Nextcloud: a plan on disk, the command, killed on its way, and the proof.

What is particular to the service that is left stands behind `Left`: the proof is the same for all of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest
from command_kit import Commanded
from liberate_nextcloud.standin import NextcloudStandin
from liberate_nextcloud.standin.store import Node

SIZES = [
    (200, 8_000_000),
    pytest.param(3_000, 300_000_000, marks=[pytest.mark.torture, pytest.mark.timeout(1_800)]),
]
"""Of an organisation: its files, and their bytes together."""
SECRET = "the app's secret"
TEAM = "verksamhet"  # the account that takes what belongs to the organisation itself
BOARD = "styrelsen"  # the group at the destination
_WRITES = 2  # of a share's permissions
_NOT_ITS_OWN = frozenset({"moves-with-owner", "policy-others", "shared-as-a-whole"})
"""What is listed for an account and is another one's, or no thing that could move."""
_PLAN = """\
[job]
name = "solros"
[connections.old]
{connection}
[connections.cloud]
connector = "nextcloud"
url = "{cloud}"
appapi_secret = {{ env = "CLOUD_APPAPI_SECRET" }}
admin_user = "{admin}"
create_users = true
[[routes]]
from = "old"
to = "cloud"
kinds = ["file"]
shares = ["people", "groups"]
versions = {versions}
[people]
table = "people.csv"
"""


class Shared(NamedTuple):
    """Something that its owner shares with one of the organisation."""

    what: str  # SHA-256 of a file's bytes, name of a folder
    to: str  # address of a person, name of the group: at the destination, what these have become
    writes: bool
    until: str | None  # the day


class Left(Protocol):
    """A service that is left, with an organisation in it."""

    people: tuple[str, ...]  # addresses
    common: str  # what the people table calls what belongs to the organisation itself
    board: str  # and the group with which people share
    versions: int  # how many earlier versions of a file come along

    def connection(self, folder: Path) -> str:
        """The lines of a plan that lead to it; what they name is written into the folder."""
        ...

    def owned(self) -> Counter[str]:
        """How many ids each account of the people table has, its outermost folder aside."""
        ...

    def bodies(self, account: str) -> Counter[str]:
        """SHA-256 of the files that must arrive for an account with exactly these bytes."""
        ...

    def earlier(self, account: str) -> Counter[str]:
        """SHA-256 of the earlier versions of an account's files that must arrive."""
        ...

    def shared(self, account: str) -> Counter[Shared]:
        """What an account shares with the people and the group of the plan."""
        ...


@dataclass
class Leaving(Commanded):
    """The organisation, where it goes, and the folder of its plan."""

    left: Left
    cloud: str  # address
    prefix: str  # of the user names there

    def write(self, admin: str) -> None:
        """The plan and the people table."""
        connection = self.left.connection(self.folder).strip()
        text = _PLAN.format(connection=connection, cloud=self.cloud, admin=admin, versions=self.left.versions)
        (self.folder / "liberate.toml").write_text(text)
        rows = [f"{address},{self.user(address)},person" for address in self.left.people]
        rows.append(f"{self.left.common},{self.user(self.left.common)},shared")
        rows.append(f"{self.left.board},{self.user(self.left.board)},group")
        (self.folder / "people.csv").write_text("\n".join(["source,destination,kind", *rows]) + "\n")

    def user(self, name: str) -> str:
        """What a person, the common account or the group is called at the destination."""
        known = {self.left.common: TEAM, self.left.board: BOARD}
        return self.prefix + known.get(name, name.partition("@")[0])

    @property
    def accounts(self) -> tuple[str, ...]:
        return (*self.left.people, self.left.common)


def accounted(account: dict[str, Any]) -> int:
    """How many ids of its own a report accounts for."""
    others = sum(one["items"] for one in account["skipped"] if one["code"] in _NOT_ITS_OWN)
    items = account["items"]
    return int(items["moved"] + items["skipped"] + items["refused"] - others)


def stored(cloud: NextcloudStandin, user: str) -> Counter[str]:
    """Digests of all files that the stand-in has of a user's own, read from its disk."""
    return Counter(_digest(node) for node in _files(cloud, user))


def kept(cloud: NextcloudStandin, user: str) -> Counter[str]:
    """Digests of the earlier versions that the stand-in has of a user's files."""
    bodies = (body for node in _files(cloud, user) for body in cloud.versions(node))
    return Counter(hashlib.sha256(body).hexdigest() for body in bodies)


def _files(cloud: NextcloudStandin, user: str) -> list[Node]:
    """A user's own files, without what others share with them."""
    with cloud.cloud.store.lock:
        return [node for node in cloud.cloud.home(user).below() if not node.folder]


def shared(cloud: NextcloudStandin) -> dict[str, Counter[Shared]]:
    """What each user of the stand-in shares."""
    out: dict[str, Counter[Shared]] = {}
    for share in cloud.shares():
        node = cloud.cloud.store.by_id[share["file"]]
        what = node.name if node.folder else _digest(node)
        found = Shared(what, share["with"], bool(share["permissions"] & _WRITES), share["expires"])
        out.setdefault(share["owner"], Counter())[found] += 1
    return out


def _digest(node: Node) -> str:
    return hashlib.sha256(node.path().read_bytes()).hexdigest()


@contextmanager
def leaving(folder: Path, left: Left) -> Iterator[tuple[Leaving, NextcloudStandin]]:
    """The organisation on its way into a stand-in."""
    with NextcloudStandin(folder / "nextcloud") as cloud:
        cloud.add_user("admin", "the admin's password", admin=True)
        cloud.allow_app("liberate", "1.0.0", SECRET)
        cloud.add_group(BOARD)
        cloud.switches.rate_limit = False  # or somebody with more than twenty shares would take ten minutes
        here = Leaving(folder, {"CLOUD_APPAPI_SECRET": SECRET}, left, cloud.url, "")
        here.write("admin")
        yield here, cloud
        assert not cloud.trouble, cloud.trouble


def leaves_whole(here: Leaving, cloud: NextcloudStandin, files: int) -> None:
    """The proof: killed at 10 %, 30 % and 60 % of its files and run again, it is all there, once, and shared."""
    before = 0
    for percent in (10, 30, 60):
        assert here.killed(files * (percent - before) // 100), f"it ended before {percent} % of its files were moved"
        before = percent
    code, report = here.run("migrate")
    owned = here.left.owned()
    assert code == 0, report
    assert {account["source"] for account in report["accounts"]} == set(here.accounts)
    for account in report["accounts"]:
        assert account["state"] == "done", account
        assert accounted(account) == owned[account["source"]], account["source"]
    for name in here.accounts:
        missing = here.left.bodies(name) - stored(cloud, here.user(name))
        assert not missing, f"{sum(missing.values())} files of {name} did not arrive"
        found, wanted = kept(cloud, here.user(name)), here.left.earlier(name)
        assert found == wanted, f"{name}: earlier versions missing {wanted - found}, besides {found - wanted}"
    _shared_again(here, cloud, report)
    again, report = here.run("migrate")
    assert (again, report["changed"]) == (0, False)
    checked, report = here.run("verify")
    assert checked == 0
    for account in report["accounts"]:
        found = account["verification"]
        assert (found["different"], found["missing"], found["only_there"]) == (0, 0, 0), account["source"]
        assert found["identical"] == account["items"]["moved"]


def _shared_again(here: Leaving, cloud: NextcloudStandin, report: dict[str, Any]) -> None:
    """Everybody sees what they saw, nobody sees more, and the report counts it."""
    there = shared(cloud)
    for name in here.accounts:
        wanted = Counter({one._replace(to=here.user(one.to)): n for one, n in here.left.shared(name).items()})
        found = there.pop(here.user(name), Counter())
        assert found == wanted, f"{name}: not shared {wanted - found}, shared too much {found - wanted}"
        (account,) = (one for one in report["accounts"] if one["source"] == name)
        made = account["shares"]["made"] if account["shares"] else 0
        assert made == sum(wanted.values()), name
    assert not there
