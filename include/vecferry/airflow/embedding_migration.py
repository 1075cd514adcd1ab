"""The DAG that moves one pin to another model. Nobody has to fork it: a DAG file calls this with what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

from airflow.sdk import DAG, Label, TaskGroup

from vecferry.airflow.approved_groups import plan_group, retire_group
from vecferry.airflow.backfill_group import backfill_group
from vecferry.airflow.cut_over_group import cut_over_group
from vecferry.airflow.decisions import wire_decision
from vecferry.airflow.form import migration_form, most_chunks_at_once
from vecferry.airflow.ports_in_task import Connect, connected
from vecferry.airflow.request_of_run import migration_from, request_of_run
from vecferry.airflow.stage_group import StageTasks, stage_group
from vecferry.airflow.task_defaults import task_defaults
from vecferry.domain.stages import STAGES, Stage

DOC = """
Moves a Weaviate collection from one embedding model to another while applications search and write.

**Prepare** why, what it costs, an empty copy · **Fill** new writes, then the history · **Prove** equal, and not worse ·
**Switch** 5%, 25%, 100% of the queries · **Finish** the new collection becomes the only one.

Each stage is *act* (do it) → *ready* (the world confirms it) → *check* (Great Expectations on what is stored).

- **Any task may be cleared at any time, with downstream.** Work that is confirmed is not done again.
- **A failed percent rolls back by itself**; any stage before it holds, as there is nothing to undo. The run then ends failed,
  and its last task says what to do.
- To go back by hand: the button on the *Vectors* page, the DAG `embedding_rollback`, or `vecferry rollback`.
- A task that is `up_for_reschedule` waits: for a soak, for quiet, or because the migration is paused. Its log says which.
"""
_PROVEN = {
    "check_deprecation": "why and by when",
    "plan": "approved",
    "create_shadow": "an empty copy",
    "enable_dual_write": "writes go to both",
    "backfill": "the history is there",
    "verify_parity": "both are equal",
    "validate_golden_set": "not worse",
    "cut_over_5": "canary passed",
    "cut_over_25": "canary passed",
    "cut_over_100": "canary passed",
}


def embedding_migration_dag(
    dag_id: str = "embedding_migration",
    *,
    defaults: Mapping[str, Any] | None = None,
    pool: str | None = None,
    queue: str | None = None,
    executor_config: dict[str, Any] | None = None,
    connect: Connect = connected,
) -> DAG:
    """``defaults`` fills the form (``{"collection": "Docs", "soak_minutes": 120}``); its ``chunk_concurrency`` is also the
    most that the form accepts. ``pool``, ``queue``, ``executor_config`` apply to every task. ``connect`` opens the ports in
    place of Airflow's Connections and the settings.
    """
    with DAG(
        dag_id,
        schedule=None,
        catchup=False,
        params=migration_form(defaults),
        default_args=task_defaults(pool, queue, executor_config),
        doc_md=DOC,
        tags=["vecferry"],
        dag_display_name=dag_id,
    ) as dag:
        built = dict(_chapters(connect, most_chunks_at_once(defaults)))
        wire_decision(migration_from("plan.act"), connect, backfill=built["backfill"].act, last=built["retire"].last)
    return dag


def _chapters(connect: Connect, at_once: int) -> Iterator[tuple[str, StageTasks]]:
    """Thirteen flat groups are unreadable in the graph, five chapters are not; their names stay out of the task ids."""
    before: tuple[str, StageTasks] | None = None
    for chapter, stages in groupby(STAGES, key=attrgetter("chapter")):
        with TaskGroup(chapter.lower(), prefix_group_id=False, group_display_name=chapter):
            for stage in stages:
                built = _build(stage, connect, at_once)
                if before is not None:
                    before[1].last >> Label(_PROVEN[before[0]]) >> built.first
                before = (stage.name, built)
                yield before


def _build(stage: Stage, connect: Connect, at_once: int) -> StageTasks:
    subject = migration_from("plan.act")
    special: dict[str, Callable[[], StageTasks]] = {
        "check_deprecation": lambda: stage_group(stage, request_of_run, connect, slow=True),
        "plan": lambda: plan_group(connect),
        "backfill": lambda: backfill_group(subject, connect, at_once=at_once),
        "retire": lambda: retire_group(subject, connect),
    }
    if stage.name in special:
        return special[stage.name]()
    if stage.percent is not None:
        return cut_over_group(stage, subject, connect)
    return stage_group(stage, subject, connect)
