"""A migration in the middle, on a real Weaviate with a ledger on a real PostgreSQL: what the figures are measured on."""

from __future__ import annotations

import itertools
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.memory.embedder import MemoryModelLists
from vecferry.adapters.system_clock import SystemClock
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.bootstrap import close_ports
from vecferry.domain.catalogue import Catalogue
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import FORWARD, Migration, Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.request import MigrationRequest
from vecferry.domain.routing import Mode
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.domain.timing import Timings
from vecferry.ports import Embedder, Ports, Purpose, Refused
from vecferry.router import Router
from vecferry.sandbox.bench.zero_cost import ZeroCostEmbedders
from vecferry.sandbox.postgres_server import PostgresServer
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.steps import backfill, stage_runner, verify_parity
from vecferry.steps.readiness import acknowledged

_BATCH = 250
BODY = "document "
"""How each body begins."""


class BenchEmbedders(Protocol):
    """``bench/old`` and ``bench/new``."""

    @property
    def catalogue(self) -> Catalogue: ...

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> Embedder: ...


@dataclass(frozen=True)
class Took:
    objects: int
    seconds: float

    @property
    def per_s(self) -> float:
        return self.objects / self.seconds


class _NoFeed:
    def rows(self) -> list[Mapping[str, Any]]:
        return []


@dataclass
class Servers:
    """One of each for all figures; every migration has a pin, a collection and a ledger of its own."""

    weaviate: WeaviateServer
    postgres: PostgresServer
    numbers: Iterator[int]

    def migration(self, objects: int, *, timings: Timings | None = None, embedders: BenchEmbedders | None = None) -> Migrating:
        name = f"Bench{next(self.numbers)}"
        return Migrating(self, name, objects, timings or Timings(), embedders or ZeroCostEmbedders())


@contextmanager
def servers() -> Iterator[Servers]:
    with (
        tempfile.TemporaryDirectory() as folder,
        WeaviateServer(Path(folder) / "weaviate") as weaviate,
        PostgresServer() as postgres,
    ):
        yield Servers(weaviate, postgres, itertools.count(1))


