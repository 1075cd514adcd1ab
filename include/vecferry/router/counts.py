"""What this router saw, added up between two trips to the ledger."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation, latency_bucket


class Counts:
    """Thread-safe sums by routing version and asked arm."""

    def __init__(self, pin: str) -> None:
        self._pin = pin
        self._lock = threading.Lock()
        self._sums: dict[tuple[int, Arm], Observation] = {}

    def answered(self, version: int, asked: Arm, *, served: bool, hits: int, latency_ms: float) -> None:
        """``served`` is false when live answered for the shadow."""
        self._add(
            Observation(
                self._pin,
                version,
                asked,
                queries=1,
                served=int(served),
                fallbacks=int(not served),
                empty=int(hits == 0),
                latency={latency_bucket(latency_ms): 1},
            )
        )

    def failed(self, version: int, asked: Arm) -> None:
        self._add(Observation(self._pin, version, asked, queries=1, errors=1))

    def judged(self, version: int, arm: Arm, *, useful: bool) -> None:
        self._add(Observation(self._pin, version, arm, useful=int(useful), useless=int(not useful)))

    def take(self) -> Sequence[Observation]:
        """All since the last time, which are then this caller's to store (or to ``give_back``)."""
        with self._lock:
            sums, self._sums = self._sums, {}
            return list(sums.values())

    def give_back(self, observations: Sequence[Observation]) -> None:
        for observation in observations:
            self._add(observation)

    def _add(self, observation: Observation) -> None:
        key = (observation.version, observation.arm)
        with self._lock:
            known = self._sums.get(key)
            self._sums[key] = known.plus(observation) if known else observation
