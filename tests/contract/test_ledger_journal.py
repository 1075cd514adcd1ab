"""The journal: one row an operation, kept by everybody but its owner."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.ledger_case import NEW_PIN, WHO, LedgerCase, at_once, planned
from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.errors import Conflict, NotFound


@pytest.fixture
def case(ledger_case: LedgerCase) -> LedgerCase:
    """Dual-writing."""
    ledger_case.at(Phase.DUAL_WRITING)
    return ledger_case


def _open(case: LedgerCase, *keys: str, owner: str = "w1", kind: RowKind = RowKind.WRITE) -> list[JournalRow]:
    return case.ledger.open_rows("m1", keys, tenant=None, owner=owner, kind=kind)


def test_a_row_is_there_when_open_rows_returns(case: LedgerCase) -> None:
    [row] = case.ledger.open_rows("m1", ["k"], tenant="t", owner="w1", kind=RowKind.WRITE)
    assert (row.migration_id, row.tenant, row.key, row.owner, row.kind) == ("m1", "t", "k", "w1", RowKind.WRITE)
    assert [replace(seen, age_s=0.0) for seen in case.another().rows("m1", limit=10)] == [row]


def test_each_operation_on_a_key_has_a_row_of_its_own(case: LedgerCase) -> None:
    """Rule 1: one row for a key would be deleted by whoever finishes first."""
    [first], [second] = _open(case, "k"), _open(case, "k", owner="w2")
    assert first.id != second.id
    assert case.ledger.close_rows([first]) == 1
    assert case.ledger.covered("m1", ["k"], tenant=None) == {"k"}


def test_a_page_of_keys_gets_its_rows_at_once_in_its_order(case: LedgerCase) -> None:
    keys = [f"{place % 7}-{place:04d}" for place in range(1200)]
    rows = _open(case, *keys, kind=RowKind.BACKFILL)
    assert [row.key for row in rows] == keys
    assert [row.id for row in rows] == sorted({row.id for row in rows})
    assert case.ledger.close_rows(rows) == 1200


def test_no_keys_no_rows(case: LedgerCase) -> None:
    assert _open(case) == []
    assert case.ledger.close_rows([]) == 0
    assert case.ledger.claim_rows([], owner="j") == []


def test_ids_are_never_used_twice(case: LedgerCase) -> None:
    """Else a paused owner's delete could hit another operation's row."""
    seen: set[int] = set()
    for _ in range(3):
        rows = _open(case, "a", "b")
        assert seen.isdisjoint(row.id for row in rows)
        seen |= {row.id for row in rows}
        case.ledger.close_rows(rows)


@pytest.mark.parametrize("change", [{"owner": "w2"}, {"token": "another"}, {"id": -1}])
def test_a_row_is_deleted_by_its_id_owner_and_token_only(case: LedgerCase, change: dict[str, object]) -> None:
    [row] = _open(case, "k")
    assert case.ledger.close_rows([replace(row, **change)]) == 0  # type: ignore[arg-type]
    assert case.ledger.rows("m1", limit=10)


def test_closing_says_how_many_were_still_ours(case: LedgerCase) -> None:
    rows = _open(case, "a", "b", "c")
    case.ledger.claim_rows(rows[:1], owner="janitor")
    assert case.ledger.close_rows([*rows, *_open(case, "d", owner="w2")]) == 3
    assert case.ledger.close_rows(rows) == 0


def test_a_claim_changes_owner_and_token_and_keeps_the_age(case: LedgerCase) -> None:
    [row] = _open(case, "k")
    case.advance(30)
    [claimed] = case.ledger.claim_rows([row], owner="janitor")
    assert (claimed.id, claimed.key, claimed.owner) == (row.id, "k", "janitor")
    assert claimed.token != row.token
    assert claimed.age_s == pytest.approx(30, abs=5)
    assert case.ledger.close_rows([row]) == 0
    assert case.ledger.close_rows([claimed]) == 1


def test_a_claim_takes_only_rows_whose_token_is_as_it_was_seen(case: LedgerCase) -> None:
    rows = _open(case, "a", "b")
    taken = case.ledger.claim_rows(rows[:1], owner="j1")
    assert [row.key for row in case.ledger.claim_rows(rows, owner="j2")] == ["b"]
    assert [row.key for row in case.ledger.claim_rows(taken, owner="j2")] == ["a"]


def test_a_token_of_one_row_does_not_claim_another(case: LedgerCase) -> None:
    first, second = _open(case, "a")[0], _open(case, "b")[0]
    crossed = [replace(first, token=second.token), replace(second, token=first.token)]
    assert case.ledger.claim_rows(crossed, owner="j") == []


@pytest.mark.parametrize("attempt", range(3))
def test_of_many_claims_on_a_row_exactly_one_wins(case: LedgerCase, attempt: int) -> None:
    rows = _open(case, *(f"k{place}" for place in range(20)))
    claimers = [case.another() for _ in range(4)]
    answers = at_once(*(lambda c=c, n=n: c.claim_rows(rows, owner=f"j{n}") for n, c in enumerate(claimers)))
    assert all(isinstance(answer, list) for answer in answers), answers
    claimed = [row.id for answer in answers if isinstance(answer, list) for row in answer]
    assert sorted(claimed) == [row.id for row in rows]


@pytest.mark.parametrize("attempt", range(3))
def test_of_a_claim_and_its_owners_delete_exactly_one_wins(case: LedgerCase, attempt: int) -> None:
    rows = _open(case, *(f"k{place}" for place in range(20)))
    janitor = case.another()
    closed, claimed = at_once(lambda: case.ledger.close_rows(rows), lambda: janitor.claim_rows(rows, owner="j"))
    assert isinstance(closed, int)
    assert isinstance(claimed, list)
    assert closed + len(claimed) == 20
    assert len(case.ledger.rows("m1", limit=100)) == len(claimed)


def test_rows_are_read_by_id_page_by_page(case: LedgerCase) -> None:
    ids = [row.id for row in _open(case, "c", "a", "b")]
    first = case.ledger.rows("m1", limit=2)
    assert [row.id for row in first] == ids[:2]
    assert [row.id for row in case.ledger.rows("m1", limit=2, after_id=first[-1].id)] == ids[2:]


def test_rows_are_counted_by_kind(case: LedgerCase) -> None:
    assert sum(case.ledger.journal_counts("m1").values()) == 0
    _open(case, "a", "b", kind=RowKind.BACKFILL)
    _open(case, "a", kind=RowKind.PARITY)
    counts = case.ledger.journal_counts("m1")
    assert [counts[kind] for kind in (RowKind.BACKFILL, RowKind.PARITY, RowKind.WRITE)] == [2, 1, 0]


def test_the_oldest_row_tells_how_far_the_shadow_is_behind(case: LedgerCase) -> None:
    assert case.ledger.oldest_row_age_s("m1") == 0.0
    rows = _open(case, "a")
    case.advance(20)
    _open(case, "b")
    assert case.ledger.oldest_row_age_s("m1") == pytest.approx(20, abs=5)
    snapshot = case.ledger.snapshot("Docs")
    assert snapshot.journal_rows == 2
    assert snapshot.oldest_row_age_s == pytest.approx(20, abs=5)
    case.ledger.close_rows(rows)
    assert case.ledger.oldest_row_age_s("m1") == pytest.approx(0, abs=5)


def test_a_key_is_covered_in_its_own_tenant_only(case: LedgerCase) -> None:
    case.ledger.open_rows("m1", ["a"], tenant="t1", owner="w", kind=RowKind.WRITE)
    _open(case, "b")
    assert case.ledger.covered("m1", ["a", "b"], tenant="t1") == {"a"}
    assert case.ledger.covered("m1", ["a", "b"], tenant=None) == {"b"}
    assert case.ledger.covered("m1", [], tenant=None) == set()
    assert case.ledger.covered("m2", ["a", "b"], tenant=None) == set()


def test_keys_may_be_any_text(case: LedgerCase) -> None:
    keys = ["ä'\"\\ {},", "", "NULL", "ü" * 300]
    assert [row.key for row in _open(case, *keys)] == keys
    assert case.ledger.covered("m1", keys, tenant=None) == set(keys)


def test_no_row_before_dual_write(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.SHADOW_CREATED)
    with pytest.raises(Conflict, match="the routing is not this migration's"):
        _open(ledger_case, "k")


def test_no_row_for_a_migration_that_nobody_knows(case: LedgerCase) -> None:
    with pytest.raises(NotFound, match="m9"):
        case.ledger.open_rows("m9", ["k"], tenant=None, owner="w", kind=RowKind.WRITE)


def test_no_row_once_dual_write_was_switched_off_but_the_janitor_drains(case: LedgerCase) -> None:
    rows = _open(case, "k")
    case.ledger.publish(case.ledger.migration("m1"), Mode.LIVE_ONLY, 0, **WHO)
    with pytest.raises(Conflict, match="mode is live_only"):
        _open(case, "k")
    assert case.ledger.close_rows(case.ledger.claim_rows(rows, owner="janitor")) == 1


def test_no_row_for_a_migration_that_a_later_one_has_replaced(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    ledger = ledger_case.ledger
    ledger.flip(migration, version, NEW_PIN, quarantine_s=8, who="retire")
    later = ledger.start_migration(planned("m2", shadow="Docs_v3", pin=NEW_PIN), **WHO)
    later = ledger.move(later, Phase.SHADOW_CREATED, **WHO)
    ledger.move(later, Phase.DUAL_WRITING, **WHO, routing=(Mode.DUAL, 0))
    with pytest.raises(Conflict, match="the routing is not this migration's"):
        _open(ledger_case, "k")
    assert ledger.open_rows("m2", ["k"], tenant=None, owner="w", kind=RowKind.WRITE)


def test_open_rows_and_a_publish_agree_on_the_order(case: LedgerCase) -> None:
    """Either the row was first, or the publish was; never a row that the publisher's next look does not see."""
    other, migration = case.another(), case.ledger.migration("m1")
    published, opened = at_once(
        lambda: (case.ledger.publish(migration, Mode.LIVE_ONLY, 0, **WHO), case.ledger.rows("m1", limit=9)),
        lambda: other.open_rows("m1", ["k"], tenant=None, owner="w", kind=RowKind.WRITE),
    )
    assert isinstance(published, tuple), published
    seen = [row.id for row in published[1]]
    assert seen == ([row.id for row in opened] if isinstance(opened, list) else [])


_FORBIDDEN = (
    "INSERT INTO journal (migration_id, tenant, key, owner, token, kind, opened_at)"
    " VALUES ('m9', '', 'k', 'w', 't', 'write', '2026-01-01 00:00:00.000000')",
    "INSERT INTO journal (migration_id, tenant, key, owner, token, kind, opened_at)"
    " VALUES ('m1', '', 'k', 'w', 't', 'other', '2026-01-01 00:00:00.000000')",
    "INSERT INTO journal (migration_id, tenant, key, owner, token, opened_at)"
    " VALUES ('m1', '', 'k', 'w', 't', '2026-01-01 00:00:00.000000')",
)


def test_the_database_itself_refuses(sql_case: LedgerCase) -> None:
    sql_case.at(Phase.DUAL_WRITING)
    for statement in _FORBIDDEN:
        with pytest.raises(DBAPIError):
            sql_case.sql(statement)
    assert sql_case.ledger.rows("m1", limit=10) == []
