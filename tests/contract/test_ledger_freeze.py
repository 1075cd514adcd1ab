"""The freeze: the flip or its undoing, never both, and never while something may still be behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.ledger_case import NEW_PIN, PIN, WHO, LedgerCase, at_once, kinds, lease
from vecferry.domain.chunks import Chunk, ChunkState, even_ranges
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Mode
from vecferry.errors import BadInput, Conflict

Q = 8.0


def _flip(case: LedgerCase, migration: Migration, version: int, pin: Pin = NEW_PIN) -> None:
    case.ledger.flip(migration, version, pin, quarantine_s=Q, who="retire")


def _still_frozen(case: LedgerCase) -> bool:
    snapshot = case.ledger.snapshot("Docs")
    return (snapshot.routing.mode, snapshot.pin) == (Mode.FREEZE, PIN)


def test_a_flip_moves_pin_authority_routing_and_phase_as_one(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    _flip(ledger_case, migration, version)
    snapshot = ledger_case.ledger.snapshot("Docs")
    routing = snapshot.routing
    assert (routing.version, routing.mode, routing.percent, routing.authority) == (version + 1, Mode.LIVE_ONLY, 0, "Docs_v2")
    assert snapshot.pin == NEW_PIN
    assert snapshot.migration is None
    retired = ledger_case.ledger.migration("m1")
    assert (retired.phase, retired.version) == (Phase.RETIRED, migration.version + 1)
    assert [e.what for e in ledger_case.ledger.events(pin="Docs")][-2:] == ["move", "publish"]


def test_a_flip_waits_for_each_router(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    ledger_case.ledger.register(lease("r1", acknowledged=version - 1))
    with pytest.raises(Conflict, match=r"not acknowledged by r1 \(host:1\) at version"):
        _flip(ledger_case, migration, version)
    assert _still_frozen(ledger_case)
    ledger_case.ledger.renew("r1", pin="Docs", acknowledged_version=version, lease_s=10)
    _flip(ledger_case, migration, version)


def test_a_flip_passes_over_a_router_only_when_it_has_been_expired_for_q(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    ledger_case.ledger.register(lease("r1", acknowledged=version - 1, lease_s=10))
    ledger_case.advance(10 + Q - 2)
    with pytest.raises(Conflict, match="not acknowledged"):
        _flip(ledger_case, migration, version)
    ledger_case.advance(3)
    _flip(ledger_case, migration, version)


def test_a_flip_waits_for_the_journal(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    rows = ledger_case.ledger.open_rows("m1", ["a", "b"], tenant=None, owner="w", kind=RowKind.WRITE)
    with pytest.raises(Conflict, match="the journal has 2 rows"):
        _flip(ledger_case, migration, version)
    assert _still_frozen(ledger_case)
    ledger_case.ledger.close_rows(rows)
    _flip(ledger_case, migration, version)


def test_a_flip_waits_for_open_chunks(ledger_case: LedgerCase) -> None:
    ledger = ledger_case.ledger
    migration = ledger_case.at(Phase.SERVING)
    [chunk] = ledger.plan_chunks("m1", [Chunk("m1", *even_ranges(1)[0])])
    version = ledger.publish(migration, Mode.FREEZE, 100, **WHO).version
    with pytest.raises(Conflict, match="1 chunks are open"):
        _flip(ledger_case, migration, version)
    ledger.checkpoint(replace(chunk, state=ChunkState.DONE))
    _flip(ledger_case, migration, version)


def test_a_flip_needs_the_freeze_that_was_acknowledged(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    ledger_case.ledger.publish(migration, Mode.FREEZE, 100, **WHO)
    with pytest.raises(Conflict, match=rf"at version {version + 1}, not {version}"):
        _flip(ledger_case, migration, version)


def test_a_flip_without_a_freeze_is_refused(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.SERVING)
    with pytest.raises(Conflict, match="mode is dual, not freeze"):
        _flip(ledger_case, migration, ledger_case.ledger.snapshot("Docs").routing.version)


def test_a_flip_of_a_migration_that_moved_is_refused(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    with pytest.raises(Conflict, match="somebody was first"):
        _flip(ledger_case, replace(migration, version=migration.version - 1), version)


@pytest.mark.parametrize("wrong", [PIN, replace(NEW_PIN, name="Other"), replace(NEW_PIN, space=PIN.space)])
def test_a_flip_to_anything_but_the_shadow_is_refused(ledger_case: LedgerCase, wrong: Pin) -> None:
    migration, version = ledger_case.frozen()
    with pytest.raises(BadInput, match="the retired pin must be Docs at Docs_v2"):
        _flip(ledger_case, migration, version, wrong)
    assert _still_frozen(ledger_case)


def test_a_second_flip_is_refused(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    _flip(ledger_case, migration, version)
    with pytest.raises(Conflict, match="it is retired"):
        _flip(ledger_case, migration, version)
    with pytest.raises(Conflict, match="it ended: retired"):
        _flip(ledger_case, ledger_case.ledger.migration("m1"), version)


def test_an_undone_freeze_is_dual_again_at_the_same_percent(ledger_case: LedgerCase) -> None:
    _, version = ledger_case.frozen()
    assert ledger_case.ledger.undo_freeze("Docs", version, who="r1", why="the hold ran out")
    routing = ledger_case.ledger.snapshot("Docs").routing
    assert (routing.version, routing.mode, routing.percent, routing.migration_id) == (version + 1, Mode.DUAL, 100, "m1")
    event = ledger_case.ledger.events(pin="Docs")[-1]
    assert (event.who, event.what, event.why) == ("r1", "undo_freeze", "the hold ran out")


def test_only_the_freeze_of_that_version_is_undone(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    assert not ledger_case.ledger.undo_freeze("Docs", version - 1, **WHO)
    assert not ledger_case.ledger.undo_freeze("Docs", version + 1, **WHO)
    assert _still_frozen(ledger_case)
    assert ledger_case.ledger.undo_freeze("Docs", version, **WHO)
    assert not ledger_case.ledger.undo_freeze("Docs", version, **WHO)
    with pytest.raises(Conflict, match="the freeze was undone"):
        _flip(ledger_case, migration, version)


@pytest.mark.parametrize("attempt", range(5))
def test_of_a_flip_and_the_undoing_exactly_one_wins(ledger_case: LedgerCase, attempt: int) -> None:
    migration, version = ledger_case.frozen()
    other = ledger_case.another()
    flipped, undone = at_once(lambda: _flip(ledger_case, migration, version), lambda: other.undo_freeze("Docs", version, **WHO))
    mode = ledger_case.ledger.snapshot("Docs").routing.mode
    won = (flipped is None, undone is True, mode)
    assert won in [(True, False, Mode.LIVE_ONLY), (False, True, Mode.DUAL)], (flipped, undone)
    assert flipped is None or isinstance(flipped, Conflict)


@pytest.mark.parametrize("attempt", range(5))
def test_a_row_is_opened_before_the_flip_or_not_at_all(ledger_case: LedgerCase, attempt: int) -> None:
    migration, version = ledger_case.frozen()
    others = [ledger_case.another() for _ in range(3)]
    openers = [lambda other=other: other.open_rows("m1", ["k"], tenant=None, owner="w", kind=RowKind.WRITE) for other in others]
    flipped, *opened = at_once(lambda: _flip(ledger_case, migration, version), *openers)
    rows = sum(len(answer) for answer in opened if isinstance(answer, list))
    assert sum(ledger_case.ledger.journal_counts("m1").values()) == rows
    assert (flipped is None) == (rows == 0), (flipped, opened)
    assert set(kinds(opened)) <= {"list", "Conflict"}


def test_nothing_copies_after_the_flip(ledger_case: LedgerCase) -> None:
    ledger = ledger_case.ledger
    migration, version = ledger_case.frozen()
    _flip(ledger_case, migration, version)
    for kind in RowKind:
        with pytest.raises(Conflict, match=f"no {kind} row may be opened: mode is live_only"):
            ledger.open_rows("m1", ["k"], tenant=None, owner="w", kind=kind)
    with pytest.raises(Conflict, match="backfill may not start again: phase is retired"):
        ledger.plan_chunks("m1", [Chunk("m1", *even_ranges(1)[0])])
    with pytest.raises(Conflict, match="backfill may not start again"):
        ledger.reopen_chunks("m1")
    with pytest.raises(Conflict, match="it ended"):
        ledger.publish(ledger.migration("m1"), Mode.DUAL, 0, **WHO)


def test_in_a_freeze_old_writes_finish_and_no_copier_starts(ledger_case: LedgerCase) -> None:
    ledger = ledger_case.ledger
    migration = ledger_case.at(Phase.SERVING)
    [chunk] = ledger.plan_chunks("m1", [Chunk("m1", *even_ranges(1)[0])])
    ledger.publish(migration, Mode.FREEZE, 100, **WHO)
    assert len(ledger.open_rows("m1", ["k"], tenant=None, owner="w", kind=RowKind.WRITE)) == 1
    for kind in (RowKind.BACKFILL, RowKind.PARITY):
        with pytest.raises(Conflict, match="mode is freeze"):
            ledger.open_rows("m1", ["k"], tenant=None, owner="w", kind=kind)
    with pytest.raises(Conflict, match="backfill may not start again"):
        ledger.claim_chunk(chunk, owner="w")
