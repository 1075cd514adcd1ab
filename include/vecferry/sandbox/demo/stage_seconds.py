"""How long each stage took, over all its attempts, by Airflow's own times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from vecferry.domain.stages import EVERY

Interval = tuple[datetime, datetime]


class StageSeconds:
    """Clearing a task forgets its first attempt, so what is seen is noted down as it goes."""

    def __init__(self) -> None:
        self._ended: dict[tuple[str, str], Interval] = {}

    def note(self, tasks: Iterable[Mapping[str, Any]]) -> None:
        for task in tasks:
            if task.get("start_date") and task.get("end_date"):
                started, ended = (datetime.fromisoformat(task[name]) for name in ("start_date", "end_date"))
                self._ended[f"{task['task_id']}[{task['map_index']}]", task["start_date"]] = (started, ended)

    def by_stage(self) -> dict[str, float]:
        """In the order of the road; an instant at which two tasks of a stage ran counts once."""
        found: dict[str, list[Interval]] = {name: [] for name in EVERY}
        for (task, _), interval in self._ended.items():
            found.get(task.partition(".")[0], []).append(interval)
        return {stage: round(_covered_s(intervals), 1) for stage, intervals in found.items() if intervals}


def _covered_s(intervals: list[Interval]) -> float:
    total, until = 0.0, datetime.min
    for start, end in sorted((a.replace(tzinfo=None), b.replace(tzinfo=None)) for a, b in intervals):
        total += max(0.0, (end - max(start, until)).total_seconds())
        until = max(until, end)
    return total
