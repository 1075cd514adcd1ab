"""The DAG that goes back: one ledger write, then the wait until no router serves the shadow; giving up too, when asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, Label, Param, TaskGroup, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from vecferry.airflow.operator_of import operator_of
from vecferry.airflow.ports_in_task import Connect, connected, ports_in_task
from vecferry.airflow.request_of_run import migration_from, who
from vecferry.airflow.stage_tasks import check_task, ready_task
from vecferry.airflow.task_defaults import task_defaults
from vecferry.errors import NotFound

if TYPE_CHECKING:
    from airflow.sdk import Context

    from vecferry.ports import Ports

DOC = """
All queries of the collection are answered by the old model again, within a poll of the routers. Writes still go to both, so
`vecferry reopen` can take it up where it was. With *discard* the new collection is dropped: that loses compute, not customers.

The same as `vecferry rollback` and the button on the *Vectors* page.
"""
_SUBJECT = migration_from("roll_back.act")


def embedding_rollback_dag(
    dag_id: str = "embedding_rollback",
    *,
    defaults: Mapping[str, Any] | None = None,
    pool: str | None = None,
    queue: str | None = None,
    executor_config: dict[str, Any] | None = None,
    connect: Connect = connected,
) -> DAG:
    """Parameters as for ``embedding_migration_dag``; ``defaults`` may name the ``collection``."""
    with DAG(
        dag_id,
        schedule=None,
        catchup=False,
        params=_form(defaults or {}),
        default_args=task_defaults(pool, queue, executor_config),
        doc_md=DOC,
        tags=["vecferry"],
    ) as dag:
        with TaskGroup("roll_back", group_display_name="Roll back"):
            act, check = _roll_back(connect), check_task("roll_back", _SUBJECT, connect)
            act >> ready_task("roll_back", _SUBJECT, connect) >> check
        with TaskGroup("discard", group_display_name="Discard the shadow"):
            discard = _discard(connect)
            discard >> ready_task("discard", _SUBJECT, connect) >> check_task("discard", _SUBJECT, connect)
        check >> Label("when asked to discard") >> discard
    return dag


def _form(given: Mapping[str, Any]) -> dict[str, Param]:
    schema: dict[str, Any] = {"title": "Collection", "type": "string", "minLength": 1, "description": "The pin's name."}
    return {
        "collection": Param(given["collection"], **schema) if "collection" in given else Param(**schema),
        "why": Param(title="Why", type="string", minLength=3, description="Stands in the ledger, with your name."),
        "discard": Param(False, title="Discard the new collection as well", type="boolean"),
    }


def _roll_back(connect: Connect) -> BaseOperator:
    @task(task_id="act", retries=4)
    def act() -> dict[str, Any]:
        from vecferry.steps import stage_runner

        context = get_current_context()
        with ports_in_task(connect, context) as ports:
            migration_id = _under_way(ports, context)
            done = stage_runner.act("roll_back", ports, migration_id, who=who(context), why=context["params"]["why"])
        return {"migration_id": migration_id, **done}

    return operator_of(act())


def _discard(connect: Connect) -> BaseOperator:
    @task(task_id="act", retries=4)
    def act() -> dict[str, Any]:
        from vecferry.steps import stage_runner

        context = get_current_context()
        if not context["params"]["discard"]:
            raise AirflowSkipException("the new collection is kept; vecferry reopen takes it up again")
        with ports_in_task(connect, context) as ports:
            return stage_runner.act("discard", ports, _SUBJECT(context), who=who(context), why=context["params"]["why"])

    return operator_of(act())


def _under_way(ports: Ports, context: Context) -> str:
    pin = ports.ledger.pin(context["params"]["collection"]).name
    active = ports.ledger.active_migration(pin)
    if active is None:
        raise NotFound("no migration is under way", where=pin, next_action="There is nothing to roll back.")
    return active.id
