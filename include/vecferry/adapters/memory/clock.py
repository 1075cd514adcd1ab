"""Time that stands still until a test moves it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """``monotonic`` and ``now`` step together, by ``advance`` and by ``sleep``, which returns at once. Thread-safe."""

    def __init__(self, start: datetime = _START) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        with self._lock:
            return self._elapsed_s

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time never steps back")
        with self._lock:
            self._elapsed_s += seconds

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))
