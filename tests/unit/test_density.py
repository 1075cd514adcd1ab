"""Chunks share the objects evenly, however the ids lie, and the probe looks at a part of them only."""

from __future__ import annotations

import random
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.memory_world import NEW, OLD, make_world, request
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.chunks import LAST
from vecferry.domain.density import SKEWED, Stretch, balanced_ranges, key_of, skew
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.steps import density_probe, plan
from vecferry.steps.density_probe import probe, skew_warnings

OBJECTS = 100_000


class SortedKeys:
    """A store as the probe knows it, and what it was asked for."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self.keys_there = sorted({str(uuid.UUID(int=number)) for number in numbers})
        self.looks = self.given = 0

    def keys(self, collection: str, *, after: str, until: str, limit: int, tenant: str | None = None) -> list[str]:
        start = bisect_right(self.keys_there, after)
        found = self.keys_there[start : min(start + limit, bisect_right(self.keys_there, until))]
        self.looks, self.given = self.looks + 1, self.given + len(found)
        return found

    def sizes(self, ranges: list[tuple[str, str]]) -> list[int]:
        return [bisect_right(self.keys_there, end) - bisect_right(self.keys_there, start) for start, end in ranges]


def version_4(drawn: random.Random) -> Iterator[int]:
    return (uuid.UUID(int=drawn.getrandbits(128), version=4).int for _ in range(OBJECTS))


def version_5(drawn: random.Random) -> Iterator[int]:
    name = drawn.random()
    return (uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {number}").int for number in range(OBJECTS))


def sequential(drawn: random.Random) -> Iterator[int]:
    first = drawn.getrandbits(100)
    return (first + number for number in range(OBJECTS))


def version_1(drawn: random.Random) -> Iterator[int]:
    """Written by one machine in a few bursts: the ids begin with the low bits of the time, in steps of 100 ns."""
    at, node, number = drawn.getrandbits(59), drawn.getrandbits(48), 0
    while number < OBJECTS:
        at += drawn.randrange(10**6, 10**11)
        for _ in range(min(OBJECTS - number, drawn.randrange(1_000, 30_000))):
            at, number = at + drawn.randrange(1, 20_000), number + 1
            yield uuid.UUID(fields=(at & 0xFFFFFFFF, at >> 32 & 0xFFFF, at >> 48 & 0x0FFF, 0x80, 0, node), version=1).int


KINDS: dict[str, Callable[[random.Random], Iterator[int]]] = {
    "version 4": version_4,
    "version 5": version_5,
    "sequential": sequential,
    "version 1": version_1,
}


@cache
def stored(kind: str, seed: int) -> SortedKeys:
    return SortedKeys(KINDS[kind](random.Random(seed)))


@pytest.mark.parametrize("pieces", [2, 8, 40])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_chunks_are_of_one_size_within_a_fifth(kind: str, seed: int, pieces: int) -> None:
    store = stored(kind, seed)
    store.looks = store.given = 0
    there: Any = store
    stretches = probe(there, "Docs", tenant=None, objects=len(store.keys_there), pieces=pieces)
    sizes = store.sizes(balanced_ranges(stretches, pieces))
    mean = len(store.keys_there) / pieces
    assert (len(sizes), sum(sizes)) == (pieces, len(store.keys_there))
    assert 0.8 * mean <= min(sizes)
    assert max(sizes) <= 1.2 * mean
    assert store.looks <= 6 * pieces + 401
    assert store.given <= 0.6 * OBJECTS, "a part of them"
    if kind != "version 1":  # as the bursts happened to lie
        assert (skew(stretches, 16) > SKEWED) == (kind == "sequential")


@given(count=st.integers(0, 500), seed=st.integers(0, 10**6), pieces=st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_ranges_hold_every_key_once_however_few_there_are(count: int, seed: int, pieces: int) -> None:
    drawn = random.Random(seed)
    extremes = [0, 1, 2**128 - 1, 2**128 - 2]
    store = SortedKeys(drawn.choice([drawn.getrandbits(128), drawn.getrandbits(9), *extremes]) for _ in range(count))
    there: Any = store
    ranges = balanced_ranges(probe(there, "Docs", tenant=None, objects=count, pieces=pieces), pieces)
    assert 1 <= len(ranges) <= pieces
    assert (ranges[0][0], ranges[-1][1]) == ("", LAST)
    assert [end for _, end in ranges[:-1]] == [start for start, _ in ranges[1:]]
    assert all(start < end for start, end in ranges)
    assert sum(store.sizes(ranges)) == len(store.keys_there)


def test_edges_between_the_last_digits_are_told_apart() -> None:
    ranges = balanced_ranges([Stretch(2**127, 2**127 + 1_000, 1_000.0)], 4)
    assert [end for _, end in ranges] == [*(key_of(2**127 + part * 250) for part in (1, 2, 3)), LAST]


def test_without_keys_there_is_one_range() -> None:
    assert balanced_ranges([], 8) == [("", LAST)]
    assert skew([], 8) == 1.0


def test_a_plan_says_that_ids_are_skewed_and_nothing_of_even_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(density_probe, "_WORTH_A_LOOK", 100)
    world = make_world(200)
    pin = world.ledger.pin("Docs")
    assert not [said for said in plan.look(world.ports, pin, NEW, request())["warnings"] if "skewed" in said]
    vector = vector_of(OLD.space, "one text")
    for number in range(600):
        obj = StoredObject(str(uuid.UUID(int=10**30 + number)), {"body": "one text"}, {UNNAMED: vector})
        world.store.put("Docs", obj, timeout_s=1)
    (said,) = [said for said in plan.look(world.ports, pin, NEW, request())["warnings"] if "skewed" in said]
    assert "an eighth of their space holds 6 times its share" in said
    assert skew_warnings(world.store, "Docs", 99) == []
