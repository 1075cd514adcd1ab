"""The end of every run: whoever is left goes on undisturbed, ghosts land as late as they may, the janitor has its time."""

from __future__ import annotations

from math import inf

from tests.faults.explorer.actors import Actor
from tests.faults.explorer.judge import Judge
from tests.faults.explorer.requests import Wait
from tests.faults.explorer.scenarios import Scenario
from tests.faults.explorer.templates import LIVE, TIMINGS
from tests.faults.explorer.world import World
from tests.support.memory_world import key_of
from vecferry.domain.chunks import ChunkState
from vecferry.domain.lifecycle import Phase
from vecferry.errors import VecferryError
from vecferry.steps import backfill

_ROUNDS = 80
_STEPS = 2_000


def settle(scenario: Scenario, world: World, judge: Judge) -> None:
    """Judges on the way that nobody is held for ever."""
    engine = world.engine
    engine.stopped.clear()
    for _ in range(_ROUNDS):
        left = [actor for actor in engine.actors.values() if not actor.ended]
        if all(actor.endless for actor in left):
            break
        for actor in left:
            _as_far_as_it_goes(world, actor)
        waits = [a for a in left if not a.ended and not a.endless]
        if waits and all(a.waiting for a in waits):
            engine.pass_time(_shortest_s(waits, engine.now_s))
    else:
        stuck = [f"{a.name} at {a.label}" for a in engine.actors.values() if not a.ended and not a.endless]
        judge.breaks(f"waits for ever: {', '.join(stuck)}")
    scenario.before_the_end(world)
    engine.pass_time(TIMINGS.quarantine_s)
    try:
        _finish_the_backfill(world)
        _let_the_janitor_work(world)
    except VecferryError as error:
        judge.breaks(f"what is left cannot be finished: {error}")


def probe(world: World, judge: Judge) -> None:
    """An application that comes later can write: no freeze holds it for ever."""
    router = world.router("late")

    def write() -> None:
        try:
            router.put(key_of("late"), {"body": "late"})
        except VecferryError as error:
            judge.breaks(f"a later write fails: {error}")

    late = world.engine.actor("late", write)
    for _ in range(_ROUNDS):
        if late.ended:
            return
        world.engine.run(late)
    judge.breaks(f"a later write waits for ever at {late.label}")


def _shortest_s(waits: list[Actor], now_s: float) -> float:
    untils_s = [actor.at.until_s for actor in waits if isinstance(actor.at, Wait) and actor.at.until_s < inf]
    return max(0.0, min(untils_s, default=now_s + 1.0) - now_s)


def _as_far_as_it_goes(world: World, actor: Actor) -> None:
    engine = world.engine
    for _ in range(_STEPS):
        if not engine.can_run(actor) or engine.must_wait(actor):
            return
        engine.run(actor)
        if actor.endless and actor.label == "turn":
            return


def _finish_the_backfill(world: World) -> None:
    """A worker that died is succeeded by another; the freeze lets nobody start."""
    migration = world.migration
    if migration.phase is Phase.DUAL_WRITING:
        open_chunks = [c for c in world.raw_ledger.chunks(migration.id) if c.state is ChunkState.OPEN]
        if open_chunks or not world.raw_ledger.chunks(migration.id):
            world.engine.pass_time(TIMINGS.idle_lease_s + TIMINGS.quarantine_s)
            backfill.run_all(world.ports, migration.id)


def _let_the_janitor_work(world: World) -> None:
    janitor = world.new_janitor("the last janitor")
    for _ in range(4):
        janitor.run_once()
        snapshot = world.raw_ledger.snapshot(LIVE)
        if not snapshot.copying or not snapshot.journal_rows:
            return
        world.engine.pass_time(TIMINGS.takeover_s)
