"""The cases: every effect that a clean run of a step shows, and every way to die at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

import pytest

from tests.faults.crash.process import Effect, Kill, When
from tests.faults.crash.quick_checks import pass_without_judging
from tests.faults.crash.repeatable import make_repeatable
from tests.faults.crash.roads import ROADS, Road, Step
from tests.faults.crash.world import CrashWorld
from tests.faults.ledgers import LedgerKind
from tests.faults.scheduler import Ghost
from vecferry.errors import VecferryError


@dataclass(frozen=True)
class Case:
    """``writes``: the application writes between the crash and the next run of the step."""

    road: Road
    step: Step
    effect: Effect
    when: When
    writes: bool

    def __str__(self) -> str:
        place = f"{self.step.name}-{self.effect.number:02}-{self.effect.port}.{self.effect.name}-{self.when}"
        return f"{place}-written" if self.writes else place


def every_case() -> list[Case]:
    """By a clean run of each road on the memory ledger; nothing here names an effect."""
    with pytest.MonkeyPatch.context() as patch:
        make_repeatable(patch)
        pass_without_judging(patch)
        return [case for road in ROADS for case in cases_of(road)]


def cases_of(road: Road) -> Iterator[Case]:
    """As its steps are right now: under a mutant, what the mutant does."""
    for step, effects in effects_of(road, LedgerKind()):
        for effect in effects if step.name in road.tried else ():
            for when in effect.whens:
                yield Case(road, step, effect, when, writes=False)
                if when is not When.BEFORE:  # for who writes then, it is the same as after the effect before
                    yield Case(road, step, effect, when, writes=True)


def effects_of(road: Road, kind: LedgerKind) -> list[tuple[Step, list[Effect]]]:
    """What each step of the road does to the world, when nothing happens to it."""
    with closing(CrashWorld(kind)) as world:
        return [(step, _begun(world, step).run(step.run).effects) for step in road.steps]


def travel(road: Road, world: CrashWorld) -> CrashWorld:
    """To the road's end, without an accident."""
    for step in road.steps:
        _begun(world, step).run(step.run)
    return world


def travel_with_a_crash(case: Case, world: CrashWorld) -> Counter[str]:
    """To the road's end all the same; the routers and a janitor are there as always.

    Returns what the crash may cost: the texts that the dead process had paid for and that nobody found in the shadow when it
    died, and those that its last request took from the shadow when it landed.
    """
    unlanded: Counter[str] = Counter()
    for step in case.road.steps:
        _begun(world, step)
        if step is case.step:
            ghost, unlanded = _crash(case, world)
            world.run(step.run, anew=True)
            unlanded += _land(ghost, world)
        else:
            world.run(step.run)
    world.let_time_pass()
    return unlanded


def _begun(world: CrashWorld, step: Step) -> CrashWorld:
    if step.first is not None:
        step.first(world)
    return world


def _crash(case: Case, world: CrashWorld) -> tuple[Ghost | None, Counter[str]]:
    before = world.paid_copies
    dead = world.run(case.step.run, Kill(case.effect.number, case.when))
    assert dead.dead, f"{case.step.name} has no effect {case.effect.number}: {dead.effects}"
    died_at = dead.effects[case.effect.number - 1]
    assert died_at == case.effect, f"the run that was listed had {case.effect} there, this one {died_at}"
    unlanded = world.paid_copies - before - Counter(world.shadow_texts())
    if case.writes:
        world.application.write()
    return dead.ghost, unlanded


def _land(ghost: Ghost | None, world: CrashWorld) -> Counter[str]:
    """What it asks for may be refused by now. Returns the texts of objects that it deleted."""
    there = world.shadow_texts()
    if ghost is not None:
        with suppress(VecferryError):
            ghost.land()
    return Counter(there - world.shadow_texts())
