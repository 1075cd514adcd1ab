"""What the driver reads out of Airflow's answers and logs, and what it does as the operator."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.nemesis.airflow_driver import AirflowDriver, _as_stage, _is, _unexpected
from tests.faults.nemesis.airflow_part import _connections
from tests.faults.nemesis.plan import plan_of
from vecferry.domain.lifecycle import Phase


def task(task_id: str, state: str | None, **more: Any) -> dict[str, Any]:
    times = {"start_date": "1970-01-01T00:00:10Z", "end_date": "1970-01-01T00:00:12.5Z"}
    return {"task_id": task_id, "state": state, "try_number": 1, "map_index": -1, "pid": 5, **times, **more}


def test_fifty_seeds_have_three_by_airflow_on_both_ledgers_with_the_faults_that_they_have_without_it() -> None:
    by_airflow = [plan for plan in map(plan_of, range(1, 51)) if plan.runner == "airflow"]
    assert Counter(plan.ledger for plan in by_airflow) == {"postgresql": 2, "sqlite": 1}
    for plan in by_airflow:
        assert plan_of(plan.seed, runner="steps").injections == plan.injections
    assert plan_of(1, runner="airflow").runner == "airflow"


def test_a_mapped_task_is_done_when_all_of_it_is() -> None:
    assert not _is([], "backfill.act", "success")
    assert not _is([task("backfill.act", "success"), task("backfill.act", "running")], "backfill.act", "success")
    assert _is([task("backfill.act", "success"), task("plan.act", "failed")], "backfill.act", "success")


def test_a_try_is_a_line_of_the_stages() -> None:
    line = _as_stage(task("backfill.act", "failed", try_number=2))
    assert (line["stage"], line["began"], line["ended"], line["exit"], line["try"]) == ("backfill", 10.0, 12.5, 1, 2)


def test_what_the_product_tells_airflow_is_no_surprise_and_all_else_is(tmp_path: Path) -> None:
    def failed(kind: str) -> dict[str, Any]:
        detail = [{"exc_type": kind, "exc_value": "why", "frames": []}]
        return {"level": "error", "event": "Task failed with exception", "error_detail": detail}

    log = tmp_path / "attempt=1.log"
    lines = [failed("TryAgain"), failed("KeyError"), {"level": "info", "event": "fine"}, failed("AirflowFailException")]
    log.write_text("not JSON\n[]\n" + "".join(json.dumps(line) + "\n" for line in lines))
    assert list(_unexpected(log)) == ["Task failed with exception: KeyError: why"]


def test_connections_lead_to_the_seeds_own_proxies() -> None:
    env = {
        "VECFERRY_LEDGER_URL": "postgresql+psycopg://u@127.0.0.1:1/db",
        "VECFERRY_WEAVIATE_URL": "http://127.0.0.1:2",
        "VECFERRY_WEAVIATE_GRPC": "127.0.0.1:3",
    }
    ledger, weaviate = _connections(env)
    assert json.loads(ledger["extra"]) == {"url": env["VECFERRY_LEDGER_URL"]}
    assert (weaviate["host"], weaviate["port"]) == ("127.0.0.1", 2)
    assert json.loads(weaviate["extra"]) == {"grpc_host": "127.0.0.1", "grpc_port": 3}


# --- what an operator does


class Airflow:
    """Answers what it is told to, and remembers what it was asked to do."""

    def __init__(self) -> None:
        self.tasks: list[dict[str, Any]] = []
        self.state = "running"
        self.cleared: list[tuple[list[Any], bool]] = []
        self.answered: list[str] = []

    def run_state(self, dag_id: str, run_id: str) -> str:
        return self.state

    def clear(self, dag_id: str, run_id: str, task_ids: list[Any], *, include_downstream: bool = True) -> None:
        self.cleared.append((task_ids, include_downstream))

    def call(self, method: str, path: str, **given: Any) -> None:
        self.answered.append(path.split("/")[-3])


class Nemesis:
    striking = False

    def __init__(self) -> None:
        self.began: list[str] = []

    def begin(self, phase: str) -> None:
        self.began.append(phase)


class Driver(AirflowDriver):
    """At a phase, with commands that are only noted; time passes when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.airflow, self.faults = Airflow(), Nemesis()
        world = SimpleNamespace(folder=folder, pin="Docs", plan=plan_of(1), tracebacks=[])
        part = SimpleNamespace(api=self.airflow, ask=lambda question: question(self.airflow))
        super().__init__(world, self.faults, lambda said: None, part)  # type: ignore[arg-type]
        self.phase = Phase.SERVING
        self.commands: list[str] = []

    def migration_now(self) -> Any:
        return SimpleNamespace(id="m", phase=self.phase, paused=None)

    def done(self, stage: str, *arguments: str, **more: Any) -> None:
        self.commands.append(stage)

    def is_judged(self, stage: str) -> bool:
        return stage == "cut_over_25"

    def accept(self, stage: str) -> None:
        self.commands.append(f"accept {stage}")

    def see_acknowledged(self) -> None:
        """There is no ledger."""

    def look(self, *tasks: dict[str, Any], seconds_ago: float = 60.0) -> None:
        """At tasks that have been so for a while."""
        self._notice(tasks)
        self._since = dict.fromkeys(self._since, time.monotonic() - seconds_ago)
        self._answer(tasks)
        self._go_on(tasks)
        self._mend(tasks)


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(tmp_path)


