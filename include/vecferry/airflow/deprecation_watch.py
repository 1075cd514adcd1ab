"""The DAG that reads providers' notices and starts one migration run for each pin that they concern."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, XComArg, get_current_context, task

from vecferry.airflow.ports_in_task import Connect, connected, ports_in_task
from vecferry.airflow.task_defaults import task_defaults

DOC = """
Reads the notices feed (`VECFERRY_NOTICES`) and the providers' own model lists. A pin whose model's end is corroborated gets a
run of `embedding_migration` to the announced replacement. The run's id is made of the notice, the pin and the attempt, so the
same notice never starts two; it is skipped here when it is there already.
"""


def deprecation_watch_dag(
    dag_id: str = "deprecation_watch",
    *,
    migration_dag_id: str = "embedding_migration",
    schedule: Any = "@daily",
    pool: str | None = None,
    queue: str | None = None,
    executor_config: dict[str, Any] | None = None,
    connect: Connect = connected,
) -> DAG:
    """``schedule`` as Airflow takes it; the other parameters as for ``embedding_migration_dag``."""
    with DAG(
        dag_id,
        schedule=schedule,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args=task_defaults(pool, queue, executor_config),
        doc_md=DOC,
        tags=["vecferry"],
    ) as dag:
        TriggerDagRunOperator.partial(
            task_id="migrate",
            trigger_dag_id=migration_dag_id,
            skip_when_already_exists=True,
            logical_date=None,
            map_index_template="{{ task.conf.collection }}",
        ).expand_kwargs(_affected(connect))
    return dag


def _affected(connect: Connect) -> XComArg:
    @task(task_id="affected")
    def affected() -> list[dict[str, Any]]:
        from vecferry.steps import watch_notices

        with ports_in_task(connect, get_current_context()) as ports:
            return watch_notices.affected_runs(ports)

    return affected()
