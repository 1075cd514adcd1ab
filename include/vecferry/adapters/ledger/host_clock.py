"""A SQLite ledger's clock: one for all processes of its host, and one that no jump of the wall clock moves.

When this boot of the host began is written down once, by the wall clock of that moment; from there it counts on the clock that
runs since boot. Without it: the host's time is set a day ahead, all leases look expired, and barriers pass over routers that
live. Where the host does not name its boots, it is the wall clock.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from vecferry.adapters.ledger.column_types import SQLITE_FORMAT
from vecferry.ports import Clock


class HostClock:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._boot = str(getattr(clock, "boot", ""))
        self._began_at: datetime | None = None

    def now(self) -> datetime:
        if self._began_at is None:
            return self._clock.now()
        return self._began_at + timedelta(seconds=self._clock.monotonic())

    def anchor(self, connection: sqlite3.Connection) -> None:
        """Once a process. A database without the table (empty, or of an older revision) is asked again with its next use."""
        if self._began_at is not None or not self._boot:
            return
        try:
            self._began_at = self._stored(connection) or self._write(connection)
        except sqlite3.Error:
            return

    def _stored(self, connection: sqlite3.Connection) -> datetime | None:
        row = connection.execute("SELECT began_at FROM host_clock WHERE boot = ?", (self._boot,)).fetchone()
        return datetime.strptime(row[0], SQLITE_FORMAT).replace(tzinfo=UTC) if row else None

    def _write(self, connection: sqlite3.Connection) -> datetime | None:
        """Two processes may be the first ones: one row wins, and both read it."""
        began_at = self._clock.now().astimezone(UTC) - timedelta(seconds=self._clock.monotonic())
        connection.execute("INSERT OR IGNORE INTO host_clock VALUES (?, ?)", (self._boot, began_at.strftime(SQLITE_FORMAT)))
        return self._stored(connection)
