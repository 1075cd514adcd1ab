"""Engines that do not lose a commit: SQLite in WAL with full syncs, PostgreSQL with synchronous commit."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from vecferry.adapters.ledger import codec
from vecferry.adapters.ledger.column_types import SQLITE_FORMAT
from vecferry.adapters.ledger.database_url import WHERE, made_folder
from vecferry.adapters.ledger.host_clock import HostClock
from vecferry.errors import BadInput
from vecferry.ports import Clock

BUSY_TIMEOUT_S = 5.0
"""How long a statement waits for another's lock before it fails as ``Retryable``."""

BEGIN = "vecferry_begin"
"""Execution option: how a SQLite transaction begins."""

_POSTGRES_SETTINGS = {
    "synchronous_commit": "on",  # an acknowledged row survives a crash of the server
    "lock_timeout": f"{int(BUSY_TIMEOUT_S * 1000)}ms",
    "statement_timeout": "30s",
    # A process stopped in the middle of a transaction would hold the routing row, and with it every freeze.
    "idle_in_transaction_session_timeout": "15s",
}
_POSTGRES_CONNECT = {"connect_timeout": 5, "tcp_user_timeout": 15_000, "application_name": "vecferry"}


def make_engine(url: URL, clock: Clock) -> Engine:
    """No I/O but the making of a SQLite file's folder; parameters never appear in errors or logs."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, clock)
    return _postgresql(url)


def _postgresql(url: URL) -> Engine:
    wanted = {key: value for key, value in _POSTGRES_CONNECT.items() if key not in url.query}
    engine = create_engine(
        url,
        module=_psycopg(),
        connect_args=wanted,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        pool_timeout=BUSY_TIMEOUT_S,
        hide_parameters=True,
        json_serializer=codec.dumps,
    )
    event.listen(engine, "connect", _set_postgres)
    return engine


def _psycopg() -> ModuleType:
    """An extra, since a ledger in SQLite needs none of it."""
    try:
        import psycopg
    except ImportError as error:
        raise BadInput(
            "PostgreSQL's driver, psycopg, cannot be imported",
            where=WHERE,
            next_action="pip install 'vecferry[postgres]', beside the extras that are there.",
        ) from error
    return psycopg


def _set_postgres(connection: Any, _record: Any) -> None:
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _POSTGRES_SETTINGS.items())
    connection.execute(f"SELECT {calls}")
    connection.commit()


def _sqlite(url: URL, clock: Clock) -> Engine:
    made_folder(url)
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False} | ({} if "timeout" in url.query else {"timeout": BUSY_TIMEOUT_S}),
        pool_size=5,
        max_overflow=15,
        pool_timeout=BUSY_TIMEOUT_S,
        hide_parameters=True,
        json_serializer=codec.dumps,
    )
    host_clock = HostClock(clock)
    event.listen(engine, "connect", lambda connection, _record: _set_sqlite(connection, host_clock))
    event.listen(engine, "checkout", lambda connection, _record, _proxy: host_clock.anchor(connection))
    event.listen(engine, "begin", _begin)
    return engine


def _set_sqlite(connection: sqlite3.Connection, clock: HostClock) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is deferred: two writers would fail in the middle
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("clock_timestamp", 0, lambda: _stored(clock.now()))
    connection.create_function("clock_timestamp", 1, lambda seconds: _stored(clock.now() + timedelta(seconds=seconds)))


def _stored(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(SQLITE_FORMAT)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(BEGIN, 'DEFERRED')}")
