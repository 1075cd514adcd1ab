"""What a ledger's database holds and takes: rows by table, bytes on disk, and what PostgreSQL has not cleaned up yet."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from sqlalchemy import Engine, func, select

from vecferry.adapters.ledger.tables import metadata


class LedgerSize:
    """Looks from outside, by a connection of its own. ``url`` as the ledger's."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")

    @property
    def is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    def rows(self) -> dict[str, int]:
        """By table, the empty ones left out."""
        with self._engine.connect() as connection:
            tables = metadata.tables.items()
            counted = {name: int(connection.scalar(select(func.count()).select_from(table)) or 0) for name, table in tables}
        return {name: rows for name, rows in counted.items() if rows}

    def bytes(self) -> int:
        """On disk, with SQLite's write-ahead log."""
        if self.is_sqlite:
            files = (Path(f"{self._engine.url.database}{end}") for end in ("", "-wal"))
            return sum(file.stat().st_size for file in files if file.exists())
        return self._number("SELECT pg_database_size(current_database())")

    def table_bytes(self, table: str) -> int:
        """With its indexes; PostgreSQL only."""
        return self._number(f"SELECT pg_total_relation_size('{table}')")

    def vacuum(self) -> None:
        """As the database's own cleaning does it in its time."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)" if self.is_sqlite else "VACUUM")

    def close(self) -> None:
        self._engine.dispose()

    def _number(self, statement: str) -> int:
        with self._engine.connect() as connection:
            return int(connection.exec_driver_sql(statement).scalar_one())
