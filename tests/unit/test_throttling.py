"""The throttle on a ledger and a store."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.memory_world import World, make_world, request
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation, latency_bucket
from vecferry.domain.throttle import FEWEST_KEYS, FIRST_PAUSE_S
from vecferry.steps import backfill, discard, roll_back, stage_runner
from vecferry.steps.throttling import LOOK_EVERY_S, Throttle, throttle_of


@pytest.fixture
def world() -> World:
    return make_world(5)


def migrating(world: World, limit_ms: float | None = 20.0) -> Migration:
    planned = stage_runner.act("plan", world.ports, request(max_live_p99_ms=limit_ms))
    return world.ports.ledger.migration(planned["migration_id"])


def throttle(world: World) -> Throttle:
    made = throttle_of(world.ports, migrating(world), 250)
    assert made is not None
    return made


def observe(world: World, latency_ms: float, arm: Arm = Arm.LIVE, queries: int = 200) -> None:
    latency = {latency_bucket(latency_ms): queries}
    world.ports.ledger.observe([Observation("Docs", 1, arm, queries, queries, latency=latency)], router_id="r1")


def after_a_look(world: World, throttle: Throttle) -> tuple[int, float]:
    """How many keys a page may have, and how long it was waited for."""
    world.ports.clock.sleep(LOOK_EVERY_S)
    before_s = world.ports.clock.monotonic()
    return throttle.wait(), world.ports.clock.monotonic() - before_s


def test_a_copier_slows_down_while_live_queries_are_slow_and_goes_on_when_they_are_not(world: World) -> None:
    copier = throttle(world)
    observe(world, 10)
    assert after_a_look(world, copier) == (2 * FEWEST_KEYS, 0.0)
    observe(world, 100)
    assert after_a_look(world, copier) == (FEWEST_KEYS, 0.0)
    observe(world, 100)
    assert after_a_look(world, copier) == (FEWEST_KEYS, pytest.approx(FIRST_PAUSE_S))
    assert "p99" in copier.why
    before_s = world.ports.clock.monotonic()
    assert copier.wait() == FEWEST_KEYS
    assert world.ports.clock.monotonic() - before_s == pytest.approx(FIRST_PAUSE_S), "between two looks it stays as it is"
    for _ in range(2):
        observe(world, 10)
        grown = after_a_look(world, copier)
    assert grown == (FEWEST_KEYS + 1, 0.0)


def test_the_shadows_latency_is_none_of_the_users(world: World) -> None:
    observe(world, 10)
    copier = throttle(world)
    observe(world, 900, Arm.SHADOW)
    assert after_a_look(world, copier) == (2 * FEWEST_KEYS, 0.0)


def test_a_store_that_does_not_answer_pauses_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    copier = throttle(world)
    store: Any = world.ports.store
    monkeypatch.setattr(store, "alive", lambda: False)
    assert after_a_look(world, copier) == (FEWEST_KEYS, pytest.approx(FIRST_PAUSE_S))
    assert copier.why == "the store does not answer"


def test_without_an_agreed_limit_nobody_is_slowed_down(world: World) -> None:
    assert throttle_of(world.ports, migrating(world, None), 250) is None


def test_a_backfill_asks_its_throttle_before_each_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "PAGE", 2)
    monkeypatch.setattr(Throttle, "wait", lambda self: waited.append(self._pin) or 1)
    waited: list[str] = []
    for limit_ms in (20.0, None):
        migration = migrating(world, limit_ms)
        stage_runner.act("create_shadow", world.ports, migration.id)
        world.walk_to(migration.id, Phase.SHADOW_CREATED)
        stage_runner.act("enable_dual_write", world.ports, migration.id)
        backfill.run_all(world.ports, migration.id)
        assert len(waited) == 6, "five pages of one key, and the look that finds no more; none where no limit was agreed"
        roll_back.act(world.ports, migration.id, who="tess", why="test")
        discard.act(world.ports, migration.id, who="tess", why="test")
