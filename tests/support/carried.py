"""A migration carried to where a test begins, by its acts and without its checks."""

from __future__ import annotations

from typing import Any

from tests.support.memory_world import World, request
from vecferry.domain.lifecycle import Phase
from vecferry.steps import retire, stage_runner, verify_parity


def validated(world: World, **options: Any) -> str:
    """Copied and proven equal; nothing is served from the shadow yet."""
    migration_id: str = stage_runner.act("plan", world.ports, request(**options))["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.SHADOW_CREATED)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    world.clock.sleep(0.5)
    stage_runner.act("backfill", world.ports, migration_id)
    world.walk_to(migration_id, Phase.BACKFILLED)
    verify_parity.act(world.ports, migration_id)
    world.walk_to(migration_id, Phase.VALIDATED)
    return migration_id


def serving(world: World, percent: int, **options: Any) -> str:
    migration_id = validated(world, **options)
    world.walk_to(migration_id, Phase.SERVING, percent)
    world.clock.sleep(0.5)
    return migration_id


def retired(world: World, **options: Any) -> str:
    migration_id = serving(world, 100, **options)
    retire.act(world.ports, migration_id)
    world.clock.sleep(0.5)
    return migration_id
