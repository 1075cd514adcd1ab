"""What a migration's processes do, one after the other, on the four roads that there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.faults.crash.world import CrashWorld, Run
from tests.support.memory_world import request
from vecferry.domain.lifecycle import Phase
from vecferry.errors import BadInput, Retryable
from vecferry.ports import Ports
from vecferry.steps import backfill, discard, reopen, roll_back, stage_runner, verify_parity


@dataclass(frozen=True)
class Step:
    """``run`` is one process. ``first`` is what the world does before it, once."""

    name: str
    run: Run
    first: Callable[[CrashWorld], Any] | None = None


@dataclass(frozen=True)
class Road:
    """``tried`` are the steps that are killed on this road; the others are killed on another one."""

    name: str
    steps: tuple[Step, ...]
    tried: frozenset[str]


def _act(stage: str, **given: Any) -> Step:
    return Step(f"{stage}.act", lambda world, ports: stage_runner.act(stage, ports, world.migration.id), **given)


def _ready(stage: str, first: Callable[[CrashWorld], Any] | None = None) -> Step:
    """A sensor, which looks again and again."""

    def run(world: CrashWorld, ports: Ports) -> None:
        answer = stage_runner.ready(stage, ports, world.migration.id)
        if not answer.done:
            raise Retryable(answer.waiting_for)

    return Step(f"{stage}.ready", run, first)


def _check(stage: str, first: Callable[[CrashWorld], Any] | None = None) -> Step:
    def run(world: CrashWorld, ports: Ports) -> None:
        verdict = stage_runner.check(stage, ports, world.migration.id)
        assert verdict.passes, f"{stage}: {verdict.reason}"

    return Step(f"{stage}.check", run, first)


def _stage(stage: str) -> tuple[Step, ...]:
    return _act(stage), _ready(stage), _check(stage)


def _cut_over(percent: int) -> tuple[Step, ...]:
    """Users search before the sensor may let the check judge."""
    stage = f"cut_over_{percent}"

    return _act(stage), _ready(stage, first=CrashWorld.users_search), _check(stage)


def _chunk(number: int) -> Step:
    def run(world: CrashWorld, ports: Ports) -> None:
        chunk = world.ledger.chunks(world.migration.id)[number]
        backfill.run_chunk(ports, world.migration.id, start=chunk.start, end=chunk.end, tenant=chunk.tenant)

    return Step(f"backfill.chunk_{number}", run)


def _reopen(world: CrashWorld, ports: Ports) -> None:
    """A person's word, never a retried task: who says it again is told that it has happened."""
    try:
        reopen.act(ports, world.migration.id, who="tess", why="it was the network")
    except BadInput:
        assert world.migration.phase is Phase.SERVING


_PLAN = (
    Step("plan.act", lambda world, ports: stage_runner.act("plan", ports, request(budget_usd=5.0, aliases="move"))),
    _check("plan"),
)
_KEPT_PLAN = Step(
    "kept.plan.act",
    lambda world, ports: stage_runner.act("plan", ports, request(budget_usd=5.0, shadow_vectorizer="keep")),
    first=CrashWorld.let_the_server_vectorize,
)
_UP_TO_BOTH = (*_PLAN, *_stage("create_shadow"), *_stage("enable_dual_write"))
_BACKFILL = (
    Step("backfill.plan_chunks", lambda world, ports: backfill.plan_chunks(ports, world.migration.id)),
    _chunk(0),
    _chunk(1),
    _ready("backfill"),
    _check("backfill"),
)
_PARITY = (_act("verify_parity", first=CrashWorld.damage), _ready("verify_parity"), _check("verify_parity"))
_UP_TO_SERVING = (*_UP_TO_BOTH, *_BACKFILL, *_PARITY, *_stage("validate_golden_set"), *_cut_over(5))
_TO_THE_END = (*_cut_over(25), *_cut_over(100), *_stage("retire"))

_ROLL_BACK = Step("roll_back.act", lambda world, ports: roll_back.act(ports, world.migration.id, who="tess", why="a feeling"))
_VERIFY_AGAIN = Step(
    "verify_again.act",
    lambda world, ports: verify_parity.act(ports, world.migration.id),
    first=lambda world: world.clock.advance(1.0),
)
_DISCARD = Step("discard.act", lambda world, ports: _discard(world, ports))


_GIVEN_UP = (_DISCARD, _check("discard"))


def _discard(world: CrashWorld, ports: Ports) -> None:
    discard.act(ports, world.migration.id, who="tess", why="not worth it")


def _road(name: str, *steps: Step, tried: Sequence[Step]) -> Road:
    return Road(name, steps, frozenset(step.name for step in tried))


_FORWARD = (*_UP_TO_SERVING, *_TO_THE_END)
_AND_BACK = (_ROLL_BACK, _VERIFY_AGAIN, Step("reopen.act", _reopen))
_KEPT_SHADOW, _KEPT_RETIRE = (replace(_act(stage), name=f"kept.{stage}.act") for stage in ("create_shadow", "retire"))
_KEPT_ROAD = (
    *(_KEPT_PLAN, _PLAN[1], _KEPT_SHADOW, *_stage("create_shadow")[1:]),
    *(*_FORWARD[len(_PLAN) + 3 : -3], _KEPT_RETIRE, *_FORWARD[-2:]),
)
ROADS: tuple[Road, ...] = (
    _road("forward", *_FORWARD, tried=_FORWARD),
    _road("back", *_UP_TO_SERVING, *_AND_BACK, *_TO_THE_END, tried=_AND_BACK),
    _road("again", *_UP_TO_BOTH, *_BACKFILL[:2], *_GIVEN_UP, *_UP_TO_BOTH, tried=_GIVEN_UP),
    _road("kept", *_KEPT_ROAD, tried=(_KEPT_PLAN, _KEPT_SHADOW, _KEPT_RETIRE)),
)
"""Forward to the end; back and forward again; given up in the middle of the backfill, and begun anew; and with a vectorizer of
the server's that the shadow keeps."""
