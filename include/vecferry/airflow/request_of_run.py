"""What a DAG run asks for, in the product's words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from vecferry.domain.request import MigrationRequest
from vecferry.errors import BadInput, NeedsPerson

if TYPE_CHECKING:
    from airflow.sdk import Context

Subject = Callable[["Context"], MigrationRequest | str]
"""What a stage is about: the request until there is a migration, then the migration's id."""


def who(context: Context) -> str:
    """The person who started the run when Airflow knows one, else the run."""
    run = context["dag_run"]
    return run.triggering_user_name or by_run(context)


def by_run(context: Context) -> str:
    run = context["dag_run"]
    return f"airflow:{run.dag_id}/{run.run_id}"


def request_of_run(context: Context) -> MigrationRequest:
    params = context["params"]
    notice = params.get("notice_id")
    return MigrationRequest(
        collection=params["collection"],
        to_model=params["to_model"],
        percents=tuple(params["percents"]),
        budget_usd=params["budget_usd"],
        deadline=_day(params["deadline"]),
        approvals=params["approvals"],
        soak_minutes=params["soak_minutes"],
        margin=params["margin"],
        chunk_concurrency=params["chunk_concurrency"],
        max_live_p99_ms=params.get("max_live_p99_ms"),
        keep_days=params.get("keep_days"),
        overlong=params.get("too_long", "truncate"),
        inbound_references=params.get("inbound_references", "refuse"),
        aliases=params.get("aliases", "auto"),
        shadow_vectorizer=params.get("shadow_vectorizer", "plain"),
        sweep=params["sweep"],
        tenants=tuple(name.strip() for name in params.get("tenants") or () if name.strip()),
        notice_id=notice,
        who=who(context),
        why=f"notice {notice}" if notice else "started in Airflow",
    )


def migration_from(task_id: str) -> Callable[[Context], str]:
    """The migration that ``task_id`` of this run named in its summary."""

    def migration_id(context: Context) -> str:
        summary = context["ti"].xcom_pull(task_ids=task_id)
        if not summary:
            raise NeedsPerson(
                f"{task_id} of this run has named no migration",
                where=by_run(context),
                next_action=f"Clear {task_id} with downstream.",
            )
        return str(summary["migration_id"])

    return migration_id


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError as error:
        raise BadInput(f"deadline {value!r} is no date", where="params", next_action="Write 2027-03-31.") from error
