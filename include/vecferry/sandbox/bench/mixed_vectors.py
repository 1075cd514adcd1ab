"""Vectors that cost next to nothing, one of its own for almost each text: an index over a million of them is a real one."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from vecferry.adapters.memory.embedder import MemoryEmbedder
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.ports import Embedded, Embedder, Purpose

_DRAWN = 1_000


def bench_card(model: str, dimensions: int, *, base_url: str = "") -> ModelCard:
    """``old`` or ``new``; at ``base_url`` a server asks for no key."""
    return ModelCard("bench", model, "openai", dimensions, base_url=base_url, source="bench")


class MixedVectors(MemoryEmbedder):
    """Two of 1,000 random vectors, by the text's checksum: a million in all, of length 1."""

    def __init__(self, card: ModelCard) -> None:
        super().__init__(card)
        seed = crc32(card.space.id.encode())
        self._drawn = np.random.default_rng(seed).normal(size=(_DRAWN, card.dimensions)).astype(np.float32)

    def mixed(self, texts: Sequence[str]) -> np.ndarray:
        """Texts × dimensions, float32."""
        sums = np.fromiter((crc32(text.encode()) for text in texts), dtype=np.int64, count=len(texts))
        vectors = self._drawn[sums % _DRAWN] + self._drawn[sums // _DRAWN % _DRAWN]
        units: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return units

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded:
        return Embedded(tuple(map(tuple, self.mixed(texts).tolist())), 0)

    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]:
        return tuple(self.mixed([text])[0].tolist())


class MixedEmbedders:
    def __init__(self, dimensions: int) -> None:
        cards = bench_card("old", dimensions), bench_card("new", dimensions)
        self.catalogue = Catalogue(cards)
        self._by_space = {card.space.id: MixedVectors(card) for card in cards}

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> Embedder:
        return self._by_space[space.id]
