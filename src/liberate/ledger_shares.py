"""The ledger's part for sharing: which permissions there are, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from liberate.connector import Place, Share
from liberate.errors import ItemError
from liberate.files import Grant, Role
from liberate.ledger_rows import DONE, JOINED, PAGE, ROW_COLUMNS, Row, State, row_from
from liberate.ledger_schema import accounts, items, places, shares
from liberate.ledger_store import Store

GONE = "gone"  # the state of a share that we made and that the source has no more, or that shows too much
SHOWS_MORE = ItemError(
    "shows-more",
    "Something in this folder is closed to them, and with a share of the folder they would see it.",
    "Move what is closed to them into another folder and share this one by hand, or share by hand what they may see.",
)
_NOTHING: Mapping[str, int] = {}
_TOLD = {"code": SHOWS_MORE.code, "why": SHOWS_MORE.why, "todo": SHOWS_MORE.todo}
_UNTOLD = dict.fromkeys(_TOLD)
_FACTS = sa.func.coalesce(items.c.pending_facts, items.c.facts)  # the newest that the source says
_CLOSED = '%"closed":true%'
_TO_MAKE = (State.LISTED, State.INTENDED)
_NOT_MADE = (State.LISTED.value, State.SKIPPED.value, State.REFUSED.value)


@dataclass(frozen=True, slots=True)
class ToShare:
    """A permission on something that stands at the destination."""

    number: int
    grant: Grant
    row: Row
    place: Place
    share: Share | None = None  # what was meant to be made of it when an attempt ended


def _grant(text: str) -> Grant:
    to, name, role, expires = json.loads(text)
    return Grant(to, name, Role(role), datetime.fromisoformat(expires) if expires else None)


class SharesOfLedger(Store):
    """What the ledger knows of permissions."""

    def list_shares(self, account: int) -> None:
        """Bring the permissions in line with what the account's items say; what is known already stays known."""
        wanted: dict[str, set[str]] = {}
        stands = sa.or_(items.c.state.in_(DONE), items.c.receipt.is_not(None))  # also while a newer version is refused
        query = sa.select(items.c.key, _FACTS).where(
            items.c.account == account, stands, items.c.gone.is_not(True), _FACTS.like('%"grants":%')
        )
        with self._transaction("list shares") as db:
            for key, facts in db.execute(query.execution_options(yield_per=PAGE)):
                grants = json.loads(facts)["grants"]
                wanted[key] = {json.dumps(grant, ensure_ascii=False) for grant in grants}
            too_much = self._too_much(db, account, wanted)
            have = db.execute(
                sa.select(shares.c.id, shares.c.item, shares.c.grant, shares.c.state, shares.c.receipt).where(
                    shares.c.account == account
                )
            ).all()
            for number, item, grant, state, receipt in have:
                one = shares.update().where(shares.c.id == number)
                if grant in wanted.get(item, ()):
                    wanted[item].discard(grant)
                    if state not in _NOT_MADE and grant in too_much.get(item, ()):
                        db.execute(one.values(state=GONE, **_TOLD))
                    elif state == GONE:
                        db.execute(one.values(state=(State.WRITTEN if receipt else State.INTENDED).value, **_UNTOLD))
                elif state not in _NOT_MADE:
                    db.execute(one.values(state=GONE, **_UNTOLD))
                else:
                    db.execute(shares.delete().where(shares.c.id == number))
            new = [
                {"account": account, "item": item, "grant": grant, "state": State.LISTED.value}
                for item, grants in wanted.items()
                for grant in sorted(grants)
            ]
            if new:
                db.execute(shares.insert(), new)
            self._withhold(db, account, too_much)

    @staticmethod
    def _too_much(
        db: sa.Connection, account: int, wanted: Mapping[str, Iterable[str]], moving: Mapping[str, int] = _NOTHING
    ) -> dict[str, set[str]]:
        """Those wanted shares of folders that would show something which is closed to whom they are for.

        `moving` tells, by key, in which place something will stand in a moment.
        """
        above = {
            row.key: row.folder
            for row in db.execute(
                sa.select(items.c.key, places.c.folder)
                .join(places, items.c.place == places.c.id)
                .where(items.c.account == account, items.c.facts.like('%"folder":true%'))
            )
        }
        to_come = {
            row.id: row.folder
            for row in db.execute(sa.select(places.c.id, places.c.folder).where(places.c.id.in_(set(moving.values()))))
        }
        above |= {key: to_come[number] for key, number in moving.items() if key in above}
        closed = (
            sa.select(items.c.key, _FACTS, places.c.folder)
            .join(places, items.c.place == places.c.id)
            .where(
                items.c.account == account, items.c.state != State.SKIPPED, items.c.gone.is_not(True),
                _FACTS.like(_CLOSED),
            )
        )  # fmt: skip
        out: dict[str, set[str]] = {}
        for key, facts, inside in db.execute(closed).all():
            may_see = {(to, name) for to, name, *_ in json.loads(facts).get("grants", ())}
            folder, seen = to_come[moving[key]] if key in moving else inside, set[str]()
            while folder and folder not in seen:
                seen.add(folder)
                for grant in wanted.get(folder, ()):
                    to, name, *_ = json.loads(grant)
                    if (to, name) not in may_see:
                        out.setdefault(folder, set()).add(grant)
                folder = above.get(folder, "")
        return out

    def close_first(self, account: int, moving: Mapping[str, int] = _NOTHING) -> None:
        """Note which shares are to be taken away before what was just listed is put into the folders they are of.

        `moving` tells, by key, to which place something will be moved that stands at the destination.
        """
        with self._transaction("close first") as db:
            there: dict[str, dict[str, int]] = {}
            query = sa.select(shares.c.id, shares.c.item, shares.c.grant)
            for number, item, grant in db.execute(
                query.where(shares.c.account == account, shares.c.state.in_((State.WRITTEN, State.INTENDED)))
            ):
                there.setdefault(item, {})[grant] = number
            too_much = self._too_much(db, account, there, moving) if there else {}
            for item, grants in too_much.items():
                for grant in grants:
                    one = shares.update().where(shares.c.id == there[item][grant])
                    db.execute(one.values(state=GONE, **_TOLD))

    @staticmethod
    def _withhold(db: sa.Connection, account: int, too_much: Mapping[str, set[str]]) -> None:
        """Let those shares wait that would show too much, and those go on that would no more."""
        rows = db.execute(
            sa.select(shares.c.id, shares.c.item, shares.c.grant, shares.c.code).where(
                shares.c.account == account, shares.c.state.in_(_NOT_MADE)
            )
        ).all()
        for number, item, grant, code in rows:
            one = shares.update().where(shares.c.id == number)
            if grant in too_much.get(item, ()):
                db.execute(one.values(state=State.REFUSED.value, **_TOLD))
            elif code == SHOWS_MORE.code:
                db.execute(one.values(state=State.LISTED.value, **_UNTOLD))

    def again_by_policy(self, account: int) -> None:
        """Let what the route did not want, or the people table did not know, be looked at again."""
        with self._transaction("shares again") as db:
            code = sa.or_(shares.c.code.like("policy-%"), shares.c.code.in_(("group-unknown", "person-unknown")))
            db.execute(
                shares.update()
                .where(shares.c.account == account, shares.c.state.in_((State.SKIPPED, State.REFUSED)), code)
                .values(state=State.LISTED.value, code=None, why=None, todo=None)
            )

    @staticmethod
    def share_again(db: sa.Connection, code: str | None, account: int | None) -> int:
        """Within `retry`: let refused shares be made again, but for those that would show too much; how many."""
        query = shares.update().where(shares.c.state == State.REFUSED, shares.c.code != SHOWS_MORE.code)
        if code is not None:
            query = query.where(shares.c.code == code)
        if account is not None:
            query = query.where(shares.c.account == account)
        return int(db.execute(query.values(state=State.LISTED.value, **_UNTOLD)).rowcount)

    def to_share(self, account: int, after: int = 0, limit: int = PAGE) -> list[ToShare]:
        """The next permissions of which nothing has become yet, in the order they were listed."""
        return self._shares(shares.c.account == account, shares.c.state.in_(_TO_MAKE), shares.c.id > after, limit=limit)

    def half_made(self, account: int) -> list[ToShare]:
        """What was about to be shared when an attempt ended, and is to be no more: perhaps it is."""
        return self._shares(shares.c.account == account, shares.c.state == GONE, shares.c.receipt.is_(None))

    def _shares(self, *which: sa.ColumnElement[bool], limit: int | None = None) -> list[ToShare]:
        query = (
            sa.select(
                *ROW_COLUMNS, shares.c.id.label("number"), shares.c.grant, shares.c.to.label("kind_of"),
                shares.c.name.label("whom"), places.c.place.label("where"),
            )
            .select_from(shares)
            .join(items, shares.c.item == items.c.key)
            .join(places, items.c.place == places.c.id)
            .where(*which)
            .order_by(shares.c.id)
            .limit(limit)
        )  # fmt: skip
        out = []
        with self._reading() as db:
            for row in db.execute(query):
                grant = _grant(row.grant)
                share = None if row.kind_of is None else Share(row.kind_of, row.whom or "", grant)
                out.append(ToShare(row.number, grant, row_from(row), Place(row.where), share))
        return out

    def joined(self, account: int) -> set[tuple[Place, str]]:
        """Folders that hold more than this account's own, by place and receipt: somebody's, or another source's."""
        whose = sa.select(accounts.c.destination).where(accounts.c.id == account).scalar_subquery()
        together = sa.select(accounts.c.id).where(accounts.c.destination == whose)
        folders = (
            sa.select(places.c.place, items.c.receipt)
            .join(places, items.c.place == places.c.id)
            .where(items.c.account.in_(together), items.c.facts.like('%"folder":true%'), items.c.receipt.is_not(None))
        )
        # Two that make a folder side by side both find it empty.
        several = folders.group_by(places.c.place, items.c.receipt).having(sa.func.count() > 1)
        with self._reading() as db:
            found = db.execute(sa.union(folders.where(items.c.mark == JOINED), several))
            return {(Place(row.place), row.receipt) for row in found}

    def count_shares(self, account: int) -> int:
        """How many permissions there are of which nothing has become yet."""
        with self._reading() as db:
            query = sa.select(sa.func.count()).where(shares.c.account == account, shares.c.state.in_(_TO_MAKE))
            return int(db.scalar(query) or 0)

    def sharing(self, number: int, share: Share) -> None:
        """Record what is about to be shared."""
        with self._transaction("sharing") as db:
            values = {"state": State.INTENDED.value, "to": share.to, "name": share.name, "receipt": None}
            db.execute(shares.update().where(shares.c.id == number).values(**values))

    def shared(self, number: int, to: str, name: str, receipt: str) -> None:
        """Record a share that stands at the destination."""
        with self._transaction("shared") as db:
            values = {"state": State.WRITTEN.value, "to": to, "name": name, "receipt": receipt}
            db.execute(shares.update().where(shares.c.id == number).values(**values, code=None, why=None, todo=None))

    def not_shared(self, refused: Sequence[tuple[int, ItemError, bool]]) -> None:
        """Record why there is no share: (number, reason, whether it is a refusal and not left out on purpose)."""
        with self._transaction("not shared") as db:
            for number, reason, refusal in refused:
                state = State.REFUSED if refusal else State.SKIPPED
                values = {"code": reason.code, "why": reason.why, "todo": reason.todo}
                db.execute(shares.update().where(shares.c.id == number).values(state=state.value, **values))

    def made_shares(self, account: int, state: str) -> list[tuple[int, str]]:
        """(number, the destination's id) of shares that we made and that are in this state."""
        with self._reading() as db:
            query = sa.select(shares.c.id, shares.c.receipt).where(
                shares.c.account == account, shares.c.state == state, shares.c.receipt.is_not(None)
            )
            return [(row.id, row.receipt) for row in db.execute(query)]

    def unshared(self, numbers: Iterable[int]) -> None:
        """Forget shares that were taken away again; of those that showed too much it stays known why.

        What had the same share at the destination, for two of the source who are one person there, is to be made anew.
        """
        with self._transaction("unshared") as db:
            for number in numbers:
                one = shares.c.id == number
                receipt, account = db.execute(sa.select(shares.c.receipt, shares.c.account).where(one)).one()
                same = shares.c.account == account, shares.c.receipt == receipt, shares.c.state == State.WRITTEN
                again = shares.update().where(*same, shares.c.id != number)
                db.execute(again.values(state=State.LISTED.value, receipt=None))
                db.execute(shares.delete().where(one, shares.c.code.is_(None)))
                db.execute(shares.update().where(one).values(state=State.REFUSED.value, receipt=None))
