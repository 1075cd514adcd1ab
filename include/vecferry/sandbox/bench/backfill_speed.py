"""Backfill beside what anybody would write: a bare ``insert_many`` loop, and iterator → embed → batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from vecferry.sandbox.bench.backfill_world import BeforeBackfill
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.world import Servers

_OBJECTS = 10_000
"""Four chunks, one for each of four workers."""
_LATENCY_S = 0.05


def measure(servers: Servers) -> Iterator[Figure]:
    """Objects per second, ours ÷ theirs, in one run one after the other, with as many processes."""
    numbers = itertools.count(1)
    for dimensions, workers in itertools.product((384, 1536), (1, 4)):
        with BeforeBackfill(servers, f"Speed{next(numbers)}", _OBJECTS, dimensions) as world:
            bare, ours = world.bare_loop(workers), world.backfill(workers)
        said = f"{ours.per_s:,.0f} objects/s beside {bare.per_s:,.0f} by insert_many"
        yield Figure(f"backfill, {dimensions} d, {_at_once(workers)}", ours.per_s / bare.per_s, None, "×", said, least=0.8)
    with BeforeBackfill(servers, f"Speed{next(numbers)}", _OBJECTS, 384, latency_s=_LATENCY_S) as world:
        script, bare, ours = world.plain_script(), world.bare_loop(1), world.backfill(1)
    least = min(3.0, 0.8 * bare.per_s / script.per_s)
    said = f"{ours.per_s:,.0f} objects/s beside {script.per_s:,.0f} by a script, {bare.per_s:,.0f} by insert_many alone"
    yield Figure("backfill, a provider's 50 ms", ours.per_s / script.per_s, None, "×", said, least=least)


def _at_once(workers: int) -> str:
    return "one worker" if workers == 1 else f"{workers} workers"
