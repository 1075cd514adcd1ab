"""What every task of a DAG has: retries for what passes by itself, and where it runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from vecferry.airflow.failures import AsTold


def task_defaults(
    pool: str | None = None, queue: str | None = None, executor_config: dict[str, Any] | None = None
) -> dict[str, Any]:
    where = {"pool": pool, "queue": queue, "executor_config": executor_config}
    return {
        "owner": "vecferry",
        "retries": 3,
        "retry_delay": timedelta(seconds=15),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "retry_policy": AsTold(),
        **{name: value for name, value in where.items() if value is not None},
    }
