"""Embedders by space and payer, over real providers."""

from __future__ import annotations

import atexit
from dataclasses import replace

from vecferry.adapters.embedders.api import Api
from vecferry.adapters.embedders.budget import Budget, Payer
from vecferry.adapters.embedders.cohere import CohereApi
from vecferry.adapters.embedders.credentials import Credential, Credentials
from vecferry.adapters.embedders.embedder import ProviderEmbedder
from vecferry.adapters.embedders.limiting import Limiter, SharedLimiter
from vecferry.adapters.embedders.openai import OpenAIApi
from vecferry.adapters.embedders.own_capacity import OwnCapacity
from vecferry.adapters.embedders.per_process import PerProcess
from vecferry.adapters.embedders.spending import LedgerSpending, Spending, Unbooked
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import BadInput
from vecferry.ports import Clock, Ledger
from vecferry.protocol.same_model import OfMigration, Reference, kept_by_pin, unknown


class ProviderEmbedders:
    """Thread-safe, and usable after a fork: clients, limiters and query sums are per process.

    Made once per process (or before it forks): with no ledger, two of them would each think that the limits are theirs alone.
    """

    def __init__(self, catalogue: Catalogue, ledger: Ledger | None, credentials: Credentials, clock: Clock) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._credentials = credentials
        self._clock = clock
        self._embedders: dict[tuple[EmbeddingSpace, str, str | None, bool], ProviderEmbedder] = {}
        self._limiters: dict[tuple[str, str], PerProcess[Limiter]] = {}
        atexit.register(self.flush)

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> ProviderEmbedder:
        key = (space, pin.name if pin else "", migration_id, witnessed)
        if key not in self._embedders:
            # setdefault is atomic: a second thread may build one in vain, but all get the same.
            self._embedders.setdefault(key, self._build(space, pin, migration_id, witnessed))
        made = self._embedders[key]
        kept = kept_by_pin(space, pin) if witnessed else ()
        return made.held_against(lambda: kept) if kept else made

    def flush(self) -> None:
        """Books what queries have cost so far; also done every few seconds, and at the end of the process."""
        for embedder in list(self._embedders.values()):
            embedder.flush()

    def close(self) -> None:
        self.flush()
        for limiter in list(self._limiters.values()):
            limiter().report()
        atexit.unregister(self.flush)
        for embedder in list(self._embedders.values()):
            embedder.close()

    def _build(self, space: EmbeddingSpace, pin: Pin | None, migration_id: str | None, witnessed: bool) -> ProviderEmbedder:
        card = card_of(self._catalogue, space)
        credential = self._credentials.of(card, pin)
        return ProviderEmbedder(
            card,
            _api(card, credential),
            limiter=self._limiter(card, credential),
            spending=self._spending(card, pin, migration_id),
            clock=self._clock,
            reference=self._of_migration(space, migration_id) if witnessed else unknown,
        )

    def _of_migration(self, space: EmbeddingSpace, migration_id: str | None) -> Reference:
        if self._ledger is None or migration_id is None:
            return unknown
        return OfMigration(self._ledger, space, migration_id)

    def _limiter(self, card: ModelCard, credential: Credential) -> PerProcess[Limiter]:
        # Not by space: a model's limits are the same for all lengths of its vectors.
        key = (credential.account, card.model)
        return self._limiters.setdefault(key, PerProcess(lambda: self._shared(card, credential.account)))

    def _shared(self, card: ModelCard, account: str) -> Limiter:
        """With everybody who has the same ledger; without one, with nobody."""
        return SharedLimiter(card, account, self._ledger or OwnCapacity(self._clock), self._clock)

    def _spending(self, card: ModelCard, pin: Pin | None, migration_id: str | None) -> PerProcess[Spending]:
        if self._ledger is None or (pin is None and migration_id is None):
            return PerProcess(Unbooked)
        ledger, clock = self._ledger, self._clock
        payer = Payer(pin.name if pin else ledger.migration(migration_id or "").pin, migration_id)
        return PerProcess(lambda: LedgerSpending(card, ledger, payer, Budget(ledger, payer, clock)))


def card_of(catalogue: Catalogue, space: EmbeddingSpace) -> ModelCard:
    """The catalogue's card, shaped to the space: a pin may use fewer dimensions, or a prefix of its own.

    Raises ``NotFound`` for an unknown model, ``BadInput`` for a length that cannot be asked of it.
    """
    same_model = [c for c in catalogue.cards if (c.provider, c.model) == (space.provider, space.model)]
    fitting = [c for c in same_model if c.dimensions == space.dimensions]
    card = next(iter(fitting or same_model), None) or catalogue.card(space.id)
    if not fitting and (not card.sends_dimensions or space.dimensions > card.dimensions):
        raise BadInput(
            f"{space.dimensions} dimensions are asked of a model that has {card.dimensions} by the catalogue",
            where=space.id,
            next_action=f"Use {card.space.id}, or add an entry with dimensions = {space.dimensions} to the file that "
            "VECFERRY_MODELS names.",
        )
    return replace(
        card,
        dimensions=space.dimensions,
        distance=space.distance,
        normalised=space.normalised,
        version=space.version,
        document_task=space.document_task,
        query_task=space.query_task,
        family=space.family,
    )


def _api(card: ModelCard, credential: Credential) -> Api:
    return CohereApi(card, credential) if card.api == "cohere" else OpenAIApi(card, credential)
