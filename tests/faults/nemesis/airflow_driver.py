"""Takes a migration through all its stages by the DAG ``embedding_migration``, in a running Airflow.

Airflow goes from stage to stage by itself; an operator answers its questions through the API, goes on with what paused, clears
what failed, and, where the DAG went back by itself, verifies and reopens first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.faults.nemesis.airflow_part import MIGRATION, ROLLBACK, AirflowPart
from tests.faults.nemesis.injecting import Nemesis
from tests.faults.nemesis.operating import MOST_JUDGED, STAGE_S, Operator
from tests.faults.nemesis.plan import PHASES
from tests.faults.nemesis.seed_world import NEW_MODEL, SeedWorld, patiently
from vecferry.domain.lifecycle import Phase
from vecferry.errors import NeedsPerson, VecferryError
from vecferry.sandbox.airflow_api import FINISHED, HITL_SETTLE_S
from vecferry.sandbox.wait_until import wait_until

Tasks = Sequence[dict[str, Any]]
_ROAD_S = 4 * STAGE_S
"""What lies between two moments that a person waits for; each is a few stages."""
_POLL_S = 0.25
_PUT_OFF_S = 3.0
_UNCALM_S = 5.0
"""How long an operator waits at most until faults are over, before clearing what they made fail."""
_NOT_BEGUN = (None, "removed", "scheduled", "upstream_failed", "skipped")
_NOT_CLEARED = ("decide", "mark_failed", "roll_back")
_OF_THE_ROAD = frozenset(PHASES) - {"roll_back", "discard", "retired"}
_ROLLED_BACK = "cut_over_5.act"
"""Where a run is taken up that went back."""
_AFTER = ("backfill.act", "verify_parity.act", "retire.act")
_TOLD = ("TryAgain", "AirflowFailException", "AirflowSkipException", "AirflowRescheduleException", "AirflowSensorTimeout")
"""How the product tells Airflow what it knows to say; any other exception of a task is one that nobody expected."""


class AirflowDriver(Operator):
    """``part`` serves this seed's world."""

    def __init__(self, world: SeedWorld, nemesis: Nemesis, say: Callable[[str], None], part: AirflowPart) -> None:
        super().__init__(world, nemesis, say)
        self._part = part
        self._run_id = ""
        self._begun: list[tuple[str, str]] = []
        self._may_retire = False
        self._downstream = True
        self._judged: dict[str, int] = {}
        self._since: dict[tuple[str, str, int], float] = {}

    def to_the_last_percent(self) -> None:
        plan = self.world.plan
        self._begin()
        if plan.road == "discard":
            self._until(lambda tasks: _is(tasks, f"{plan.discard_after}.check", "success"), f"{plan.discard_after} to pass")
            self.discarded()
            self._until(lambda tasks: self._state() in FINISHED, "the first attempt's run to end", mend=False)
            self._begin()
        if plan.road == "rollback":
            percent = f"cut_over_{plan.back_from}"
            self._until(lambda tasks: _is(tasks, f"{percent}.check", "success"), f"{percent} to pass")
            self._there_and_back()
        self._until(lambda tasks: _is(tasks, "retire.approve", "awaiting_input"), "the question before retire")
        self.nemesis.wait()

    def retire(self) -> None:
        self._may_retire = True
        self._until(lambda tasks: self._state() == "success", "the run to succeed")
        self.nemesis.wait()
        self.say(f"the run {self._run_id} has succeeded")

    def after_retire(self) -> None:
        """Clearing tasks then changes nothing."""
        self.enter("retired")
        self._downstream = False
        self._part.ask(lambda api: api.clear(MIGRATION, self._run_id, _AFTER, include_downstream=False))
        self._until(lambda tasks: all(_is(tasks, name, "success") for name in _AFTER), "the cleared tasks to succeed")
        self.nemesis.wait()

    def end(self) -> None:
        """What became of every task, and what was raised that nobody expected."""
        for dag_id, run_id in self._begun:
            for task in self._part.tries(dag_id, run_id):
                if task["start_date"] and task["end_date"]:
                    self.stages.add(_as_stage(task))
            for path in self._part.logs_of(dag_id, run_id):
                self.world.tracebacks += [["/".join(path.parts[-3:]), said] for said in _unexpected(path)]

    # --- the road

    def _begin(self) -> None:
        self.enter("plan")
        conf = {"collection": self.world.pin, "to_model": NEW_MODEL, "soak_minutes": 0, "approvals": True}
        self._run_id = self._triggered(MIGRATION, conf)

    def _triggered(self, dag_id: str, conf: dict[str, Any]) -> str:
        run_id = f"{self.world.pin}-{len(self._begun)}"
        self._part.trigger(dag_id, run_id, conf)
        self._begun.append((dag_id, run_id))
        return run_id

    def _there_and_back(self) -> None:
        """By the other DAG, while this one goes on, and finds out."""
        self.enter("roll_back")
        before = len(self.acknowledged)
        run_id = self._triggered(ROLLBACK, {"collection": self.world.pin, "why": "the nemesis goes back once"})

        def gone_back() -> bool:
            self.see_acknowledged()
            state = self._part.ask(lambda api: api.run_state(ROLLBACK, run_id))
            if state == "failed":
                tasks = self._part.ask(lambda api: api.task_instances(ROLLBACK, run_id))
                failed = [task["task_id"] for task in tasks if task["state"] == "failed"]
                self._part.ask(lambda api: api.clear(ROLLBACK, run_id, failed))
            return state == "success"

        wait_until(gone_back, awaited=f"{run_id} to go back", deadline_s=_ROAD_S * self.world.plan.pace, poll_s=_POLL_S)
        self._until(lambda tasks: self._is_at_rest(tasks), "the migration's run to find out", mend=False)
        self.wait_acknowledged(before)
        self._reopened()
        self.nemesis.wait()
        self.say("rolled back by the other DAG, verified, reopened, cleared")

    def _reopened(self) -> None:
        self.verified_and_reopened()
        self._part.ask(lambda api: api.clear(MIGRATION, self._run_id, [_ROLLED_BACK]))

    def _is_at_rest(self, tasks: Tasks) -> bool:
        return self._state() in FINISHED or _is(tasks, "retire.approve", "awaiting_input")

    # --- the operator

    def _until(self, holds: Callable[[Tasks], bool], awaited: str, *, mend: bool = True) -> None:
        deadline = time.monotonic() + _ROAD_S * self.world.plan.pace
        while True:
            tasks = self._part.ask(lambda api: api.task_instances(MIGRATION, self._run_id))
            self._notice(tasks)
            if holds(tasks):
                return
            self._answer(tasks)
            if mend:
                self._go_on(tasks)
                self._mend(tasks)
            if time.monotonic() > deadline:
                states = {task["task_id"]: task["state"] for task in tasks if task["state"] not in (None, "success")}
                raise NeedsPerson(f"the run is stuck before {awaited}: {states}", where=self._run_id)
            time.sleep(_POLL_S)

    def _state(self) -> str:
        return self._part.ask(lambda api: api.run_state(MIGRATION, self._run_id))

    def _notice(self, tasks: Tasks) -> None:
        """Phases begin with the first of their tasks, and questions with when they were first seen."""
        self.see_acknowledged()
        for task in tasks:
            stage = task["task_id"].partition(".")[0]
            phase = "plan" if stage == "check_deprecation" else stage
            if phase in _OF_THE_ROAD and task["state"] not in _NOT_BEGUN and task["task_id"] != "retire.approve":
                self.enter(phase)
        standing = {(task["task_id"], str(task["state"]), task["try_number"]) for task in tasks}
        self._since = {key: self._since.get(key, time.monotonic()) for key in standing}

    def _answer(self, tasks: Tasks) -> None:
        """As a person would: after some seconds, and anew if the question is still there."""
        for task in tasks:
            asked = task["state"] == "awaiting_input" and (self._may_retire or task["task_id"] != "retire.approve")
            if not asked or self._seen_s(task) < HITL_SETTLE_S:
                continue
            self._since[_standing(task)] = time.monotonic()
            path = f"/dags/{MIGRATION}/dagRuns/{self._run_id}/taskInstances/{task['task_id']}/-1/hitlDetails"
            try:
                self._part.api.call("PATCH", path, json={"chosen_options": ["Approve"], "params_input": {}})
            except VecferryError as error:  # the question stands, or another is asked
                self.say(f"{task['task_id']} took no answer: {error}")
            else:
                self.say(f"approved: {task['task_id']}")

    def _go_on(self, tasks: Tasks) -> None:
        """What a pause put off for a minute is cleared as soon as the pause is over."""
        put_off = [task for task in tasks if task["state"] == "up_for_reschedule" and self._seen_s(task) > _PUT_OFF_S]
        if put_off and not self.nemesis.striking:
            self.go_on_if_paused(True)
            self._clear(put_off)

    def _mend(self, tasks: Tasks) -> None:
        failed = [task for task in tasks if task["state"] == "failed"]
        if not failed or self._state() not in FINISHED:
            return
        if self.nemesis.striking and max(map(self._seen_s, failed)) < _UNCALM_S:
            return
        stages = {task["task_id"].partition(".")[0] for task in failed}
        self.say(f"failed: {', '.join(task['task_id'] for task in failed)}")
        self._accept_what_stays(stages)
        self.go_on_if_paused(not self.nemesis.striking)
        migration = patiently(self.migration_now, awaited="the ledger")
        if migration and migration.phase is Phase.ROLLED_BACK:
            self._reopened()
        else:
            self._clear([task for task in failed if task["task_id"].partition(".")[0] not in _NOT_CLEARED] or failed)

    def _accept_what_stays(self, stages: set[str]) -> None:
        if self.nemesis.striking:
            return
        for stage in sorted(stages.intersection(PHASES)):
            if self.is_judged(stage):
                self._judged[stage] = self._judged.get(stage, 0) + 1
                if self._judged[stage] >= MOST_JUDGED:
                    self.accept(stage)

    def _clear(self, tasks: Tasks) -> None:
        names = [(t["task_id"], t["map_index"]) if t["map_index"] >= 0 else t["task_id"] for t in tasks]
        try:
            downstream = self._downstream
            self._part.ask(lambda api: api.clear(MIGRATION, self._run_id, names, include_downstream=downstream))
        except VecferryError as error:
            self.say(f"not cleared yet: {error}")

    def _seen_s(self, task: dict[str, Any]) -> float:
        """For how long it has been seen in this state, in this try."""
        return time.monotonic() - self._since.get(_standing(task), time.monotonic())


