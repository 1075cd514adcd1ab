"""DAG files are read every few seconds, in a process of their own: they may import little."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.dags.conftest import ROOT

# Airflow's own part first: what remains is ours.
_MEASURE = """
import json, runpy, sys, time
import airflow.sdk
from airflow.sdk import DAG, BaseSensorOperator, Label, Param, TaskGroup, task
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
before, started = set(sys.modules), time.process_time()
runpy.run_path(sys.argv[1])
print(json.dumps({"s": time.process_time() - started, "new": sorted(set(sys.modules) - before)}))
"""


@pytest.mark.parametrize("name", ["dags/embedding_migration.py", "dags/embedding_rollback.py", "dags/deprecation_watch.py"])
def test_a_dag_file_costs_little_beyond_airflow_and_imports_nothing_heavy(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", _MEASURE, str(ROOT / name)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["s"] <= 1.0
    heavy = {"numpy", "pandas", "great_expectations", "weaviate", "openai", "cohere", "alembic", "vecferry.bootstrap"}
    assert not heavy & set(found["new"])
