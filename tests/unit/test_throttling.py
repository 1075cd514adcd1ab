"""The throttle on a ledger and a store."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.memory_world import World, make_world, request
from vecferry.domain.lifecycle import Migration
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation, latency_bucket
from vecferry.steps import stage_runner
from vecferry.steps.throttling import LOOK_EVERY_S, Throttle


@pytest.fixture
def world() -> World:
    return make_world(5)


def migrating(world: World) -> Migration:
    planned = stage_runner.act("plan", world.ports, request())
    return world.ports.ledger.migration(planned["migration_id"])


def observe(world: World, latency_ms: float, arm: Arm = Arm.LIVE, queries: int = 200) -> None:
    latency = {latency_bucket(latency_ms): queries}
    world.ports.ledger.observe([Observation("Docs", 1, arm, queries, queries, latency=latency)], router_id="r1")


def after_a_look(world: World, throttle: Throttle) -> float:
    world.ports.clock.sleep(LOOK_EVERY_S)
    return throttle.wait()


def test_a_copier_pauses_while_live_queries_are_slow_and_goes_on_when_they_are_not(world: World) -> None:
    migration = migrating(world)
    observe(world, 10)
    throttle = Throttle(world.ports, migration)
    assert after_a_look(world, throttle) == 0.0
    observe(world, 100)
    before_s = world.ports.clock.monotonic()
    paused_s = after_a_look(world, throttle)
    assert paused_s > 0
    assert world.ports.clock.monotonic() - before_s == pytest.approx(LOOK_EVERY_S + paused_s)
    assert "p99" in throttle.why
    assert throttle.wait() == paused_s, "between two looks it stays as it is"
    observe(world, 10)
    assert after_a_look(world, throttle) == 0.0


def test_the_shadows_latency_is_none_of_the_users(world: World) -> None:
    migration = migrating(world)
    observe(world, 10)
    throttle = Throttle(world.ports, migration)
    observe(world, 900, Arm.SHADOW)
    assert after_a_look(world, throttle) == 0.0


def test_a_store_that_does_not_answer_pauses_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    throttle = Throttle(world.ports, migrating(world))
    store: Any = world.ports.store
    monkeypatch.setattr(store, "alive", lambda: False)
    assert after_a_look(world, throttle) > 0
    assert throttle.why == "the store does not answer"
