"""The ledger's tables, and how its database is opened safely."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

SCHEMA = 2

metadata = sa.MetaData()
_Text, _Int, _Float, _Bool = sa.Text, sa.Integer, sa.Float, sa.Boolean
_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite numbers rows only in a column of type INTEGER

meta = sa.Table("meta", metadata, sa.Column("key", _Text, primary_key=True), sa.Column("value", _Text))

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("command", _Text, nullable=False),
    sa.Column("started", _Float, nullable=False),  # seconds since 1970
    sa.Column("ended", _Float),
    sa.Column("interrupted", _Bool),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("route", _Text, nullable=False),
    sa.Column("source", _Text, nullable=False),
    sa.Column("destination", _Text, nullable=False),
    sa.Column("code", _Text),  # why it is stopped
    sa.Column("why", _Text),
    sa.Column("todo", _Text),
    sa.Column("finished", _Float),  # when a run last found nothing left to do; NULL while one is under way
    sa.Column("survey", _Text),  # the source's own count, JSON
    sa.Column("differs", _Text),  # where a whole listing came short of that count, JSON
    sa.Column("only_there", _Int),  # things at the destination that liberate did not put there, as verify saw them
    sa.Column("accounted", _Text),  # how many items of each folder the ledger accounts for, JSON
    sa.Column("rooms", _Text),  # what became of each room's messages, JSON
    sa.Column("filters", _Text),  # what became of the account's rules, JSON; nothing of what they look for
    sa.Column("spent", _Text),  # how many of what costs its destination most, by the word for one of them, JSON
    sa.UniqueConstraint("route", "source"),
)

places = sa.Table(  # also the table of names: what a folder is called here and there
    "places",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account", _Id, nullable=False),
    sa.Column("path", _Text, nullable=False),  # at the source, JSON
    sa.Column("role", _Text, nullable=False),  # "" for none
    sa.Column("name", _Text, nullable=False),  # legal path, JSON
    sa.Column("place", _Text),  # the destination's word for it, once made
    sa.Column("folder", _Text, nullable=False, server_default=""),  # key of the item, or id of the room, that it is
    sa.Column("undated", _Bool, nullable=False, server_default=sa.false()),  # its time has to be set (again)
    sa.Column("closed", _Text),  # of a room: digest of what it was when its last things were done
    sa.UniqueConstraint("account", "path", "role", "folder"),
)

slices = sa.Table(
    "slices",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account", _Id, nullable=False),
    sa.Column("collection", _Text, nullable=False),
    sa.Column("path", _Text, nullable=False),
    sa.Column("kind", _Text, nullable=False),
    sa.Column("ordered", _Bool, nullable=False),
    sa.Column("role", _Text),
    sa.Column("expected", _Int),  # items, for progress only
    sa.Column("cursor", _Text),
    sa.Column("generation", _Int, nullable=False, server_default="0"),
    sa.Column("owner", _Text),
    sa.Column("epoch", _Int, nullable=False),
    sa.Column("lease_until", _Float),
    sa.UniqueConstraint("account", "collection"),
)

items = sa.Table(
    "items",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("key", _Text, nullable=False),
    sa.Column("account", _Id, nullable=False),
    sa.Column("slice", _Id, nullable=False),
    sa.Column("generation", _Int, nullable=False),
    sa.Column("kind", _Text, nullable=False),
    sa.Column("item", _Text, nullable=False),
    sa.Column("part", _Text, nullable=False),
    sa.Column("copy_of", _Text),
    sa.Column("version", _Text, nullable=False),
    sa.Column("facts", _Text),
    sa.Column("facts_version", _Text, nullable=False),
    sa.Column("pending_facts", _Text),
    sa.Column("pending_version", _Text),
    sa.Column("pending_label", _Text),  # its new name at the source, where it has one
    sa.Column("label", _Text, nullable=False),
    sa.Column("item_size", _Id),
    sa.Column("said", _Text),  # digests that the source gives, JSON
    sa.Column("modified", _Float),
    sa.Column("repeatable", _Bool, nullable=False),
    sa.Column("refs", _Text),
    sa.Column("state", _Text, nullable=False),
    sa.Column("place", _Id),
    sa.Column("name", _Text),
    sa.Column("folded", _Text),  # the name as naming.fold() gives it: no two of one place are equal
    sa.Column("mark", _Text),
    sa.Column("size", _Id),
    sa.Column("sha256", _Text),
    sa.Column("forms", _Text),
    sa.Column("receipt", _Text),
    sa.Column("receipt_size", _Id),
    sa.Column("receipt_version", _Text),
    sa.Column("receipt_sha256", _Text),  # of what the receipt names, while a newer version is to replace it
    sa.Column("receipt_place", _Id),  # where the receipt is, while that is not yet (or no longer) its place
    sa.Column("upload", _Text),  # a body that is sent in pieces: "<bytes a piece> <id>"
    sa.Column("noted", _Bool),  # its comments stand at the destination
    sa.Column("evidence", _Text),
    sa.Column("tier", _Text),
    sa.Column("attempts", _Int, nullable=False),
    sa.Column("gone", _Bool),
    sa.Column("code", _Text),
    sa.Column("why", _Text),
    sa.Column("todo", _Text),
    sa.Column("kept", _Text),
)

sa.Index("items_key", items.c.key, unique=True)
sa.Index("items_account", items.c.account, items.c.id)  # a report looks at one account of thousands at a time
# A query uses one of these indexes if it holds the same condition, word for word (sqlite.org/partialindex.html
# section 3): hence words, not parameters. Rows that are done are in none of them and cost a second run nothing.
TO_SEND = items.c.state.in_([sa.literal_column("'listed'"), sa.literal_column("'intended'")])
WAS_SKIPPED = items.c.state == sa.literal_column("'skipped'")
_OPEN = sa.or_(TO_SEND, items.c.pending_version.is_not(None))
sa.Index("items_open", items.c.slice, items.c.state, info={"where": _OPEN})
sa.Index("items_skipped", items.c.slice, info={"where": WAS_SKIPPED})
_NAMED = items.c.folded.is_not(None)
sa.Index("items_named", items.c.place, items.c.folded, info={"where": _NAMED})
_COPY = items.c.copy_of.is_not(None)
sa.Index("items_copies", items.c.copy_of, info={"where": _COPY})
UNDATED = places.c.undated == sa.true()
sa.Index("places_folder", places.c.folder, info={"where": places.c.folder != sa.literal_column("''")})

shares = sa.Table(  # who may see what, and what became of it
    "shares",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("account", _Id, nullable=False),
    sa.Column("item", _Text, nullable=False),  # key
    sa.Column("grant", _Text, nullable=False),  # a liberate.files.Grant, JSON
    sa.Column("state", _Text, nullable=False),  # listed, intended, written, refused, skipped, or gone: to be taken away
    sa.Column("to", _Text),  # what it is there: user, group, link, outsider
    sa.Column("name", _Text),  # and to whom
    sa.Column("receipt", _Text),  # the destination's id of the share
    sa.Column("code", _Text),
    sa.Column("why", _Text),
    sa.Column("todo", _Text),
    sa.UniqueConstraint("item", "grant"),
)
sa.Index("shares_account", shares.c.account, shares.c.state)


ADDED = (accounts.c.filters, accounts.c.spent)
"""Columns that a ledger of this format may lack, since an earlier version made it. They may be NULL."""


def tune(engine: sa.Engine) -> None:
    """Make SQLite write ahead and take the write lock when a transaction begins.

    WAL with synchronous=NORMAL survives the death of the process; a power cut may lose the last
    commits, which costs a question to the destination and nothing else.
    """
    for index in (*items.indexes, *places.indexes):
        if "where" in index.info:  # said for this database only: SQLAlchemy loads each dialect that is named
            index.dialect_options[engine.dialect.name]["where"] = index.info["where"]
    if engine.dialect.name != "sqlite":
        return

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would otherwise begin and commit on its own
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=60000", "cache_size=-4000",
        ):  # fmt: skip
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
