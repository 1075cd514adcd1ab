"""What follows from which stage failed."""

from __future__ import annotations

import pytest

from vecferry.airflow.decisions import failed_stages, next_task, why_failed


def test_nothing_failed_nothing_to_do() -> None:
    assert failed_stages({"plan.act": "success", "cut_over_5.act": "skipped", "retire.check": "success"}) == []
    assert next_task([]) == []


def test_one_failed_chunk_is_a_failed_backfill() -> None:
    states = {"backfill.act_0": "success", "backfill.act_5": "failed", "backfill.ready": "upstream_failed"}
    assert failed_stages(states) == ["backfill"]


def test_tasks_off_the_road_are_no_stages() -> None:
    assert failed_stages({"mark_failed": "failed", "roll_back.act": "failed", "plan.check": None}) == []


@pytest.mark.parametrize("stage", ["cut_over_5", "cut_over_25", "cut_over_100"])
def test_a_failed_percent_rolls_back(stage: str) -> None:
    assert next_task([stage]) == ["roll_back.act"]


@pytest.mark.parametrize("stage", ["check_deprecation", "plan", "backfill", "validate_golden_set", "retire"])
def test_any_other_stage_holds_and_the_run_ends_failed(stage: str) -> None:
    assert next_task([stage]) == ["mark_failed"]


def test_the_text_says_what_users_have_now_and_what_to_clear() -> None:
    assert "users are on the old model" in why_failed(["backfill"], rolled_back=False)
    assert "failed task of backfill with downstream" in why_failed(["backfill"], rolled_back=False)
    assert "cut_over_25 failed and was rolled back" in why_failed(["cut_over_25"], rolled_back=True)
    assert "whether authority has moved" in why_failed(["retire"], rolled_back=False)
