"""The processes in which Airflow runs tasks: found, met by a signal, and seen to be gone."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.faults.nemesis.warm import state_of, was_there
from vecferry.sandbox.wait_until import wait_until

_TITLE = re.compile(rb"airflow worker -- ([0-9a-f]{8}-[0-9a-f-]{27})")
"""Airflow gives a task's process the task instance's id as its title; those of its idle workers have words there."""
_POLL_S = 0.05


class TaskProcess:
    """One process that runs a task, with what a nemesis needs of ``WarmProcess``. It is its supervisor's child and not ours, so
    that its exit code is not to be had: who was sent SIGKILL while it lived, and is gone, died of it."""

    def __init__(self, pid: int, task_instance: str) -> None:
        self.pid = pid
        self.task_instance = task_instance
        self._killed = False

    def is_running(self) -> bool:
        """Whether the number is still this task's: numbers are given out again."""
        return _task_of(self.pid) == self.task_instance and self.state() not in ("", "Z", "X")

    def signal(self, number: signal.Signals) -> bool:
        """Whether it was still there to be met."""
        if not (self.is_running() and was_there(self.pid, number)):
            return False
        self._killed = self._killed or number is signal.SIGKILL
        return True

    def wait(self, deadline_s: float) -> int:
        wait_until(lambda: not self.is_running(), awaited=f"the end of {self.task_instance}", deadline_s=deadline_s)
        return -signal.SIGKILL if self._killed else 0

    def state(self) -> str:
        return state_of(self.pid)


def tasks_among(pids: Iterable[int]) -> Iterator[TaskProcess]:
    for pid in pids:
        if task_instance := _task_of(pid):
            yield TaskProcess(pid, task_instance)


def at_work(members: Callable[[], Iterable[int]], *, for_s: float, within_s: float) -> TaskProcess | None:
    """One that has been seen for ``for_s``, so that it is past its imports; None if there is none ``within_s``."""
    seen: dict[str, float] = {}
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        for process in tasks_among(members()):
            if time.monotonic() - seen.setdefault(process.task_instance, time.monotonic()) >= for_s:
                return process
        time.sleep(_POLL_S)
    return None


def _task_of(pid: int) -> str:
    """Empty for what is no task."""
    try:
        title = _TITLE.match(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return ""
    return title.group(1).decode() if title else ""
