"""Do two models share one space? The catalogue's word (``family``) is a claim; stored vectors and fresh ones prove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vecferry.domain.catalogue import Catalogue

FEWEST = 20
NEAREST_FROM = 0.95
COSINE_FROM = 0.8
"""Models of different spaces give a mean cosine of about 0 for one text, and find each other's vectors by chance only."""


@dataclass(frozen=True)
class SharedSpace:
    """``compared`` texts; ``nearest`` is the share of fresh vectors whose nearest stored one is that of the same text, and
    ``median_cosine`` that between the two, over the whole sample."""

    compared: int
    nearest: float
    median_cosine: float

    @property
    def proven(self) -> bool:
        return self.compared >= FEWEST and self.nearest >= NEAREST_FROM and self.median_cosine >= COSINE_FROM

    @property
    def told(self) -> str:
        if self.compared < FEWEST:
            return f"{self.compared} objects have both text and vector, and a proof needs {FEWEST}"
        return (
            f"{self.nearest:.1%} of {self.compared} texts find their own stored vector first ({NEAREST_FROM:.0%} are needed) "
            f"at a median cosine of {self.median_cosine:.3f} ({COSINE_FROM} is needed)"
        )


def shared_space(stored: Sequence[Sequence[float]], fresh: Sequence[Sequence[float]]) -> SharedSpace:
    """Of the same texts, in the same order. Not proven where lengths differ. Equal texts may find each other's vector."""
    if not stored or len({len(vector) for vector in (*stored, *fresh)}) != 1:
        return SharedSpace(len(stored), 0.0, 0.0)
    cosines = _unit(fresh) @ _unit(stored).T
    own = np.diagonal(cosines)
    return SharedSpace(len(stored), float(np.mean(own >= cosines.max(axis=1) - 1e-6)), float(np.median(own)))


def by_space(stamped: Mapping[str, int], catalogue: Catalogue) -> dict[str, int]:
    """Objects by model → objects by space: models of one family and length count as one, by their names together."""
    families = {card.space.id: (card.family, card.dimensions, card.distance) for card in catalogue.cards if card.family}
    groups: dict[object, list[str]] = {}
    for model in sorted(stamped):
        groups.setdefault(families.get(model, model), []).append(model)
    return {" and ".join(models): sum(stamped[model] for model in models) for models in groups.values()}


def _unit(vectors: Sequence[Sequence[float]]) -> np.ndarray:
    matrix = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.where(lengths == 0, 1.0, lengths))
