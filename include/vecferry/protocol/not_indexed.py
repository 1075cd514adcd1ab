"""Rule 12a: stored is not found. A server killed in the middle of a write leaves what reads see and searches never do."""

from __future__ import annotations

from collections.abc import Mapping

from vecferry.domain.objects import StoredObject, Vector
from vecferry.ports import VectorStore


def not_indexed(
    store: VectorStore, collection: str, objects: Mapping[str, StoredObject], *, vector_name: str, tenant: str | None
) -> set[str]:
    """Of these objects, by uuid, those with a vector that two searches in a row do not find though they are still stored.

    Twice, as an index that is being written may miss one once. Where indexing is asynchronous, what still queues is not found.
    """
    missing = {key: obj.vectors[vector_name] for key, obj in objects.items() if _points(obj.vectors.get(vector_name))}
    for _ in range(2):
        if not missing:
            return set()
        found = store.indexed(collection, missing, vector_name=vector_name, tenant=tenant)
        missing = {key: vector for key, vector in missing.items() if key not in found}
    return set(store.read(collection, sorted(missing), tenant=tenant, vectors=())) if missing else set()


def _points(vector: Vector | None) -> bool:
    """Somewhere: there is one, and it is not zero. Most tell by their first number."""
    return vector is not None and len(vector) > 0 and bool(vector[0] or any(vector))
