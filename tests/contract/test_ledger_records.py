"""Verdicts, events, spend, notices, and the rows that checks read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import cast

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.ledger_case import LedgerCase, at_once, kinds
from vecferry.adapters.ledger import spending
from vecferry.domain.lifecycle import Phase
from vecferry.domain.verdicts import Outcome, Verdict
from vecferry.errors import BadInput, Conflict, NotFound, Paused
from vecferry.ports import Event, Ledger, Purpose, Spend

AT = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)


def _reserve(ledger: Ledger, cost_usd: float, *, budget_usd: float | None = None, tokens: int = 10) -> int:
    return ledger.reserve(
        pin="Docs",
        migration_id="m1",
        purpose=Purpose.BACKFILL,
        tokens=tokens,
        cost_usd=cost_usd,
        budget_usd=budget_usd,
    )


def _about(tokens: int, cost_usd: float, requests: int, unsettled: int) -> Spend:
    """Sums of floats differ in the last digit."""
    return Spend(tokens, cast(float, pytest.approx(cost_usd)), requests, unsettled)


def test_verdicts_are_kept_in_the_order_of_their_making(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.PLANNED)
    first = Verdict("plan", Outcome.FAIL, "too dear", {"cost_usd": 0.1 + 0.2, "rows": [1, None, {"a": True}]})
    second = Verdict("plan", Outcome.FAIL, "too dear", {}, "ada", "we pay")
    ledger_case.ledger.record_verdict("m1", first)
    ledger_case.ledger.record_verdict("m1", second)
    recorded = ledger_case.ledger.verdicts("m1")
    assert [verdict for _, verdict in recorded] == [first, second]
    assert all(at.utcoffset() is not None for at, _ in recorded)
    assert ledger_case.ledger.verdicts("m2") == []


def test_a_verdict_of_an_unknown_migration_is_refused(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="m1"):
        ledger.record_verdict("m1", Verdict("plan", Outcome.PASS, ""))


def test_a_figure_that_could_not_be_computed_does_not_lose_the_verdict(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.PLANNED)
    ledger_case.ledger.record_verdict("m1", Verdict("plan", Outcome.NO_DATA, "", {"mean": float("nan")}))
    assert str(ledger_case.ledger.verdicts("m1")[0][1].evidence["mean"]) == "nan"


def test_an_event_comes_back_as_it_was_recorded_but_for_the_time_which_is_the_ledgers(ledger: Ledger) -> None:
    """Ages are counted from it, and machines disagree about the time."""
    event = Event(AT, "ada", "accept", "we know", "Docs", "m1", {"stage": "plan", "n": [1, 2.5, None]})
    before = ledger.now()
    ledger.record_event(event)
    [stored] = ledger.events()
    assert replace(stored, at=AT) == event
    assert before <= stored.at <= ledger.now()


def test_the_last_events_come_oldest_first(ledger: Ledger) -> None:
    for number in range(5):
        ledger.record_event(Event(AT, "ada", str(number), "", "Docs", "m1" if number % 2 else None))
    ledger.record_event(Event(AT, "ada", "other", "", "Other"))
    assert [event.what for event in ledger.events(pin="Docs", limit=3)] == ["2", "3", "4"]
    assert [event.what for event in ledger.events(migration_id="m1")] == ["1", "3"]
    assert [event.what for event in ledger.events(limit=1)] == ["other"]


def test_one_kind_of_event_is_found_behind_thousands_of_another(ledger: Ledger) -> None:
    ledger.record_event(Event(AT, "ada", "rare", "", "Docs", "m1"))
    for number in range(4):
        ledger.record_event(Event(AT, "ada", "often", str(number), "Docs", "m1"))
    assert [event.what for event in ledger.events(migration_id="m1", what="rare", limit=2)] == ["rare"]
    assert [event.why for event in ledger.events(pin="Docs", what="often", limit=2)] == ["2", "3"]


def test_spend_is_counted_from_the_reservation_on(ledger: Ledger) -> None:
    reservation = _reserve(ledger, 0.5, tokens=100)
    _reserve(ledger, 0.25, tokens=50)
    assert ledger.spend(migration_id="m1") == _about(150, 0.75, 2, 2)
    ledger.settle(reservation, tokens=80, cost_usd=0.4)
    assert ledger.spend(migration_id="m1") == _about(130, 0.65, 2, 1)
    assert ledger.spend(migration_id="m2") == Spend()


def test_spend_of_a_pin_includes_its_migrations(ledger: Ledger) -> None:
    _reserve(ledger, 0.5)
    ledger.reserve(pin="Docs", migration_id=None, purpose=Purpose.QUERY, tokens=1, cost_usd=0.25, budget_usd=None)
    assert ledger.spend(pin="Docs").cost_usd == pytest.approx(0.75)
    assert ledger.spend(pin="Docs", migration_id="m1").cost_usd == pytest.approx(0.5)
    assert ledger.spend(pin="Other") == Spend()


def test_a_request_that_would_pass_the_budget_pauses_and_books_nothing(ledger: Ledger) -> None:
    _reserve(ledger, 0.7, budget_usd=1.0)
    with pytest.raises(Paused, match=r"budget of \$1.00 is used up: \$0.7000 are spent or reserved"):
        _reserve(ledger, 0.4, budget_usd=1.0)
    assert ledger.spend(migration_id="m1") == _about(10, 0.7, 1, 1)
    _reserve(ledger, 0.3, budget_usd=1.0)


def test_many_small_requests_fill_a_budget_exactly(ledger: Ledger) -> None:
    for _ in range(10):
        _reserve(ledger, 0.1, budget_usd=1.0)
    with pytest.raises(Paused):
        _reserve(ledger, 0.001, budget_usd=1.0)


def test_of_two_requests_for_the_last_dollar_one_gets_it(ledger_case: LedgerCase) -> None:
    first, second = ledger_case.ledger, ledger_case.another()
    answers = at_once(lambda: _reserve(first, 1.0, budget_usd=1.0), lambda: _reserve(second, 1.0, budget_usd=1.0))
    assert kinds(answers) == ["Paused", "int"]


def test_a_refund_of_everything_ends_at_nothing(ledger: Ledger) -> None:
    reservations = [_reserve(ledger, cost) for cost in (0.1, 0.2, 0.3, 1e-7)]
    for reservation in reservations:
        ledger.settle(reservation, tokens=0, cost_usd=0.0)
    assert ledger.spend(migration_id="m1") == Spend(0, 0.0, 4, 0)


def test_a_reservation_is_settled_once(ledger: Ledger) -> None:
    reservation = _reserve(ledger, 0.1)
    ledger.settle(reservation, tokens=1, cost_usd=0.1)
    with pytest.raises(Conflict, match="settled already"):
        ledger.settle(reservation, tokens=1, cost_usd=0.2)
    with pytest.raises(NotFound, match="no reservation -1"):
        ledger.settle(-1, tokens=1, cost_usd=0.2)


def _spent(case: LedgerCase, requests: int) -> None:
    """Each of two purposes in turn, and every seventh of unknown outcome."""
    for number in range(requests):
        purpose = (Purpose.BACKFILL, Purpose.WRITE)[number % 2]
        given = {"pin": "Docs", "migration_id": "m1", "purpose": purpose, "budget_usd": None}
        reservation = case.ledger.reserve(**given, tokens=10, cost_usd=0.001)
        if number % 7:
            case.ledger.settle(reservation, tokens=8, cost_usd=0.0008)


def test_what_was_spent_is_the_same_when_it_is_summed_up(sql_case: LedgerCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """And rows do not grow in number with the requests, but for those whose outcome nobody knows."""
    monkeypatch.setattr(spending, "FOLD_EVERY", 10)
    sql_case.at(Phase.DUAL_WRITING)
    _reserve(sql_case.ledger, 0.5)  # of unknown outcome
    _spent(sql_case, 70)
    assert sql_case.ledger.spend(migration_id="m1") == _about(60 * 8 + 10 * 10 + 10, 0.5 + 60 * 0.0008 + 10 * 0.001, 71, 11)
    rows = sql_case.sql("SELECT purpose, settled, sum(requests), sum(tokens), sum(nano_usd), count(*) FROM spend GROUP BY 1, 2")
    by_kind = {(purpose, bool(settled)): tuple(map(int, sums)) for purpose, settled, *sums in rows}
    assert {kind: requests for kind, (requests, *_) in by_kind.items()} == {
        ("backfill", False): 6, ("backfill", True): 30, ("write", False): 5, ("write", True): 30
    }  # fmt: skip
    assert sum(tokens for _, tokens, *_ in by_kind.values()) == sql_case.ledger.spend(migration_id="m1").tokens
    assert sum(count for *_, count in by_kind.values()) <= 11 + 10 + 2
    sums = sql_case.sql("SELECT count(*) FROM spend WHERE through IS NOT NULL")
    assert sums[0][0] == 2, "a sum takes the older sum in"


def test_a_reservation_that_was_summed_up_was_settled(sql_case: LedgerCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "FOLD_EVERY", 5)
    sql_case.at(Phase.DUAL_WRITING)
    first = _reserve(sql_case.ledger, 0.1)
    kept = _reserve(sql_case.ledger, 0.1)
    sql_case.ledger.settle(first, tokens=1, cost_usd=0.1)
    for _ in range(5):
        _reserve(sql_case.ledger, 0.1)
    assert sql_case.sql(f"SELECT count(*) FROM spend WHERE id = {first}")[0][0] == 0
    with pytest.raises(Conflict, match="settled already"):
        sql_case.ledger.settle(first, tokens=1, cost_usd=0.2)
    with pytest.raises(NotFound, match="no reservation -1"):
        sql_case.ledger.settle(-1, tokens=1, cost_usd=0.2)
    sql_case.ledger.settle(kept, tokens=1, cost_usd=0.1)


def test_workers_that_reserve_and_settle_at_once_lose_no_sum(sql_case: LedgerCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "FOLD_EVERY", 3)
    sql_case.at(Phase.DUAL_WRITING)
    ledgers = [sql_case.another() for _ in range(3)]

    def work(ledger: Ledger) -> None:
        for _ in range(15):
            ledger.settle(_reserve(ledger, 0.1), tokens=7, cost_usd=0.1)

    answers = at_once(*(partial(work, ledger) for ledger in ledgers))
    assert answers == [None] * 3
    assert sql_case.ledger.spend(migration_id="m1") == _about(45 * 7, 4.5, 45, 0)
    (sums,) = sql_case.sql("SELECT sum(requests), sum(tokens), sum(nano_usd) FROM spend WHERE settled")
    assert tuple(map(int, sums)) == (45, 45 * 7, 4_500_000_000)


@pytest.mark.parametrize(("tokens", "cost_usd"), [(-1, 0.0), (0, -0.1), (0, float("nan"))])
def test_spend_is_never_negative(ledger: Ledger, tokens: int, cost_usd: float) -> None:
    reservation = _reserve(ledger, 1.0)
    with pytest.raises(BadInput, match="never negative"):
        _reserve(ledger, cost_usd, tokens=tokens)
    with pytest.raises(BadInput, match="never negative"):
        ledger.settle(reservation, tokens=tokens, cost_usd=cost_usd)


def test_notices_are_replaced_by_id(ledger: Ledger) -> None:
    ledger.save_notices([{"id": "b", "model": "x"}, {"id": "a", "shutdown_on": None}])
    ledger.save_notices([{"id": "b", "model": "y", "sources": ["s"]}])
    assert ledger.notices() == [{"id": "a", "shutdown_on": None}, {"id": "b", "model": "y", "sources": ["s"]}]


def test_a_golden_set_is_replaced_as_a_whole_and_keeps_its_order(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    ledger = ledger_case.ledger
    assert ledger.golden("Docs") == []
    ledger.save_golden("Docs", [{"query_id": str(n), "query": "?"} for n in range(1500)])
    rows = [{"query_id": name, "relevant": {"u": 2}} for name in ("z", "a")]
    ledger.save_golden("Docs", rows)
    assert ledger.golden("Docs") == rows


def test_a_golden_set_with_a_query_id_twice_is_refused(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    with pytest.raises(BadInput, match="more than once, for example 'q'"):
        ledger_case.ledger.save_golden("Docs", [{"query_id": "q"}, {"query_id": "q"}])
    with pytest.raises(NotFound, match="no pin 'Other'"):
        ledger_case.ledger.save_golden("Other", [])


def test_measurements_are_replaced_stage_by_stage(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.PLANNED)
    ledger = ledger_case.ledger
    ledger.save_measurements("m1", "plan", [{"n": 1}, {"n": 2}])
    ledger.save_measurements("m1", "validate_golden_set", [{"n": 3}])
    ledger.save_measurements("m1", "plan", [{"n": 4}])
    assert ledger.measurements("m1", "plan") == [{"n": 4}]
    assert ledger.measurements("m1", "validate_golden_set") == [{"n": 3}]
    with pytest.raises(NotFound, match="m9"):
        ledger.save_measurements("m9", "plan", [])


_FORBIDDEN = (
    "UPDATE events SET who = 'nobody'",
    "DELETE FROM events",
    "UPDATE verdicts SET outcome = 'PASS'",
    "DELETE FROM verdicts",
    "UPDATE accounts SET nano_usd = -1",
    "UPDATE spend SET tokens = -1",
    "UPDATE spend SET nano_usd = -1",
    "DELETE FROM accounts",  # its spend would be nobody's
)


def test_the_database_itself_refuses(sql_case: LedgerCase) -> None:
    sql_case.at(Phase.PLANNED)
    sql_case.ledger.record_verdict("m1", Verdict("plan", Outcome.FAIL, ""))
    _reserve(sql_case.ledger, 0.1)
    before = sql_case.ledger.events(), sql_case.ledger.verdicts("m1"), sql_case.ledger.spend()
    for statement in _FORBIDDEN:
        with pytest.raises(DBAPIError):
            sql_case.sql(statement)
    assert (sql_case.ledger.events(), sql_case.ledger.verdicts("m1"), sql_case.ledger.spend()) == before
