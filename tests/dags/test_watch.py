"""A notice becomes a run of its own, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select

from tests.dags.world import World
from vecferry.airflow import deprecation_watch_dag
from vecferry.ports import ListedModel

pytestmark = [pytest.mark.usefixtures("airflow_database"), pytest.mark.timeout(240)]
NOTICE = {"provider": "memory", "model_id": "old", "shutdown_date": "2099-03-31", "replacement_models": ["new"], "url": "page"}


class Feed:
    def rows(self) -> list[dict[str, Any]]:
        return [NOTICE]


def _watched(world: World) -> str:
    run = deprecation_watch_dag(connect=world.connect).test()
    return str(run.state)


def _runs_by_notice() -> list[DagRun]:
    with create_session() as session:
        return list(session.scalars(select(DagRun).where(DagRun.run_id.like("notice\\_\\_%", escape="\\"))))


def test_a_corroborated_notice_starts_one_run_however_often_it_is_read() -> None:
    world = World(10)
    listed = ListedModel("memory", "old", deprecated=True, shutdown_on="2099-03-31")
    lists = type(world.ports.model_lists)({"old": listed})  # type: ignore[call-arg]
    world.ports = replace(world.ports, notice_feed=Feed(), model_lists=lists)
    assert [_watched(world), _watched(world)] == ["success", "success"]
    (run,) = _runs_by_notice()
    assert run.dag_id == "embedding_migration"
    assert run.conf is not None
    assert (run.conf["collection"], run.conf["to_model"]) == ("Docs", "memory/new")
    assert run.conf["notice_id"] in run.run_id


def test_no_notice_no_run() -> None:
    before = len(_runs_by_notice())
    assert _watched(World(10)) == "success"
    assert len(_runs_by_notice()) == before
