"""Whoever has a client of the database, and no vecferry: one statement, undone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


@contextmanager
def undone(url: str) -> Iterator[Connection]:
    """A transaction that ends in a rollback, with foreign keys held on SQLite too."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.isolation_level = None  # else the driver commits before a DROP
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        finally:
            connection.exec_driver_sql("ROLLBACK")


def refusal(connection: Connection, statement: str) -> str | None:
    """The database's words, or ``None`` where the statement went through and changed something."""
    connection.exec_driver_sql("SAVEPOINT attempt")
    try:
        changed = connection.exec_driver_sql(statement).rowcount
    except DBAPIError as error:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT attempt")
        return str(error.orig)
    assert changed, f"changes nothing, so that it shows nothing: {statement}"
    return None


def triggers(connection: Connection) -> dict[str, str]:
    """Name → table, of all triggers that somebody made."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
    else:
        rows = connection.exec_driver_sql("SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
    return {str(name): str(table) for name, table in rows}


def drop_trigger(connection: Connection, name: str) -> None:
    on = "" if connection.dialect.name == "sqlite" else f" ON {triggers(connection)[name]}"
    connection.exec_driver_sql(f"DROP TRIGGER {name}{on}")
