"""What happens when a stage fails: a percent is rolled back, anything before it holds; the run ends failed either way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Label, TaskGroup, get_current_context, task
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import AirflowFailException

from vecferry.airflow.operator_of import operator_of
from vecferry.airflow.ports_in_task import Connect, ports_in_task
from vecferry.airflow.request_of_run import Subject, by_run
from vecferry.airflow.stage_tasks import check_task, ready_task
from vecferry.domain.stages import BY_NAME

if TYPE_CHECKING:
    from airflow.sdk import Context

ROLL_BACK = "roll_back.act"
MARK_FAILED = "mark_failed"


def failed_stages(states: Mapping[str, str | None]) -> list[str]:
    """In the order of the road. ``states`` as Airflow has them: ``backfill.act_5`` is a mapped one."""
    failed = {task_id.partition(".")[0] for task_id, state in states.items() if state == "failed"}
    return [name for name in BY_NAME if name in failed]


def next_task(failed: list[str]) -> list[str]:
    """Before the first percent there is nothing to undo; in retire the freeze undoes itself, or a person is needed."""
    if any(BY_NAME[name].percent is not None for name in failed):
        return [ROLL_BACK]
    return [MARK_FAILED] if failed else []


def why_failed(failed: list[str], *, rolled_back: bool) -> str:
    """What people read on the run's last task."""
    name = failed[0] if failed else "a stage"
    mended = f"When the cause is mended, clear the failed task of {name} with downstream."
    if rolled_back:
        return (
            f"{name} failed and was rolled back: all queries are answered by the old model, writes still go to both.\n"
            "The log of the failed task says why. To go on: vecferry verify, vecferry reopen, then clear cut_over_5 with "
            "downstream. To give up: vecferry discard."
        )
    if name == "retire":
        return f"retire failed. Its log says whether authority has moved; before that, the freeze undid itself.\n{mended}"
    return f"{name} failed. Nothing was undone, as nothing had to be: users are on the old model.\n{mended}"


def wire_decision(subject: Subject, connect: Connect, *, backfill: BaseOperator | MappedOperator, last: BaseOperator) -> None:
    """``backfill`` is a direct upstream: the first failed chunk makes all that follows upstream_failed while other chunks
    still run, and the decision must not be taken before them."""
    decide, roll_back, mark_failed = _decide(), _roll_back_group(subject, connect), _mark_failed()
    [backfill, last] >> decide
    decide >> Label("a percent failed") >> roll_back[0]
    decide >> Label("another stage failed") >> mark_failed
    roll_back[1] >> mark_failed


def _decide() -> BaseOperator:
    @task.branch(task_id="decide", trigger_rule="all_done", task_display_name="All well?")
    def decide() -> list[str]:
        return next_task(failed_stages(_states(get_current_context())))

    return operator_of(decide())


def _mark_failed() -> BaseOperator:
    @task(task_id=MARK_FAILED, trigger_rule="none_failed_min_one_success", retries=0, task_display_name="Mark the run failed")
    def mark_failed() -> None:
        states = _states(get_current_context())
        raise AirflowFailException(why_failed(failed_stages(states), rolled_back=states.get(ROLL_BACK) == "success"))

    return operator_of(mark_failed())


def _roll_back_group(subject: Subject, connect: Connect) -> tuple[BaseOperator, BaseOperator]:
    with TaskGroup("roll_back", group_display_name="Roll back"):
        act = _roll_back(subject, connect)
        check = check_task("roll_back", subject, connect)
        act >> ready_task("roll_back", subject, connect) >> check
    return act, check


def _roll_back(subject: Subject, connect: Connect) -> BaseOperator:
    @task(task_id="act", retries=4)
    def act() -> dict[str, Any]:
        from vecferry.steps import stage_runner

        context = get_current_context()
        why = f"{', '.join(failed_stages(_states(context)))} failed"
        with ports_in_task(connect, context) as ports:
            return stage_runner.act("roll_back", ports, subject(context), who=by_run(context), why=why)

    return operator_of(act())


def _states(context: Context) -> dict[str, str | None]:
    ti = context["ti"]
    return dict(ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {}))
