"""Rule 18: which routers may take part in a migration; and a person's word that a router is dead."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from tests.support.ledger_case import NEW_PIN, LedgerCase, lease
from vecferry.adapters.ledger import routing_rules
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import PROTOCOL_VERSION, Phase
from vecferry.domain.routing import Mode, barrier
from vecferry.errors import BadInput, Conflict, LedgerRestored, NotFound

FAR = PROTOCOL_VERSION + 2
"""The protocol of a migration that this release is too old for."""
NEAR = PROTOCOL_VERSION + 1


def test_a_migration_keeps_the_protocol_and_the_hash_that_it_began_with(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.SERVING, protocol=FAR)
    stored = ledger_case.ledger.migration(migration.id)
    assert (stored.protocol_version, stored.spec.hash_version) == (FAR, 1)
    assert ledger_case.ledger.events(migration_id=migration.id)[0].detail["protocol"] == FAR


@pytest.mark.parametrize("speaks", [FAR - 1, FAR, FAR + 1])
def test_a_router_of_the_release_before_or_after_takes_part(ledger_case: LedgerCase, speaks: int) -> None:
    ledger_case.at(Phase.DUAL_WRITING, protocol=FAR)
    ledger_case.ledger.register(lease("router-1", speaks=speaks))
    ledger_case.ledger.renew("router-1", pin="Docs", acknowledged_version=2, lease_s=20)
    rows = ledger_case.ledger.open_rows("m1", ["k"], tenant=None, owner="router-1", kind=RowKind.WRITE)
    assert ledger_case.ledger.close_rows(rows) == 1


@pytest.mark.parametrize("speaks", [FAR - 2, FAR + 2])
def test_a_router_of_another_age_is_refused_by_name(ledger_case: LedgerCase, speaks: int) -> None:
    """Which router, where, what version, what to do."""
    ledger_case.at(Phase.PLANNED, protocol=FAR)
    with pytest.raises(BadInput) as refused:
        ledger_case.ledger.register(lease("router-1", speaks=speaks))
    assert str(refused.value) == (
        f"pin Docs: router router-1 at host:1 speaks protocol {speaks}, and migration m1 protocol {FAR}: it may read, from "
        "Docs_v1, and not write. Upgrade vecferry in that process to the release of the migration, or to the one before or "
        "after."
    )
    assert ledger_case.ledger.leases("Docs")[0] == []


def test_the_lease_of_a_router_that_was_there_before_runs_out(ledger_case: LedgerCase) -> None:
    """Rule 15 then makes it read only; the barrier waits for that, and names it."""
    ledger_case.pinned()
    ledger_case.ledger.register(lease("router-1", lease_s=100))
    ledger_case.at(Phase.DUAL_WRITING, protocol=FAR)
    with pytest.raises(BadInput, match="router router-1 at host:1 speaks protocol 1"):
        ledger_case.ledger.renew("router-1", pin="Docs", acknowledged_version=2, lease_s=10)
    [stored], now = ledger_case.ledger.leases("Docs")
    assert stored.acknowledged_version == 1
    assert barrier([stored], 2, now=now, quarantine_s=8).waiting_for == ("router-1 (host:1) at version 1",)
    ledger_case.advance(109)
    leases, now = ledger_case.ledger.leases("Docs")
    assert barrier(leases, 2, now=now, quarantine_s=8).passed


def test_without_a_migration_every_release_may_write(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    ledger_case.ledger.register(lease("router-1", speaks=FAR))
    ledger_case.ledger.renew("router-1", pin="Docs", acknowledged_version=1, lease_s=10)


def test_a_router_that_is_too_old_opens_no_row_and_takes_none_over(ledger_case: LedgerCase) -> None:
    """It was there before, still believes in its lease, and its code knows nothing of protocols."""
    ledger_case.pinned()
    ledger_case.ledger.register(lease("router-1"))
    ledger_case.at(Phase.DUAL_WRITING, protocol=FAR)
    left = ledger_case.ledger.open_rows("m1", ["a", "b"], tenant=None, owner="crashed", kind=RowKind.WRITE)
    with pytest.raises(Conflict):
        ledger_case.ledger.open_rows("m1", ["k"], tenant=None, owner="router-1", kind=RowKind.WRITE)
    with pytest.raises(Conflict):
        ledger_case.ledger.claim_rows(left, owner="router-1")
    assert [(row.key, row.owner) for row in ledger_case.ledger.rows("m1", limit=9)] == [("a", "crashed"), ("b", "crashed")]


def test_a_router_without_a_lease_opens_no_row(ledger_case: LedgerCase) -> None:
    """Rule 15. A router that was refused calls itself by a new name, which has no lease either."""
    ledger_case.at(Phase.DUAL_WRITING)
    with pytest.raises(Conflict, match="no lease that the migration accepts"):
        ledger_case.ledger.open_rows("m1", ["k"], tenant=None, owner="router-new", kind=RowKind.WRITE)
    assert ledger_case.ledger.open_rows("m1", ["k"], tenant=None, owner="sample:m1", kind=RowKind.BACKFILL)


_OLD_RELEASE = (
    "INSERT INTO routers (pin, router_id, expires_at, lease_s, acknowledged_version, protocol_version, runs_at)"
    " VALUES ('Docs', 'router-2', '2099-01-01 00:00:00.000000', 10, 2, 1, 'there:2')",
    "UPDATE routers SET expires_at = '2099-01-01 00:00:00.000000', lease_s = 10, acknowledged_version = 2",
    "UPDATE routers SET acknowledged_version = 2",
    "INSERT INTO journal (migration_id, tenant, key, owner, token, kind, opened_at)"
    " VALUES ('m1', '', 'k', 'router-1', 't', 'write', '2026-01-01 00:00:00.000000')",
    "UPDATE journal SET owner = 'router-1', token = 'mine'",
    "UPDATE migrations SET protocol_version = 1",
)


def test_the_database_itself_refuses_the_old_release(sql_case: LedgerCase) -> None:
    """Its code is deployed and asks nobody: these are its statements."""
    sql_case.pinned()
    sql_case.ledger.register(lease("router-1"))
    sql_case.at(Phase.DUAL_WRITING, protocol=FAR)
    sql_case.ledger.open_rows("m1", ["a"], tenant=None, owner="crashed", kind=RowKind.WRITE)
    for statement in _OLD_RELEASE:
        with pytest.raises(IntegrityError):
            sql_case.sql(statement)
    sql_case.sql("DELETE FROM routers")  # a clean stop is always possible


def test_the_database_lets_the_release_before_go_on(sql_case: LedgerCase) -> None:
    """The same statements while the migration is of the next release; the mutant of the test above."""
    sql_case.pinned()
    sql_case.ledger.register(lease("router-1"))
    sql_case.at(Phase.DUAL_WRITING, protocol=NEAR)
    sql_case.ledger.open_rows("m1", ["a"], tenant=None, owner="crashed", kind=RowKind.WRITE)
    for statement in _OLD_RELEASE[:-1]:
        sql_case.sql(statement)


def test_code_of_the_first_revision_starts_migrations_of_the_first_protocol(sql_case: LedgerCase) -> None:
    """Its INSERT does not know the column."""
    sql_case.pinned()
    document = "'{}'"
    sql_case.sql(
        "INSERT INTO migrations (id, pin, phase, version, percent, attempt, shadow, spec, from_space, options, plan) VALUES"
        f" ('old', 'Docs', 'planned', 1, 0, 1, 'Docs_v2', {document}, {document}, {document}, {document})"
    )
    assert sql_case.sql("SELECT protocol_version FROM migrations")[0][0] == 1


# --- dismissal


def test_a_dismissed_router_holds_the_barrier_for_q_only(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    ledger_case.ledger.register(lease("router-1", lease_s=3600))
    ledger_case.at(Phase.DUAL_WRITING)
    ended = ledger_case.ledger.dismiss("router-1", pin="Docs", who="tess", why="its node burnt down")
    assert ended.dismissed_at is not None
    [stored], now = ledger_case.ledger.leases("Docs")
    assert not barrier([stored], 2, now=now, quarantine_s=8).passed
    assert stored.expires_at - now > timedelta(minutes=50)
    ledger_case.advance(9)
    leases, now = ledger_case.ledger.leases("Docs")
    assert barrier(leases, 2, now=now, quarantine_s=8).passed
    event = ledger_case.ledger.events(pin="Docs")[-1]
    assert (event.who, event.what, event.why) == ("tess", "dismiss_router", "its node burnt down")
    assert (event.detail["router"], event.detail["where"]) == ("router-1", "host:1")


def test_a_dismissed_router_that_lives_finds_no_lease(ledger_case: LedgerCase) -> None:
    """Its next poll, renewal and row are refused, so that it registers anew: all is as after an expiry."""
    ledger_case.at(Phase.DUAL_WRITING)
    ledger = ledger_case.ledger
    ledger.register(lease("router-1", lease_s=3600))
    ledger.snapshot("Docs", router_id="router-1")
    ledger.dismiss("router-1", pin="Docs", who="tess", why="wrong")
    with pytest.raises(Conflict, match="Register anew"):
        ledger.snapshot("Docs", router_id="router-1")
    with pytest.raises(Conflict, match="was dismissed"):
        ledger.renew("router-1", pin="Docs", acknowledged_version=2, lease_s=10)
    with pytest.raises(Conflict, match="no lease"):
        ledger.open_rows("m1", ["k"], tenant=None, owner="router-1", kind=RowKind.WRITE)
    assert ledger.snapshot("Docs").routing.version == 2
    ledger.register(lease("router-2"))


def test_the_database_renews_no_dismissed_lease(sql_case: LedgerCase) -> None:
    sql_case.pinned()
    sql_case.ledger.register(lease("router-1"))
    sql_case.ledger.dismiss("router-1", pin="Docs", who="tess", why="gone")
    with pytest.raises(IntegrityError, match="was dismissed"):
        sql_case.sql("UPDATE routers SET expires_at = '2099-01-01 00:00:00.000000', acknowledged_version = 1")


def test_a_router_is_dismissed_once_and_by_its_name(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    ledger_case.ledger.register(lease("router-1"))
    first = ledger_case.ledger.dismiss("router-1", pin="Docs", who="tess", why="gone")
    ledger_case.advance(5)
    again = ledger_case.ledger.dismiss("router-1", pin="Docs", who="tess", why="gone")
    assert again.expires_at - again.ends_at == pytest.approx(first.expires_at - first.ends_at, abs=timedelta(seconds=1))
    assert [e.what for e in ledger_case.ledger.events(pin="Docs")].count("dismiss_router") == 1
    with pytest.raises(NotFound, match=r"there is no router 'nobody'.*: router-1"):
        ledger_case.ledger.dismiss("nobody", pin="Docs", who="tess", why="gone")


def test_a_person_may_dismiss_a_router_that_is_too_old(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    ledger_case.ledger.register(lease("router-1", lease_s=3600))
    ledger_case.at(Phase.DUAL_WRITING, protocol=FAR)
    assert ledger_case.ledger.dismiss("router-1", pin="Docs", who="tess", why="stopped").dismissed_at


def flip_past_a_dismissed_router(case: LedgerCase) -> None:
    case.pinned()
    case.ledger.register(lease("router-1", lease_s=3600))
    migration, version = case.frozen()
    case.ledger.dismiss("router-1", pin="Docs", who="tess", why="gone, I think")
    case.advance(60)
    case.ledger.flip(migration, version, NEW_PIN, quarantine_s=8, who="tester")


def test_no_word_of_a_person_moves_authority_past_a_router_that_may_live(ledger_case: LedgerCase) -> None:
    """Cut off from the ledger and alive, it writes to the old collection until its own lease is over."""
    with pytest.raises(Conflict, match=r"not acknowledged by router-1 \(host:1\)"):
        flip_past_a_dismissed_router(ledger_case)
    assert ledger_case.ledger.snapshot("Docs").routing.mode is Mode.FREEZE


def test_the_flip_that_trusts_the_person_is_found(ledger_case: LedgerCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        routing_rules,
        "barrier",
        lambda leases, version, *, now, quarantine_s, by_word: barrier(leases, version, now=now, quarantine_s=quarantine_s),
    )
    flip_past_a_dismissed_router(ledger_case)
    assert ledger_case.ledger.snapshot("Docs").routing.authority == "Docs_v2"


# --- the history that somebody remembers


def test_what_somebody_remembers_is_in_the_history(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.DUAL_WRITING)
    first, second = ledger_case.ledger.routings("Docs")
    for seen in (first.seen, second.seen, ledger_case.ledger.snapshot("Docs").routing.seen):
        assert ledger_case.ledger.snapshot("Docs", since=seen).migration == migration


def test_a_version_of_another_history_is_named(ledger_case: LedgerCase) -> None:
    """Of a higher number, or of one that was given again after a restore."""
    from vecferry.domain.routing import Seen

    ledger_case.at(Phase.DUAL_WRITING)
    second = ledger_case.ledger.routings("Docs")[-1]
    assert second.published_at is not None
    for seen in (Seen(7, second.published_at), Seen(2, second.published_at - timedelta(hours=9))):
        with pytest.raises(LedgerRestored, match=r"restored from a backup: it is at routing version 2 and does not know"):
            ledger_case.ledger.snapshot("Docs", router_id="router-unknown", since=seen)
