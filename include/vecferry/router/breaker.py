"""A shadow that fails is left alone for a while, so that users do not pay for each attempt."""

from __future__ import annotations

import threading

from vecferry.ports import Clock

_FAILURES = 5
_REST_S = 5.0


class Breaker:
    """Opens after ``_FAILURES`` failures in a row; after ``_REST_S`` seconds one query may try again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._try_at = 0.0

    def allows(self) -> bool:
        with self._lock:
            if self._failures < _FAILURES:
                return True
            if self._clock.monotonic() < self._try_at:
                return False
            self._try_at = self._clock.monotonic() + _REST_S
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._try_at = self._clock.monotonic() + _REST_S
