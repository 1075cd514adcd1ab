"""Documents and their vectors, the same in every process: drawn by number and text, before anything is measured."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from functools import cache
from zlib import crc32

import numpy as np

from vecferry.adapters.memory.embedder import MemoryEmbedder
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.ports import Embedded, Embedder, Purpose

_VECTORS = 1_000
_WORDS = ["the", "of", "a", "store", "index", "vector", "shard", "query", "model", "object", "page", "batch", "ledger", "copy"]


class LatentEmbedder(MemoryEmbedder):
    """A text has one of many random vectors; a request takes ``latency_s``, and several may be under way."""

    def __init__(self, card: ModelCard, latency_s: float) -> None:
        super().__init__(card)
        self._latency_s = latency_s
        vector_of(card, "")  # all are drawn now

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded:
        for start in range(0, len(texts), self.card.inputs_per_request):
            self.embed_request(texts[start : start + self.card.inputs_per_request])
        return Embedded(tuple(vector_of(self.card, text) for text in texts), 0)

    def embed_request(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """As one request of a plain script."""
        if self._latency_s:
            time.sleep(self._latency_s)
        return [vector_of(self.card, text) for text in texts]


class LatentEmbedders:
    """``bench/old`` and ``bench/new`` of so many dimensions."""

    def __init__(self, dimensions: int, latency_s: float) -> None:
        cards = [ModelCard("bench", name, "openai", dimensions, source="bench") for name in ("old", "new")]
        self.catalogue = Catalogue(tuple(cards))
        self._made = {card.space.id: LatentEmbedder(card, latency_s) for card in cards}

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> Embedder:
        return self._made[space.id]

    @property
    def new(self) -> LatentEmbedder:
        return self._made[self.catalogue.card("new").space.id]


def vector_of(card: ModelCard, text: str) -> tuple[float, ...]:
    return _drawn(card.space.id, card.dimensions)[crc32(text.encode()) % _VECTORS]


def document(card: ModelCard, number: int) -> StoredObject:
    """With the vector of its body in the card's space."""
    drawn = np.random.default_rng(number).integers(0, len(_WORDS), size=40)
    body = f"{number} " + " ".join(_WORDS[place] for place in drawn)
    properties = {"body": body, "title": f"title {number}", "views": number}
    return StoredObject(str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), properties, {UNNAMED: vector_of(card, body)})


@cache
def _drawn(space: str, dimensions: int) -> list[tuple[float, ...]]:
    drawn = np.random.default_rng(crc32(space.encode())).normal(size=(_VECTORS, dimensions))
    units = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return [tuple(unit.tolist()) for unit in units]
