"""Is a stored vector what its model gives for its text? Only embedding again tells models of one length apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import itemgetter

from vecferry.domain.fingerprint import SAME_FROM, cosines
from vecferry.domain.objects import StoredObject
from vecferry.domain.recipe import TextRecipe
from vecferry.ports import Embedder, Purpose, Refused, VectorStore

_PAGE = 250
_TIMEOUT_S = 60.0
Key = tuple[str | None, str]
"""Tenant and UUID."""
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Compared:
    """One object's stored vector beside a fresh one; ``cosine`` is 0.0 where the lengths differ."""

    tenant: str | None
    uuid: str
    cosine: float

    @property
    def foreign(self) -> bool:
        return self.cosine < SAME_FROM


@dataclass(frozen=True)
class VectorOf:
    """Which vector of which collection, and the text that it must be of."""

    collection: str
    name: str
    recipe: TextRecipe


def compare(what: VectorOf, embedder: Embedder, objects: Iterable[StoredObject]) -> list[Compared]:
    """Objects that have both text and vector, in order. Where none has, the model is asked once all the same."""
    known = [(obj, what.recipe.text_of(obj.properties), obj.vectors.get(what.name)) for obj in objects]
    pairs = [(obj, text, vector) for obj, text, vector in known if text and vector]
    if not pairs:
        embedder.check()
        return []
    texts = [embedder.truncate(text) for _, text, _ in pairs]
    answer = embedder.embed_documents(texts, purpose=Purpose.JUDGE, timeout_s=_TIMEOUT_S)
    fresh = [(obj, vector, new) for (obj, _, vector), new in zip(pairs, answer.vectors, strict=True)]
    return [
        Compared(obj.tenant, obj.uuid, cosines([stored], [new])[0])
        for obj, stored, new in fresh
        if not isinstance(new, Refused)
    ]


@dataclass
class Reembedded:
    """How many were compared, and those that are not of the space; the smallest cosine of all, and of the space's own."""

    compared: int = 0
    worst: float = 1.0
    worst_own: float = 1.0
    foreign: list[Compared] = field(default_factory=list)

    @property
    def share(self) -> float:
        return len(self.foreign) / self.compared if self.compared else 0.0

    def __add__(self, other: Reembedded) -> Reembedded:
        return Reembedded(
            self.compared + other.compared,
            min(self.worst, other.worst),
            min(self.worst_own, other.worst_own),
            self.foreign + other.foreign,
        )

    def told(self, most: int = 5) -> str:
        """``<uuid> (cosine 0.0312), …``: the furthest first."""
        furthest = sorted(self.foreign, key=lambda one: one.cosine)[:most]
        return ", ".join(f"{one.uuid} (cosine {one.cosine:.4f})" for one in furthest)


def reembed(
    store: VectorStore, what: VectorOf, embedder: Embedder, keys: Iterable[Key], progress: Progress = lambda _: None
) -> Reembedded:
    """The same for keys, page by page; text and vector are of one read, so that writers meanwhile do no harm."""
    found = Reembedded()
    for tenant, page in _pages(keys):
        compared = compare(what, embedder, store.read(what.collection, page, tenant=tenant).values())
        found.compared += len(compared)
        found.worst = min([found.worst, *(one.cosine for one in compared)])
        found.worst_own = min([found.worst_own, *(one.cosine for one in compared if not one.foreign)])
        found.foreign += [one for one in compared if one.foreign]
        progress(found.compared)
    return found


def _pages(keys: Iterable[Key]) -> Iterator[tuple[str | None, list[str]]]:
    for tenant, own in groupby(keys, key=itemgetter(0)):
        while page := [key for _, key in islice(own, _PAGE)]:
            yield tenant, page
