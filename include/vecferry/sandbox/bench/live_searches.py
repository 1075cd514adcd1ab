"""The users' searches while a backfill runs as fast as it can, and steps aside at the p99 that was agreed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from vecferry.router import Router
from vecferry.sandbox.bench.backfill_world import PATIENT
from vecferry.sandbox.bench.copier import Copier, job_of
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.mixed_vectors import MixedEmbedders
from vecferry.sandbox.bench.quantiles import quantile, took_ms
from vecferry.sandbox.bench.world import Migrating, Servers
from vecferry.sandbox.traffic.pace import Pace
from vecferry.sandbox.wait_until import wait_until

DIMENSIONS = 384
_OBJECTS = 20_000
_MOST = 1.5
"""Times the p99 without a backfill: what is promised, and what is agreed with the backfill."""
_SEARCHES_PER_S, _LIMIT = 25, 10
_SETTLED_S, _ALONE_S, _BESIDE_S = 5.0, 40.0, 80.0
_BEGINS_WITHIN_S = 120.0


def measure(
    servers: Servers, objects: int = _OBJECTS, *, alone_s: float = _ALONE_S, beside_s: float = _BESIDE_S
) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.migration(objects, timings=PATIENT, embedders=MixedEmbedders(DIMENSIONS)) as world,
    ):
        router = world.router()
        _searched(router, _lasting(_SETTLED_S))
        alone = _searched(router, _lasting(alone_s))
        agreed_ms = _MOST * quantile(alone, 0.99)
        world.before_backfill(max_live_p99_ms=agreed_ms)
        with Copier(job_of(world, DIMENSIONS), Path(folder) / "copier.log") as copier:
            wait_until(lambda: _copied(world) > 0, awaited="the first page", deadline_s=_BEGINS_WITHIN_S)
            goes_on, before, began = _lasting(beside_s), _copied(world), time.monotonic()
            beside = _searched(router, lambda: copier.is_running() and goes_on())
            per_s = (_copied(world) - before) / (time.monotonic() - began)
            copier.kill()
    p99s = quantile(beside, 0.99), quantile(alone, 0.99)
    said = (
        f"{p99s[0]:.1f} ms in {len(beside)} searches beside {p99s[1]:.1f} ms in {len(alone)}; "
        f"{per_s:.0f} objects/s copied, agreed were {agreed_ms:.1f} ms"
    )
    yield Figure("live p99 during a backfill ÷ without", p99s[0] / p99s[1], _MOST, "×", said)


def _searched(router: Router, goes_on: Callable[[], bool]) -> list[float]:
    """Milliseconds of each search. What is late because an earlier one was slow follows at once."""
    pace = Pace(_SEARCHES_PER_S)
    times: list[float] = []
    while goes_on():
        pace.wait_turn()
        text = f"query {len(times)}"
        times.append(took_ms(partial(router.search, text, key=text, limit=_LIMIT)))
    return times


def _lasting(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _copied(world: Migrating) -> int:
    return sum(chunk.rows_out for chunk in world.ports.ledger.chunks(world.migration.id))
