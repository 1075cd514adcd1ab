"""One percent of the way over; skipped where the form does not ask for it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from vecferry.airflow.operator_of import operator_of
from vecferry.airflow.ports_in_task import Connect, ports_in_task
from vecferry.airflow.request_of_run import Subject
from vecferry.airflow.stage_group import StageTasks, group_of
from vecferry.airflow.stage_tasks import check_task, ready_task
from vecferry.domain.stages import Stage


def cut_over_group(stage: Stage, subject: Subject, connect: Connect) -> StageTasks:
    with group_of(stage):
        act = _act_task(stage, subject, connect)
        check = check_task(stage.name, subject, connect)
        act >> ready_task(stage.name, subject, connect, slow=True) >> check
    return StageTasks(act, act, check)


def _act_task(stage: Stage, subject: Subject, connect: Connect) -> BaseOperator:
    @task(task_id="act", retries=4, trigger_rule="none_failed")  # the percent before may have been skipped
    def act() -> dict[str, Any]:
        from vecferry.steps import stage_runner

        context = get_current_context()
        if stage.percent not in context["params"]["percents"]:
            raise AirflowSkipException(f"{stage.percent}% is not among the percents of this run")
        with ports_in_task(connect, context) as ports:
            return stage_runner.act(stage.name, ports, subject(context))

    return operator_of(act())
