"""The run of ``embedding_migration`` that the notice started, watched and answered through Airflow's REST API."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from vecferry.errors import NeedsPerson, Retryable
from vecferry.sandbox.airflow_api import FINISHED, HITL_SETTLE_S, AirflowApi, task_label
from vecferry.sandbox.wait_until import wait_until

WATCH, MIGRATION = "deprecation_watch", "embedding_migration"
_POLL_S = 0.5


class RunEnded(NeedsPerson):
    """The run is over, and what was waited for will not come; the text says why it ended."""


class MigrationRun:
    def __init__(self, api: AirflowApi, run_id: str) -> None:
        self.api = api
        self.run_id = run_id

    @property
    def state(self) -> str:
        return self.api.run_state(MIGRATION, self.run_id)

    @property
    def url(self) -> str:
        return f"{self.api.url}/dags/{MIGRATION}/runs/{self.run_id}"

    def tasks(self) -> list[dict[str, Any]]:
        return self.api.task_instances(MIGRATION, self.run_id)

    def wait_asked(self, task_id: str, *, deadline_s: float) -> None:
        """Until the task asks a person. Raises ``RunEnded`` with the reason if the run ends before it does."""
        self.wait(lambda: self._is(task_id, {"awaiting_input"}), f"{task_id} asking", deadline_s=deadline_s)

    def approve(self, task_id: str, *, deadline_s: float = 240) -> None:
        """As a person would: reads for some seconds, answers, and answers anew if the question is asked again."""
        self.wait_asked(task_id, deadline_s=deadline_s)
        self.api.answer(MIGRATION, self.run_id, task_id, ["Approve"])
        asked_again = time.monotonic() + 2 * HITL_SETTLE_S
        while not self._is(task_id, {"success"}):
            if time.monotonic() > asked_again and self._is(task_id, {"awaiting_input"}):
                self.api.answer(MIGRATION, self.run_id, task_id, ["Approve"])
                asked_again = time.monotonic() + 2 * HITL_SETTLE_S
            time.sleep(_POLL_S)

    def wait(self, holds: Callable[[], bool], awaited: str, *, deadline_s: float) -> None:
        """As ``wait_until``, but a run that has ended is not waited for."""

        def holds_or_ended() -> bool:
            if holds():
                return True
            if self.state in FINISHED:
                raise RunEnded(f"it ended {self.state} instead of {awaited}: {self.why_failed()}", where=self.run_id)
            return False

        wait_until(holds_or_ended, awaited=awaited, deadline_s=deadline_s, poll_s=_POLL_S)

    def wait_end(self, *, deadline_s: float) -> str:
        return self.api.wait_for_run(MIGRATION, self.run_id, deadline_s=deadline_s)

    def clear(self, task_id: str) -> None:
        self.api.clear(MIGRATION, self.run_id, [task_id], include_downstream=True)

    def failed_tasks(self) -> list[dict[str, Any]]:
        return [task for task in self.tasks() if task["state"] == "failed"]

    def why_failed(self) -> str:
        """The failed tasks with the end of the log of each one's last try: what a person reads in the UI."""
        return "\n".join(f"{task_label(task)}: {self._log_of(task)[-1500:]}" for task in self.failed_tasks())

    def _log_of(self, task: dict[str, Any]) -> str:
        where = {"map_index": task["map_index"], "try_number": task["try_number"]}
        return self.api.log(MIGRATION, self.run_id, task["task_id"], **where)

    def _is(self, task_id: str, states: Collection[str]) -> bool:
        return any(task["task_id"] == task_id and task["state"] in states for task in self.tasks())


def started_by_watch(api: AirflowApi, *, deadline_s: float = 120) -> MigrationRun:
    """Triggers the watch, and waits for the run that it triggers in turn."""
    watch = api.trigger(WATCH)

    def triggered() -> str | None:
        if api.run_state(WATCH, watch) == "failed":
            raise NeedsPerson(f"{WATCH} failed; its tasks: {api.task_states(WATCH, watch)}", where=watch)
        runs = [run["dag_run_id"] for run in api.runs(MIGRATION)]
        return runs[0] if runs else None

    try:
        return MigrationRun(api, wait_until(triggered, awaited=f"a run of {MIGRATION}", deadline_s=deadline_s, poll_s=0.5))
    except Retryable as error:
        raise NeedsPerson(f"{error.what}; the watch's tasks: {api.task_states(WATCH, watch)}", where=WATCH) from error
