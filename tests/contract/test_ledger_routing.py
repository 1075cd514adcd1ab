"""Leases, snapshots and what routers saw."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.ledger_case import PIN, WHO, LedgerCase, at_once, lease
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Arm, Mode, Snapshot, barrier
from vecferry.domain.telemetry import Observation
from vecferry.errors import Conflict, NotFound


def test_a_snapshot_holds_pin_routing_and_migration_of_one_moment(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    snapshot = ledger_case.ledger.snapshot("Docs")
    assert (snapshot.pin, snapshot.routing.version, snapshot.migration) == (PIN, 1, None)
    assert (snapshot.journal_rows, snapshot.oldest_row_age_s) == (0, 0.0)


def test_a_snapshot_never_mixes_two_versions(ledger_case: LedgerCase) -> None:
    """A routing of the next version with a migration of the last would send queries to a collection at the wrong percent."""
    migration = ledger_case.at(Phase.VALIDATED)
    mover, reader = ledger_case.ledger, ledger_case.another()

    def move() -> None:
        moved = migration
        for percent in (5, 25, 50, 75, 100):
            moved = mover.move(moved, Phase.SERVING, **WHO, routing=(Mode.DUAL, percent))

    _, seen = at_once(move, lambda: [reader.snapshot("Docs") for _ in range(50)])
    assert isinstance(seen, list), seen
    assert {snapshot.routing.percent - snapshot.migration.percent for snapshot in seen if snapshot.migration} == {0}


def test_registering_answers_with_the_snapshot_and_sets_the_expiry(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.DUAL_WRITING)
    snapshot = ledger_case.ledger.register(lease("r1", acknowledged=2, lease_s=10))
    assert (snapshot.routing.version, snapshot.migration) == (2, migration)
    [stored], now = ledger_case.ledger.leases("Docs")
    assert (stored.router_id, stored.acknowledged_version, stored.where, stored.lease_s) == ("r1", 2, "host:1", 10)
    assert stored.expires_at - now == pytest.approx(timedelta(seconds=10), abs=timedelta(seconds=5))
    assert now.utcoffset() == timedelta(0)


def test_a_router_that_registers_again_replaces_its_lease(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.DUAL_WRITING)
    ledger_case.ledger.register(lease("r1", acknowledged=2))
    ledger_case.ledger.register(lease("r1", acknowledged=1, lease_s=3600))
    [stored], _ = ledger_case.ledger.leases("Docs")
    assert (stored.acknowledged_version, stored.lease_s) == (1, 3600)


def test_a_router_of_an_unknown_pin_is_refused(ledger_case: LedgerCase) -> None:
    with pytest.raises(NotFound, match="no pin 'Docs'"):
        ledger_case.ledger.register(lease())


def test_a_renewal_extends_the_lease_and_acknowledges(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.DUAL_WRITING)
    ledger_case.ledger.register(lease("r1", acknowledged=1, lease_s=10))
    ledger_case.advance(9)
    assert ledger_case.ledger.renew("r1", pin="Docs", acknowledged_version=2, lease_s=20).routing.version == 2
    [stored], now = ledger_case.ledger.leases("Docs")
    assert (stored.acknowledged_version, stored.lease_s) == (2, 20)
    assert (stored.expires_at - now).total_seconds() == pytest.approx(20, abs=5)


def test_a_lease_that_is_gone_is_not_renewed(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    ledger_case.ledger.register(lease("r1"))
    ledger_case.ledger.deregister("r1", pin="Docs")
    ledger_case.ledger.deregister("r1", pin="Docs")
    assert ledger_case.ledger.leases("Docs")[0] == []
    with pytest.raises(Conflict, match="Register anew"):
        ledger_case.ledger.renew("r1", pin="Docs", acknowledged_version=1, lease_s=10)


def test_a_version_that_the_ledger_does_not_have_cannot_be_acknowledged(ledger_case: LedgerCase) -> None:
    """After a restore, version 9 of before must not count for the next version 9."""
    ledger_case.pinned()
    ledger_case.ledger.register(lease("r1", acknowledged=9))
    assert ledger_case.ledger.leases("Docs")[0][0].acknowledged_version == 1
    with pytest.raises(Conflict, match=r"acknowledges routing version 9, but the ledger is at 1"):
        ledger_case.ledger.renew("r1", pin="Docs", acknowledged_version=9, lease_s=10)


def test_expired_leases_are_told_for_a_day(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    ledger_case.ledger.register(lease("r1", lease_s=10))
    ledger_case.advance(23 * 3600)
    [stored], now = ledger_case.ledger.leases("Docs")
    assert stored.expires_at < now
    ledger_case.advance(2 * 3600)
    assert ledger_case.ledger.leases("Docs")[0] == []


def test_leases_are_by_pin(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    ledger_case.ledger.register(lease("r1"))
    assert ledger_case.ledger.leases("Other")[0] == []


@pytest.mark.parametrize("attempt", range(5))
def test_a_router_that_registers_during_a_publish_is_seen_or_sees(ledger_case: LedgerCase, attempt: int) -> None:
    """Rule 14: otherwise it would write by the old version while the barrier has passed."""
    migration = ledger_case.at(Phase.SHADOW_CREATED)
    router = ledger_case.another()

    def publish_and_look() -> bool:
        version = ledger_case.ledger.publish(migration, Mode.DUAL, 0, **WHO).version
        leases, now = ledger_case.ledger.leases("Docs")
        return barrier(leases, version, now=now, quarantine_s=8).passed

    passed, snapshot = at_once(publish_and_look, lambda: router.register(lease("r1", acknowledged=1)))
    assert not isinstance(passed, Exception), passed
    assert isinstance(snapshot, Snapshot), snapshot
    assert not passed or snapshot.routing.version == 2


def test_routing_versions_are_kept_in_order(ledger_case: LedgerCase) -> None:
    ledger_case.frozen()
    assert [(r.version, r.mode, r.percent) for r in ledger_case.ledger.routings("Docs")] == [
        (1, Mode.LIVE_ONLY, 0),
        (2, Mode.DUAL, 0),
        (3, Mode.DUAL, 100),
        (4, Mode.FREEZE, 100),
    ]


def test_observations_add_up_over_routers(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    ledger = ledger_case.ledger
    seen = Observation("Docs", 2, Arm.SHADOW, 10, 8, 1, 1, 2, 3, 4, {0: 3, 17: 7})
    ledger.observe([seen, Observation("Docs", 2, Arm.LIVE, 1)], router_id="r1")
    ledger.observe([seen], router_id="r2")
    ledger.observe([Observation("Docs", 3, Arm.SHADOW, 5, latency={17: 1}), seen], router_id="r1")
    ledger.observe([], router_id="r1")
    assert ledger.observations("Docs") == [
        Observation("Docs", 2, Arm.LIVE, 1),
        Observation("Docs", 2, Arm.SHADOW, 30, 24, 3, 3, 6, 9, 12, {0: 9, 17: 21}),
        Observation("Docs", 3, Arm.SHADOW, 5, latency={17: 1}),
    ]
    assert ledger.observations("Other") == []


def test_no_observation_is_lost_when_one_router_reports_from_two_threads(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    seen = Observation("Docs", 1, Arm.LIVE, 1, latency={3: 1})
    ledgers = [ledger_case.another() for _ in range(3)]
    answers = at_once(*(lambda other=other: [other.observe([seen], router_id="r1") for _ in range(10)] for other in ledgers))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert ledger_case.ledger.observations("Docs") == [Observation("Docs", 1, Arm.LIVE, 30, latency={3: 30})]


_FORBIDDEN = (
    "INSERT INTO routers (pin, router_id, expires_at, lease_s, acknowledged_version, protocol_version, runs_at)"
    " VALUES ('Nowhere', 'r', '2026-01-01 00:00:00.000000', 1, 1, 1, '')",
    "INSERT INTO observations (pin, version, arm, router_id, queries, served, fallbacks, errors, empty, useful, useless,"
    " latency) VALUES ('Docs', 1, 'both', 'r', 0, 0, 0, 0, 0, 0, 0, '{}')",
)


def test_the_database_itself_refuses(sql_case: LedgerCase) -> None:
    sql_case.pinned()
    for statement in _FORBIDDEN:
        with pytest.raises(DBAPIError):
            sql_case.sql(statement)


def test_a_forked_child_uses_connections_of_its_own(sql_case: LedgerCase) -> None:
    """gunicorn preloads, Celery forks: two processes on one socket would read each other's answers."""
    sql_case.at(Phase.DUAL_WRITING)
    child = os.fork()
    if child == 0:
        os._exit(0 if _register_often(sql_case, "child") else 1)
    assert _register_often(sql_case, "parent")
    assert os.waitpid(child, 0)[1] == 0
    assert [stored.router_id for stored in sql_case.ledger.leases("Docs")[0]] == ["child", "parent"]


def _register_often(case: LedgerCase, router_id: str) -> bool:
    try:
        answers = [case.ledger.register(lease(router_id)).routing.version for _ in range(30)]
    except Exception:
        return False
    return answers == [2] * 30
