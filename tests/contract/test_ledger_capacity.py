"""Slices of a provider's limits, for all that share a ledger."""

from __future__ import annotations

import threading

from tests.support.ledger_case import LedgerCase, at_once
from vecferry.domain.capacity import NOTHING, Amounts, CapacityAnswer, CapacityAsk, RateLimits
from vecferry.ports import Ledger

LIMITS = RateLimits(requests=100)


def ask(ledger: Ledger, requests: int = 0, **more: object) -> CapacityAnswer:
    return ledger.take_capacity(CapacityAsk("account", "m", LIMITS, Amounts(requests), **more))  # type: ignore[arg-type]


def test_what_one_process_takes_another_does_not_get(ledger_case: LedgerCase) -> None:
    assert ask(ledger_case.ledger, 80).granted == Amounts(80)
    refused = ask(ledger_case.another(), 1)
    assert refused.granted == NOTHING
    assert 55 < refused.wait_s < 62


def test_it_is_given_back_by_time(ledger_case: LedgerCase) -> None:
    assert ask(ledger_case.ledger, 80).granted == Amounts(80)
    ledger_case.advance(61)
    assert ask(ledger_case.another(), 80).granted == Amounts(80)


def test_a_provider_that_says_wait_holds_all(ledger_case: LedgerCase) -> None:
    ask(ledger_case.ledger, hold_s=30.0)
    held = ask(ledger_case.another(), 1)
    assert held.granted == NOTHING
    assert 29 < held.wait_s <= 30
    ledger_case.advance(31)
    assert ask(ledger_case.another(), 1).granted == Amounts(1)


def test_queries_and_learned_limits_are_seen_by_all(ledger_case: LedgerCase) -> None:
    ask(ledger_case.ledger, queries=Amounts(7, 70, 7), learned=RateLimits(requests=50))
    seen = ask(ledger_case.another())
    assert (seen.queries, seen.limits) == (Amounts(7, 70, 7), RateLimits(requests=50))


def test_another_model_and_another_account_are_not_touched(ledger_case: LedgerCase) -> None:
    ask(ledger_case.ledger, 80)
    for account, model in (("account", "other"), ("other", "m")):
        answer = ledger_case.ledger.take_capacity(CapacityAsk(account, model, LIMITS, Amounts(80)))
        assert answer.granted == Amounts(80)


def test_many_at_once_are_never_granted_more_than_there_is(ledger_case: LedgerCase) -> None:
    ledgers = [ledger_case.ledger, ledger_case.another(), ledger_case.another(), ledger_case.another()]
    granted, lock = [], threading.Lock()

    def take(ledger: Ledger) -> None:
        for _ in range(10):
            answer = ask(ledger, 3, ahead_s=0.0)
            with lock:
                granted.append(answer.granted.requests)

    at_once(*(lambda ledger=ledger: take(ledger) for ledger in ledgers))  # type: ignore[misc]
    assert len(granted) == 40
    assert 3 <= sum(granted) <= 80
