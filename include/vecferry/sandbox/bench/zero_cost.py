"""An embedder that costs nothing, so that what is measured is the rest: one of a few random vectors, by the text."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from vecferry.adapters.memory.embedder import MemoryEmbedder
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.ports import Embedded, Embedder, Purpose

DIMENSIONS = 384
OLD = ModelCard("bench", "old", "openai", DIMENSIONS, usd_per_million_tokens=0.02, source="bench")
NEW = ModelCard("bench", "new", "openai", DIMENSIONS, usd_per_million_tokens=0.02, source="bench")
_VECTORS = 64


class ZeroCost(MemoryEmbedder):
    def __init__(self, card: ModelCard) -> None:
        super().__init__(card)
        drawn = np.random.default_rng(crc32(card.model.encode())).normal(size=(_VECTORS, card.dimensions))
        units = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        self._vectors = [tuple(float(x) for x in unit) for unit in units]

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded:
        return Embedded(tuple(self.embed_query(text, timeout_s=timeout_s) for text in texts), 0)

    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]:
        return self._vectors[crc32(text.encode()) % _VECTORS]


class ZeroCostEmbedders:
    def __init__(self) -> None:
        self.catalogue = Catalogue((OLD, NEW))
        self._by_space = {card.space.id: ZeroCost(card) for card in (OLD, NEW)}

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> Embedder:
        return self._by_space[space.id]
