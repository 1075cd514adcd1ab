"""A value out of range is refused before there is a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from vecferry.airflow import embedding_migration_dag
from vecferry.airflow.request_of_run import request_of_run

GOOD = {"collection": "Docs", "to_model": "openai/text-embedding-3-large"}


def _checked(conf: dict[str, Any], dag: DAG | None = None) -> dict[str, Any]:
    """As Airflow does it for a run's conf."""
    params = (dag or embedding_migration_dag()).params
    for name, value in conf.items():
        params[name] = value
    return params.validate()


def test_tenants_on_trial_are_read_as_they_are_typed() -> None:
    class Run:
        triggering_user_name = "ada"

    def asked(**conf: Any) -> tuple[str, ...]:
        context: Any = {"params": dict(_checked({**GOOD, **conf})), "dag_run": Run()}
        return request_of_run(context).tenants

    assert asked() == asked(tenants=None) == asked(tenants=[]) == asked(tenants=[" "]) == ()
    assert asked(tenants=["acme ", "globex", ""]) == ("acme", "globex")


def test_the_form_is_filled_by_collection_and_model_alone() -> None:
    params = _checked(GOOD)
    assert params["percents"] == [5, 25, 100]
    assert params["approvals"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"collection": ""},
        {"to_model": ""},
        {"percents": [50, 100]},
        {"percents": [5, 25]},
        {"percents": [5, 5, 100]},
        {"percents": []},
        {"budget_usd": 0},
        {"deadline": "next week"},
        {"soak_minutes": -1},
        {"margin": 0},
        {"margin": 1},
        {"chunk_concurrency": 0},
        {"chunk_concurrency": 5},
        {"approvals": "yes"},
        {"max_live_p99_ms": 0},
        {"keep_days": -1},
        {"aliases": "drop"},
        {"shadow_vectorizer": "both"},
    ],
    ids=str,
)
def test_a_value_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        _checked(GOOD | wrong)


def test_the_three_lines_of_the_readme_offer_what_they_say() -> None:
    """Airflow drops a default that its schema refuses, and the run is refused for missing it."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    found = re.search(r"```python\n(from vecferry.airflow import embedding_migration_dag\n.*?)```", readme, re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)
    params = _checked({}, names["dag"])
    assert (params["collection"], params["to_model"]) == ("Docs", "acme-embed-2")


@pytest.mark.parametrize("missing", ["collection", "to_model"])
def test_without_a_default_collection_and_model_must_be_given(missing: str) -> None:
    with pytest.raises(ParamValidationError):
        _checked({name: value for name, value in GOOD.items() if name != missing})


def test_the_dag_file_sets_how_many_chunks_the_form_accepts() -> None:
    dag = embedding_migration_dag(defaults={"chunk_concurrency": 12})
    assert _checked(GOOD | {"chunk_concurrency": 12}, dag)["chunk_concurrency"] == 12


def test_every_field_has_a_title_and_a_section() -> None:
    params = embedding_migration_dag().params
    for name in params:
        assert params.get_param(name).schema["title"], name
        assert params.get_param(name).schema["section"], name
