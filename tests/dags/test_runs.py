"""Whole runs of the DAGs in this process, on the shipped fakes with an application that searches all the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.utils.session import create_session

from tests.dags.world import World
from vecferry.airflow import embedding_migration_dag, embedding_rollback_dag
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.request import MigrationRequest
from vecferry.errors import Retryable
from vecferry.steps import stage_runner

pytestmark = [pytest.mark.usefixtures("airflow_database"), pytest.mark.timeout(240)]
CONF = {"collection": "Docs", "to_model": "memory/new", "approvals": False, "soak_minutes": 0, "margin": 0.5}


@dataclass(frozen=True)
class Ended:
    state: str
    tasks: dict[str, str]
    run_id: str

    def xcom(self, task_id: str, key: str) -> Any:
        with create_session() as session:
            rows = session.scalars(XComModel.get_many(run_id=self.run_id, key=key, task_ids=task_id)).all()
        return rows[0].value if rows else None


def _run(dag: DAG, **conf: Any) -> Ended:
    run: DagRun = dag.test(run_conf=conf)
    tasks = {
        f"{ti.task_id}[{ti.map_index}]" if ti.map_index >= 0 else ti.task_id: str(ti.state) for ti in run.get_task_instances()
    }
    return Ended(str(run.state), tasks, run.run_id)


def _migrate(world: World, **conf: Any) -> Ended:
    return _run(embedding_migration_dag(connect=world.connect), **CONF | {"percents": [25, 100]} | conf)


def _migration(world: World) -> Migration:
    (migration,) = world.ports.ledger.migrations("Docs")
    return migration


def test_a_run_moves_the_collection_and_skips_the_percent_that_nobody_asked_for() -> None:
    world = World()
    with world.application():
        ended = _migrate(world)
    assert ended.state == "success", ended.tasks
    assert _migration(world).phase is Phase.RETIRED
    assert world.ports.ledger.pin("Docs").space.model == "new"
    assert ended.tasks["cut_over_5.act"] == "skipped"
    assert ended.tasks["cut_over_25.check"] == "success"
    assert ended.tasks["backfill.act[0]"] == "success"
    assert (ended.tasks["roll_back.act"], ended.tasks["mark_failed"]) == ("skipped", "skipped")


def test_a_candidate_that_the_golden_set_refuses_serves_nobody_and_the_run_ends_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.new.before = _refuse_queries
    with world.application():
        ended = _migrate(world)
    assert ended.state == "failed"
    assert (_migration(world).phase, _migration(world).percent) == (Phase.VERIFIED, 0)
    assert ended.tasks["validate_golden_set.check"] == "failed"
    assert "expectation" in str(ended.xcom("validate_golden_set.check", "gx"))
    told = [record.message for record in caplog.records if record.name == "vecferry.airflow.stage_tasks"]
    assert told[0] in ("validate_golden_set: FAIL", "validate_golden_set: NO_DATA")
    assert all(len(line) <= 110 for line in told[1:])
    assert "quer" in " ".join(told)
    assert ended.tasks["cut_over_25.act"] == "upstream_failed"
    assert (ended.tasks["decide"], ended.tasks["roll_back.act"], ended.tasks["mark_failed"]) == ("success", "skipped", "failed")


def test_a_percent_that_fails_is_rolled_back_by_itself_and_the_run_ends_failed() -> None:
    world = World()

    def refuse_once_it_serves(method: str, texts: Sequence[str]) -> None:
        active = world.ports.ledger.active_migration("Docs")
        if active is not None and active.phase is Phase.SERVING:
            _refuse_queries(method, texts)

    world.new.before = refuse_once_it_serves
    with world.application():
        ended = _migrate(world)
    assert ended.state == "failed"
    assert ended.tasks["cut_over_25.check"] == "failed"
    assert ended.tasks["roll_back.check"] == "success"
    assert ended.tasks["mark_failed"] == "failed"
    assert _migration(world).phase is Phase.ROLLED_BACK
    back = world.ports.ledger.events(migration_id=_migration(world).id)
    assert any(event.who.startswith("airflow:embedding_migration/") and "cut_over_25" in event.why for event in back)


def test_the_rollback_dag_discards_only_when_asked() -> None:
    world = World()
    _planned(world)
    dag = embedding_rollback_dag(connect=world.connect)
    kept = _run(dag, collection="Docs", why="not now")
    assert (kept.state, kept.tasks["discard.act"], kept.tasks["discard.check"]) == ("success", "skipped", "skipped")
    gone = _run(dag, collection="Docs", why="never", discard=True)
    assert (gone.state, gone.tasks["discard.check"]) == ("success", "success")
    assert _migration(world).phase is Phase.DISCARDED
    assert world.ports.store.collections() == ["Docs"]


@pytest.mark.parametrize("collection", ["Docs", "Dcos"])
def test_there_is_nothing_to_roll_back_without_a_migration(collection: str) -> None:
    ended = _run(embedding_rollback_dag(connect=World(10).connect), collection=collection, why="not now")
    assert (ended.state, ended.tasks["roll_back.act"]) == ("failed", "failed")


def _planned(world: World) -> None:
    request = MigrationRequest("Docs", "memory/new", who="ada")
    migration_id = stage_runner.act("plan", world.ports, request)["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)


def _refuse_queries(method: str, texts: Sequence[str]) -> None:
    if method == "embed_query":
        raise Retryable("the provider is down", where="memory/new")
