"""The processes of Airflow's tasks are found by their titles, among those that were asked for, and met only while they are."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.faults.nemesis.task_process import TaskProcess, at_work, tasks_among
from vecferry.sandbox.wait_until import wait_until

ID = str(uuid.UUID(int=7))
Titled = Callable[[str], subprocess.Popen[str]]
_TITLED = (
    "import sys, time; from setproctitle import setproctitle; setproctitle(sys.argv[1]); print(1, flush=True); time.sleep(90)"
)


@pytest.fixture
def titled() -> Iterator[Titled]:
    started: list[subprocess.Popen[str]] = []

    def start(title: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", _TITLED, title], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_task_is_told_from_the_worker_that_waits_for_one_and_from_what_was_not_asked_for(titled: Titled) -> None:
    task, _ = titled(f"airflow worker -- {ID}"), titled(f"airflow worker -- {uuid.UUID(int=8)}")
    idle = titled("airflow worker -- LocalExecutor: <idle>")
    (found,) = tasks_among([task.pid, idle.pid])
    assert (found.pid, found.task_instance) == (task.pid, ID)


def test_a_killed_task_is_gone_and_cannot_be_met_again(titled: Titled) -> None:
    process = titled(f"airflow worker -- {ID}")
    task = TaskProcess(process.pid, ID)
    assert task.signal(signal.SIGSTOP)
    wait_until(lambda: task.state() == "T", awaited="it to be stopped", deadline_s=20)
    assert task.signal(signal.SIGKILL)
    assert task.wait(20) == -signal.SIGKILL
    assert process.wait(20) == -signal.SIGKILL
    assert not task.signal(signal.SIGKILL)


def test_a_number_that_another_process_has_by_now_is_left_alone(titled: Titled) -> None:
    other = titled(f"airflow worker -- {uuid.UUID(int=8)}")
    assert not TaskProcess(other.pid, ID).signal(signal.SIGKILL)
    assert other.poll() is None


def test_a_task_is_at_work_once_it_has_been_seen_for_a_while(titled: Titled) -> None:
    process = titled(f"airflow worker -- {ID}")
    looks: list[int] = []

    def members() -> list[int]:
        looks.append(1)
        return [process.pid]

    task = at_work(members, for_s=0.3, within_s=60)
    assert task is not None
    assert len(looks) > 1
    assert at_work(lambda: [], for_s=0.0, within_s=0.2) is None
