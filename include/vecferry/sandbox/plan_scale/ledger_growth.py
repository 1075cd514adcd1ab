"""Pages of a backfill through the product's own code, and what they leave in the ledger."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from vecferry.adapters.ledger import spending
from vecferry.domain.chunks import Chunk
from vecferry.ports import Purpose
from vecferry.sandbox.plan_scale.ledger_size import LedgerSize
from vecferry.sandbox.plan_scale.world import SimulatedWorld
from vecferry.steps import backfill

_LOOK_EVERY = 5
_MOST_BEFOREHAND = 1_500
_NOISE = 0.02
"""A table that goes up and down is not seen at its highest each time."""
_BYTES_A_ROW = 250
"""More than a row of any table that an object, a page or a request could leave one in takes, with its indexes."""


@dataclass(frozen=True)
class Growth:
    """After ``pages`` of 250 objects. ``rows``: the most that there were, by table; ``more``: by how many that rose between the
    first half of the pages and the second, which is what stays for ever. ``journal_bytes`` (PostgreSQL only): before and after
    cleaning, with everything that closed rows left.

    Beforehand so many requests were settled as it takes until they are summed up: what fills up only to that is no growth.
    """

    database: str
    pages: int
    seconds: float
    requests: int
    rows: dict[str, int]
    more: dict[str, int]
    bytes: int
    journal_bytes: tuple[int, int] | None

    def rows_at(self, objects: int) -> int:
        return sum(self.rows.values()) + round(sum(self.more.values()) * self._halves(objects))

    def bytes_at(self, objects: int) -> int:
        return self.bytes + round(sum(self.more.values()) * _BYTES_A_ROW * self._halves(objects))

    def _halves(self, objects: int) -> float:
        return max(0.0, objects / (self.pages / 2 * backfill.PAGE) - 2)


class _Enough(Exception):
    pass


class _Watching:
    """The most rows there were by table, in each half of the pages."""

    def __init__(self, size: LedgerSize, pages: int) -> None:
        self._size = size
        self._pages = pages
        self.done = 0
        self.most: tuple[Counter[str], Counter[str]] = (Counter(), Counter())

    def look(self, half: int) -> None:
        most = self.most[half]
        most |= Counter(self._size.rows())

    def page(self, _: Chunk) -> None:
        self.done += 1
        if self.done % _LOOK_EVERY == 0:
            self.look(self.done > self._pages // 2)
        if self.done >= self._pages:
            raise _Enough


def grown(world: SimulatedWorld, url: str, *, pages: int) -> Growth:
    """Copies ``pages`` of the first chunks; raises what the backfill raises."""
    size = LedgerSize(url)
    watching = _Watching(size, pages)
    _settle_some(world, watching)
    requests, began = world.requests, time.perf_counter()
    with suppress(_Enough):
        backfill.run_all(world.ports, world.migration_id, watching.page)
    seconds, requests = time.perf_counter() - began, world.requests - requests
    journal = None if size.is_sqlite else size.table_bytes("journal")
    size.vacuum()
    first, second = watching.most
    more = {name: rows - first[name] for name, rows in second.items() if rows - first[name] > _NOISE * first[name]}
    more |= {"journal": size.rows().get("journal", 0)}  # it has the rows of what is in flight, and none afterwards
    more = {name: rows for name, rows in more.items() if rows}
    cleaned = None if journal is None else (journal, size.table_bytes("journal"))
    return Growth(_name(size), watching.done, seconds, requests, dict(first | second), more, size.bytes(), cleaned)


def _settle_some(world: SimulatedWorld, watching: _Watching) -> None:
    """As many as one sum holds, seen at their most."""
    ledger, migration = world.ports.ledger, world.ports.ledger.migration(world.migration_id)
    for number in range(min(spending.FOLD_EVERY, _MOST_BEFOREHAND)):
        reservation = ledger.reserve(
            pin=migration.pin,
            migration_id=migration.id,
            purpose=Purpose.WRITE,
            tokens=1,
            cost_usd=0.0,
            budget_usd=None,
        )
        ledger.settle(reservation, tokens=1, cost_usd=0.0)
        if number % _LOOK_EVERY == 0:
            watching.look(0)


def _name(size: LedgerSize) -> str:
    return "SQLite" if size.is_sqlite else "PostgreSQL"