class Migrating:
    """A pin over ``objects`` objects, and a migration of it that goes as far as it is asked to; nobody else works on it."""

    def __init__(self, servers: Servers, name: str, objects: int, timings: Timings, embedders: BenchEmbedders) -> None:
        self.name = name
        self.objects = objects
        self.ledger_url = servers.postgres.fresh_database()
        self.weaviate = (servers.weaviate.http_url, servers.weaviate.grpc_address)
        self.timings = timings
        self.embedders = embedders
        self.ports = connect(self.ledger_url, self.weaviate, timings, embedders)
        self._old = embedders.catalogue.card("bench/old").space
        self._routers: list[Router] = []
        self._made: list[str] = []
        self._create(name)
        self._fill()
        self.ports.ledger.save_pin(Pin(name, name, self._old, TextRecipe(("body",))), who="bench", why="bench")

    def before_backfill(self, *, max_live_p99_ms: float | None = None) -> Self:
        """Every router writes to both, and nothing is copied yet."""
        request = MigrationRequest(self.name, "bench/new", soak_minutes=0, max_live_p99_ms=max_live_p99_ms)
        self._id = stage_runner.act("plan", self.ports, request)["migration_id"]
        stage_runner.act("create_shadow", self.ports, self._id)
        self._made.append(self.migration.spec.shadow)
        self._move_to(Phase.SHADOW_CREATED)
        stage_runner.act("enable_dual_write", self.ports, self._id)
        wait_until(lambda: acknowledged(self.ports, self.migration).done, awaited="the routers' dual-writing", deadline_s=60)
        return self

    def dual_writing(self) -> Self:
        """Since before all objects were copied."""
        self.before_backfill()
        backfill.run_all(self.ports, self._id)
        return self

    def serving(self, percent: int) -> Self:
        self._move_to(Phase.BACKFILLED)
        verify_parity.act(self.ports, self._id)
        self._move_to(Phase.SERVING, percent)
        return self

    @property
    def migration(self) -> Migration:
        return self.ports.ledger.migration(self._id)

    def router(self) -> Router:
        """With threads of its own and a ledger connection of its own, as a process of its own would have."""
        router = router_of(self.name, self.ledger_url, self.weaviate, self.timings, self.embedders)
        self._routers.append(router)
        return router

    def bare_loop(self) -> Took:
        """Objects and their new vectors, one ``insert_many`` by its client after the other: only these are timed."""
        target, new = self._create(f"{self.name}Bare"), self.embedders.catalogue.card("bench/new").space
        handle, seconds = self.ports.store.native(target), 0.0
        for batch in self._batches(new):
            ready = [data_object(one, one.vectors[UNNAMED]) for one in batch]
            started = time.perf_counter()
            handle.data.insert_many(ready)
            seconds += time.perf_counter() - started
        assert self.ports.store.count(target) == self.objects, "not all were inserted"
        return Took(self.objects, seconds)

    def close(self) -> None:
        for router in self._routers:
            router.close()
        for name in self._made:
            self.ports.store.drop(name)  # the next figure must not carry this one's weight
        close_ports(self.ports)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _create(self, name: str) -> str:
        properties = [{"name": "body", "dataType": ["text"]}]
        self.ports.store.create({"class": name, "vectorizer": "none", "properties": properties, "vectorIndexType": "hnsw"})
        self._made.append(name)
        return name

    def _fill(self) -> None:
        for batch in self._batches(self._old):
            self.ports.store.put_batch(self.name, batch, timeout_s=60)

    def _batches(self, space: EmbeddingSpace) -> Iterator[list[StoredObject]]:
        for start in range(0, self.objects, _BATCH):
            yield self._documents(range(start, min(self.objects, start + _BATCH)), 0, space)

    def document(self, number: int, revision: int = 0) -> StoredObject:
        return self._documents([number], revision, self._old)[0]

    def _documents(self, numbers: Sequence[int], revision: int, space: EmbeddingSpace) -> list[StoredObject]:
        bodies = [f"{BODY}{number} in its revision {revision}" for number in numbers]
        vectors = self.embedders.of(space).embed_documents(bodies, purpose=Purpose.WRITE, timeout_s=60).vectors
        return [
            StoredObject(str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), {"body": body}, {UNNAMED: vector})
            for number, body, vector in zip(numbers, bodies, vectors, strict=True)
            if not isinstance(vector, Refused)
        ]

    def _move_to(self, phase: Phase, percent: int = 0) -> None:
        while self.migration.phase is not phase:
            to = FORWARD[FORWARD.index(self.migration.phase) + 1]
            routing = (Mode.DUAL, percent) if to is Phase.SERVING else None
            self.ports.ledger.move(self.migration, to, who="bench", why="bench", routing=routing)


def connect(ledger_url: str, weaviate: tuple[str, str], timings: Timings, embedders: BenchEmbedders | None = None) -> Ports:
    clock, made = SystemClock(), embedders or ZeroCostEmbedders()
    return Ports(
        ledger=open_ledger(ledger_url, clock=clock),
        store=WeaviateStore(*weaviate, None),
        embedders=made,
        model_lists=MemoryModelLists(),
        notice_feed=_NoFeed(),
        catalogue=made.catalogue,
        clock=clock,
        timings=timings,
        gates=replace(Gates(), min_golden_queries=1),
        executor=ThreadPoolExecutor,
    )


def router_of(
    pin: str, ledger_url: str, weaviate: tuple[str, str], timings: Timings, embedders: BenchEmbedders | None = None
) -> Router:
    ports = connect(ledger_url, weaviate, timings, embedders)
    ports.store.count(ports.ledger.pin(pin).collection)  # the vendor's client is imported on nobody's time
    return Router(
        pin,
        ledger=ports.ledger,
        store=ports.store,
        embedders=ports.embedders,
        clock=ports.clock,
        timings=timings,
        on_close=lambda: close_ports(ports),
    )


def data_object(obj: Any, vector: Sequence[float]) -> Any:
    """For ``insert_many``; of a ``StoredObject``, or of what the vendor's client has read."""
    from weaviate.classes.data import DataObject

    return DataObject(properties=dict(obj.properties), uuid=obj.uuid, vector=list(vector))
