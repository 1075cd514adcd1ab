"""A copier steps aside while users, or the store, suffer from it."""

from __future__ import annotations

import logging
from collections import Counter

from vecferry.domain.lifecycle import Migration
from vecferry.domain.routing import Arm
from vecferry.domain.throttle import Histogram, Pace, next_pace
from vecferry.ports import Ports

LOOK_EVERY_S = 2.0
_log = logging.getLogger(__name__)


def throttle_of(ports: Ports, migration: Migration, most_keys: int) -> Throttle | None:
    """``None`` where no limit of live's p99 was agreed: then a copy is as quick as provider and store allow."""
    limit_ms = migration.options.get("max_live_p99_ms")
    return None if limit_ms is None else Throttle(ports, migration.pin, float(limit_ms), most_keys)


class Throttle:
    """For one worker; ``wait`` before each page, of at most ``most_keys``. Not thread-safe."""

    def __init__(self, ports: Ports, pin: str, limit_ms: float, most_keys: int) -> None:
        self._ports = ports
        self._pin = pin
        self._pace = Pace(limit_ms, self._counted(), most_keys)
        self._looked_at_s = ports.clock.monotonic()

    def wait(self) -> int:
        """Sleeps as long as it should; how many keys the next page may have."""
        if self._ports.clock.monotonic() - self._looked_at_s >= LOOK_EVERY_S:
            self._look()
        if self._pace.pause_s > 0:
            self._ports.clock.sleep(self._pace.pause_s)
        return self._pace.keys

    @property
    def why(self) -> str:
        return self._pace.why

    def _look(self) -> None:
        before, self._pace = self._pace.why, next_pace(self._pace, self._counted(), self._store_s())
        if self._pace.why and not before:
            _log.warning("%s: the copy slows down: %s", self._pin, self._pace.why)
        self._looked_at_s = self._ports.clock.monotonic()

    def _counted(self) -> Histogram:
        """By the routers, of the queries that live was asked, under all versions."""
        counts: Counter[int] = Counter()
        for seen in self._ports.ledger.observations(self._pin):
            if seen.arm is Arm.LIVE:
                counts.update(seen.latency)
        return counts

    def _store_s(self) -> float | None:
        began_s = self._ports.clock.monotonic()
        return self._ports.clock.monotonic() - began_s if self._ports.store.alive() else None
