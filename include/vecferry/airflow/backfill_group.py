"""The backfill: planned once, then one mapped task a chunk, each retried and cleared by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg, get_current_context, task
from airflow.sdk.definitions.mappedoperator import MappedOperator

from vecferry.airflow.failures import put_off
from vecferry.airflow.operator_of import mapped_operator_of, operator_of
from vecferry.airflow.ports_in_task import Connect, ports_in_task
from vecferry.airflow.request_of_run import Subject
from vecferry.airflow.stage_group import StageTasks, group_of
from vecferry.airflow.stage_tasks import check_task, ready_task
from vecferry.domain.stages import BY_NAME
from vecferry.errors import NeedsPerson

if TYPE_CHECKING:
    from airflow.sdk import Context

STAGE = BY_NAME["backfill"]
TURN_S = 15.0


def backfill_group(subject: Subject, connect: Connect, *, at_once: int) -> StageTasks:
    """``at_once``: the most chunks of one run, fixed when the DAG is parsed."""
    with group_of(STAGE):
        chunks = _plan_chunks(subject, connect)
        act = _chunk_tasks(chunks, subject, connect, at_once)
        check = check_task(STAGE.name, subject, connect)
        act >> ready_task(STAGE.name, subject, connect) >> check
    return StageTasks(operator_of(chunks), act, check)


def _plan_chunks(subject: Subject, connect: Connect) -> XComArg:
    @task(task_id="plan_chunks")
    def plan_chunks() -> list[dict[str, Any]]:
        from vecferry.steps import backfill

        context = get_current_context()
        with ports_in_task(connect, context) as ports:
            chunks = backfill.plan_chunks(ports, str(subject(context)))
            if not chunks:  # Airflow would skip the mapped task and with it everything that follows
                raise NeedsPerson("there are no chunks to copy", where=str(subject(context)), next_action="Clear plan.act.")
        return [{key: chunk[key] for key in ("start", "end", "tenant", "label")} for chunk in chunks]

    return plan_chunks()


def _chunk_tasks(chunks: XComArg, subject: Subject, connect: Connect, at_once: int) -> MappedOperator:
    @task(
        task_id="act",
        retries=4,
        max_active_tis_per_dagrun=at_once,
        map_index_template="{{ chunk_label }}",
    )
    def backfill_chunk(start: str, end: str, tenant: str | None, label: str) -> dict[str, Any]:
        from vecferry.steps import backfill

        context = get_current_context()
        context["chunk_label"] = label  # type: ignore[typeddict-unknown-key]  # read by map_index_template
        if not is_its_turn(context, at_once):
            raise put_off(TURN_S)
        with ports_in_task(connect, context) as ports:
            return backfill.run_chunk(ports, str(subject(context)), start=start, end=end, tenant=tenant)

    return mapped_operator_of(backfill_chunk.expand_kwargs(chunks))


def is_its_turn(context: Context, at_once: int) -> bool:
    """Whether fewer chunks before this one are running than the form allows. Lower indexes go first, so nobody starves."""
    allowed = int(context["params"]["chunk_concurrency"])
    if allowed >= at_once:
        return True  # Airflow holds that limit by itself
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id]).get(ti.run_id, {})
    running = [int(name.rpartition("_")[2]) for name, state in states.items() if state == "running"]
    return sum(index < (ti.map_index or 0) for index in running) < allowed
