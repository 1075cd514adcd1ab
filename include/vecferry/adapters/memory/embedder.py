"""Embedders without a provider: deterministic, with enough geometry that a search finds what shares words.

For tests (ours and applications') and for dry runs. Nothing here leaves the process.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np

from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.fingerprint import witness_of
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import Retryable
from vecferry.ports import Embedded, Embedder, Ledger, ListedModel, Purpose, Refused
from vecferry.protocol.same_model import OfMigration, Reference, confirmed, kept_by_pin

Before = Callable[[str, Sequence[str]], None]
"""Called with the method's name and the texts, before anything is counted: raise in it, or park the caller in it."""


@lru_cache(maxsize=50_000)
def _direction(space_id: str, version: str, word: str, dimensions: int) -> np.ndarray:
    """One random direction for a word; other spaces give unrelated ones, as real models do."""
    digest = hashlib.blake2b(f"{space_id}\0{version}\0{word}".encode(), digest_size=8).digest()
    direction = np.random.default_rng(int.from_bytes(digest)).standard_normal(dimensions)
    direction.flags.writeable = False
    return direction


def vector_of(space: EmbeddingSpace, text: str) -> tuple[float, ...]:
    """Sum of the words' directions and a small one of the whole text (so that no two texts are equal), at norm 1."""
    total = 0.05 * _direction(space.id, space.version, f"text:{text}", space.dimensions)
    for word in text.lower().split():
        total = total + _direction(space.id, space.version, f"word:{word}", space.dimensions)
    return tuple(float(x) for x in np.asarray(total / np.linalg.norm(total), dtype=np.float32))


class MemoryEmbedder:
    """One space. ``refuses`` holds texts that the "provider" refuses for good; both hooks may be changed at any time.

    ``answers_in`` another space: the model has changed under its name.

    Counts: ``calls`` (requests), ``tokens`` (words), ``queries``, ``documents``, ``texts`` (all seen, in order).
    """

    def __init__(self, card: ModelCard, *, before: Before | None = None, refuses: Collection[str] = ()) -> None:
        self._card = card
        self.before = before
        self.refuses = set(refuses)
        self.answers_in = card.space
        self.calls = self.tokens = self.queries = self.documents = 0
        self.texts: list[str] = []
        self._lock = threading.Lock()

    @property
    def card(self) -> ModelCard:
        return self._card

    def count_tokens(self, text: str) -> tuple[int, str]:
        return _words(text), "words"

    def fits(self, text: str) -> bool:
        return _words(text) <= self._card.max_tokens

    def truncate(self, text: str) -> str:
        return text if self.fits(text) else " ".join(text.split()[: self._card.max_tokens])

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded:
        return self.embed(texts, documents=len(texts))

    def embed(self, texts: Sequence[str], *, documents: int) -> Embedded:
        """One request, of whose texts so many are documents."""
        self._enter("embed_documents", texts)
        with self._lock:
            self.documents += documents
        return Embedded(tuple(self._answer(text) for text in texts), sum(_words(text) for text in texts))

    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]:
        self._enter("embed_query", [text])
        with self._lock:
            self.queries += 1
        return vector_of(self.answers_in, text)

    def check(self) -> None:
        self._enter("check", [])

    def _enter(self, method: str, texts: Sequence[str]) -> None:
        # The hook runs outside the lock: a parked caller must not hold up the others.
        if self.before is not None:
            self.before(method, texts)
        with self._lock:
            self.calls += 1
            self.tokens += sum(_words(text) for text in texts)
            self.texts.extend(texts)

    def _answer(self, text: str) -> tuple[float, ...] | Refused:
        return Refused("refused by the memory embedder") if text in self.refuses else vector_of(self.answers_in, text)


class WitnessedEmbedder:
    """The embedder behind it; its requests for documents carry a text of the fingerprint, which costs and is no document."""

    def __init__(self, behind: MemoryEmbedder, reference: Reference) -> None:
        self._behind = behind
        self._reference = reference

    @property
    def card(self) -> ModelCard:
        return self._behind.card

    def count_tokens(self, text: str) -> tuple[int, str]:
        return self._behind.count_tokens(text)

    def fits(self, text: str) -> bool:
        return self._behind.fits(text)

    def truncate(self, text: str) -> str:
        return self._behind.truncate(text)

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded:
        witness = witness_of(self._reference())
        if witness is None:
            return self._behind.embed_documents(texts, purpose=purpose, timeout_s=timeout_s)
        answer = self._behind.embed([*texts, witness.text], documents=len(texts))
        return Embedded(confirmed(witness, answer.vectors, where=self.card.space.id), answer.tokens)

    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]:
        return self._behind.embed_query(text, timeout_s=timeout_s)

    def check(self) -> None:
        self._behind.check()


class MemoryEmbedders:
    """The same ``MemoryEmbedder`` for a space every time; ``migrations`` lists who asked as payer, in order.

    With a ``ledger``, answers are held against a migration's fingerprint; against a pin's in any case.
    """

    def __init__(self, *cards: ModelCard, ledger: Ledger | None = None) -> None:
        self.catalogue = Catalogue(cards)
        self.migrations: list[str | None] = []
        self.ledger = ledger
        self._of_migrations: dict[tuple[EmbeddingSpace, str], OfMigration] = {}
        self._embedders = {card.space.id: MemoryEmbedder(card) for card in cards}

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> Embedder:
        self.migrations.append(migration_id)
        reference = self._reference(space, pin, migration_id) if witnessed else None
        return self[space.id] if reference is None else WitnessedEmbedder(self[space.id], reference)

    def _reference(self, space: EmbeddingSpace, pin: Pin | None, migration_id: str | None) -> Reference | None:
        kept = kept_by_pin(space, pin)
        if kept:
            return lambda: kept
        if self.ledger is None or migration_id is None:
            return None
        return self._of_migrations.setdefault((space, migration_id), OfMigration(self.ledger, space, migration_id))

    def __getitem__(self, name: str) -> MemoryEmbedder:
        """By model, ``provider/model`` or space id, as the catalogue reads names; unknown ones raise ``NotFound``."""
        return self._embedders[self.catalogue.card(name).space.id]


class MemoryModelLists:
    """What the "providers" list: cards are listed unless removed, with what ``says`` holds for them.

    ``unreachable`` makes every question raise ``Retryable``.
    """

    def __init__(self, says: Mapping[str, ListedModel] | None = None) -> None:
        self.says: dict[str, ListedModel] = dict(says or {})
        self.removed: set[str] = set()
        self.unreachable = False

    def listed(self, card: ModelCard) -> ListedModel | None:
        if self.unreachable:
            raise Retryable("the model list cannot be had", where=card.provider, next_action="Try again later.")
        if card.model in self.removed:
            return None
        return self.says.get(card.model, ListedModel(card.provider, card.model))


def _words(text: str) -> int:
    return max(1, len(text.split()))
