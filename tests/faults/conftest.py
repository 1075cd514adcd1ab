"""Worlds whose actors are all ended with the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.fault_world import FaultWorld, make_fault_world


@pytest.fixture
def world() -> Iterator[FaultWorld]:
    """Three objects in live, no migration."""
    made = make_fault_world(3)
    yield made
    made.s.close()


@pytest.fixture
def dual(world: FaultWorld) -> FaultWorld:
    """Dual-writing and backfilled: three objects, equal on both sides."""
    return world.copied()
