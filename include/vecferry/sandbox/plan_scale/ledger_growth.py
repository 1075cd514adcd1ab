"""Pages of a backfill through the product's own code, and what they leave in the ledger."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from vecferry.domain.chunks import Chunk
from vecferry.sandbox.plan_scale.ledger_size import LedgerSize
from vecferry.sandbox.plan_scale.world import SimulatedWorld
from vecferry.steps import backfill

_LOOK_EVERY = 10
_BYTES_A_ROW = 250
"""More than a row of any table that an object, a page or a request could leave one in takes, with its indexes."""


@dataclass(frozen=True)
class Growth:
    """After ``pages`` of 250 objects. ``rows``: the most that there were, by table; ``more``: by how many that rose between the
    first half of the pages and the second, which is what stays for ever. ``journal_bytes`` (PostgreSQL only): before and after
    cleaning, with everything that closed rows left.
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

    def requests_at(self, objects: int) -> int:
        return round(self.requests * objects / (self.pages * backfill.PAGE))

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

    def page(self, _: Chunk) -> None:
        self.done += 1
        if self.done % _LOOK_EVERY == 0:
            half = self.most[self.done > self._pages // 2]
            half |= Counter(self._size.rows())
        if self.done >= self._pages:
            raise _Enough


def grown(world: SimulatedWorld, url: str, *, pages: int) -> Growth:
    """Copies ``pages`` of the first chunks; raises what the backfill raises."""
    size = LedgerSize(url)
    watching, requests, began = _Watching(size, pages), world.requests, time.perf_counter()
    with suppress(_Enough):
        backfill.run_all(world.ports, world.migration_id, watching.page)
    seconds, requests = time.perf_counter() - began, world.requests - requests
    journal = None if size.is_sqlite else size.table_bytes("journal")
    size.vacuum()
    first, second = watching.most
    more = {name: rows - first[name] for name, rows in second.items() if rows > first[name]}
    cleaned = None if journal is None else (journal, size.table_bytes("journal"))
    return Growth(_name(size), watching.done, seconds, requests, dict(first | second), more, size.bytes(), cleaned)


def _name(size: LedgerSize) -> str:
    return "SQLite" if size.is_sqlite else "PostgreSQL"
