"""One deadline for a whole HTTP call."""

from __future__ import annotations

import time
from typing import Any


class Deadline(dict[str, float]):
    """httpx bounds each phase (pool, connect, write, read) apart, so that a call may last four times its timeout.

    httpcore asks this mapping at the start of each phase and gets what is left of ``timeout_s``.
    """

    def __init__(self, timeout_s: float) -> None:
        phases = dict.fromkeys(("pool", "connect", "write", "read"), timeout_s)
        super().__init__(phases)
        self.ends_at = time.monotonic() + timeout_s

    def remaining_s(self) -> float:
        return self.ends_at - time.monotonic()

    def get(self, key: str, default: Any = None) -> Any:
        # Zero would mean "do not wait at all" to a socket, and None "for ever".
        return max(0.001, self.remaining_s())

    def __getitem__(self, key: str) -> float:
        return float(self.get(key))
