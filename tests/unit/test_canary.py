"""Only PASS lets more users through; certain harm fails at once; few queries raise no false alarm."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from vecferry.domain.canary import judge_canary
from vecferry.domain.gates import Gates
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation, latency_bucket
from vecferry.domain.verdicts import Outcome, Verdict

GATES = Gates()
SAME = list(np.random.default_rng(7).normal(0.0, 0.1, 200))


def seen(arm: Arm, queries: int, *, ms: float = 40.0, slow: int = 0, slow_ms: float = 400.0, **counts: int) -> Observation:
    """``slow`` of the answered queries took ``slow_ms``."""
    answered = queries - counts.get("errors", 0)
    latency = {latency_bucket(ms): answered - slow} | ({latency_bucket(slow_ms): slow} if slow else {})
    served = answered - counts.get("fallbacks", 0)
    return Observation("Docs", 7, arm, queries=queries, served=served, latency=latency, **counts)


def judge(
    shadow: Observation | None,
    live: Observation | None,
    percent: int = 25,
    golden: list[float] | None = SAME,
    *,
    baseline: Observation | None = None,
    keys: int | None = None,
    gates: Gates = GATES,
) -> Verdict:
    arms = {arm: o for arm, o in ((Arm.SHADOW, shadow), (Arm.LIVE, live)) if o is not None}
    verdict = judge_canary("cut_over_25", percent, arms, golden, gates, baseline=baseline, keys=keys)
    json.dumps(verdict.as_dict(), allow_nan=False)
    return verdict


def outcome_of(verdict: Verdict, finding: str) -> str:
    return str(verdict.evidence["findings"][finding]["outcome"])


def test_a_shadow_as_good_as_live_passes_with_every_figure() -> None:
    verdict = judge(seen(Arm.SHADOW, 500, errors=1, fallbacks=2, empty=5), seen(Arm.LIVE, 1500, errors=2, empty=14))
    assert verdict.outcome is Outcome.PASS
    names = ["enough queries", "errors", "fallbacks", "split", "empty answers", "latency", "golden queries"]
    assert list(verdict.evidence["findings"]) == names
    errors = verdict.evidence["findings"]["errors"]
    assert errors["lower"] < errors["rate"] == 1 / 500 < errors["upper"]


@pytest.mark.parametrize("shadow", [None, seen(Arm.SHADOW, 0)])
def test_a_shadow_that_was_asked_nothing_is_no_data(shadow: Observation | None) -> None:
    verdict = judge(shadow, seen(Arm.LIVE, 5000))
    assert (verdict.outcome, verdict.passes) == (Outcome.NO_DATA, False)
    assert "5,000 queries went to live" in verdict.reason


def test_too_few_good_queries_are_inconclusive_and_say_how_many_are_missing() -> None:
    verdict = judge(seen(Arm.SHADOW, 60), seen(Arm.LIVE, 190))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "40 more queries" in verdict.reason


@pytest.mark.parametrize("counted", ["errors", "fallbacks"])
def test_one_bad_query_among_few_is_no_alarm_and_many_are(counted: str) -> None:
    live = seen(Arm.LIVE, 60)
    assert judge(seen(Arm.SHADOW, 20, **{counted: 1}), live).outcome is Outcome.INCONCLUSIVE
    assert judge(seen(Arm.SHADOW, 20, **{counted: 20}), live).outcome is Outcome.FAIL


def test_a_rate_above_its_limit_that_may_be_chance_is_inconclusive() -> None:
    verdict = judge(seen(Arm.SHADOW, 200, errors=4), seen(Arm.LIVE, 600))
    assert (verdict.outcome, outcome_of(verdict, "errors")) == (Outcome.INCONCLUSIVE, "INCONCLUSIVE")
    assert judge(seen(Arm.SHADOW, 5000, errors=100), seen(Arm.LIVE, 15000)).outcome is Outcome.FAIL


def test_empty_answers_count_against_lives_own() -> None:
    often = seen(Arm.LIVE, 3000, empty=600)
    assert judge(seen(Arm.SHADOW, 1000, empty=205), often).outcome is Outcome.PASS
    assert judge(seen(Arm.SHADOW, 1000, empty=330), often).outcome is Outcome.FAIL
    assert judge(seen(Arm.SHADOW, 1000, empty=225), often).outcome is Outcome.INCONCLUSIVE


def test_a_slow_shadow_fails_and_a_slow_minority_does_not() -> None:
    live = seen(Arm.LIVE, 3000)
    assert outcome_of(judge(seen(Arm.SHADOW, 1000, slow=200), live), "latency") == "FAIL"
    assert outcome_of(judge(seen(Arm.SHADOW, 1000, slow=40), live), "latency") == "PASS"
    assert outcome_of(judge(seen(Arm.SHADOW, 1000, slow=55), live), "latency") == "INCONCLUSIVE"


def test_a_large_ratio_of_small_times_is_within_the_slack() -> None:
    assert judge(seen(Arm.SHADOW, 1000, ms=20), seen(Arm.LIVE, 3000, ms=3)).outcome is Outcome.PASS
    tight = replace(GATES, canary_latency_slack_ms=1.0)
    assert judge(seen(Arm.SHADOW, 1000, ms=20), seen(Arm.LIVE, 3000, ms=3), gates=tight).outcome is Outcome.FAIL


def test_a_share_off_by_more_than_sticky_keys_explain_fails_if_the_keys_are_known() -> None:
    shadow, live = seen(Arm.SHADOW, 5000), seen(Arm.LIVE, 5000)
    assert judge(shadow, live, keys=2000).outcome is Outcome.FAIL
    unknown = judge(shadow, live)
    assert (unknown.outcome, outcome_of(unknown, "split")) == (Outcome.INCONCLUSIVE, "INCONCLUSIVE")
    assert "busy keys" in unknown.reason


def test_few_busy_keys_may_shift_the_share() -> None:
    shadow, live = seen(Arm.SHADOW, 3500), seen(Arm.LIVE, 6500)
    assert outcome_of(judge(shadow, live, keys=50), "split") == "PASS"
    assert outcome_of(judge(shadow, live, keys=10_000), "split") == "FAIL"


def test_at_100_percent_the_stages_before_are_the_baseline() -> None:
    shadow, before = seen(Arm.SHADOW, 1000), seen(Arm.LIVE, 3000)
    assert judge(shadow, None, 100, baseline=before).outcome is Outcome.PASS
    alone = judge(shadow, None, 100)
    assert alone.outcome is Outcome.INCONCLUSIVE
    assert "nothing" not in alone.reason
    assert "stage before" in alone.reason


def test_at_100_percent_queries_that_went_to_live_all_the_same_count_as_fallbacks() -> None:
    shadow, before = seen(Arm.SHADOW, 1000), seen(Arm.LIVE, 3000)
    assert judge(shadow, seen(Arm.LIVE, 10), 100, baseline=before).outcome is Outcome.PASS
    assert outcome_of(judge(shadow, seen(Arm.LIVE, 300), 100, baseline=before), "split") == "FAIL"


def test_live_queries_too_few_to_compare_with_pass_nothing() -> None:
    verdict = judge(seen(Arm.SHADOW, 1000), None, 100, baseline=seen(Arm.LIVE, 10))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "too few to compare" in verdict.reason


def test_golden_queries_that_were_not_replayed_do_not_pass() -> None:
    verdict = judge(seen(Arm.SHADOW, 500), seen(Arm.LIVE, 1500), golden=None)
    assert (verdict.outcome, outcome_of(verdict, "golden queries")) == (Outcome.NO_DATA, "NO_DATA")


def test_worse_golden_answers_through_the_route_fail_whatever_the_telemetry_says() -> None:
    worse = [difference - 0.2 for difference in SAME]
    verdict = judge(seen(Arm.SHADOW, 500), seen(Arm.LIVE, 1500), golden=worse)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reason.startswith("golden queries:")


def test_a_failure_outranks_missing_data_and_leads_the_reason() -> None:
    verdict = judge(seen(Arm.SHADOW, 500, errors=400), seen(Arm.LIVE, 1500), golden=None)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reason.startswith("errors:")


def test_a_shadow_that_answers_nothing_fails_by_its_errors() -> None:
    assert judge(seen(Arm.SHADOW, 300, errors=300), seen(Arm.LIVE, 900)).outcome is Outcome.FAIL


@pytest.mark.parametrize("percent", [0, 101])
def test_there_is_no_canary_of_no_percent(percent: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        judge(seen(Arm.SHADOW, 1), None, percent)
