"""A whole DAG run where an application bypasses the Router: its tasks sweep, and retire waits for a person."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.dags.test_runs import CONF, _migration, _run
from tests.dags.world import OLD, World
from vecferry.adapters.memory.embedder import vector_of
from vecferry.airflow import embedding_migration_dag
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.steps import stage_runner, sweep, sweeps

pytestmark = [pytest.mark.usefixtures("airflow_database"), pytest.mark.timeout(240)]


@contextmanager
def written_natively(world: World) -> Iterator[None]:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.05):
            number += 1
            key, body = f"00000000-0000-4000-8000-{number:012}", f"native number{number}"
            world.ports.store.put("Docs", StoredObject(key, {"body": body}, {UNNAMED: vector_of(OLD.space, body)}), timeout_s=1)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_run_sweeps_by_itself_up_to_100_percent_and_retire_waits_for_the_word() -> None:
    world = World()
    with world.application():
        with written_natively(world):
            ended = _run(embedding_migration_dag(connect=world.connect), **CONF | {"percents": [100], "sweep": True})
        assert ended.tasks["cut_over_100.check"] == "success", ended.tasks
        assert ended.tasks["retire.act"] == "failed"
        assert ended.tasks["roll_back.act"] == "skipped"  # nothing went wrong with the percent
        migration = _migration(world)
        assert (migration.phase, migration.percent, migration.sweeps) == (Phase.SERVING, 100, True)
        assert sum(one.new for one in sweeps.last_sweeps(world.ports, migration, 1000)) > 0
        sweep.writers_moved(world.ports, migration.id, who="ana", why="release 12")
        stage_runner.act("retire", world.ports, migration.id)
    assert world.ports.store.count(migration.spec.shadow) == world.ports.store.count("Docs")
