"""Vectors that point furthest off the others: nobody's verdict, only whom to embed again first."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecferry.domain.objects import Vector
from vecferry.steps.reembedding import Key

_Unit = np.ndarray[Any, np.dtype[np.float64]]
_CENTRE_FROM = 300
MOST = 100


class Outliers:
    """Of all vectors that it is shown it keeps the ``MOST`` with the smallest cosine to the mean of the first 300.

    Embeddings of one model share a direction, and those of another model do not lie along it.
    """

    def __init__(self) -> None:
        self._first: list[tuple[Key, _Unit]] = []
        self._centre: _Unit | None = None
        self._heap: list[tuple[float, str, str]] = []

    def add(self, vectors: Mapping[Key, Vector | np.ndarray]) -> None:
        """One that is zero or not finite is reported by itself, and not kept here."""
        of_length: dict[int, list[Key]] = defaultdict(list)
        for key, vector in vectors.items():
            of_length[len(vector)].append(key)
        for keys in of_length.values():
            self._add(keys, np.array([np.asarray(vectors[key], dtype=np.float32) for key in keys], dtype=np.float64))

    def keys(self) -> list[Key]:
        """The furthest first."""
        if self._centre is None and self._first:
            self._settle()
        return [(tenant or None, key) for _, key, tenant in sorted(self._heap, reverse=True)]

    def _add(self, keys: Sequence[Key], numbers: _Unit) -> None:
        """Of one length, a row each."""
        lengths = np.linalg.norm(numbers, axis=1)
        directed = np.flatnonzero(np.isfinite(lengths) & (lengths > 0)).tolist()
        units = numbers[directed] / lengths[directed, np.newaxis]
        told = [keys[row] for row in directed]
        if self._centre is None:
            missing = _CENTRE_FROM - len(self._first)
            self._first += zip(told[:missing], units[:missing], strict=True)
            told, units = told[missing:], units[missing:]
            if len(self._first) == _CENTRE_FROM:
                self._settle()
        if told:
            self._keep(told, units)

    def _settle(self) -> None:
        usual = len(self._first[0][1])
        of_usual = [(key, unit) for key, unit in self._first if len(unit) == usual]
        units = np.array([unit for _, unit in of_usual])
        self._centre = units.mean(axis=0)
        self._first.clear()
        self._keep([key for key, _ in of_usual], units)

    def _keep(self, keys: Sequence[Key], units: _Unit) -> None:
        if self._centre is None or units.shape[1] != len(self._centre):
            return  # its length is reported by itself
        cosines = units @ self._centre
        for row in np.argsort(cosines)[:MOST].tolist():
            tenant, key = keys[row]
            heapq.heappush(self._heap, (-float(cosines[row]), key, tenant or ""))
            if len(self._heap) > MOST:
                heapq.heappop(self._heap)
