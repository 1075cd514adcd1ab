"""A process that somebody keeps alive, as systemd would: started again when it ends, until it is no longer wanted."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.faults.nemesis.warm import WarmProcess

_POLL_S = 0.05
_PAUSE_S = 0.3
_GRACE_S = 30.0


class Supervised:
    """``process`` is the present one. ``exits`` are the codes of those that ended, negative for a signal."""

    def __init__(self, name: str, start: Callable[[], WarmProcess]) -> None:
        self.name = name
        self._start = start
        self._wanted = True
        self.exits: list[int] = []
        self.process = start()

    def restart_if_ended(self) -> None:
        code = self.process.exit_code
        if code is not None and self._wanted:
            self.exits.append(code)
            self.process = self._start()

    def not_wanted(self) -> None:
        self._wanted = False

    def end(self) -> None:
        """Asked to end; killed if it does not."""
        self._wanted = False
        self.process.signal(signal.SIGCONT)
        self.process.signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        while self.process.is_running() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if self.process.signal(signal.SIGKILL):
            self.process.wait(_GRACE_S)


class Supervisor:
    """The thread that looks after them."""

    def __init__(self) -> None:
        self.all: list[Supervised] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="supervisor", daemon=True)

    def add(self, name: str, start: Callable[[], WarmProcess]) -> Supervised:
        added = Supervised(name, start)
        self.all.append(added)
        return added

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        for one in self.all:
            one.not_wanted()
        for one in self.all:
            one.end()

    def _look_after(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            for one in self.all:
                one.restart_if_ended()
