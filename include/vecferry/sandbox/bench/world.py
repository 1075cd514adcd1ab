"""A migration in the middle, on a real Weaviate with a ledger on a real PostgreSQL: what the figures are measured on."""

from __future__ import annotations

import itertools
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.memory.embedder import MemoryModelLists
from vecferry.adapters.system_clock import SystemClock
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.bootstrap import close_ports
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import FORWARD, Migration, Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.request import MigrationRequest
from vecferry.domain.routing import Mode
from vecferry.domain.timing import Timings
from vecferry.ports import Ports, Purpose
from vecferry.router import Router
from vecferry.sandbox.bench.zero_cost import OLD, ZeroCostEmbedders
from vecferry.sandbox.postgres_server import PostgresServer
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.steps import backfill, stage_runner, verify_parity


class _NoFeed:
    def rows(self) -> list[Mapping[str, Any]]:
        return []


@dataclass
class Servers:
    """One of each for all figures; every migration has a pin, a collection and a ledger of its own."""

    weaviate: WeaviateServer
    postgres: PostgresServer
    _numbers: Iterator[int]

    def migration(self, objects: int, *, timings: Timings | None = None) -> Migrating:
        return Migrating(self, f"Bench{next(self._numbers)}", objects, timings or Timings())


@contextmanager
def servers() -> Iterator[Servers]:
    with (
        tempfile.TemporaryDirectory() as folder,
        WeaviateServer(Path(folder) / "weaviate") as weaviate,
        PostgresServer() as postgres,
    ):
        yield Servers(weaviate, postgres, itertools.count(1))


class Migrating:
    """A pin with a migration that has been dual-writing since ``objects`` objects were copied; nobody else works on it."""

    def __init__(self, servers: Servers, name: str, objects: int, timings: Timings) -> None:
        self.name = name
        self.ledger_url = servers.postgres.fresh_database()
        self.weaviate = (servers.weaviate.http_url, servers.weaviate.grpc_address)
        self.timings = timings
        self.ports = connect(self.ledger_url, self.weaviate, timings)
        self._routers: list[Router] = []
        self._fill(objects)
        pin = Pin(name, name, OLD.space, TextRecipe(("body",)))
        self.ports.ledger.save_pin(pin, who="bench", why="bench")

    def dual_writing(self) -> Self:
        request = MigrationRequest(collection=self.name, to_model="bench/new", soak_minutes=0)
        self._id = stage_runner.act("plan", self.ports, request)["migration_id"]
        stage_runner.act("create_shadow", self.ports, self._id)
        self._move_to(Phase.SHADOW_CREATED)
        stage_runner.act("enable_dual_write", self.ports, self._id)
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
        router = router_of(self.name, self.ledger_url, self.weaviate, self.timings)
        self._routers.append(router)
        return router

    def close(self) -> None:
        for router in self._routers:
            router.close()
        close_ports(self.ports)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _fill(self, objects: int) -> None:
        properties = [{"name": "body", "dataType": ["text"]}]
        self.ports.store.create({"class": self.name, "vectorizer": "none", "properties": properties, "vectorIndexType": "hnsw"})
        written = [self.document(number) for number in range(objects)]
        for start in range(0, objects, 500):
            self.ports.store.put_batch(self.name, written[start : start + 500], timeout_s=60)

    def document(self, number: int, revision: int = 0) -> StoredObject:
        body = f"document {number} in its revision {revision}"
        (vector,) = self.ports.embedders.of(OLD.space).embed_documents([body], purpose=Purpose.WRITE, timeout_s=1).vectors
        assert isinstance(vector, tuple)
        return StoredObject(str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), {"body": body}, {UNNAMED: vector})

    def _move_to(self, phase: Phase, percent: int = 0) -> None:
        while self.migration.phase is not phase:
            to = FORWARD[FORWARD.index(self.migration.phase) + 1]
            routing = (Mode.DUAL, percent) if to is Phase.SERVING else None
            self.ports.ledger.move(self.migration, to, who="bench", why="bench", routing=routing)


def connect(ledger_url: str, weaviate: tuple[str, str], timings: Timings) -> Ports:
    clock, embedders = SystemClock(), ZeroCostEmbedders()
    return Ports(
        ledger=open_ledger(ledger_url, clock=clock),
        store=WeaviateStore(*weaviate, None),
        embedders=embedders,
        model_lists=MemoryModelLists(),
        notice_feed=_NoFeed(),
        catalogue=embedders.catalogue,
        clock=clock,
        timings=timings,
        gates=replace(Gates(), min_golden_queries=1),
    )


def router_of(pin: str, ledger_url: str, weaviate: tuple[str, str], timings: Timings) -> Router:
    ports = connect(ledger_url, weaviate, timings)
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
