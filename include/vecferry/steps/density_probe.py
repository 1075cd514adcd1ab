"""Looks at a few keys in many places, and closer where they lie denser: how all of them lie, without reading all of them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush

from vecferry.domain.density import SKEWED, Stretch, key_of, skew
from vecferry.ports import VectorStore

_LOOK = 200
"""Keys in one look: their density is off by 7% (1 ÷ √200), a sum of several of them by less."""
_LOOKS_PER_PIECE = 6
_FINENESS = 4
_FEWEST_STRETCHES = 100
"""Of two chunks too, bursts of ids must not be halved by guess."""
_BEFORE_THE_FIRST = -1
_WORTH_A_LOOK, _PIECES = 5_000, 8
_ALL = 2**128 - 1


def probe(store: VectorStore, collection: str, *, tenant: str | None, objects: int, pieces: int) -> list[Stretch]:
    """Stretches of even density, each of at most a quarter of ``objects / pieces`` keys and a hundredth of
    all; ascending.

    Cursor reads of 200 keys, some six for each piece, and a few hundred more for ids that lie close together. What it cannot
    see: a cluster in the middle of ids that are evenly spread otherwise, unless a look happens to come near it. Then the sum
    of the keys is short of ``objects``.
    """
    probing = _Probing(store, collection, tenant, looks_left=_LOOKS_PER_PIECE * pieces + 400)
    probing.look_at(_BEFORE_THE_FIRST, _ALL)
    probing.split_above(objects / max(_FEWEST_STRETCHES, pieces * _FINENESS))
    found = [*probing.exact, *(Stretch(one.after, one.until, one.keys) for one in probing.guesses)]
    return sorted(found, key=lambda one: one.after)


def skew_warnings(store: VectorStore, collection: str, objects: int) -> list[str]:
    """What a plan says of ids that lie unevenly; nothing of a small collection, which is one chunk or two anyway."""
    if objects < _WORTH_A_LOOK:
        return []
    times = skew(probe(store, collection, tenant=None, objects=objects, pieces=_PIECES), _PIECES)
    if times < SKEWED:
        return []
    return [
        f"the ids are skewed: an eighth of their space holds {times:.0f} times its share; chunks are cut by a probe of them, "
        "so that each has about as many objects as the others"
    ]


@dataclass(frozen=True)
class _Guess:
    """A stretch of which the keys up to ``known_until`` have been seen, and the others are guessed from their density."""

    after: int
    until: int
    known_until: int
    per_key: float
    """The distance between two of its neighbours."""

    @property
    def keys(self) -> float:
        return _LOOK + (self.until - self.known_until) / self.per_key


@dataclass
class _Probing:
    store: VectorStore
    collection: str
    tenant: str | None
    looks_left: int
    exact: list[Stretch] = field(default_factory=list)
    guesses: list[_Guess] = field(default_factory=list)

    def look_at(self, after: int, until: int) -> None:
        """Remembers what it finds there: a guess, unless it has seen all."""
        self.looks_left -= 1
        keys = self.store.keys(self.collection, after=key_of(after), until=key_of(until), limit=_LOOK, tenant=self.tenant)
        if not keys:
            return
        first, last = uuid.UUID(keys[0]).int, uuid.UUID(keys[-1]).int
        if len(keys) < _LOOK or last >= until:
            self.exact.append(Stretch(first - 1, last, float(len(keys))))
        else:
            self.guesses.append(_Guess(first - 1, until, last, (last - first) / (_LOOK - 1)))

    def split_above(self, most: float) -> None:
        """The largest first, each in the middle of what has not been seen of it: its front is known already."""
        heap: list[tuple[float, int, _Guess]] = []
        while self.looks_left > 0:
            for one in self.guesses:
                heappush(heap, (-one.keys, one.after, one))
            self.guesses = []
            if not heap or -heap[0][0] <= most:
                break
            self._split(heappop(heap)[2])
        self.guesses = [one for _, _, one in heap]

    def _split(self, one: _Guess) -> None:
        middle = (one.known_until + one.until) // 2
        if middle > one.known_until:
            self.guesses.append(replace(one, until=middle))
        else:
            self.exact.append(Stretch(one.after, one.known_until, float(_LOOK)))
        self.look_at(middle, one.until)
