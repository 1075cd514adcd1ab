"""Whether each vector is of the right space, and whether the index can find it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .provider_rest import Model
from .weaviate_rest import WeaviateRest

SAME = 0.999
_IDS_AT_ONCE = 500


def text_of(properties: Mapping[str, Any], recipe: Sequence[str]) -> str:
    """The recipe's properties that have text, joined by newlines."""
    parts: list[str] = []
    for name in recipe:
        value = properties.get(name)
        parts += value if isinstance(value, list) else [value] if isinstance(value, str) else []
    return "\n".join(part for part in parts if part.strip()).strip()


def vector_of(stored: Mapping[str, Any]) -> list[float] | None:
    """The object's only vector, named or not."""
    if stored.get("vector"):
        return list(stored["vector"])
    named = stored.get("vectors") or {}
    return list(next(iter(named.values()))) if named else None


def of_another_space(objects: Sequence[Mapping[str, Any]], recipe: Sequence[str], model: Model) -> list[str]:
    """Every object is embedded anew: those whose stored vector is not that, or that have text and no vector."""
    texts = [text_of(stored["properties"], recipe) for stored in objects]
    with_text = [(stored, text) for stored, text in zip(objects, texts, strict=True) if text]
    fresh = model.embed([text for _, text in with_text])
    return [
        str(stored["id"])
        for (stored, _), vector in zip(with_text, fresh, strict=True)
        if cosine(vector_of(stored), vector) < SAME
    ]


def cosine(stored: Sequence[float] | None, fresh: Sequence[float]) -> float:
    if stored is None or len(stored) != len(fresh):
        return 0.0
    x, y = np.asarray(stored, dtype=float), np.asarray(fresh, dtype=float)
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / lengths if lengths else 0.0


def not_found_by_index(weaviate: WeaviateRest, collection: str, objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Objects with a vector that a search filtered to them alone does not return: neither among hundreds, nor each by itself
    beside its own vector. The first may miss one that is there, since the search is approximate."""
    vectors = {str(stored["id"]): vector for stored in objects if (vector := vector_of(stored))}
    missing: list[str] = []
    for start in range(0, len(vectors), _IDS_AT_ONCE):
        uuids = list(vectors)[start : start + _IDS_AT_ONCE]
        found = weaviate.found_near(collection, vectors[uuids[0]], uuids)
        missing += [uuid for uuid in uuids if uuid not in found]
    return [uuid for uuid in missing if uuid not in weaviate.found_near(collection, vectors[uuid], [uuid])]
