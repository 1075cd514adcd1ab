"""Workers that share a provider's limits, in simulated time: who sends what when, as the provider would see it."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from vecferry.adapters.embedders.limiting import SharedLimiter
from vecferry.adapters.memory.clock import ManualClock
from vecferry.domain.capacity import Amounts, CapacityAnswer, CapacityAsk
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import Retryable
from vecferry.ports import CapacityLedger, Purpose

_LEFT_S = 600.0


@dataclass(frozen=True)
class Sent:
    at_s: float
    purpose: Purpose
    amounts: Amounts
    worker: str


@dataclass
class Worker:
    """Sends one request after the other, each ``latency_s`` long; ``size`` draws inputs and tokens; after ``dies_s`` none."""

    name: str
    size: Callable[[random.Random], tuple[int, int]]
    purpose: Purpose = Purpose.BACKFILL
    latency_s: float = 0.2
    every_s: float = 0.0
    from_s: float = 0.0
    dies_s: float = float("inf")
    limiter: SharedLimiter | None = None


@dataclass
class CountedLedger:
    """``away``: as if it could not be reached."""

    inner: CapacityLedger
    trips: int = 0
    away: bool = False

    def take_capacity(self, ask: CapacityAsk) -> CapacityAnswer:
        self.trips += 1
        if self.away:
            raise Retryable("the ledger cannot be reached", where="ledger", next_action="Start it.")
        return self.inner.take_capacity(ask)


@dataclass
class World:
    card: ModelCard
    clock: ManualClock
    ledger: CountedLedger
    seed: int = 0
    sent: list[Sent] = field(default_factory=list)
    waits: list[tuple[float, Sent]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def limiter(self) -> SharedLimiter:
        return SharedLimiter(self.card, "account", self.ledger, self.clock, later=self.later)

    def later(self, seconds: float, task: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.clock.monotonic() + seconds, next(self._numbers), task))

    def add(self, *workers: Worker) -> None:
        for worker in workers:
            worker.limiter = worker.limiter or self.limiter()
            self.later(worker.from_s + self._rng.random() * 0.1, lambda worker=worker: self._next(worker))  # type: ignore[misc]

    def run(self, until_s: float) -> None:
        while self._due and self._due[0][0] <= until_s:
            at_s, _, task = heapq.heappop(self._due)
            self.clock.advance(max(0.0, at_s - self.clock.monotonic()))
            task()
        self.clock.advance(max(0.0, until_s - self.clock.monotonic()))

    def _next(self, worker: Worker) -> None:
        inputs, tokens = worker.size(self._rng)
        self._try(worker, Amounts(1, tokens, inputs), self.clock.monotonic())

    def _try(self, worker: Worker, wanted: Amounts, since_s: float) -> None:
        if self.clock.monotonic() >= worker.dies_s:
            return
        assert worker.limiter is not None
        turn = worker.limiter.attempt(worker.purpose, wanted, _LEFT_S)
        if turn.go:
            self.later(turn.wait_s, lambda: self._send(worker, wanted, since_s))
        else:
            self.later(turn.wait_s, lambda: self._try(worker, wanted, since_s))

    def _send(self, worker: Worker, wanted: Amounts, since_s: float) -> None:
        now_s = self.clock.monotonic()
        if now_s >= worker.dies_s:
            return
        sent = Sent(now_s, worker.purpose, wanted, worker.name)
        self.sent.append(sent)
        self.waits.append((now_s - since_s, sent))
        self.later(max(worker.latency_s, since_s + worker.every_s - now_s), lambda: self._next(worker))

    # what the provider saw

    def total(self, begin_s: float, end_s: float, *, queries: bool = False) -> Amounts:
        sums = Amounts()
        for one in self.sent:
            if begin_s <= one.at_s < end_s and (one.purpose is Purpose.QUERY) == queries:
                sums = sums.plus(one.amounts)
        return sums

    def fullest_minute(self, *, queries: bool = True) -> Amounts:
        """Of each dimension, the most that any 60 s hold."""
        seen = sorted((one for one in self.sent if queries or one.purpose is not Purpose.QUERY), key=lambda one: one.at_s)
        most, window, first = [0, 0, 0], [0, 0, 0], 0
        for one in seen:
            window = [have + more for have, more in zip(window, one.amounts, strict=True)]
            while seen[first].at_s <= one.at_s - 60 + 1e-6:
                window = [have - gone for have, gone in zip(window, seen[first].amounts, strict=True)]
                first += 1
            most = [max(pair) for pair in zip(most, window, strict=True)]
        return Amounts(*most)