def _standing(task: dict[str, Any]) -> tuple[str, str, int]:
    return task["task_id"], str(task["state"]), task["try_number"]


def _is(tasks: Tasks, task_id: str, state: str) -> bool:
    return any(task["task_id"] == task_id for task in tasks) and all(
        task["state"] == state for task in tasks if task["task_id"] == task_id
    )


def _as_stage(task: dict[str, Any]) -> dict[str, Any]:
    """A line of ``stages.jsonl``. Airflow keeps no exit code of its tasks: 0 for success, 1 for anything else."""
    began, ended = (datetime.fromisoformat(task[name]).timestamp() for name in ("start_date", "end_date"))
    stage = task["task_id"].partition(".")[0]
    more = {"task": task["task_id"], "try": task["try_number"], "pid": task["pid"], "state": task["state"]}
    return {"stage": stage, "began": began, "ended": ended, "exit": int(task["state"] != "success"), "killed": None, **more}


def _unexpected(log: Path) -> Iterator[str]:
    """Exceptions in a task's log that are not the product's way to tell Airflow something."""
    for line in log.read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        for raised in event.get("error_detail") or [] if isinstance(event, dict) else []:
            if event.get("level") in ("error", "critical") and raised["exc_type"] not in _TOLD:
                yield f"{event.get('event')}: {raised['exc_type']}: {raised['exc_value']}"[:4000]
