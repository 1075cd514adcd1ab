"""A journal as a provider's outage of hours leaves it, and how a router and a janitor fare with it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.ledger_case import NEW, OLD, PIN, LedgerCase
from tests.support.memory_world import LIVE_SCHEMA
from vecferry.adapters.memory.embedder import MemoryEmbedders
from vecferry.adapters.memory.store import MemoryStore
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.objects import STAMPS, UNNAMED, StoredObject
from vecferry.domain.timing import Timings
from vecferry.protocol.janitor import Janitor
from vecferry.protocol.watch import WINDOW

_FILL = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x < {rows} - 1) "
    "INSERT INTO journal (migration_id, tenant, key, owner, token, kind, opened_at) "
    "SELECT 'm1', '', printf('00000000-0000-4000-8000-%012x', x * 7919 % {keys}), 'dead', 't' || x, 'write', "
    "'2025-01-01 00:00:00.000000' FROM n",
    "postgresql": "INSERT INTO journal (migration_id, tenant, key, owner, token, kind, opened_at) "
    "SELECT 'm1', '', '00000000-0000-4000-8000-' || lpad(to_hex(mod(x * 7919, {keys})), 12, '0'), 'dead', 't' || x, 'write', "
    "now() - interval '3 hours' FROM generate_series(0::bigint, {rows} - 1) x",
}


def fill(case: LedgerCase, rows: int, keys: int) -> None:
    """``rows`` rows of a crashed owner, hours old, over ``keys`` keys, in no order."""
    case.sql(_FILL[case.kind].format(rows=rows, keys=keys))


def key_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def times_ms(call: Callable[[], object], *, calls: int = 20) -> list[float]:
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def store_of(keys: int, *, words: str = "text") -> MemoryStore:
    """Live and shadow, with ``keys`` objects in live."""
    store = MemoryStore()
    properties = [{"name": name, "dataType": ["text"]} for name in ("title", *STAMPS)]
    for collection in ("Docs_v1", "Docs_v2"):
        store.create(LIVE_SCHEMA | {"class": collection, "properties": properties})
    for number in range(keys):
        obj = StoredObject(key_of(number), {"title": f"{words} {number}"}, {UNNAMED: (1.0,) * OLD.dimensions})
        store.put("Docs_v1", obj, timeout_s=1)
    return store


def embedders() -> MemoryEmbedders:
    return MemoryEmbedders(*(ModelCard(space.provider, space.model, "openai", space.dimensions) for space in (OLD, NEW)))


def janitor(case: LedgerCase, store: MemoryStore, owner: str = "janitor") -> Janitor:
    parts = {"ledger": case.ledger, "store": store, "embedders": embedders(), "clock": case.clock}
    return Janitor(PIN.name, timings=Timings(), owner=owner, **parts)  # type: ignore[arg-type]


@dataclass(frozen=True)
class CaughtUp:
    """What it took: rounds, rows closed, seconds, the most rows remembered, and memory at the start and at its height."""

    rounds: int = 0
    closed: int = 0
    seconds: float = 0.0
    most_remembered: int = 0
    rss_mb: tuple[float, float] = (0.0, 0.0)


def catch_up(case: LedgerCase, cleaner: Janitor, *, most: int = 10**9) -> CaughtUp:
    """Rounds until the journal is empty, or ``most`` rows are closed; the clock moves on by what a janitor waits."""
    started, first = time.monotonic(), rss_mb()
    done = CaughtUp(rss_mb=(first, first))
    while done.closed < most and case.ledger.snapshot(PIN.name).journal_rows:
        round_ = cleaner.run_once()
        assert not round_.failed, round_.failed
        done = replace(
            done,
            rounds=done.rounds + 1,
            closed=done.closed + round_.closed,
            most_remembered=max(done.most_remembered, len(cleaner._seen)),
            rss_mb=(first, max(done.rss_mb[1], rss_mb())),
        )
        case.clock.advance(1.0 if round_.closed else Timings().takeover_s / 2)
    assert done.most_remembered <= WINDOW + 500
    return replace(done, seconds=time.monotonic() - started)


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def median_ms(taken: list[float]) -> str:
    return f"{statistics.median(taken):.1f} ms (p50), {max(taken):.1f} ms (longest of {len(taken)})"
