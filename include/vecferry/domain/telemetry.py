"""What routers saw, in counts that add up: the canary's raw material."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from vecferry.domain.routing import Arm

_GROWTH = 1.15
_BUCKETS = 80
LATENCY_EDGES_MS: tuple[float, ...] = tuple(0.5 * _GROWTH**i for i in range(_BUCKETS))
"""Upper edges of the latency histogram, 0.5 ms to 31 s, each 15% above the last."""


def latency_bucket(latency_ms: float) -> int:
    if latency_ms <= LATENCY_EDGES_MS[0]:
        return 0
    return min(_BUCKETS - 1, math.ceil(math.log(latency_ms / LATENCY_EDGES_MS[0], _GROWTH)))


@dataclass(frozen=True)
class Observation:
    """Counts of the queries that one router answered under one routing version, by the arm that was *asked*.

    ``served`` counts those that this arm itself answered; ``fallbacks`` those that the other one answered; ``errors``
    those that nobody answered; ``empty`` answers without a hit; ``useful`` and ``useless`` are the users' own feedback on what
    this arm served. ``latency`` is a histogram over ``LATENCY_EDGES_MS``.

    ``served_ago_s``: how long before the report this arm itself last answered, whichever was asked; the ledger makes
    ``last_served_at`` of it, by its own clock, and gives that back.
    """

    pin: str
    version: int
    arm: Arm
    queries: int = 0
    served: int = 0
    fallbacks: int = 0
    errors: int = 0
    empty: int = 0
    useful: int = 0
    useless: int = 0
    latency: dict[int, int] = field(default_factory=dict)
    served_ago_s: float | None = None
    last_served_at: datetime | None = None

    def plus(self, other: Observation) -> Observation:
        merged = dict(self.latency)
        for bucket, count in other.latency.items():
            merged[bucket] = merged.get(bucket, 0) + count
        return Observation(
            self.pin,
            self.version,
            self.arm,
            self.queries + other.queries,
            self.served + other.served,
            self.fallbacks + other.fallbacks,
            self.errors + other.errors,
            self.empty + other.empty,
            self.useful + other.useful,
            self.useless + other.useless,
            merged,
            min((ago for ago in (self.served_ago_s, other.served_ago_s) if ago is not None), default=None),
            max((at for at in (self.last_served_at, other.last_served_at) if at is not None), default=None),
        )

    def stored_at(self, now: datetime) -> Observation:
        """As the ledger keeps it, at this moment of its clock."""
        if self.served_ago_s is None:
            return self
        return replace(self, served_ago_s=None, last_served_at=now - timedelta(seconds=self.served_ago_s))


def total(observations: Iterable[Observation]) -> Observation | None:
    """All of them as one (the first one's pin, version and arm), or ``None`` of none."""
    result: Observation | None = None
    for observation in observations:
        result = observation if result is None else result.plus(observation)
    return result


def percentile_ms(latency: dict[int, int], share: float) -> float | None:
    """The upper edge of the bucket in which the ``share`` quantile falls, in milliseconds; at most 15% too high."""
    count = sum(latency.values())
    if not count:
        return None
    rank, seen = share * count, 0
    for bucket in sorted(latency):
        seen += latency[bucket]
        if seen >= rank:
            return LATENCY_EDGES_MS[bucket]
    return LATENCY_EDGES_MS[-1]
