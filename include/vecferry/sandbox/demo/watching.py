"""A thread that looks once a second, shows what it saw, and keeps what clearing a task would forget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from vecferry.errors import VecferryError
from vecferry.ports import Ports
from vecferry.sandbox.demo.fill import COLLECTION
from vecferry.sandbox.demo.glance import Glance, stage_of
from vecferry.sandbox.demo.migration_run import MigrationRun
from vecferry.sandbox.demo.screen import Screen
from vecferry.sandbox.demo.stage_seconds import StageSeconds
from vecferry.sandbox.traffic.control import Control
from vecferry.steps import status

_EVERY_S = 1.0


class Watching:
    def __init__(self, screen: Screen, ports: Ports, control: Control, login: str) -> None:
        self.seconds = StageSeconds()
        self.run: MigrationRun | None = None
        self._screen = screen
        self._ports = ports
        self._control = control
        self._login = login
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True, name="demo-watching")

    def look(self) -> Glance:
        tasks = self.run.tasks() if self.run else []
        self.seconds.note(tasks)
        ledger = status.look(self._ports, COLLECTION)
        stage, waiting = stage_of(tasks)
        outcomes = {name: found["outcome"] for name, found in ledger.get("verdicts", {}).items()}
        traffic = self._control.reported()
        return Glance(stage, waiting, outcomes, ledger, traffic, self._login, _recent(traffic))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._stop.wait(_EVERY_S):
            quietly(lambda: self._screen.show(self.look()))


def quietly(look: Callable[[], None]) -> None:
    """A picture that cannot be had now is had a second later; what matters fails elsewhere, and says so."""
    try:
        look()
    except VecferryError:
        return


def _recent(traffic: Mapping[str, Any]) -> Mapping[str, int]:
    return dict(traffic.get("recent_arms") or {})
