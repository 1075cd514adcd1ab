"""A provider that answers at once, behind the product's own embedder: requests, money and capacity are booked as ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vecferry.adapters.embedders import tokens as token_counts
from vecferry.adapters.embedders.api import Answer
from vecferry.adapters.embedders.budget import Budget, Payer
from vecferry.adapters.embedders.embedder import ProviderEmbedder
from vecferry.adapters.embedders.limiting import SharedLimiter
from vecferry.adapters.embedders.per_process import PerProcess
from vecferry.adapters.embedders.spending import LedgerSpending, Spending, Unbooked
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.ports import Clock, Embedder, Ledger
from vecferry.protocol.same_model import OfMigration, Reference, unknown

_NO_LIMIT = 10**12


class InstantApi:
    """One vector for everything. Counts ``requests`` and ``inputs``."""

    def __init__(self, dimensions: int) -> None:
        self.where = "instant"
        self.requests = self.inputs = 0
        self._vector = (1.0,) + (0.0,) * (dimensions - 1)

    def send(self, texts: Sequence[str], *, query: bool, timeout_s: float) -> Answer:
        self.requests, self.inputs = self.requests + 1, self.inputs + len(texts)
        return Answer([self._vector] * len(texts), sum(token_counts.estimate(text) for text in texts))

    def close(self) -> None:
        return None


class InstantEmbedders:
    """Of ``cards``: requests are as large as their limits say, but nobody waits for a minute to pass."""

    def __init__(self, cards: Sequence[ModelCard], ledger: Ledger, clock: Clock) -> None:
        self.catalogue = Catalogue(tuple(cards))
        self.apis = {card.space.id: InstantApi(card.dimensions) for card in cards}
        self._ledger = ledger
        self._clock = clock
        self._made: dict[tuple[str, str | None], ProviderEmbedder] = {}

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> Embedder:
        key = (space.id, migration_id)
        if key not in self._made:
            self._made[key] = self._build(space, migration_id)
        return self._made[key] if witnessed else self._made[key].held_against(unknown)

    def _build(self, space: EmbeddingSpace, migration_id: str | None) -> ProviderEmbedder:
        card = self.catalogue.card(space.id)
        free = replace(card, requests_per_minute=_NO_LIMIT, tokens_per_minute=_NO_LIMIT, inputs_per_minute=_NO_LIMIT)
        limiter = SharedLimiter(free, "simulated", self._ledger, self._clock)
        return ProviderEmbedder(
            card,
            self.apis[space.id],
            limiter=PerProcess(lambda: limiter),
            spending=PerProcess(lambda: self._spending(card, migration_id)),
            clock=self._clock,
            reference=self._reference(space, migration_id),
        )

    def _spending(self, card: ModelCard, migration_id: str | None) -> Spending:
        if migration_id is None:
            return Unbooked()
        payer = Payer(self._ledger.migration(migration_id).pin, migration_id)
        return LedgerSpending(card, self._ledger, payer, Budget(self._ledger, payer, self._clock))

    def _reference(self, space: EmbeddingSpace, migration_id: str | None) -> Reference:
        return unknown if migration_id is None else OfMigration(self._ledger, space, migration_id)
