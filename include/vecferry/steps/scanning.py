"""One pass over every object of a collection, changing nothing: what is wrong with one of its vectors."""

from __future__ import annotations

import hashlib
import uuid
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vecferry.domain.chunks import LAST
from vecferry.domain.objects import STAMP_SKIPPED, StoredObject, content_hash
from vecferry.ports import VectorStore
from vecferry.protocol.not_indexed import not_indexed
from vecferry.steps.outliers import Outliers
from vecferry.steps.page_size import PageSize
from vecferry.steps.reembedding import Key, VectorOf
from vecferry.steps.sampling import tenants_of

_PAGE = 500
_EXAMPLES = 5
Progress = Callable[[int], None]


@dataclass
class Seen:
    """Counts by kind, and up to five UUIDs of each; ``suspects`` are the objects whose vectors point furthest off the others.

    Kinds: ``no text``, ``no vector`` (with text, and no reason stamped), ``zero``, ``not finite``, ``not indexed``,
    ``duplicate`` (the same vector as an object with another text).
    """

    objects: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    suspects: list[Key] = field(default_factory=list)

    def note(self, kind: str, uuid: str) -> None:
        self.kinds[kind] += 1
        named = self.examples.setdefault(kind, [])
        if len(named) < _EXAMPLES:
            named.append(uuid)


def scan(store: VectorStore, what: VectorOf, progress: Progress = lambda _: None) -> Seen:
    """Reads all objects once, in pages of 500 at most; memory grows by 32 bytes an object. ``what.recipe`` without properties:
    texts are not judged, and duplicates are told by content."""
    seen, twins, off = Seen(), _Twins(), Outliers()
    for tenant in tenants_of(store, what.collection):
        after, size = "", PageSize(_PAGE)
        while (page := store.page(what.collection, after=after, until=LAST, limit=size.keys, tenant=tenant)).keys:
            objects = page.objects
            size.seen(objects.values())
            off.add(_look(what, objects, tenant, seen, twins))
            for key in sorted(not_indexed(store, what.collection, objects, vector_name=what.name, tenant=tenant)):
                seen.note("not indexed", key)
            after = page.keys[-1]
            progress(seen.objects)
    for key in twins.found():
        seen.note("duplicate", key)
    seen.suspects = off.keys()
    return seen


def _look(
    what: VectorOf, objects: Mapping[str, StoredObject], tenant: str | None, seen: Seen, twins: _Twins
) -> dict[Key, np.ndarray]:
    """The vectors that have a direction."""
    directed: dict[Key, np.ndarray] = {}
    for obj in objects.values():
        seen.objects += 1
        text = what.recipe.text_of(obj.properties)
        vector = obj.vectors.get(what.name)
        if text is None and what.recipe.properties:
            seen.note("no text", obj.uuid)
        if not vector:
            if text is not None and not obj.stamp(STAMP_SKIPPED):
                seen.note("no vector", obj.uuid)
            continue
        seen.lengths[len(vector)] += 1
        numbers = np.asarray(vector, dtype=np.float32)
        if _has_direction(obj, numbers, seen):
            twins.add(obj.uuid, numbers.tobytes(), text if text is not None else content_hash(obj, ()))
            directed[(tenant, obj.uuid)] = numbers
    return directed


def _has_direction(obj: StoredObject, numbers: np.ndarray, seen: Seen) -> bool:
    if not np.isfinite(numbers).all():
        seen.note("not finite", obj.uuid)
    elif not numbers.any():
        seen.note("zero", obj.uuid)
    else:
        return True
    return False


class _Twins:
    """Objects that share a vector though their texts differ, by hashes: 32 bytes an object, whatever its size."""

    def __init__(self) -> None:
        self._columns = tuple(array("Q") for _ in range(4))

    def add(self, key: str, vector: bytes, text: str) -> None:
        number = uuid.UUID(key).int
        row = (_hash(vector), _hash(text.encode()), number >> 64, number & (2**64 - 1))
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def found(self) -> list[str]:
        vector, text, high, low = (np.frombuffer(column, dtype=np.uint64) for column in self._columns)
        if not len(vector):
            return []
        order = np.argsort(vector, kind="stable")
        starts = np.flatnonzero(np.concatenate(([True], np.diff(vector[order]) != 0)))
        sizes = np.diff(np.append(starts, len(order)))
        texts = text[order]
        differ = np.minimum.reduceat(texts, starts) != np.maximum.reduceat(texts, starts)
        odd = order[np.repeat(differ, sizes)]
        return sorted(str(uuid.UUID(int=(int(high[i]) << 64) | int(low[i]))) for i in odd)


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())
