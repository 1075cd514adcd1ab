"""Vectors that will be stored or compared are of the model that the fingerprint was taken of, in every single answer.

Gates compare all of a fingerprint, but only when they are passed. Without a witness in each request: a model that answers
otherwise for two seconds and then as before leaves vectors of another space under right stamps, and only re-embedding those
very objects would find them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from vecferry.domain.fingerprint import MEASURED, SAME_FROM, Fingerprint, Witness
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import ModelChanged
from vecferry.ports import Ledger, Refused

Reference = Callable[[], Fingerprint]
"""What a model's answers are held against; empty where nothing is known of it."""

V = TypeVar("V", bound=tuple[float, ...] | Refused)


def unknown() -> Fingerprint:
    return ()


def kept_by_pin(space: EmbeddingSpace, pin: Pin | None) -> Fingerprint:
    """The pin's own, if it is of this space; else empty."""
    return pin.fingerprint if pin is not None and pin.space == space else ()


class OfMigration:
    """The new model's, as the first gate took it. Read from the ledger once: it never changes after the first vector.

    Empty for another space than the migration's new one, and before the first gate. Threads at worst read it twice.
    """

    def __init__(self, ledger: Ledger, space: EmbeddingSpace, migration_id: str) -> None:
        self._ledger = ledger
        self._space = space
        self._migration_id = migration_id
        self._is_its_new_one: bool | None = None
        self._found: Fingerprint = ()

    def __call__(self) -> Fingerprint:
        """Raises as the ledger does."""
        if self._is_its_new_one is None:
            self._is_its_new_one = self._ledger.migration(self._migration_id).spec.space == self._space
        if self._is_its_new_one and not self._found:
            self._found = self._read()
        return self._found

    def _read(self) -> Fingerprint:
        return tuple(tuple(row["vector"]) for row in self._ledger.measurements(self._migration_id, MEASURED))


def confirmed(witness: Witness, vectors: Sequence[V], *, where: str) -> tuple[V, ...]:
    """The answers to the documents, of which the witness was the last text; raises ``ModelChanged`` where it was not."""
    *documents, said = vectors
    cosine = 0.0 if isinstance(said, Refused) else witness.cosine(said)
    if cosine < SAME_FROM:
        raise changed(f"cosine {cosine:.4f}", where=where)
    return tuple(documents)


def changed(how: str, *, where: str) -> ModelChanged:
    return ModelChanged(
        f"the model answers otherwise than when its fingerprint was taken ({how} for a fixed text), so none of this answer's "
        "vectors is used",
        where=where,
        next_action="It is tried again by itself. If it stays so, ask the provider: vecferry doctor compares the pinned model, "
        "and a migration to a model that has changed for good is rolled back and discarded.",
    )
