"""``python -m tests.faults.long.million_rows [--rows N] [--work-off N]``: a journal as an outage of hours leaves it.

Prints, for SQLite and PostgreSQL: what a router's poll, a janitor's page and a write's rows cost with so many rows beside an
empty journal; and what the janitor needs to work off some of them (memory included). Minutes; the suite does
it with 50,000.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.support.ledger_case import LedgerCase
from tests.support.long_journal import catch_up, fill, janitor, median_ms, rss_mb, store_of, times_ms
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Phase
from vecferry.sandbox.postgres_server import PostgresServer

KEYS = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--work-off", type=int, default=100_000, help="rows that the janitor closes before it is stopped")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _measure(LedgerCase("sqlite", f"sqlite:///{Path(folder) / 'ledger.db'}"), asked.rows, asked.work_off)
    with PostgresServer() as server:
        _measure(LedgerCase("postgresql", server.fresh_database()), asked.rows, asked.work_off)


def _measure(case: LedgerCase, rows: int, work_off: int) -> None:
    case.at(Phase.SERVING)
    print(f"\n{case.kind}: empty journal, then {rows:,} rows", flush=True)
    _print_times(case, "empty", middle=0)
    fill(case, rows, KEYS)
    (first,) = case.sql("SELECT min(id) FROM journal")[0]
    _print_times(case, f"{rows:,} rows", middle=first + rows // 2)
    snapshot = case.ledger.snapshot("Docs")
    print(
        f"  a poll says {snapshot.journal_rows:,} rows (counted no further), the oldest {snapshot.oldest_row_age_s:,.0f} s old"
    )
    before = rss_mb()
    cleaner = janitor(case, store_of(KEYS))
    done = catch_up(case, cleaner, most=work_off)
    print(
        f"  the janitor closed {done.closed:,} rows in {done.seconds:.0f} s ({done.closed / done.seconds:,.0f} a second) in "
        f"{done.rounds} rounds; it remembered {done.most_remembered:,} rows at most; memory {before:.0f} MB before, "
        f"{done.rss_mb[1]:.0f} MB at its height",
        flush=True,
    )
    case.close()


def _print_times(case: LedgerCase, label: str, *, middle: int) -> None:
    ledger = case.ledger
    calls = {
        "a router's poll": lambda: ledger.snapshot("Docs"),
        "a janitor's page": lambda: ledger.rows("m1", limit=500, after_id=middle),
        "a write's row, opened and closed": lambda: ledger.close_rows(
            ledger.open_rows("m1", ["ffffffff"], tenant=None, owner="w", kind=RowKind.WRITE)
        ),
    }
    for name, call in calls.items():
        print(f"  {label:>14}: {name}: {median_ms(times_ms(call))}", flush=True)


if __name__ == "__main__":
    main()
