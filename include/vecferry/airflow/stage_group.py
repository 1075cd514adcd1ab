"""A stage as the graph shows it: act → ready → check."""

from __future__ import annotations

from dataclasses import dataclass

from airflow.sdk import BaseOperator, TaskGroup
from airflow.sdk.definitions.mappedoperator import MappedOperator

from vecferry.airflow.ports_in_task import Connect
from vecferry.airflow.request_of_run import Subject
from vecferry.airflow.stage_tasks import act_task, check_task, ready_task
from vecferry.domain.stages import Stage


@dataclass(frozen=True)
class StageTasks:
    """``first`` and ``last`` are what the neighbours hang on; ``act`` may be mapped."""

    first: BaseOperator
    act: BaseOperator | MappedOperator
    last: BaseOperator


def group_of(stage: Stage) -> TaskGroup:
    return TaskGroup(stage.name, group_display_name=stage.title, tooltip=stage.title)


def stage_group(stage: Stage, subject: Subject, connect: Connect, *, slow: bool = False) -> StageTasks:
    with group_of(stage):
        act = act_task(stage.name, subject, connect)
        check = check_task(stage.name, subject, connect)
        act >> ready_task(stage.name, subject, connect, slow=slow) >> check
    return StageTasks(act, act, check)