def test_a_phase_begins_with_the_first_of_its_tasks_and_only_once(driver: Driver) -> None:
    driver.look(task("check_deprecation.act", "queued"), task("plan.act", "scheduled"), task("backfill.act", None))
    driver.look(task("plan.act", "success"), task("backfill.act", "running"), task("retire.approve", "awaiting_input"))
    driver.look(task("backfill.act", "up_for_retry"), task("retire.act", "running"), task("roll_back.act", "running"))
    assert driver.faults.began == ["plan", "backfill", "retire"]


def test_a_question_is_answered_once_people_have_read_it_and_retires_when_it_may(driver: Driver) -> None:
    asked = [task("plan.approve", "awaiting_input"), task("retire.approve", "awaiting_input")]
    driver.look(*asked, seconds_ago=0.0)
    assert driver.airflow.answered == []
    driver.look(*asked)
    assert driver.airflow.answered == ["plan.approve"]
    driver._may_retire = True
    driver.look(asked[1])
    assert driver.airflow.answered == ["plan.approve", "retire.approve"]


def test_what_failed_is_cleared_when_the_run_has_ended_and_faults_are_over(driver: Driver) -> None:
    failed = [
        task("backfill.act", "failed", map_index=2),
        task("mark_failed", "failed"),
        task("backfill.ready", "upstream_failed"),
    ]
    driver.look(*failed)
    assert driver.airflow.cleared == []
    driver.airflow.state, driver.faults.striking = "failed", True
    driver.look(*failed, seconds_ago=0.0)
    assert driver.airflow.cleared == []
    driver.faults.striking = False
    driver.look(*failed)
    assert driver.airflow.cleared == [([("backfill.act", 2)], True)]


def test_where_the_dag_went_back_it_is_verified_and_reopened_and_taken_up_at_five_percent(driver: Driver) -> None:
    driver.airflow.state, driver.phase = "failed", Phase.ROLLED_BACK
    driver.look(task("cut_over_25.check", "failed"), task("mark_failed", "failed"))
    assert driver.commands == ["verify", "reopen"]
    assert driver.airflow.cleared == [(["cut_over_5.act"], True)]


def test_a_verdict_that_stays_is_accepted_by_a_person_at_the_third_calm_look(driver: Driver) -> None:
    driver.airflow.state = "failed"
    for _ in range(3):
        driver.look(task("cut_over_25.check", "failed"))
    driver.look(task("backfill.check", "failed"))
    assert driver.commands == ["accept cut_over_25"]


def test_what_a_pause_put_off_is_cleared_when_it_is_over(driver: Driver) -> None:
    put_off = task("backfill.act", "up_for_reschedule")
    driver.look(put_off, seconds_ago=0.0)
    assert driver.airflow.cleared == []
    driver.look(put_off)
    assert driver.airflow.cleared == [(["backfill.act"], True)]
