"""The ledgers that a fault world runs on, all of them on the world's own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy

from tests.support.postgres import PostgresServer
from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.ledger.tables import metadata
from vecferry.adapters.memory.clock import ManualClock
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.ports import Ledger

KINDS = ("memory", "sqlite", "postgresql")

_CLOCK = (
    "CREATE TABLE driven_clock (at timestamptz NOT NULL)",
    "INSERT INTO driven_clock VALUES (pg_catalog.clock_timestamp())",
    "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT at FROM driven_clock'",
)


class DrivenClock(ManualClock):
    """Says what time it is to whoever follows, each time that it moves."""

    def __init__(self) -> None:
        super().__init__()
        self._follower: Callable[[datetime], None] = lambda now: None

    def tell(self, follower: Callable[[datetime], None]) -> None:
        self._follower = follower
        follower(self.now())

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self._follower(self.now())


class LedgerKind:
    """Ledgers of one kind. ``open`` is one process's own view of the same ledger, as long as ``fresh`` made no new one."""

    kind = "memory"

    def fresh(self, clock: DrivenClock) -> None:
        """Forgets all that was."""
        self._ledger = MemoryLedger(clock)

    def open(self) -> Ledger:
        return self._ledger

    def drop_rule(self, table: str, trigger: str) -> None:
        """The database itself no longer holds it, until ``fresh``; the fake has nothing but its code."""

    def close(self) -> None:
        return None


class SqliteKind(LedgerKind):
    """A new file each time; its connections ask the process's clock, which is the world's."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = 0
        self._clock: DrivenClock | None = None
        self._template = folder / "empty.db"
        open_ledger(f"sqlite:///{self._template}").close()  # once: making the tables takes longer than a schedule

    def fresh(self, clock: DrivenClock) -> None:
        self._forget()
        self._clock = clock
        self._files += 1
        self._file.write_bytes(self._template.read_bytes())

    def open(self) -> Ledger:
        return open_ledger(f"sqlite:///{self._file}", clock=self._clock)

    def drop_rule(self, table: str, trigger: str) -> None:
        engine = sqlalchemy.create_engine(f"sqlite:///{self._file}", poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TRIGGER {trigger}")

    def close(self) -> None:
        self._forget()
        self._template.unlink()

    @property
    def _file(self) -> Path:
        return self._folder / f"ledger-{self._files}.db"

    def _forget(self) -> None:
        for left in self._folder.glob(f"{self._file.name}*"):
            left.unlink()


class PostgresKind(LedgerKind):
    """One database, emptied each time. Its clock is a row: ``clock_timestamp()`` is found in ``public`` first."""

    kind = "postgresql"

    def __init__(self, server: PostgresServer) -> None:
        self._url = server.fresh_database()
        self._without: list[tuple[str, str]] = []
        open_ledger(self._url).close()
        self._engine = sqlalchemy.create_engine(self._url, isolation_level="AUTOCOMMIT")
        with self._engine.connect() as connection:
            for statement in _CLOCK:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"ALTER DATABASE {self._engine.url.database} SET search_path TO public, pg_catalog")
        self._engine.dispose()

    def fresh(self, clock: DrivenClock) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("SET session_replication_role = replica")  # else the triggers keep the history
            for table in set(metadata.tables) - {"moves"}:
                connection.exec_driver_sql(f"DELETE FROM {table}")
            connection.exec_driver_sql("SET session_replication_role = origin")
            while self._without:
                connection.exec_driver_sql("ALTER TABLE {} ENABLE TRIGGER {}".format(*self._without.pop()))
        clock.tell(self._set)

    def open(self) -> Ledger:
        return open_ledger(self._url)

    def drop_rule(self, table: str, trigger: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        self._without.append((table, trigger))

    def close(self) -> None:
        self._engine.dispose()

    def _set(self, now: datetime) -> None:
        with self._engine.connect() as connection:
            connection.execute(sqlalchemy.text("UPDATE driven_clock SET at = :now"), {"now": now})


@contextmanager
def ledger_kind(name: str, request: pytest.FixtureRequest) -> Iterator[LedgerKind]:
    """PostgreSQL's server is started only when a test of this kind runs; without one installed that test says so."""
    made = _made(name, request)
    try:
        yield made
    finally:
        made.close()


def _made(name: str, request: pytest.FixtureRequest) -> LedgerKind:
    if name == "postgresql":
        return PostgresKind(request.getfixturevalue("postgres_server"))
    if name == "sqlite":
        return SqliteKind(request.getfixturevalue("tmp_path_factory").mktemp("fault-ledgers"))
    return LedgerKind()
