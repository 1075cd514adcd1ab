"""The product's own embedder over a provider in memory that keeps the bill: what is reserved, sent and settled are effects."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tests.faults.scheduler import Crash
from tests.support.memory_world import NEW, OLD
from vecferry.adapters.embedders import tokens
from vecferry.adapters.embedders.api import Answer
from vecferry.adapters.embedders.budget import Budget, Payer
from vecferry.adapters.embedders.embedder import ProviderEmbedder
from vecferry.adapters.embedders.limiting import SharedLimiter
from vecferry.adapters.embedders.own_capacity import OwnCapacity
from vecferry.adapters.embedders.per_process import PerProcess
from vecferry.adapters.embedders.spending import Bill, LedgerSpending
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.ports import Clock, Ledger, Purpose

_CARDS = {card.space.id: card for card in (OLD, NEW)}
Send = Callable[..., Answer]


class Meter:
    """What the provider has answered, over all processes: ``copies`` by text are embedded to be stored in the shadow.

    ``tokens`` of all documents by payer. Queries are not counted: what they cost is booked every 5 s, and a process that dies
    takes its last seconds with it.
    """

    def __init__(self) -> None:
        self.copies: Counter[str] = Counter()
        self.tokens: Counter[str | None] = Counter()


class _Booked(LedgerSpending):
    """Knows what the request that is under way in this thread is for."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.now = threading.local()

    @contextmanager
    def sending(self, purpose: Purpose, tokens: int) -> Iterator[Bill]:
        self.now.purpose = purpose
        with super().sending(purpose, tokens) as bill:
            yield bill


class BilledEmbedders:
    """One process's. ``calling`` makes a call to the provider one of the process."""

    def __init__(self, ledger: Ledger, clock: Clock, meter: Meter, calling: Callable[[Send], Send]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._meter = meter
        self._calling = calling
        self._made: dict[tuple[str, str | None], tuple[ProviderEmbedder, _Booked]] = {}

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> ProviderEmbedder:
        key = (space.id, migration_id)
        if key not in self._made:
            self._made[key] = self._build(_CARDS[space.id], Payer(pin.name if pin else "Docs", migration_id))
        return self._made[key][0]

    def flush(self) -> None:
        for embedder, _ in self._made.values():
            embedder.flush()

    def forget(self) -> None:
        """Stops the timers of a process that has died without booking what its queries cost."""
        for _, spending in self._made.values():
            with suppress(Crash):
                spending.flush()

    def _build(self, card: ModelCard, payer: Payer) -> tuple[ProviderEmbedder, _Booked]:
        spending = _Booked(card, self._ledger, payer, Budget(self._ledger, payer, self._clock))
        limiter = SharedLimiter(card, "account", OwnCapacity(self._clock), self._clock)
        api: Any = _Provider(card, payer, self._meter, spending, self._calling)
        made = ProviderEmbedder(
            card, api, limiter=PerProcess(lambda: limiter), spending=PerProcess(lambda: spending), clock=self._clock
        )
        return made, spending


class _Provider:
    """Answers with the vectors of the memory embedder, so that all processes agree on what a text's vector is."""

    def __init__(self, card: ModelCard, payer: Payer, meter: Meter, spending: _Booked, calling: Callable[[Send], Send]) -> None:
        self.where = card.space.id
        self._card = card
        self._payer = payer
        self._meter = meter
        self._spending = spending
        self._call = calling(self._answer)

    def send(self, texts: Sequence[str], *, query: bool, timeout_s: float) -> Answer:
        return self._call(texts, query=query)

    def _answer(self, texts: Sequence[str], *, query: bool) -> Answer:
        billed = sum(tokens.count(text).tokens for text in texts)
        if not query:
            self._meter.tokens[self._payer.migration_id] += billed
        if self._card is NEW and self._spending.now.purpose in (Purpose.BACKFILL, Purpose.WRITE):
            self._meter.copies.update(texts)
        return Answer([vector_of(self._card.space, text) for text in texts], billed)
