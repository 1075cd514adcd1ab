"""The machine's own time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

# CLOCK_MONOTONIC stands still while a machine is suspended: fences and leases would outlive what they guard.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


_BOOT = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    @property
    def boot(self) -> str:
        """Names this boot of the host, within which ``monotonic`` is the same for all processes; empty where nothing does."""
        try:
            return _BOOT.read_text().strip() if _CLOCK != time.CLOCK_MONOTONIC else ""
        except OSError:
            return ""

    def monotonic(self) -> float:
        return time.clock_gettime(_CLOCK)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
