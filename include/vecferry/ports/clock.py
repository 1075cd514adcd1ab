"""Time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time, so that a test can own it."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never steps back."""

    def now(self) -> datetime:
        """Wall clock, UTC, aware."""

    def sleep(self, seconds: float) -> None: ...
