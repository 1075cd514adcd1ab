"""A DAG that is deployed anew in the middle of a migration: tasks keep nothing, the ledger decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from airflow.sdk import DAG

from tests.dags.test_runs import CONF, Ended, _run
from tests.dags.world import World
from vecferry.adapters.memory.store import Call
from vecferry.airflow import embedding_migration_dag
from vecferry.domain.lifecycle import Phase
from vecferry.errors import Retryable

pytestmark = [pytest.mark.usefixtures("airflow_database"), pytest.mark.timeout(240)]


def _deployed(world: World, **defaults: Any) -> DAG:
    return embedding_migration_dag(connect=world.connect, defaults=defaults)


def _down(method: str, texts: Sequence[str]) -> None:
    if method == "embed_query":
        raise Retryable("the provider is down", where="memory/new")


def _fails_before_it_serves(world: World) -> Ended:
    world.new.before = _down
    with world.application():
        ended = _run(_deployed(world), **CONF | {"percents": [25, 100]})
    world.new.before = lambda method, texts: None
    assert ended.tasks["validate_golden_set.check"] == "failed"
    return ended


def test_a_dag_deployed_anew_goes_on_with_the_migration_that_there_is() -> None:
    """Other defaults, other percents, another parallelism, a new run: no second migration, and no object copied again."""
    world = World()
    _fails_before_it_serves(world)
    (before,) = world.ports.ledger.migrations("Docs")
    copied = world.ports.ledger.chunks(before.id)
    written = _writes_to(world, before.spec.shadow)
    with world.application():
        ended = _run(_deployed(world, chunk_concurrency=2, margin=0.4), **CONF | {"percents": [5, 100]})
    assert ended.state == "success", ended.tasks
    assert (ended.tasks["cut_over_5.check"], ended.tasks["cut_over_25.act"]) == ("success", "skipped")
    (after,) = world.ports.ledger.migrations("Docs")
    assert (after.id, after.phase, after.attempt) == (before.id, Phase.RETIRED, before.attempt)
    assert world.ports.ledger.chunks(before.id) == copied
    assert written == []


def _writes_to(world: World, collection: str) -> list[str]:
    """The names of the calls that send objects there, from now on."""
    written: list[str] = []

    def note(name: str, where: str, call: Call) -> None:
        if where == collection and call.objects:
            written.append(name)

    world.ports.store.after = note  # type: ignore[attr-defined]
    return written
