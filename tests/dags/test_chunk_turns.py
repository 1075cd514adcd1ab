"""The form may lower how many chunks run at once; Airflow itself only knows the DAG file's limit."""

from __future__ import annotations

from typing import Any

import pytest

from vecferry.airflow.backfill_group import is_its_turn


class Running:
    """A task instance that knows which indexes of its task are running."""

    dag_id, run_id, task_id = "d", "r", "backfill.act"

    def __init__(self, map_index: int, running: set[int]) -> None:
        self.map_index = map_index
        self._states = {f"backfill.act_{i}": "running" for i in running} | {"backfill.act_0": "success"}

    def get_task_states(self, **_which: Any) -> dict[str, dict[str, str]]:
        return {"r": self._states}


@pytest.mark.parametrize(("index", "expected"), [(1, True), (2, True), (3, False), (12, False)])
def test_lower_indexes_go_first(index: int, expected: bool) -> None:
    context: Any = {"params": {"chunk_concurrency": 2}, "ti": Running(index, {1, 2, 3, 12})}
    assert is_its_turn(context, 4) is expected


def test_the_dag_files_own_limit_is_airflows_to_hold() -> None:
    context: Any = {"params": {"chunk_concurrency": 4}, "ti": object()}
    assert is_its_turn(context, 4)
