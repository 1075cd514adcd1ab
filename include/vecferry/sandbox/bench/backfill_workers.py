"""Workers as processes of their own, ours and the plain scripts' alike: what they do is timed from when all are ready."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from threading import Barrier
from typing import Any

from vecferry.bootstrap import close_ports
from vecferry.domain.objects import UNNAMED
from vecferry.domain.timing import Timings
from vecferry.ports import Ports
from vecferry.sandbox.bench.backfill_vectors import LatentEmbedders, document
from vecferry.sandbox.bench.world import Took, connect, data_object
from vecferry.steps import backfill

BATCH = 250
PATIENT = Timings(
    write_timeout_s=60, delta_s=60, quarantine_s=70, row_deadline_s=240, takeover_s=320, lease_s=30, idle_lease_s=3600
)
"""A busy machine must not time a page out: what is measured is the speed of what succeeds."""
_READY_WITHIN_S = 300.0
Work = Callable[[], int]
"""Returns how many objects it has written."""


@dataclass(frozen=True)
class Place:
    """Where a worker works; ``latency_s`` of each request to the provider."""

    ledger_url: str
    weaviate: tuple[str, str]
    dimensions: int
    latency_s: float = 0.0

    def connected(self) -> Ports:
        embedders = LatentEmbedders(self.dimensions, self.latency_s)
        ports = connect(self.ledger_url, self.weaviate, PATIENT)
        return replace(ports, embedders=embedders, catalogue=embedders.catalogue)


@dataclass(frozen=True)
class Job(ABC):
    """One worker's share of the work."""

    place: Place

    @abstractmethod
    def ready(self, ports: Ports) -> Work:
        """Everything that is nobody's time to measure: imports, connections, objects."""


@dataclass(frozen=True)
class Copy(Job):
    """Ours: these chunks, one after the other, as Airflow's task does it."""

    migration_id: str
    chunks: tuple[tuple[str, str, str | None], ...]

    def ready(self, ports: Ports) -> Work:
        live = ports.ledger.migration(self.migration_id).spec.live
        ports.store.count(live)
        ports.store.schema(live)

        def work() -> int:
            return sum(
                backfill.run_chunk(ports, self.migration_id, start=start, end=end, tenant=tenant)["rows"]
                for start, end, tenant in self.chunks
            )

        return work


@dataclass(frozen=True)
class InsertMany(Job):
    """``insert_many`` by the vendor's client; objects and vectors are there already."""

    target: str
    numbers: tuple[int, ...]

    def ready(self, ports: Ports) -> Work:
        card = ports.catalogue.card("new")
        made = [data_object(one, one.vectors[UNNAMED]) for one in (document(card, number) for number in self.numbers)]
        handle = ports.store.native(self.target)
        handle.exists()

        def work() -> int:
            return sum(len(handle.data.insert_many(made[start : start + BATCH]).uuids) for start in range(0, len(made), BATCH))

        return work


@dataclass(frozen=True)
class PlainScript(Job):
    """iterator → embed → batch, as it stands in many a blog post; ``inputs`` in a batch."""

    source: str
    target: str
    inputs: int

    def ready(self, ports: Ports) -> Work:
        embedder = LatentEmbedders(self.place.dimensions, self.place.latency_s).new
        source, sink = ports.store.native(self.source), ports.store.native(self.target)
        sink.exists()

        def work() -> int:
            done = 0
            for batch in _batches(source.iterator(), self.inputs):
                vectors = embedder.embed_request([obj.properties["body"] for obj in batch])
                made = [data_object(obj, vector) for obj, vector in zip(batch, vectors, strict=True)]
                done += len(sink.data.insert_many(made).uuids)
            return done

        return work


def timed(jobs: Sequence[Job]) -> Took:
    """Each in a fresh process, all from the same moment, until the last has ended. Raises what one of them raised."""
    spawn = get_context("spawn")
    barrier = spawn.Barrier(len(jobs))
    with ProcessPoolExecutor(len(jobs), mp_context=spawn, initializer=_start_at, initargs=(barrier,)) as pool:
        turns = [future.result() for future in [pool.submit(_turn, job) for job in jobs]]
    return Took(sum(turn.objects for turn in turns), max(t.ended_at for t in turns) - min(t.began_at for t in turns))


@dataclass(frozen=True)
class _Turn:
    """Times are of the monotonic clock, which is one for all processes of a machine."""

    objects: int
    began_at: float
    ended_at: float


_all_ready: Barrier


def _start_at(barrier: Barrier) -> None:
    global _all_ready
    _all_ready = barrier


def _turn(job: Job) -> _Turn:
    ports = job.place.connected()
    try:
        work = job.ready(ports)
        _all_ready.wait(_READY_WITHIN_S)
        began_at = time.monotonic()
        return _Turn(work(), began_at, time.monotonic())
    except BaseException:
        _all_ready.abort()
        raise
    finally:
        close_ports(ports)


def _batches(source: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in source:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
