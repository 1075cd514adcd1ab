"""The planner on simulated ids: its seconds, its looks at the store, and how even the chunks are that it makes."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from vecferry.sandbox.plan_scale.id_space import IdSpace
from vecferry.sandbox.plan_scale.world import SimulatedWorld
from vecferry.steps import backfill


@dataclass(frozen=True)
class Planned:
    """``seconds`` of ``plan_chunks``, ``store_s`` of them in the simulated store; ``again_s`` when it is all planned already.
    ``off``: the size furthest from the mean, as a share of it."""

    ids: str
    plan_s: float
    seconds: float
    store_s: float
    again_s: float
    looks: int
    chunks: int
    off: float


def planned(world: SimulatedWorld, name: str, ids: IdSpace) -> Planned:
    looks, store_s = world.store.looks, world.store.seconds
    seconds, chunks = _timed(world)
    looks, store_s = world.store.looks - looks, world.store.seconds - store_s
    again_s, again = _timed(world)
    assert again == chunks, "planned again, the chunks are others"
    return Planned(name, world.plan_s, seconds, store_s, again_s, looks, len(chunks), _off(ids, chunks))


def _timed(world: SimulatedWorld) -> tuple[float, list[tuple[str, str]]]:
    began = time.perf_counter()
    chunks = backfill.plan_chunks(world.ports, world.migration_id)
    return time.perf_counter() - began, [(str(chunk["start"]), str(chunk["end"])) for chunk in chunks]


def _off(ids: IdSpace, chunks: list[tuple[str, str]]) -> float:
    """By counting the ids of each chunk, every one of them."""
    sizes = [ids.count(uuid.UUID(start).int if start else -1, uuid.UUID(end).int) for start, end in chunks]
    assert sum(sizes) == ids.objects, "the chunks do not hold every object exactly once"
    mean = ids.objects / len(sizes)
    return max(abs(size - mean) for size in sizes) / mean
