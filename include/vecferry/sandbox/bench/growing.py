"""Ten times the objects: a backfill keeps its speed, beside a bare ``insert_many`` loop, and its process its memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vecferry.sandbox.bench.backfill_world import PATIENT
from vecferry.sandbox.bench.copier import Copied, Copier, job_of
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.mixed_vectors import MixedEmbedders
from vecferry.sandbox.bench.world import Servers, Took

DIMENSIONS = 32
_USUAL = {10_000: 3, 100_000: 1}
_LARGE = {100_000: 1, 1_000_000: 1}
_SLOWEST_PER_S = 50
_STARTS_S = 120.0


@dataclass(frozen=True)
class Pair:
    bare: Took
    ours: Copied

    @property
    def ratio(self) -> float:
        return self.ours.per_s / self.bare.per_s

    @property
    def said(self) -> str:
        return f"{self.ours.per_s:,.0f} objects/s beside {self.bare.per_s:,.0f} by insert_many at {self.ours.objects:,}"


def measure(servers: Servers) -> Iterator[Figure]:
    return _measured(servers, _USUAL)


def measure_large(servers: Servers) -> Iterator[Figure]:
    return _measured(servers, _LARGE)


def figures_of(small: Pair, large: Pair) -> Iterator[Figure]:
    grew = f"{large.ours.objects:,} ÷ {small.ours.objects:,} objects"
    said = f"{large.said}, {small.said}"
    yield Figure(f"(backfill ÷ bare loop), {grew}", large.ratio / small.ratio, 1.1, "×", said, least=0.9)
    said = f"{large.ours.peak_mb:.0f} MB beside {small.ours.peak_mb:.0f} MB, each the peak of a process of its own"
    yield Figure(f"memory of a worker, {grew}", large.ours.peak_mb / small.ours.peak_mb, 1.1, "×", said)


def _measured(servers: Servers, times_by_objects: Mapping[int, int]) -> Iterator[Figure]:
    """A short run is too short to judge by once: of several the middle one."""
    small, large = (
        sorted((pair(servers, objects) for _ in range(times)), key=lambda one: one.ratio)[times // 2]
        for objects, times in times_by_objects.items()
    )
    yield from figures_of(small, large)


def pair(servers: Servers, objects: int) -> Pair:
    """The bare loop and the backfill of the same objects, one after the other."""
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.migration(objects, timings=PATIENT, embedders=MixedEmbedders(DIMENSIONS)) as world,
    ):
        bare = world.before_backfill().bare_loop()
        with Copier(job_of(world, DIMENSIONS), Path(folder) / "copier.log") as copier:
            ours = copier.copied(_STARTS_S + objects / _SLOWEST_PER_S)
        assert ours.objects == objects == world.ports.store.count(world.migration.spec.shadow), "not all were copied"
    return Pair(bare, ours)
