"""The machine's own time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# CLOCK_MONOTONIC stands still while a machine is suspended: fences and leases would outlive what they guard.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    def monotonic(self) -> float:
        return time.clock_gettime(_CLOCK)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
