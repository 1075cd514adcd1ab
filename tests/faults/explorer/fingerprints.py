"""When two runs have come to the same state, whatever follows is the same: what the exhaustive search need not see twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.faults.explorer.requests import Wait
from tests.faults.explorer.running import Run
from tests.faults.explorer.templates import LIVE


def fingerprint(run: Run) -> int:
    """Store, ledger, clock and ghosts; and for each actor all answers that it has had, since it decides by them alone.

    What threads of one router share in memory, and which operations had ended before others began, belongs to it too.
    """
    world = run.world
    parts = (*_store(run), *_ledger(run), *_actors(run), *_routers(run), *_history(run))
    return hash((world.clock.monotonic(), *parts, *sorted((g.name, g.due_s) for g in world.engine.ghosts.values())))


def _store(run: Run) -> Iterator[Any]:
    for name, collection in sorted(run.world.raw_store._collections.items()):
        for shard in collection.shards.values():
            yield name, shard.status, *sorted(shard.unindexed)
            yield tuple(sorted((uuid, repr(obj.properties)) for uuid, obj in shard.objects.items()))


def _ledger(run: Run) -> Iterator[Any]:
    tables = run.world.raw_ledger._tables
    yield tuple(repr(entry) for entry in tables.journal.values())
    yield tables.routing(LIVE)
    yield tuple((c.state, c.cursor, c.token) for c in tables.chunks.values())
    yield tuple(repr(lease) for lease in tables.leases.values())
    yield tuple((m.phase, m.version) for m in tables.migrations.values())


def _actors(run: Run) -> Iterator[Any]:
    for actor in run.world.engine.actors.values():
        until_s = actor.at.until_s if isinstance(actor.at, Wait) else 0.0
        yield actor.name, actor.label, actor.seen, actor.ended, until_s


def _routers(run: Run) -> Iterator[Any]:
    for router in run.world.routers.values():
        membership = router._membership
        operations = membership.operations
        yield membership._valid_until, membership._term, membership._acknowledged, operations.snapshot.routing.version
        yield tuple(sorted((op.version, op.unknown_since or 0.0) for op in operations._open))
        yield tuple(repr(job.owned.rows) for job in router._queue._jobs)


def _history(run: Run) -> Iterator[Any]:
    operations = run.world.history.operations
    for op in operations:
        yield op.what, op.outcome, tuple(sorted(o.what for o in operations if o.end < op.began))
