"""Has the model changed under the same name? Eight fixed texts, embedded at pin time, are embedded again and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAME_FROM = 0.999
"""Cosine from which on two embeddings of one text are the same; providers' repeats are not bit-identical."""

TEXTS = (
    "Return the value of the given object as a new list.",
    "The quick brown fox jumps over the lazy dog.",
    "How do I reset my password if I no longer have access to my e-mail?",
    "Der Vertrag verlängert sich um ein Jahr, wenn er nicht gekündigt wird.",
    "def read(path): open the file, read all of its lines, and close it again",
    "Order 4711 was shipped on 2024-03-01 and weighs 2.5 kg.",
    "東京は日本の首都であり、世界で最も人口の多い都市圏の一つである。",
    "error: connection refused, the server did not answer in time",
)
"""Never to be changed: stored fingerprints are of these."""

MEASURED = "model_fingerprint"
"""The name under which the ledger keeps a migration's fingerprint, a row a text: ``{"vector": […]}``."""

Fingerprint = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Witness:
    """A text of the fingerprint that goes along with documents, and what the model said to it in the beginning: an answer
    with another vector for it is of another model, and so are the documents' vectors in it."""

    text: str
    vector: tuple[float, ...]

    def cosine(self, now: Sequence[float]) -> float:
        return _cosine(self.vector, now)


def witness_of(fingerprint: Fingerprint) -> Witness | None:
    """The shortest text that the model has a vector for; ``None`` without a fingerprint, or where it has none at all.

    In bytes: characters outside of ASCII are whole tokens.
    """
    known = [Witness(text, vector) for text, vector in zip(TEXTS, fingerprint, strict=False) if vector]
    return min(known, key=lambda witness: len(witness.text.encode()), default=None)


def cosines(old: Sequence[Sequence[float]], new: Sequence[Sequence[float]]) -> list[float]:
    """Text by text, −1 to 1. Without a vector on both sides 1.0; on one side only, or of other length, 0.0."""
    return [_cosine(a, b) for a, b in zip(old, new, strict=True)]


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    if len(a) != len(b):
        return 0.0
    if not len(a):
        return 1.0
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    length = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / length if length else 0.0
