"""A whole small world on the shipped fakes: a live collection with objects, a pin, two models, a manual clock."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from vecferry.adapters.memory.clock import ManualClock
from vecferry.adapters.memory.embedder import MemoryEmbedders, MemoryModelLists
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.adapters.memory.store import MemoryStore
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import FORWARD, Migration, Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.request import MigrationRequest
from vecferry.domain.routing import Mode
from vecferry.domain.timing import Timings
from vecferry.ports import Ports
from vecferry.router import Router

OLD = ModelCard("openai", "old-model", "openai", 64)
NEW = ModelCard("cohere", "new-model", "cohere", 64, usd_per_million_tokens=1.0)
WORDS = [
    "river",
    "stone",
    "cloud",
    "forest",
    "harbour",
    "winter",
    "lantern",
    "bridge",
    "meadow",
    "engine",
    "copper",
    "signal",
    "orchard",
    "valley",
]


def key_of(name: str | int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"doc-{name}"))


def text_of(number: int) -> str:
    return " ".join(WORDS[(number * step + step) % len(WORDS)] for step in (1, 3, 5)) + f" number{number}"


LIVE_SCHEMA: dict[str, Any] = {
    "class": "Docs",
    "description": "documents",
    "vectorizer": "none",
    "vectorIndexType": "hnsw",
    "vectorIndexConfig": {"distance": "cosine"},
    "invertedIndexConfig": {},
    "properties": [
        {"name": "body", "dataType": ["text"], "tokenization": "word"},
        {"name": "title", "dataType": ["text"], "tokenization": "word"},
        {"name": "views", "dataType": ["int"]},
    ],
    "replicationConfig": {"factor": 1},
    "shardingConfig": {"desiredCount": 1},
}


class NoFeed:
    def __init__(self, rows: list[dict[str, Any]] | None = None) -> None:
        self.feed = rows or []

    def rows(self) -> list[dict[str, Any]]:
        return self.feed


class DrivenClock(ManualClock):
    """Whoever sleeps lets the driven routers take a turn, as their threads would."""

    def __init__(self) -> None:
        super().__init__()
        self.driven: list[Router] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for router in self.driven:
            router.refresh()


@dataclass
class World:
    """``ports`` for steps, ``router()`` for applications; time moves only by ``clock.advance`` (and sleeps)."""

    clock: DrivenClock
    store: MemoryStore
    ledger: MemoryLedger
    embedders: MemoryEmbedders
    ports: Ports

    def on(self, ledger: Any) -> World:
        """The same world with this ledger, which embedders ask as well."""
        self.embedders.ledger = ledger
        return replace(self, ledger=ledger, ports=replace(self.ports, ledger=ledger))

    def router(self, *, driven: bool = True, **options: Any) -> Router:
        """Without threads; a ``driven`` one refreshes whenever somebody sleeps, the other only when told."""
        made = Router(
            "Docs",
            ledger=self.ledger,
            store=self.store,
            embedders=self.embedders,
            clock=self.clock,
            timings=self.ports.timings,
            threads=False,
            **options,
        )
        if driven:
            self.clock.driven.append(made)
        return made

    def stop(self, router: Router) -> None:
        router.close()
        self.clock.driven.remove(router)

    def walk_to(self, migration_id: str, phase: Phase, percent: int = 0) -> Migration:
        """Moves along the forward road without acts or checks, for tests of what comes later."""
        migration = self.ledger.migration(migration_id)
        while migration.phase is not phase:
            to = FORWARD[FORWARD.index(migration.phase) + 1]
            routing = {Phase.DUAL_WRITING: (Mode.DUAL, 0), Phase.SERVING: (Mode.DUAL, percent)}.get(to)
            migration = self.ledger.move(migration, to, who="test", why="test", routing=routing)
        return migration

    def live(self, name: str | int, collection: str = "Docs") -> StoredObject | None:
        return self.store.read(collection, [key_of(name)]).get(key_of(name))


def make_world(objects: int = 20, *, gates: Gates | None = None, timings: Timings | None = None) -> World:
    clock = DrivenClock()
    store = MemoryStore()
    ledger = MemoryLedger(clock)
    embedders = MemoryEmbedders(OLD, NEW, ledger=ledger)
    store.create(LIVE_SCHEMA)
    fill(store, embedders, objects)
    ledger.save_pin(Pin("Docs", "Docs", OLD.space, TextRecipe(("body",))), who="test", why="test")
    ports = Ports(
        ledger=ledger,
        store=store,
        embedders=embedders,
        model_lists=MemoryModelLists(),
        notice_feed=NoFeed(),
        catalogue=embedders.catalogue,
        clock=clock,
        timings=timings or Timings(),
        gates=gates or Gates(margin=0.1, canary_golden_margin=0.1, canary_min_queries=20, min_golden_queries=10),
    )
    return World(clock, store, ledger, embedders, ports)


def fill(store: MemoryStore, embedders: MemoryEmbedders, objects: int) -> None:
    from vecferry.adapters.memory.embedder import vector_of

    for number in range(objects):
        body = text_of(number)
        obj = StoredObject(key_of(number), {"body": body, "views": number}, {UNNAMED: vector_of(OLD.space, body)})
        store.put("Docs", obj, timeout_s=1)


def golden_rows(queries: int) -> list[dict[str, Any]]:
    return [{"query_id": f"q{n}", "query": text_of(n), "relevant": {key_of(n): 1}, "cohort": "all"} for n in range(queries)]


def request(**changes: Any) -> MigrationRequest:
    given: dict[str, Any] = {"collection": "Docs", "to_model": "new-model", "soak_minutes": 0.0, "who": "tess"}
    return MigrationRequest(**(given | changes))
