"""A person is asked only when the run says so, and a no is a failed run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tests.dags.world import World
from vecferry.airflow import embedding_migration_dag
from vecferry.airflow.approval import Approval
from vecferry.steps import only_tenants


def _approval(world: World) -> Approval:
    task = embedding_migration_dag(connect=world.connect).get_task("plan.approve")
    assert isinstance(task, Approval)
    return task


def _answer(chosen: str) -> dict[str, Any]:
    return {
        "chosen_options": [chosen],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "1", "name": "ada"},
    }


class NamedByPlan:
    def xcom_pull(self, task_ids: str) -> dict[str, str]:
        return {"migration_id": "docs-1-abc"}


def test_nobody_is_asked_when_approvals_are_off() -> None:
    assert _approval(World(1)).execute({"params": {"approvals": False}}) is None  # type: ignore[typeddict-item]


class Planned:
    def xcom_pull(self, task_ids: str) -> dict[str, Any]:
        return {
            "migration_id": "docs-1-abc",
            "objects": 1234567,
            "embed_hours": 0.0001736111111111111,
            "cost_usd": 1234.5,
            "shared_space": False,
            "tenants": 0,
            "deadline": None,
            "overlong_examples": [],
        }


def test_the_plans_figures_can_be_read_by_the_person_who_is_asked() -> None:
    task = _approval(World(1))
    lines = task.render_template(task.body, {"ti": Planned()}).strip().splitlines()  # type: ignore[typeddict-item]
    assert lines[:6] == [
        "- migration id: **docs-1-abc**",
        "- objects: **1,234,567**",
        "- embed hours: **0.0002**",
        "- cost usd: **1,234.5**",
        "- shared space: **False**",
        "- tenants: **0**",
    ]
    assert lines[6] == ""


def test_the_person_who_is_asked_reads_the_warnings_first() -> None:
    class Warned(Planned):
        def xcom_pull(self, task_ids: str) -> dict[str, Any]:
            return super().xcom_pull(task_ids) | {"warnings": ["76 more queries are needed"], "golden_queries_missing": 76}

    task = _approval(World(1))
    lines = task.render_template(task.body, {"ti": Warned()}).strip().splitlines()  # type: ignore[typeddict-item]
    assert lines[:3] == ["**Warning: 76 more queries are needed.**", "", "- migration id: **docs-1-abc**"]
    assert not any(line.startswith("- warnings") for line in lines)


def test_a_rejection_fails_for_good_and_says_whose_it_was() -> None:
    with pytest.raises(AirflowFailException, match="ada rejected the plan"):
        _approval(World(1)).execute_complete({"params": {}}, _answer("Reject"))


def test_an_approval_stands_in_the_ledger_with_its_name() -> None:
    world = World(1)
    context: Any = {"params": {"collection": "Docs"}, "ti": NamedByPlan()}
    _approval(world).execute_complete(context, _answer("Approve"))
    event = world.ports.ledger.events(pin="Docs")[-1]
    assert (event.who, event.what, event.why) == ("ada", "approved", "the plan in Airflow")


def test_of_a_trial_nobody_is_asked_whether_to_retire_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(only_tenants, "why_not_retired", lambda ports, migration_id: f"{migration_id} is on trial")
    task = embedding_migration_dag(connect=World(1).connect).get_task("retire.approve")
    for approvals in (True, False):
        context: Any = {"params": {"collection": "Docs", "approvals": approvals}, "ti": NamedByPlan()}
        with pytest.raises(AirflowSkipException, match="docs-1-abc is on trial"):
            task.execute(context)


def test_an_answer_that_airflow_lost_is_asked_for_again() -> None:
    assert _approval(World(1)).retries == 1
