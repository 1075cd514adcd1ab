"""Where a scenario begins: built once by the real steps, then copied for each run, which costs a fraction of a millisecond."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.faults.explorer.engine import ParkingClock
from tests.support.memory_world import LIVE_SCHEMA, NoFeed, key_of, request
from vecferry.adapters.memory.collection import MemoryCollection, Shard
from vecferry.adapters.memory.embedder import MemoryEmbedders, MemoryModelLists, vector_of
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.adapters.memory.ledger_tables import Tables
from vecferry.adapters.memory.store import MemoryStore
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import FORWARD, Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode
from vecferry.domain.timing import Timings
from vecferry.ports import Ports
from vecferry.steps import backfill, stage_runner

LIVE = "Docs"
OLD = ModelCard("openai", "old-model", "openai", 3)
NEW = ModelCard("cohere", "new-model", "cohere", 3)
TIMINGS = Timings(poll_s=1.0, freeze_poll_s=0.5, idle_lease_s=30.0)
"""As shipped, but fewer polls in a freeze and a shorter idle lease: each is a step that must be explored."""
FIRST_BODIES = {"a": "first a", "z": "first z"}
"""Key → body of what is in live before anything begins; nobody writes ``z``, so that live is never empty."""
KEYS = ("a", "b", "c", "z")


@dataclass
class Template:
    """A world at rest. ``migration_id`` is empty before the first plan."""

    clock: ParkingClock
    store: MemoryStore
    ledger: MemoryLedger
    migration_id: str

    def copied(self) -> Template:
        clock = ParkingClock()
        clock.advance(self.clock.monotonic())
        store = MemoryStore()
        store._collections = {name: _copied(made) for name, made in self.store._collections.items()}
        ledger = MemoryLedger(clock)
        ledger._tables = _copied_tables(self.ledger._tables, clock)
        return Template(clock, store, ledger, self.migration_id)


def ports_on(ledger: Any, store: Any, embedders: MemoryEmbedders, clock: ParkingClock) -> Ports:
    return Ports(
        ledger=ledger,
        store=store,
        embedders=embedders,
        model_lists=MemoryModelLists(),
        notice_feed=NoFeed(),
        catalogue=embedders.catalogue,
        clock=clock,
        timings=TIMINGS,
        gates=Gates(margin=0.1, min_golden_queries=1),
    )


@cache
def planned() -> Template:
    """The shadow is there and empty; writes go to live alone."""
    clock, store = ParkingClock(), MemoryStore()
    ledger, embedders = MemoryLedger(clock), MemoryEmbedders(OLD, NEW)
    store.create(LIVE_SCHEMA)
    for key, body in FIRST_BODIES.items():
        store.put(LIVE, StoredObject(key_of(key), {"body": body}, {UNNAMED: vector_of(OLD.space, body)}), timeout_s=1)
    ledger.save_pin(Pin(LIVE, LIVE, OLD.space, TextRecipe(("body",))), who="test", why="test")
    ports = ports_on(ledger, store, embedders, clock)
    migration_id = plan_again(ports)
    return Template(clock, store, ledger, migration_id)


@cache
def dual_writing() -> Template:
    """Writes go to both; nothing is copied yet."""
    return _further(planned(), lambda ports, made: stage_runner.act("enable_dual_write", ports, made.migration_id))


@cache
def copied() -> Template:
    """What was there before is copied; 0% of the queries are on the shadow."""
    return _further(dual_writing(), lambda ports, made: backfill.run_all(ports, made.migration_id))


@cache
def serving_everything() -> Template:
    """100% of the queries are on the shadow, and a clean parity pass is young enough for ``retire``."""

    def serve(ports: Ports, made: Template) -> None:
        walk_to(ports, made.migration_id, Phase.BACKFILLED)
        stage_runner.act("verify_parity", ports, made.migration_id)
        walk_to(ports, made.migration_id, Phase.SERVING, 100)

    return _further(copied(), serve)


def plan_again(ports: Ports) -> str:
    """A migration with its own, empty shadow."""
    migration_id: str = stage_runner.act("plan", ports, request())["migration_id"]
    stage_runner.act("create_shadow", ports, migration_id)
    walk_to(ports, migration_id, Phase.SHADOW_CREATED)
    return migration_id


def walk_to(ports: Ports, migration_id: str, phase: Phase, percent: int = 0) -> None:
    """Along the forward road without the checks, which judge quality and not safety."""
    migration = ports.ledger.migration(migration_id)
    while migration.phase is not phase:
        to = FORWARD[FORWARD.index(migration.phase) + 1]
        routing = {Phase.SERVING: (Mode.DUAL, percent)}.get(to)
        migration = ports.ledger.move(migration, to, who="test", why="test", routing=routing)


def _further(template: Template, act: Callable[[Ports, Template], Any]) -> Template:
    made = template.copied()
    act(ports_on(made.ledger, made.store, MemoryEmbedders(OLD, NEW), made.clock), made)
    return made


def _copied(collection: MemoryCollection) -> MemoryCollection:
    made = copy.copy(collection)
    made.schema = dict(collection.schema)
    made.tenants = dict(collection.tenants)
    made.shards = {
        name: Shard(dict(shard.objects), set(shard.unindexed), shard.status) for name, shard in collection.shards.items()
    }
    return made


def _copied_tables(tables: Tables, clock: ParkingClock) -> Tables:
    """Entries are values; only the containers are copied, the routing versions' lists among them."""
    made = Tables(clock)
    made.row_ids, made.reservation_ids = copy.copy(tables.row_ids), copy.copy(tables.reservation_ids)
    for name, table in vars(tables).items():
        if isinstance(table, dict):
            setattr(made, name, {k: list(v) if isinstance(v, list) else v for k, v in table.items()})
        elif isinstance(table, list):
            setattr(made, name, list(table))
    return made
