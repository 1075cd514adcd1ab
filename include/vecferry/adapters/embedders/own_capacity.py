"""A provider's limits for this process alone: where there is no ledger to share them by."""

from __future__ import annotations

import threading

from vecferry.domain.capacity import CapacityAnswer, CapacityAsk, CapacityState, decide
from vecferry.ports import Clock


class OwnCapacity:
    """Thread-safe; of one account and model."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._state = CapacityState()

    def take_capacity(self, ask: CapacityAsk) -> CapacityAnswer:
        with self._lock:
            self._state, answer = decide(self._state, ask, self._clock.monotonic())
            return answer
