"""The schedules prove something on a ledger only if its clock is the world's."""

from __future__ import annotations

import pytest

from tests.faults.fault_world import FaultWorld
from tests.support.memory_world import key_of
from vecferry.domain.journal import RowKind


def test_leases_and_row_ages_follow_the_clock_of_the_world(dual: FaultWorld) -> None:
    router = dual.router()
    dual.ledger.open_rows(dual.migration_id, [key_of("0")], tenant=None, owner="o", kind=RowKind.WRITE)
    dual.clock.advance(1000.0)
    (lease,), now = dual.ledger.leases("Docs")
    assert lease.router_id == router._membership.router_id
    assert (now - lease.expires_at).total_seconds() == pytest.approx(1000.0 - lease.lease_s, abs=0.01)
    assert now == dual.clock.now()
    assert dual.ledger.oldest_row_age_s(dual.migration_id) == pytest.approx(1000.0, abs=0.01)
    assert dual.ledger.snapshot("Docs").oldest_row_age_s == pytest.approx(1000.0, abs=0.01)
    assert dual.ledger.rows(dual.migration_id, limit=1)[0].age_s == pytest.approx(1000.0, abs=0.01)
