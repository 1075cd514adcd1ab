"""Deciding a route, in the middle of a migration: the median over many keys."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from vecferry.adapters.system_clock import SystemClock
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode, Routing, Snapshot, bucket_of
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.domain.timing import Timings
from vecferry.router.searching import Searching
from vecferry.sandbox.bench.figure import Figure

_KEYS = [f"user-{number}" for number in range(20_000)]


def measure() -> Iterator[Figure]:
    membership: Any = SimpleNamespace(snapshot=_at_25_percent(), valid=True)
    nothing: Any = None
    searching = Searching(
        membership=membership,
        store=nothing,
        embedders=nothing,
        counts=nothing,
        clock=SystemClock(),
        timings=Timings(),
    )
    hashing = _median_us(lambda key: bucket_of("m", key))
    deciding = _median_us(lambda key: searching.route(key, None))
    yield Figure("deciding a route, p50", deciding, 20, "µs", f"{hashing:.1f} µs for hashing the key alone")


def _median_us(decide: Callable[[str], object]) -> float:
    took = []
    for key in _KEYS:
        started = time.perf_counter_ns()
        decide(key)
        took.append(time.perf_counter_ns() - started)
    return statistics.median(took) / 1000


def _at_25_percent() -> Snapshot:
    old = EmbeddingSpace("openai", "old", 384)
    recipe = TextRecipe(("body",))
    new = replace(old, model="new")
    migration = Migration("m", "Docs", Phase.SERVING, 1, ShadowSpec("Docs", "Docs_new", recipe, new), old, percent=25)
    return Snapshot(Pin("Docs", "Docs", old, recipe), Routing("Docs", 5, Mode.DUAL, 25, "Docs", "m"), migration)
