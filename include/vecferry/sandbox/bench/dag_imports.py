"""What each DAG file adds to Airflow's own import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from vecferry.sandbox.bench.figure import Figure

# All that the DAG processor has loaded before it reads the first file of anybody's.
_PROGRAM = """
import runpy, sys, time
started = time.perf_counter()
import airflow.sdk, airflow.models, airflow.dag_processing.processor
import airflow.providers.standard.operators.hitl, airflow.providers.standard.operators.trigger_dagrun
own = time.perf_counter()
runpy.run_path(sys.argv[1])
print(own - started, time.perf_counter() - own)
"""


def measure() -> Iterator[Figure]:
    for file in sorted(Path("dags").glob("*.py")):
        done = subprocess.run([sys.executable, "-c", _PROGRAM, file], capture_output=True, text=True, check=True)
        own, added = (float(part) for part in done.stdout.split()[-2:])
        yield Figure(f"import of {file}", added, 1.0, "s", f"{own:.1f} s of Airflow's own imports")
