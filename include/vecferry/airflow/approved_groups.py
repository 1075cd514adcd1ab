"""The two stages that ask a person: plan, of what it found; retire, before authority moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Label

from vecferry.airflow.approval import Approval
from vecferry.airflow.ports_in_task import Connect
from vecferry.airflow.request_of_run import Subject, migration_from, request_of_run
from vecferry.airflow.stage_group import StageTasks, group_of
from vecferry.airflow.stage_tasks import act_task, check_task, ready_task
from vecferry.domain.stages import BY_NAME

if TYPE_CHECKING:
    from vecferry.ports import Ports

_PLAN_BODY = """
{% set plan = ti.xcom_pull(task_ids="plan.act") or {} -%}
{% for warning in plan.get("warnings", []) -%}
**Warning: {{ warning }}.**

{% endfor -%}
{% for name, value in plan.items() if value is not none and value != [] and name != "warnings" -%}
- {{ name | replace("_", " ") }}: **
{%- if value is integer %}{{ "{:,}".format(value) }}
{%- elif value is float %}{{ "{:,}".format(value | round(4)) }}
{%- else %}{{ value }}
{%- endif %}**
{% endfor %}
Until the first percent, giving up costs compute only; until *retire*, going back is one ledger write.
"""
_RETIRE_BODY = """
All queries of **{{ params.collection }}** are served by **{{ params.to_model }}**.

After this there is no way back but another migration: writes are held for a moment (2 s at most), authority moves, and the
old collection stays, read-only, until somebody deletes it.
{% if params.get("sweep") %}
**Some applications wrote without the Router.** It refuses until a person has said that they have moved
(`vecferry sweep {{ params.collection }} --writers-moved --why …`), and while a sweep still finds what they write. What one
writes natively in the moment itself is lost.
{% endif %}
"""


def plan_group(connect: Connect) -> StageTasks:
    """Asked last: nobody should weigh a plan that its check refuses."""
    stage, subject = BY_NAME["plan"], request_of_run
    with group_of(stage):
        act = act_task(stage.name, subject, connect)
        approve = Approval(
            stage="the plan",
            subject_of_run=migration_from("plan.act"),
            connect=connect,
            subject="Migrate {{ params.collection }} to {{ params.to_model }}?",
            body=_PLAN_BODY,
        )
        check = check_task(stage.name, subject, connect)
        act >> ready_task(stage.name, subject, connect) >> check >> approve
    return StageTasks(act, act, approve)


def _why_not_retired(ports: Ports, migration_id: str) -> str:
    from vecferry.steps import only_tenants

    return only_tenants.why_not_retired(ports, migration_id)


def retire_group(subject: Subject, connect: Connect) -> StageTasks:
    """Asked first: its act is what cannot be undone."""
    stage = BY_NAME["retire"]
    with group_of(stage):
        approve = Approval(
            stage="retire",
            subject_of_run=subject,
            connect=connect,
            why_skipped=_why_not_retired,
            subject="Retire the old collection of {{ params.collection }}?",
            body=_RETIRE_BODY,
        )
        act = act_task(stage.name, subject, connect, retries=8)  # an undone freeze is tried again
        check = check_task(stage.name, subject, connect)
        approve >> Label("approved") >> act >> ready_task(stage.name, subject, connect) >> check
    return StageTasks(approve, act, check)
