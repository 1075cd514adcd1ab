"""What the DAGs look like: ids that people and scripts rely on, and the wiring that a failure runs along."""

from __future__ import annotations

import runpy

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.serialization.serialized_objects import DagSerialization

from tests.dags.conftest import ROOT
from vecferry.airflow import deprecation_watch_dag, embedding_migration_dag, embedding_rollback_dag
from vecferry.domain.request import PERCENTS
from vecferry.domain.stages import STAGES
from vecferry.errors import BadInput

CHAPTERS = {
    "prepare": ["check_deprecation", "plan", "create_shadow"],
    "fill": ["enable_dual_write", "backfill"],
    "prove": ["verify_parity", "validate_golden_set"],
    "switch": ["cut_over_5", "cut_over_25", "cut_over_100"],
    "finish": ["retire"],
}


@pytest.fixture(scope="module")
def dag() -> DAG:
    return embedding_migration_dag()


@pytest.mark.parametrize("name", ["embedding_migration", "embedding_rollback", "deprecation_watch"])
def test_each_dag_file_declares_the_dag_of_its_name_and_can_be_serialised(name: str) -> None:
    dag = runpy.run_path(str(ROOT / "dags" / f"{name}.py"))["dag"]
    assert dag.dag_id == name
    assert dag.doc_md
    again = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    assert set(again.task_dict) == set(dag.task_dict)


def test_every_stage_has_act_ready_and_check_under_its_own_name(dag: DAG) -> None:
    for stage in STAGES:
        assert {f"{stage.name}.{verb}" for verb in ("act", "ready", "check")} <= set(dag.task_dict)


def test_stages_stand_in_five_chapters_whose_names_stay_out_of_the_ids(dag: DAG) -> None:
    groups = dag.task_group.children
    found = {name: list(groups[name].children) for name in CHAPTERS}
    assert found == CHAPTERS
    assert [groups[name].group_display_name for name in CHAPTERS] == ["Prepare", "Fill", "Prove", "Switch", "Finish"]


def test_the_stages_follow_one_another(dag: DAG) -> None:
    order = [task.task_id for task in dag.topological_sort()]
    positions = [order.index(f"{stage.name}.check") for stage in STAGES]
    assert positions == sorted(positions)
    for stage in STAGES[1:]:
        upstream = dag.get_task(f"{stage.name}.check").get_flat_relative_ids(upstream=True)
        assert "check_deprecation.check" in upstream


def test_a_chunk_is_a_mapped_task_of_its_own_labelled_by_its_range(dag: DAG) -> None:
    act = dag.get_task("backfill.act")
    assert isinstance(act, MappedOperator)
    assert act.upstream_task_ids == {"backfill.plan_chunks"}
    assert act.map_index_template == "{{ chunk_label }}"
    assert act.retries > 0


def test_the_decision_waits_for_every_chunk_and_for_the_last_check(dag: DAG) -> None:
    decide = dag.get_task("decide")
    assert decide.upstream_task_ids == {"backfill.act", "retire.check"}
    assert decide.trigger_rule == "all_done"
    assert decide.downstream_task_ids == {"roll_back.act", "mark_failed"}


def test_the_run_is_marked_failed_after_the_rollback_not_instead_of_it(dag: DAG) -> None:
    mark = dag.get_task("mark_failed")
    assert mark.upstream_task_ids == {"decide", "roll_back.check"}
    assert mark.trigger_rule == "none_failed_min_one_success"


@pytest.mark.parametrize("percent", PERCENTS)
def test_a_percent_follows_one_that_was_skipped_but_not_one_that_failed(dag: DAG, percent: int) -> None:
    assert dag.get_task(f"cut_over_{percent}.act").trigger_rule == "none_failed"
    assert dag.get_task(f"cut_over_{percent}.ready").trigger_rule == "all_success"


def test_a_plan_is_approved_after_its_check_and_retire_before_its_act(dag: DAG) -> None:
    assert dag.get_task("plan.approve").upstream_task_ids == {"plan.check"}
    assert dag.get_task("create_shadow.act").upstream_task_ids == {"plan.approve"}
    assert dag.get_task("retire.act").upstream_task_ids == {"retire.approve"}


def test_waits_may_be_put_off_so_the_scheduler_must_know_them_as_reschedule(dag: DAG) -> None:
    assert all(dag.get_task(f"{stage.name}.ready").reschedule for stage in STAGES)


def test_three_lines_make_a_dag_of_ones_own() -> None:
    dag = embedding_migration_dag(
        "docs_to_large", defaults={"collection": "Docs", "chunk_concurrency": 9}, pool="embedding", queue="big"
    )
    assert dag.dag_id == "docs_to_large"
    assert dag.params["collection"] == "Docs"
    assert dag.get_task("backfill.act").partial_kwargs["max_active_tis_per_dagrun"] == 9
    assert {task.pool for task in dag.tasks} == {"embedding"}
    assert {task.queue for task in dag.tasks} == {"big"}


def test_a_misspelt_default_is_named_with_those_that_exist() -> None:
    with pytest.raises(BadInput, match=r"unknown defaults: colection.*collection, to_model"):
        embedding_migration_dag(defaults={"colection": "Docs"})


def test_a_rollback_needs_a_reason_and_discards_only_when_asked() -> None:
    dag = embedding_rollback_dag()
    assert "why" in dag.params
    assert dag.params["discard"] is False
    assert dag.get_task("discard.act").upstream_task_ids == {"roll_back.check"}


def test_a_notice_starts_a_run_by_its_own_id_and_no_second_one() -> None:
    migrate = deprecation_watch_dag(migration_dag_id="mine").get_task("migrate")
    assert isinstance(migrate, MappedOperator)
    assert migrate.partial_kwargs["skip_when_already_exists"] is True
    assert migrate.partial_kwargs["trigger_dag_id"] == "mine"
