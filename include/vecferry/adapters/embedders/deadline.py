"""How long a call may still take."""

from __future__ import annotations

from vecferry.ports import Clock


class Deadline:
    """``timeout_s`` from now on; every wait and every request of one call draws on the same one."""

    def __init__(self, clock: Clock, timeout_s: float) -> None:
        self.clock = clock
        self.timeout_s = timeout_s
        self._ends = clock.monotonic() + timeout_s

    def left_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._ends - self.clock.monotonic())
