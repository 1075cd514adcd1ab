"""Chunks: planned once by range, taken over at once, checkpointed under the claim."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.ledger_case import WHO, LedgerCase, at_once
from vecferry.domain.chunks import Chunk, ChunkState, even_ranges
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.errors import Conflict, NotFound


@pytest.fixture
def case(ledger_case: LedgerCase) -> LedgerCase:
    ledger_case.at(Phase.DUAL_WRITING)
    return ledger_case


def _chunks(count: int = 2, tenant: str | None = None) -> list[Chunk]:
    return [Chunk("m1", start, end, tenant) for start, end in even_ranges(count)]


def test_chunks_are_in_order_of_tenant_and_range(case: LedgerCase) -> None:
    planned = case.ledger.plan_chunks("m1", [*_chunks(tenant="b"), *reversed(_chunks(tenant="a"))])
    assert planned == [*_chunks(tenant="a"), *_chunks(tenant="b")]
    assert case.ledger.chunks("m1") == planned
    assert case.ledger.chunks("m2") == []


def test_planning_again_adds_what_is_new_and_moves_no_checkpoint(case: LedgerCase) -> None:
    case.ledger.plan_chunks("m1", _chunks())
    claimed = case.ledger.claim_chunk(_chunks()[0], owner="w")
    case.ledger.checkpoint(replace(claimed, cursor="0abc", rows_in=3, rows_out=3))
    again = case.ledger.plan_chunks("m1", [*_chunks(), *_chunks(1, tenant="new")])
    assert [(chunk.tenant, chunk.cursor) for chunk in again] == [(None, "0abc"), (None, ""), ("new", "")]


def test_two_planners_at_once_plan_each_range_once(case: LedgerCase) -> None:
    other = case.another()
    answers = at_once(lambda: case.ledger.plan_chunks("m1", _chunks(16)), lambda: other.plan_chunks("m1", _chunks(16)))
    assert answers == [_chunks(16), _chunks(16)]


def test_a_claim_takes_the_chunk_over_with_its_checkpoint(case: LedgerCase) -> None:
    chunk = case.ledger.plan_chunks("m1", _chunks())[0]
    first = case.ledger.claim_chunk(chunk, owner="w1")
    case.ledger.checkpoint(replace(first, cursor="0abc", rows_in=5, rows_out=4, failed=1))
    second = case.ledger.claim_chunk(chunk, owner="w2")
    assert (second.owner, second.cursor, second.rows_in, second.rows_out, second.failed) == ("w2", "0abc", 5, 4, 1)
    assert second.token > first.token


def test_a_checkpoint_after_the_claim_was_lost_is_refused(case: LedgerCase) -> None:
    chunk = case.ledger.plan_chunks("m1", _chunks())[0]
    lost = case.ledger.claim_chunk(chunk, owner="w1")
    kept = case.ledger.claim_chunk(chunk, owner="w2")
    with pytest.raises(Conflict, match="taken over since claim"):
        case.ledger.checkpoint(replace(lost, cursor="0abc"))
    case.ledger.checkpoint(replace(kept, state=ChunkState.DONE, cursor=chunk.end))
    stored = case.ledger.chunks("m1")[0]
    assert (stored.state, stored.cursor, stored.owner) == (ChunkState.DONE, chunk.end, "w2")


def test_of_two_claims_at_once_each_has_a_token_of_its_own(case: LedgerCase) -> None:
    chunk = case.ledger.plan_chunks("m1", _chunks())[0]
    other = case.another()
    claims = at_once(lambda: case.ledger.claim_chunk(chunk, owner="w1"), lambda: other.claim_chunk(chunk, owner="w2"))
    assert all(isinstance(claim, Chunk) for claim in claims), claims
    assert len({claim.token for claim in claims if isinstance(claim, Chunk)}) == 2


def test_a_chunk_that_was_not_planned_cannot_be_claimed(case: LedgerCase) -> None:
    with pytest.raises(NotFound, match="has no chunk 00000000…ffffffff"):
        case.ledger.claim_chunk(_chunks(1)[0], owner="w")


def test_a_new_pass_starts_all_chunks_again_and_takes_every_claim_away(case: LedgerCase) -> None:
    chunk = case.ledger.plan_chunks("m1", _chunks())[0]
    claimed = case.ledger.claim_chunk(chunk, owner="w")
    case.ledger.checkpoint(replace(claimed, state=ChunkState.DONE, cursor="0abc", rows_in=5, rows_out=5, failed=1))
    case.ledger.reopen_chunks("m1")
    fresh = case.ledger.chunks("m1")[0]
    assert fresh == replace(chunk, token=fresh.token)
    with pytest.raises(Conflict, match="taken over"):
        case.ledger.checkpoint(replace(claimed, state=ChunkState.DONE))


def test_chunks_are_not_started_again_when_dual_write_is_off(case: LedgerCase) -> None:
    chunk = case.ledger.plan_chunks("m1", _chunks())[0]
    case.ledger.publish(case.ledger.migration("m1"), Mode.LIVE_ONLY, 0, **WHO)
    for again in (lambda: case.ledger.claim_chunk(chunk, owner="w"), lambda: case.ledger.reopen_chunks("m1")):
        with pytest.raises(Conflict, match="backfill may not start again"):
            again()
    assert case.ledger.plan_chunks("m1", _chunks()) == _chunks()


_INSERT = (
    "INSERT INTO chunks (migration_id, tenant, range_start, range_end, state, reached, owner, token, rows_in, rows_out,"
    " failed) VALUES "
)


_FORBIDDEN = (
    _INSERT + f"('m1', '', '', '{even_ranges(2)[0][1]}', 'open', '', '', 0, 0, 0, 0)",  # the same range
    _INSERT + "('m1', '', 'b', 'a', 'open', '', '', 0, 0, 0, 0)",
    _INSERT + "('m9', '', 'a', 'b', 'open', '', '', 0, 0, 0, 0)",
    _INSERT + "('m1', '', 'a', 'b', 'lost', '', '', 0, 0, 0, 0)",
    "UPDATE chunks SET rows_in = -1",
)


def test_the_database_itself_refuses(sql_case: LedgerCase) -> None:
    sql_case.at(Phase.DUAL_WRITING)
    sql_case.ledger.plan_chunks("m1", _chunks())
    for statement in _FORBIDDEN:
        with pytest.raises(DBAPIError):
            sql_case.sql(statement)
    assert sql_case.ledger.chunks("m1") == _chunks()
