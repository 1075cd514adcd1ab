"""Backfill beside a bare loop on a server that builds its vector index later (ASYNC_INDEXING)."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from vecferry.sandbox.bench.backfill_world import PATIENT
from vecferry.sandbox.bench.copier import Copier, job_of
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.mixed_vectors import MixedEmbedders
from vecferry.sandbox.bench.world import Migrating, Servers
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer

DIMENSIONS = 384
_OBJECTS = 10_000
_INDEXED_WITHIN_S = 600.0


def measure(servers: Servers, objects: int = _OBJECTS) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        WeaviateServer(Path(folder) / "weaviate", async_indexing=True) as weaviate,
        replace(servers, weaviate=weaviate, numbers=itertools.count(1)).migration(
            objects, timings=PATIENT, embedders=MixedEmbedders(DIMENSIONS)
        ) as world,
    ):
        _until_indexed(world, world.name)
        bare = world.before_backfill().bare_loop()
        _until_indexed(world, f"{world.name}Bare")
        with Copier(job_of(world, DIMENSIONS), Path(folder) / "copier.log") as copier:
            ours = copier.copied(_INDEXED_WITHIN_S)
        assert ours.objects == objects, "not all were copied"
    said = f"{ours.per_s:,.0f} objects/s beside {bare.per_s:,.0f} by insert_many, one worker"
    yield Figure(f"backfill, {DIMENSIONS} d, ASYNC_INDEXING", ours.per_s / bare.per_s, None, "×", said, least=0.6)


def _until_indexed(world: Migrating, collection: str) -> None:
    """What is still being indexed would be measured with what comes next."""
    wait_until(
        lambda: world.ports.store.index_queue(collection) == 0,
        awaited=f"the index of {collection}",
        deadline_s=_INDEXED_WITHIN_S,
    )
