"""How a collection's keys lie in the space of all UUIDs, and the ranges that share them evenly."""

from __future__ import annotations

import uuid
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from vecferry.domain.chunks import LAST

SKEWED = 2.0
"""Ids of equal density are within a few per cent of 1.0; a range with twice its share is no accident."""


@dataclass(frozen=True)
class Stretch:
    """``(after, until]`` as numbers, −1 for what is before the first UUID, with about so many ``keys`` (> 0), evenly spread."""

    after: int
    until: int
    keys: float


def key_of(number: int) -> str:
    """The UUID as text; empty for −1, as a range's start is."""
    return str(uuid.UUID(int=number)) if number >= 0 else ""


def balanced_ranges(stretches: Sequence[Stretch], count: int) -> list[tuple[str, str]]:
    """At most ``count`` ranges with equally many keys over the whole UUID space, in order, without gap or overlap.

    ``stretches`` ascend and do not overlap; where they leave gaps there are no keys.
    """
    if count < 1:
        raise ValueError("at least one range")
    sums = list(accumulate(stretch.keys for stretch in stretches))
    wanted = (sums[-1] * part / count for part in range(1, count)) if sums else ()
    edges = dict.fromkeys(key_of(_place(stretches, sums, keys)) for keys in wanted)
    starts = ["", *edges]
    return list(zip(starts, [*edges, LAST], strict=True))


def skew(stretches: Sequence[Stretch], count: int) -> float:
    """The most keys in one of ``count`` ranges of equal width ÷ what each would have of evenly spread ids; 1.0 without keys."""
    total = sum(stretch.keys for stretch in stretches)
    if not total:
        return 1.0
    edges = [2**128 * part // count - 1 for part in range(count + 1)]
    below = [sum(_share(stretch, edge) for stretch in stretches) for edge in edges]
    return max(high - low for low, high in pairwise(below)) * count / total


def _place(stretches: Sequence[Stretch], sums: Sequence[float], keys: float) -> int:
    """Up to where there are so many keys."""
    number = min(bisect_left(sums, keys), len(sums) - 1)
    stretch = stretches[number]
    inside = 1 - (sums[number] - keys) / stretch.keys
    # In whole numbers: a float has 53 of a UUID's 128 digits, and sequential ids differ in the last.
    width = (stretch.until - stretch.after) * int(max(0.0, min(1.0, inside)) * 2**53) >> 53
    return min(stretch.after + max(1, width), stretch.until, 2**128 - 2)


def _share(stretch: Stretch, edge: int) -> float:
    """How many of its keys lie up to ``edge``."""
    width = stretch.until - stretch.after
    return (
        stretch.keys * max(0.0, min(1.0, (edge - stretch.after) / width)) if width else stretch.keys * (edge >= stretch.until)
    )
