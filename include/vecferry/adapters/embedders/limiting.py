"""Requests, inputs and tokens a minute, per provider account and model, with queries first and backfill last."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from pyrate_limiter import GCRA, Rate, RateItem, StateBucket

from vecferry.adapters.embedders.batching import RequestLimits
from vecferry.adapters.embedders.deadline import Deadline
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import Retryable
from vecferry.ports import Clock, Purpose

QUERY_SHARE = 5
"""One part in five of every limit is kept for queries."""

BURST_SHARE = 10
"""One part in ten may be spent at once; the rest flows evenly, so that no 60 s window passes the limit."""

YIELD_S = 0.05
"""How long backfill steps aside while a write waits."""

_MINUTE_MS = 60_000


class Limiter(Protocol):
    """What a limiter shared by all workers through the ledger's database would have to do as well."""

    def acquire(self, purpose: Purpose, *, tokens: int, inputs: int, deadline: Deadline) -> None:
        """Waits for room; raises ``Retryable`` with ``retry_after_s`` at once if the room comes after the deadline."""

    def hold(self, seconds: float) -> None:
        """The provider said to wait: nobody but queries sends before that."""


class LocalLimiter:
    """Of one process. Each limit is two buckets: one for queries alone, and one for all, which queries use second."""

    def __init__(self, card: ModelCard, clock: Clock) -> None:
        self._where = card.space.id
        self._clock = clock
        self._lock = threading.Lock()
        self._held_until = 0.0
        self._writes_waiting = 0
        per_minute = {
            "requests": (card.requests_per_minute, 1),
            "inputs": (card.inputs_per_minute, 1),
            "tokens": (card.tokens_per_minute, card.max_tokens),
        }
        known = {name: (limit, largest) for name, (limit, largest) in per_minute.items() if limit}
        self._shared = {name: _bucket(limit - limit // QUERY_SHARE, largest) for name, (limit, largest) in known.items()}
        self._reserved = {
            name: _bucket(limit // QUERY_SHARE, largest) for name, (limit, largest) in known.items() if limit >= QUERY_SHARE
        }

    def acquire(self, purpose: Purpose, *, tokens: int, inputs: int, deadline: Deadline) -> None:
        with self._announced(purpose):
            for name, weight in (("requests", 1), ("inputs", inputs), ("tokens", tokens)):
                self._wait_for(name, weight, purpose, deadline)

    def hold(self, seconds: float) -> None:
        with self._lock:
            self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    @contextmanager
    def _announced(self, purpose: Purpose) -> Iterator[None]:
        """While a write is here, backfill steps aside."""
        step = 1 if purpose is Purpose.WRITE else 0
        with self._lock:
            self._writes_waiting += step
        try:
            yield
        finally:
            with self._lock:
                self._writes_waiting -= step

    def _wait_for(self, name: str, weight: int, purpose: Purpose, deadline: Deadline) -> None:
        while (wait_s := self._try(name, weight, purpose)) > 0:
            if wait_s >= deadline.left_s():
                raise Retryable(
                    f"the limit of {name} a minute leaves no room for {wait_s:.1f} s, longer than this call may take",
                    where=self._where,
                    next_action="Try again later, or raise the limit in the catalogue if the account's is higher.",
                    retry_after_s=wait_s,
                )
            self._clock.sleep(wait_s)

    def _try(self, name: str, weight: int, purpose: Purpose) -> float:
        """0 if taken, else how many seconds to wait before asking again."""
        with self._lock:
            now = self._clock.monotonic()
            if purpose is not Purpose.QUERY and now < self._held_until:
                return self._held_until - now
            if purpose in (Purpose.BACKFILL, Purpose.JUDGE) and self._writes_waiting:
                return YIELD_S
            pools = (self._reserved, self._shared) if purpose is Purpose.QUERY else (self._shared,)
            return _take([pool[name] for pool in pools if name in pool], weight, now)


def _take(buckets: list[StateBucket], weight: int, now_s: float) -> float:
    """From the first bucket that has room; 0, or the seconds until one of them has. No bucket: no limit."""
    waits = []
    for bucket in buckets:
        # A single text larger than all that may be spent at once is let through at the price of that.
        item = RateItem("call", int(now_s * 1000), weight=min(weight, bucket.rates[0].burst))
        if bucket.put(item):
            return 0.0
        waits.append(max(1, int(bucket.waiting(item))) / 1000)  # type: ignore[arg-type]
    return min(waits, default=0.0)


def _bucket(per_minute: int, largest: int) -> StateBucket:
    burst = min(per_minute, max(per_minute // BURST_SHARE, largest, 1))
    flow = max(per_minute - burst, per_minute // 2, 1)
    return StateBucket([Rate(flow, _MINUTE_MS, burst=burst)], algorithm=GCRA())


def request_limits(card: ModelCard) -> RequestLimits:
    """What one request may hold: the provider's limits, and half of what the limiter lets through at once, since a
    request that needs a full bucket would wait for ever behind a stream of small ones."""
    share = 2 * BURST_SHARE
    inputs, tokens = card.inputs_per_request, card.tokens_per_request
    if card.inputs_per_minute:
        inputs = min(inputs, max(1, card.inputs_per_minute // share))
    if card.tokens_per_minute:
        tokens = min(tokens, max(card.max_tokens, card.tokens_per_minute // share))
    return RequestLimits(inputs, tokens)
