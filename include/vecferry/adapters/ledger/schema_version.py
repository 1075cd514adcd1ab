"""Which revision a database is at, and what follows from it: made when empty, refused when older, or when it is newer and
says that it no longer works with this code (expand first, contract a release later)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, select, text

from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.database_url import parsed
from vecferry.adapters.ledger.engine import make_engine
from vecferry.adapters.ledger.tables import metadata, works_with
from vecferry.adapters.system_clock import SystemClock
from vecferry.errors import BadInput
from vecferry.ports import Clock

if TYPE_CHECKING:
    from alembic.config import Config

    from vecferry.adapters.ledger.sql_ledger import SqlLedger


@dataclass(frozen=True)
class Revisions:
    """Alembic's folder and its newest revision: the one that the code works with."""

    folder: Path
    head: str


SHIPPED = Revisions(Path(__file__).parent / "migrations", head="0006")
"""A test holds ``head`` equal to what Alembic finds in the folder, which costs 0.1 s to ask."""

VERSION_TABLE = "vecferry_ledger_version"
"""Not Alembic's default name: Airflow's own database has that one."""

_ONE_UPGRADE = threading.Lock()
"""Alembic keeps the upgrade that runs in a variable of its module: two threads, though of two ledgers, would share it."""

_LOCK = 0x7665636665727279  # "vecferry", for pg_advisory_xact_lock


def open_ledger(url: str, *, clock: Clock | None = None, revisions: Revisions = SHIPPED) -> SqlLedger:
    """The ledger at ``url``. An empty database gets the tables; an older one raises ``BadInput``, and a newer one that does not
    name this code's revision among those that it works with."""
    from vecferry.adapters.ledger.sql_ledger import SqlLedger

    database = Database(make_engine(parsed(url), clock or SystemClock()))
    try:
        current = database.read(_revision)
        if current is None:
            database.write(lambda connection: _make(connection, database.where, revisions))
        elif current != revisions.head and not database.read(lambda connection: _is_additive(connection, revisions)):
            raise _refusal(current, database.where, revisions)
    except BaseException:
        database.close()
        raise
    return SqlLedger(database)


def upgrade(url: str, *, revisions: Revisions = SHIPPED) -> tuple[str | None, str]:
    """Brings the database at ``url`` to this package's revision; returns (before, after). A newer one stays as it is, and
    raises ``BadInput`` unless it works with this package. What has the ledger open goes on meanwhile."""
    database = Database(make_engine(parsed(url), SystemClock()))
    try:
        return database.write(lambda connection: _upgrade(connection, database.where, revisions))
    finally:
        database.close()


def _upgrade(connection: Connection, where: str, revisions: Revisions) -> tuple[str | None, str]:
    _one_at_a_time(connection)
    before = _revision(connection)
    if before is None:
        _refuse_foreign_tables(connection, where)
    elif before not in _known(revisions):
        if _is_additive(connection, revisions):
            return before, before
        raise _refusal(before, where, revisions)
    _run(connection, revisions)
    return before, revisions.head


def _make(connection: Connection, where: str, revisions: Revisions) -> None:
    """Two processes may find the same database empty: the second one finds it made."""
    _one_at_a_time(connection)
    if _revision(connection) is None:
        _refuse_foreign_tables(connection, where)
        _run(connection, revisions)


def _one_at_a_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _revision(connection: Connection) -> str | None:
    """``None`` for a database without a ledger."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _is_additive(connection: Connection, revisions: Revisions) -> bool:
    """Whether the ledger, of whatever revision, says that it works with this code. An older one does not know this code."""
    if not inspect(connection).has_table(works_with.name):
        return False
    return connection.execute(select(works_with.c.revision).where(works_with.c.revision == revisions.head)).scalar() is not None


def _refuse_foreign_tables(connection: Connection, where: str) -> None:
    taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if taken:
        raise BadInput(
            f"there are tables of these names already, and they are not a ledger's: {', '.join(taken)}",
            where=where,
            next_action="Give the ledger a database, or a schema, of its own.",
        )


def _refusal(current: str, where: str, revisions: Revisions) -> BadInput:
    if current in _known(revisions):
        return BadInput(
            f"the ledger is at revision {current}, this vecferry works with {revisions.head}",
            where=where,
            next_action="Run `vecferry ledger upgrade`; what runs the release before goes on, in mid-migration too.",
        )
    return BadInput(
        f"the ledger is at revision {current}, which is newer than {revisions.head}, the one that this vecferry works with",
        where=where,
        next_action="Upgrade vecferry here; the ledger was left as it is.",
    )


def _known(revisions: Revisions) -> frozenset[str]:
    from alembic.script import ScriptDirectory

    return frozenset(script.revision for script in ScriptDirectory.from_config(_config(revisions)).walk_revisions())


def _run(connection: Connection, revisions: Revisions) -> None:
    from alembic import command

    config = _config(revisions)
    config.attributes["connection"] = connection
    with _ONE_UPGRADE:
        command.upgrade(config, "head")


def _config(revisions: Revisions) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(revisions.folder).replace("%", "%%"))
    return config
