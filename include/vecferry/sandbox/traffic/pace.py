"""A steady rate: what was late is made up for, but never in a burst."""

from __future__ import annotations

import threading
import time

_MOST_BEHIND_S = 1.0


class Pace:
    """``per_second`` turns, shared by the threads that wait for one."""

    def __init__(self, per_second: float) -> None:
        self._step_s = 1 / per_second
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait_turn(self) -> None:
        with self._lock:
            now = time.monotonic()
            # An application that stood still for a minute must not send a minute's requests at once.
            self._next = max(self._next, now - _MOST_BEHIND_S) + self._step_s
            wait_s = self._next - now
        if wait_s > 0:
            time.sleep(wait_s)
