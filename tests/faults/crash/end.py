"""The end of a migration: what must hold of any, and what must be the same with a crash on the way and without."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tests.faults.crash.world import LIVE, CrashWorld
from tests.support.memory_world import NEW
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.objects import STAMP_AT
from vecferry.domain.routing import Mode, Routing
from vecferry.domain.shadow import differences
from vecferry.steps.verify_parity import ALARM

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T\d:.+Z-]*")
ONCE = ("start", "move", "publish", "retired", "aliases_moved")
"""Events of which each stands for one thing that has happened."""
_OF_THE_TIME = frozenset({"version", "write_hold_s", "kept_until"})


@dataclass(frozen=True)
class End:
    """What can be compared between two runs: nothing in it depends on how often a step was run."""

    phases: Any
    pin: Any
    routings: Any
    events: Any
    verdicts: Any
    measured: Any
    chunks: Any
    alarms: Any
    schemas: Any
    shards: Any
    aliases: Any
    objects: Any

    def differs_from(self, other: End) -> dict[str, Any]:
        """Field → (this, other)."""
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def end_of(world: CrashWorld) -> End:
    ledger, store = world.ledger, world.store
    migrations = ledger.migrations(LIVE)
    return End(
        phases=[(m.id, m.phase, m.percent, m.paused) for m in migrations],
        pin=ledger.pin(LIVE),
        routings=[(r.mode, r.percent, r.authority, r.migration_id) for r in without_freezes(ledger.routings(LIVE))],
        events=_once(world),
        verdicts=[{verdict.stage: verdict.outcome for _, verdict in ledger.verdicts(m.id)} for m in migrations],
        measured=[_measured(world, m) for m in migrations],
        chunks=[(c.label, c.state, c.rows_in, c.rows_out, c.failed) for m in migrations for c in ledger.chunks(m.id)],
        alarms={
            example
            for m in migrations
            for e in ledger.events(migration_id=m.id)
            if e.what == ALARM
            for example in e.detail["examples"]
        },
        schemas={name: _timeless(store.schema(name)) for name in store.collections()},
        shards={name: store.shards(name) for name in store.collections()},
        aliases=store.aliases(),
        objects={name: objects_of(world, name) for name in store.collections()},
    )


def without_freezes(routings: list[Routing]) -> list[Routing]:
    """A freeze that was undone and its undoing are an attempt, of which there may be several."""
    kept: list[Routing] = []
    undone = False
    for routing in routings:
        if routing.mode is Mode.FREEZE:
            undone = True
            continue
        if not (undone and routing.mode is Mode.DUAL):
            kept.append(routing)
        undone = False
    return kept


def _timeless(schema: dict[str, Any]) -> dict[str, Any]:
    """Waiting for a dead process's rows takes time, and descriptions may say when."""
    return {**schema, "description": _MOMENT.sub("…", str(schema.get("description")))}


def objects_of(world: CrashWorld, collection: str) -> dict[str, Any]:
    """All but when they were embedded; whether each can be found by its vector."""
    found = world.objects(collection)
    indexed = world.store.indexed(collection, {k: o.vectors[""] for k, o in found.items()}, vector_name="")
    return {
        key: ({name: value for name, value in obj.properties.items() if name != STAMP_AT}, obj.vectors, key in indexed)
        for key, obj in found.items()
    }


def _once(world: CrashWorld) -> list[tuple[str, Mapping[str, Any]]]:
    """Without versions, which freezes and undone ones move on, without times, and without freezes themselves."""
    events = [e for e in world.ledger.events(pin=LIVE) if e.what in ONCE and e.detail.get("mode") != Mode.FREEZE]
    return [(e.what, {k: v for k, v in e.detail.items() if k not in _OF_THE_TIME}) for e in events]


def _measured(world: CrashWorld, migration: Migration) -> dict[str, Any]:
    stages = ("validate_golden_set", "cut_over_5", "cut_over_25", "cut_over_100")
    return {stage: world.ledger.measurements(migration.id, stage) for stage in stages}


def broken_promises(world: CrashWorld) -> list[str]:
    """What must hold at the end of any migration, whoever died and wrote: empty if all does."""
    return [*_of_the_contents(world), *_of_the_ledger(world)]


def _of_the_contents(world: CrashWorld) -> list[str]:
    said = {key: body for key, body in world.application.said.items() if body is not None}
    authority = world.ledger.snapshot(LIVE).routing.authority
    truth = {key: str(obj.properties["body"]) for key, obj in world.objects(authority).items()}
    wrong = [
        f"{key} is {truth.get(key)!r}, acknowledged was {said.get(key)!r}"
        for key in said | truth
        if truth.get(key) != said.get(key)
    ]
    migration = world.migration
    if migration.phase is Phase.DISCARDED:
        return wrong
    live, shadow = world.objects(migration.spec.live), world.objects(migration.spec.shadow)
    keys = (live.keys() | shadow.keys()) - world.application.after_flip
    followed = migration.phase in (Phase.RETIRED, Phase.SERVING)
    wrong += [
        f"shadow of {k}: {why}" for k in keys if followed and (why := differences(migration.spec, live.get(k), shadow.get(k)))
    ]
    wrong += [
        f"{k} has a foreign vector"
        for k, obj in shadow.items()
        if obj.vectors[""] != vector_of(NEW.space, obj.properties["body"])
    ]
    return wrong


def _of_the_ledger(world: CrashWorld) -> list[str]:
    wrong = []
    for migration in world.ledger.migrations(LIVE):
        rows = world.ledger.rows(migration.id, limit=100)
        wrong += [f"a journal row of {migration.id} is left: {row}" for row in rows]
        spend, billed = world.ledger.spend(migration_id=migration.id), world.meter.tokens[migration.id]
        if spend.tokens < billed:
            wrong.append(f"{migration.id} was billed {billed} tokens, booked are {spend.tokens}")
    shadows = {m.spec.shadow for m in world.ledger.migrations(LIVE) if m.phase is not Phase.DISCARDED}
    orphans = set(world.store.collections()) - shadows - {LIVE}
    return wrong + [f"{name} is an orphan" for name in orphans]
