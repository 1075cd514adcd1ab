"""Worlds on each of the ledgers, whose actors are all ended with the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from tests.faults.fault_world import FaultWorld, make_fault_world
from tests.faults.ledgers import KINDS, LedgerKind, ledger_kind
from vecferry.domain.timing import Timings


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[LedgerKind]:
    """One file or database for all tests of the session; each world begins it anew."""
    with ledger_kind(request.param, request) as made:
        yield made


@pytest.fixture
def world(kind: LedgerKind) -> Iterator[FaultWorld]:
    """Three objects in live, no migration."""
    with closing(make_fault_world(3, kind)) as made:
        yield made


@pytest.fixture
def dual(world: FaultWorld) -> FaultWorld:
    """Dual-writing and backfilled: three objects, equal on both sides."""
    return world.copied()


@pytest.fixture
def impatient(kind: LedgerKind) -> Iterator[FaultWorld]:
    """As ``world``, with routers that hold a write for 50 ms, which pass for real."""
    with closing(make_fault_world(3, kind, timings=replace(Timings(), freeze_hold_s=0.05))) as made:
        yield made
