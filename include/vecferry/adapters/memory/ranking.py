"""Exact vector search, and a keyword search simple enough to be checked by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecferry.domain.objects import StoredObject, Vector
from vecferry.ports import SearchQuery

_RANK_OFFSET = 60
"""Reciprocal rank fusion's constant, as Weaviate has it."""


def matches(obj: StoredObject, filters: Any) -> bool:
    """``filters``: nothing, a callable over the properties, or a mapping property → value that must be equal."""
    if filters is None:
        return True
    if callable(filters):
        return bool(filters(obj.properties))
    if isinstance(filters, Mapping):
        return all(_equal(obj.properties.get(name), value) for name, value in filters.items())
    raise TypeError(f"the memory store filters by a callable or a mapping, not by {type(filters).__name__}")


def _equal(stored: Any, wanted: Any) -> bool:
    return wanted in stored if isinstance(stored, list | tuple) else bool(stored == wanted)


def vector_scores(objects: Sequence[StoredObject], query: Vector, *, vector_name: str, distance: str) -> dict[str, float]:
    """uuid → 1 − distance (for cosine: the similarity), as the Weaviate adapter scores."""
    if not objects:
        return {}
    stored = np.asarray([obj.vectors[vector_name] for obj in objects], dtype=np.float64)
    scores = 1.0 - _distances(stored, np.asarray(query, dtype=np.float64), distance)
    return dict(zip([obj.uuid for obj in objects], scores.tolist(), strict=True))


def _distances(stored: np.ndarray, query: np.ndarray, distance: str) -> np.ndarray:
    if distance == "dot":
        distances = -(stored @ query)
    elif distance == "l2-squared":
        distances = ((stored - query) ** 2).sum(axis=1)
    else:
        lengths = np.linalg.norm(stored, axis=1) * np.linalg.norm(query)
        distances = 1 - (stored @ query) / np.where(lengths == 0, 1, lengths)
    return np.asarray(distances)


def keyword_scores(objects: Sequence[StoredObject], text: str, properties: Sequence[str]) -> dict[str, float]:
    """uuid → how often the query's words occur; those without any are left out."""
    words = set(text.lower().split())
    scores = {o.uuid: float(sum(word in words for word in _words(o, properties))) for o in objects}
    return {uuid: score for uuid, score in scores.items() if score > 0}


def _words(obj: StoredObject, properties: Sequence[str]) -> list[str]:
    texts = [v for k, v in obj.properties.items() if isinstance(v, str) and (not properties or k in properties)]
    return " ".join(texts).lower().split()


def fused(query: SearchQuery, by_vector: Mapping[str, float], by_keyword: Mapping[str, float]) -> dict[str, float]:
    scale = _by_rank if query.profile.fusion == "ranked" else _relative
    vector, keyword, alpha = scale(by_vector), scale(by_keyword), query.profile.alpha
    uuids = vector.keys() | keyword.keys()
    return {u: alpha * vector.get(u, 0.0) + (1 - alpha) * keyword.get(u, 0.0) for u in uuids}


def _by_rank(scores: Mapping[str, float]) -> dict[str, float]:
    return {uuid: 1 / (_RANK_OFFSET + rank) for rank, uuid in enumerate(best(scores))}


def _relative(scores: Mapping[str, float]) -> dict[str, float]:
    low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    return {uuid: (score - low) / (high - low) if high > low else 1.0 for uuid, score in scores.items()}


def best(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda uuid: (-scores[uuid], uuid))
