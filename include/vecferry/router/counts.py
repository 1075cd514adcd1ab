"""What this router saw, added up between two trips to the ledger."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation, latency_bucket
from vecferry.ports import Clock


class Counts:
    """Thread-safe sums by routing version and asked arm, and when each arm last answered."""

    def __init__(self, pin: str, clock: Clock) -> None:
        self._pin = pin
        self._clock = clock
        self._lock = threading.Lock()
        self._sums: dict[tuple[int, Arm], Observation] = {}
        self._served_at: dict[tuple[int, Arm], float] = {}

    def answered(self, version: int, asked: Arm, *, served: bool, hits: int, latency_ms: float) -> None:
        """``served`` is false when the other arm answered."""
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

        self._served(version, asked if served else _other(asked), self._clock.monotonic())

    def failed(self, version: int, asked: Arm) -> None:
        self._add(Observation(self._pin, version, asked, queries=1, errors=1))

    def judged(self, version: int, arm: Arm, *, useful: bool) -> None:
        self._add(Observation(self._pin, version, arm, useful=int(useful), useless=int(not useful)))

    def take(self) -> Sequence[Observation]:
        """All since the last time, which are then this caller's to store (or to ``give_back``)."""
        with self._lock:
            sums, self._sums = self._sums, {}
            served, self._served_at = self._served_at, {}
        now = self._clock.monotonic()
        for key, at in served.items():
            known = sums.get(key) or Observation(self._pin, *key)
            sums[key] = replace(known, served_ago_s=now - at)
        return list(sums.values())

    def give_back(self, observations: Sequence[Observation]) -> None:
        """As long as the ledger cannot be told; the time that passes meanwhile is not lost by it."""
        for observation in observations:
            self._add(replace(observation, served_ago_s=None))
            if observation.served_ago_s is not None:
                self._served(observation.version, observation.arm, self._clock.monotonic() - observation.served_ago_s)

    def _served(self, version: int, arm: Arm, at: float) -> None:
        with self._lock:
            self._served_at[(version, arm)] = max(at, self._served_at.get((version, arm), at))

    def _add(self, observation: Observation) -> None:
        key = (observation.version, observation.arm)
        with self._lock:
            known = self._sums.get(key)
            self._sums[key] = known.plus(observation) if known else observation


def _other(arm: Arm) -> Arm:
    return Arm.LIVE if arm is Arm.SHADOW else Arm.SHADOW
