"""Vectors that point furthest off the others: nobody's verdict, only whom to embed again first."""

from __future__ import annotations

import heapq

import numpy as np

from vecferry.domain.objects import Vector
from vecferry.steps.reembedding import Key

_CENTRE_FROM = 300
MOST = 100


class Outliers:
    """Of all vectors that it is shown it keeps the ``MOST`` with the smallest cosine to the mean of the first 300.

    Embeddings of one model share a direction, and those of another model do not lie along it.
    """

    def __init__(self) -> None:
        self._first: list[tuple[Key, np.ndarray]] = []
        self._centre: np.ndarray | None = None
        self._heap: list[tuple[float, str, str]] = []

    def add(self, key: Key, vector: Vector | np.ndarray) -> None:
        """One that is zero or not finite is reported by itself, and not kept here."""
        numbers = np.asarray(vector, dtype=np.float64)
        length = float(np.linalg.norm(numbers))
        if not length or not np.isfinite(length):
            return
        if self._centre is not None:
            self._keep(key, numbers / length)
            return
        self._first.append((key, numbers / length))
        if len(self._first) == _CENTRE_FROM:
            self._settle()

    def keys(self) -> list[Key]:
        """The furthest first."""
        if self._centre is None and self._first:
            self._settle()
        return [(tenant or None, key) for _, key, tenant in sorted(self._heap, reverse=True)]

    def _settle(self) -> None:
        usual = len(self._first[0][1])
        self._centre = np.mean([unit for _, unit in self._first if len(unit) == usual], axis=0)
        for key, unit in self._first:
            self._keep(key, unit)
        self._first.clear()

    def _keep(self, key: Key, unit: np.ndarray) -> None:
        if self._centre is None or len(unit) != len(self._centre):
            return  # its length is reported by itself
        heapq.heappush(self._heap, (-float(unit @ self._centre), key[1], key[0] or ""))
        if len(self._heap) > MOST:
            heapq.heappop(self._heap)
