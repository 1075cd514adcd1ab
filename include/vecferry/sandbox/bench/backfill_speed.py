"""Backfill beside what anybody would write: a bare ``insert_many`` loop, and iterator → embed → batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from vecferry.sandbox.bench.backfill_world import BeforeBackfill
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.world import Servers

_OBJECTS = {384: 10_000, 1536: 10_000}
"""Four chunks, one for each of four workers."""
_LATENCY_S = 0.05


def measure(servers: Servers) -> Iterator[Figure]:
    """In times, not in speeds, as a figure's limit is its upper one: at most 1.25 times as long is 0.8 of the speed."""
    numbers = itertools.count(1)
    for dimensions, workers in itertools.product(_OBJECTS, (1, 4)):
        with BeforeBackfill(servers, f"Speed{next(numbers)}", _OBJECTS[dimensions], dimensions) as world:
            bare, ours = world.bare_loop(workers), world.backfill(workers)
            said = f"{ours.per_s:.0f} objects/s beside {bare.per_s:.0f} by insert_many"
        yield Figure(f"backfill, {dimensions} d, {workers} at once", bare.per_s / ours.per_s, 1.25, "times", said)
    with BeforeBackfill(servers, f"Speed{next(numbers)}", _OBJECTS[384], 384, latency_s=_LATENCY_S) as world:
        script, bare, ours = world.plain_script(), world.bare_loop(1), world.backfill(1)
    limit = max(1 / 3, script.per_s / (0.8 * bare.per_s))
    said = f"{ours.per_s:.0f} objects/s beside {script.per_s:.0f} by a script, {bare.per_s:.0f} by insert_many alone"
    yield Figure("backfill, a provider's 50 ms", script.per_s / ours.per_s, limit, "times", said)
