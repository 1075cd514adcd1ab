"""A migration just before its backfill, at any dimensions, and the plain scripts that it is measured beside."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from vecferry.bootstrap import close_ports
from vecferry.domain.chunks import LAST
from vecferry.domain.lifecycle import Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.request import MigrationRequest
from vecferry.sandbox.bench.backfill_vectors import document
from vecferry.sandbox.bench.backfill_workers import BATCH, PATIENT, Copy, InsertMany, Job, Place, PlainScript, timed
from vecferry.sandbox.bench.world import Servers, Took
from vecferry.steps import backfill, stage_runner

__all__ = ["PATIENT", "BeforeBackfill"]

_PROPERTIES = [
    {"name": "body", "dataType": ["text"]},
    {"name": "title", "dataType": ["text"]},
    {"name": "views", "dataType": ["int"]},
]


class BeforeBackfill:
    """``objects`` of ``dimensions`` in a live collection, dual-writing, nothing copied. ``latency_s`` of a request.

    Every worker, ours or a script's, is a process of its own, as Airflow's tasks are: threads of one Python would take turns.
    """

    def __init__(self, servers: Servers, name: str, objects: int, dimensions: int, *, latency_s: float = 0.0) -> None:
        self.name = name
        self.objects = objects
        weaviate = (servers.weaviate.http_url, servers.weaviate.grpc_address)
        self._place = Place(servers.postgres.fresh_database(), weaviate, dimensions, latency_s)
        self.ports = self._place.connected()
        self._create(name)
        old = self.ports.catalogue.card("old")
        for start in range(0, objects, BATCH):
            written = [document(old, number) for number in range(start, min(objects, start + BATCH))]
            self.ports.store.put_batch(name, written, timeout_s=60)
        self.ports.ledger.save_pin(Pin(name, name, old.space, TextRecipe(("body",))), who="bench", why="bench")
        self._id = self._dual_writing()

    def backfill(self, workers: int) -> Took:
        """As Airflow's tasks do it: the chunks are planned, then each worker takes its share of them."""
        chunks = [(chunk["start"], chunk["end"], chunk["tenant"]) for chunk in backfill.plan_chunks(self.ports, self._id)]
        jobs = [Copy(self._place, self._id, tuple(chunks[number::workers])) for number in range(workers)]
        return self._checked(self._shadow, jobs)

    def bare_loop(self, workers: int) -> Took:
        """Objects and vectors are there, and each worker sends its share of them, a batch after the other."""
        target = self._create(f"{self.name}Bare")
        shares = [tuple(range(number, self.objects, workers)) for number in range(workers)]
        return self._checked(target, [InsertMany(self._place, target, share) for share in shares])

    def plain_script(self) -> Took:
        target = self._create(f"{self.name}Script")
        inputs = self.ports.catalogue.card("new").inputs_per_request
        return self._checked(target, [PlainScript(self._place, self.name, target, inputs)])

    def close(self) -> None:
        for name in (f"{self.name}Bare", f"{self.name}Script", self._shadow, self.name):
            if name in self.ports.store.collections():
                self.ports.store.drop(name)
        close_ports(self.ports)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def _shadow(self) -> str:
        return self.ports.ledger.migration(self._id).spec.shadow

    def _create(self, name: str) -> str:
        index = {"vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "cosine"}}
        self.ports.store.create({"class": name, "vectorizer": "none", "properties": _PROPERTIES, **index})
        return name

    def _dual_writing(self) -> str:
        request = MigrationRequest(collection=self.name, to_model="bench/new", soak_minutes=0)
        migration_id = str(stage_runner.act("plan", self.ports, request)["migration_id"])
        stage_runner.act("create_shadow", self.ports, migration_id)
        ledger = self.ports.ledger
        ledger.move(ledger.migration(migration_id), Phase.SHADOW_CREATED, who="bench", why="bench")
        stage_runner.act("enable_dual_write", self.ports, migration_id)
        shadow = ledger.migration(migration_id).spec.shadow
        sampled = self.ports.store.keys(shadow, after="", until=LAST, limit=1_000)
        self.ports.store.delete_batch(shadow, sampled, timeout_s=60)  # enable_dual_write's sample: all are the backfill's
        return migration_id

    def _checked(self, target: str, jobs: Sequence[Job]) -> Took:
        took = timed(jobs)
        assert took.objects == self.objects == self.ports.store.count(target), "not all were copied"
        return took
