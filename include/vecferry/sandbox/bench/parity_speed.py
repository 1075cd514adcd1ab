"""How fast two collections that agree are compared: what ``vecferry verify`` does for each object."""

from __future__ import annotations

import time
from collections.abc import Iterator

from vecferry.sandbox.bench.backfill_world import PATIENT
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.mixed_vectors import MixedEmbedders
from vecferry.sandbox.bench.world import Migrating, Servers
from vecferry.steps import verify_parity

DIMENSIONS = 384
_OBJECTS = 20_000


def measure(servers: Servers, objects: int = _OBJECTS) -> Iterator[Figure]:
    with servers.migration(objects, timings=PATIENT, embedders=MixedEmbedders(DIMENSIONS)) as world:
        world.dual_writing()
        hashes_s, whole_s = _seconds(world, vectors=False), _seconds(world, vectors=True)
    said = f"{objects:,} objects of {DIMENSIONS} d on each side in"
    yield Figure("parity, hashes only", objects / hashes_s, None, "objects/s", f"{said} {hashes_s:.1f} s", least=10_000)
    yield Figure("parity, with vectors and index", objects / whole_s, None, "objects/s", f"{said} {whole_s:.1f} s", least=3_000)


def _seconds(world: Migrating, *, vectors: bool) -> float:
    """Without the sample that is embedded again, which takes as long as its provider does."""
    started = time.perf_counter()
    seen = verify_parity.compare(world.ports, world.migration, repair=False, sample=0, vectors=vectors)
    seconds = time.perf_counter() - started
    assert (seen.objects_live, seen.objects_shadow, seen.differences) == (world.objects, world.objects, 0), seen.as_dict()
    return seconds
