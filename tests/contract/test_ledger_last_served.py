"""When an arm last answered, by the ledger's own clock, whatever the routers' clocks say."""

from __future__ import annotations

from datetime import timedelta

from tests.support.ledger_case import LedgerCase
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation


def test_the_newest_of_all_routers_counts_and_an_older_report_does_not_take_it_back(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.SERVING, percent=25)
    ledger = ledger_case.ledger
    before = ledger.now()
    ledger.observe([Observation("Docs", 3, Arm.SHADOW, 1, 1, served_ago_s=30.0)], router_id="r1")
    ledger.observe([Observation("Docs", 3, Arm.SHADOW, 1, 1, served_ago_s=10.0)], router_id="r2")
    ledger.observe([Observation("Docs", 3, Arm.SHADOW, 1, 1, served_ago_s=20.0)], router_id="r2")
    ledger.observe([Observation("Docs", 3, Arm.SHADOW, 1, 1)], router_id="r1")
    (seen,) = ledger.observations("Docs")
    assert (seen.queries, seen.served_ago_s) == (4, None)
    assert seen.last_served_at is not None
    assert before - timedelta(seconds=10) <= seen.last_served_at <= ledger.now() - timedelta(seconds=10)


def test_an_arm_that_answered_for_the_other_has_a_time_and_no_queries(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.SERVING, percent=25)
    ledger_case.ledger.observe([Observation("Docs", 3, Arm.LIVE, served_ago_s=0.0)], router_id="r1")
    (seen,) = ledger_case.another().observations("Docs")
    assert (seen.queries, seen.last_served_at is not None) == (0, True)
