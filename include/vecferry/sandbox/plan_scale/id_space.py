"""The ids of a hundred million objects without a list of them: how many lie in which half is drawn when somebody looks."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np

_ALL = 2**128
_LEAF = 256


class IdSpace(Protocol):
    """Ids as numbers, ascending; ranges are ``(after, until]``."""

    @property
    def objects(self) -> int: ...
    def keys(self, after: int, until: int, limit: int) -> list[int]: ...
    def count(self, after: int, until: int) -> int: ...


@dataclass(frozen=True)
class SequentialIds:
    """One after the other from ``first`` on."""

    objects: int
    first: int = 1

    def keys(self, after: int, until: int, limit: int) -> list[int]:
        start, end = self._within(after, until)
        return list(range(start, min(start + limit, end)))

    def count(self, after: int, until: int) -> int:
        start, end = self._within(after, until)
        return max(0, end - start)

    def _within(self, after: int, until: int) -> tuple[int, int]:
        return max(after + 1, self.first), min(until + 1, self.first + self.objects)


@dataclass(frozen=True)
class Piece:
    """``weight`` of all ids lie evenly in ``[low, high)``."""

    low: int
    high: int
    weight: float

    def within(self, low: int, high: int) -> float:
        return self.weight * max(0, min(self.high, high) - max(self.low, low)) / (self.high - self.low)


class DrawnIds:
    """Independent draws from ``pieces``, the same ones for the same seed.

    A binary tree over the whole space: a node's ids are divided among its halves by a binomial draw, and a node with few ids
    lists them; what nobody looks at is never drawn. A piece's ends are multiples of 2^64.
    """

    def __init__(self, objects: int, seed: int, pieces: Sequence[Piece], version: int) -> None:
        self.objects = objects
        self._seed = seed
        self._pieces = pieces
        self._version = version
        self._left_of = lru_cache(maxsize=200_000)(self._drawn_left)
        self._ids_of = lru_cache(maxsize=2_000)(self._drawn_ids)

    def keys(self, after: int, until: int, limit: int) -> list[int]:
        found: list[int] = []
        for ids in self._leaves(_Node(1, 0, _ALL, self.objects), after):
            found += ids[bisect_right(ids, after) : bisect_right(ids, until)]
            if len(found) >= limit or ids[-1] > until:
                break
        return found[:limit]

    def count(self, after: int, until: int) -> int:
        return self._up_to(until) - self._up_to(after)

    def _up_to(self, number: int) -> int:
        node, before = _Node(1, 0, _ALL, self.objects), 0
        while node.objects > _LEAF:
            left, right = self._halves(node)
            before, node = (before + left.objects, right) if number >= right.low else (before, left)
        return before + (bisect_right(self._ids_of(node), number) if node.objects else 0)

    def _leaves(self, node: _Node, after: int) -> Iterator[list[int]]:
        if not node.objects or node.high <= after + 1:
            return
        if node.objects <= _LEAF:
            yield self._ids_of(node)
            return
        for half in self._halves(node):
            yield from self._leaves(half, after)

    def _halves(self, node: _Node) -> tuple[_Node, _Node]:
        middle, left = (node.low + node.high) // 2, self._left_of(node)
        return (
            _Node(2 * node.number, node.low, middle, left),
            _Node(2 * node.number + 1, middle, node.high, node.objects - left),
        )

    def _drawn_left(self, node: _Node) -> int:
        middle = (node.low + node.high) // 2
        left, right = (sum(self._weights(*ends)) for ends in ((node.low, middle), (middle, node.high)))
        return int(self._draws(node).binomial(node.objects, left / (left + right)))

    def _drawn_ids(self, node: _Node) -> list[int]:
        draws, weights = self._draws(node), np.array(self._weights(node.low, node.high))
        found: list[int] = []
        for piece, number in zip(self._pieces, draws.multinomial(node.objects, weights / weights.sum()), strict=True):
            if number:
                ends = max(piece.low, node.low) >> 64, min(piece.high, node.high) >> 64
                upper = draws.integers(*ends, size=number, dtype=np.uint64)
                lower = draws.integers(0, 2**62, size=number, dtype=np.uint64)
                found += [
                    _versioned(high, low, self._version) for high, low in zip(upper.tolist(), lower.tolist(), strict=True)
                ]
        return sorted(found)

    def _weights(self, low: int, high: int) -> list[float]:
        return [piece.within(low, high) for piece in self._pieces]

    def _draws(self, node: _Node) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=[self._seed, node.number]))


class _Node(NamedTuple):
    """``number`` as in a heap: 1 is the root, the halves of n are 2n and 2n + 1."""

    number: int
    low: int
    high: int
    objects: int


def _versioned(upper: int, lower: int, version: int) -> int:
    """With the version and variant where RFC 9562 has them; ``lower`` of 62 bits."""
    return (upper & ~0xF000 | version << 12) << 64 | 1 << 63 | lower


def sequential(objects: int) -> IdSpace:
    return SequentialIds(objects)


def version_4(objects: int) -> IdSpace:
    return DrawnIds(objects, 4, [Piece(0, _ALL, 1.0)], version=4)


def version_1(objects: int) -> IdSpace:
    """Written in twenty bursts of 0.1 to 13 s: such ids begin with the low 32 bits of the time, in steps of 100 ns."""
    drawn = random.Random(1)
    starts = sorted(drawn.sample(range(2**5), 20))
    pieces = [_burst(start << 123, ticks=int(2 ** drawn.uniform(20, 27)), weight=drawn.uniform(0.2, 5.0)) for start in starts]
    return DrawnIds(objects, 1, pieces, version=1)


KINDS: dict[str, Callable[[int], IdSpace]] = {"version 4": version_4, "sequential": sequential, "version 1": version_1}


def holds(ids: IdSpace, number: int) -> bool:
    return ids.count(number - 1, number) == 1


def _burst(start: int, *, ticks: int, weight: float) -> Piece:
    return Piece(start, start + (ticks << 96), weight)
