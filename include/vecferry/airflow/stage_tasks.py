"""The three tasks of a stage, singly: act, ready, check."""

from __future__ import annotations

import logging
import textwrap
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from vecferry.airflow.operator_of import operator_of
from vecferry.airflow.ports_in_task import Connect, ports_in_task
from vecferry.airflow.request_of_run import Subject
from vecferry.airflow.stage_ready import StageReady
from vecferry.airflow.vectors_link import VectorsLink

if TYPE_CHECKING:
    from vecferry.domain.verdicts import Verdict

_log = logging.getLogger(__name__)
_LINE = 110
"""Characters that the log page shows without scrolling."""


def act_task(stage: str, subject: Subject, connect: Connect, *, retries: int = 4) -> BaseOperator:
    """Does it. Its summary is its XCom."""

    @task(task_id="act", retries=retries)
    def act() -> dict[str, Any]:
        from vecferry.steps import stage_runner, sweep

        context = get_current_context()
        with ports_in_task(connect, context) as ports:
            about = subject(context)
            if isinstance(about, str) and stage != "retire":  # it makes a pass of its own
                sweep.keep_fresh(ports, about)
            return stage_runner.act(stage, ports, about)

    return operator_of(act())


def ready_task(stage: str, subject: Subject, connect: Connect, *, slow: bool = False) -> BaseOperator:
    return StageReady(task_id="ready", stage=stage, subject=subject, connect=connect, slow=slow)


def check_task(stage: str, subject: Subject, connect: Connect) -> BaseOperator:
    """The Great Expectations checkpoint; what it found is the XCom ``gx``, also when it fails."""

    @task(task_id="check")
    def check() -> dict[str, str]:
        from vecferry.steps import stage_runner

        context = get_current_context()
        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        with ports_in_task(connect, context) as ports:
            verdict = stage_runner.check(stage, ports, subject(context))
        context["ti"].xcom_push("gx", verdict.evidence.get("gx"))
        if not verdict.passes:
            for line in _in_lines(stage, verdict):
                _log.error(line)
            raise AirflowFailException(verdict.reason)
        return {"outcome": verdict.outcome.value, "reason": verdict.reason}

    operator = operator_of(check())
    operator.operator_extra_links = (VectorsLink(),)
    return operator


def _in_lines(stage: str, verdict: Verdict) -> list[str]:
    """The page shows an exception as one long line over Airflow's own frames: the reason is said before it, in full."""
    return [f"{stage}: {verdict.outcome.value}", *textwrap.wrap(verdict.reason, _LINE)]
