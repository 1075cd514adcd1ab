"""The verdict on paired differences: proven not worse, proven worse, or honestly undecided."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vecferry.domain.noninferiority import bounds_of, judge_noninferiority, needed_queries
from vecferry.domain.sample_size import attainable_margin, margin_warning, queries_missing, queries_needed
from vecferry.domain.verdicts import Outcome
from vecferry.errors import BadInput

SEED = 20261101
SD = 0.196


def differences(mean: float, n: int, sd: float = SD, seed: int = SEED) -> list[float]:
    """Exactly this mean and this standard deviation."""
    values = np.random.default_rng(seed).normal(size=n)
    values = (values - values.mean()) / values.std(ddof=1)
    return list(np.clip(mean + sd * values, -1, 1))


def like_ndcg(rng: np.random.Generator, mean: float, n: int, runs: int) -> np.ndarray:
    """Differences as they are: more than half of the queries tie, the others are spread wide; SD near 0.2."""
    moved = rng.random((runs, n)) < 0.45
    return np.where(moved, rng.uniform(-0.5, 0.5, (runs, n)) + mean / 0.45, 0.0)


def passes(row: np.ndarray, margin: float) -> bool:
    return judge_noninferiority(row.tolist(), margin=margin).outcome is Outcome.PASS


def test_not_worse_passes_with_its_figures() -> None:
    verdict = judge_noninferiority(differences(0.01, 400), margin=0.02, counted={"ungraded": 3})
    assert verdict.outcome is Outcome.PASS
    assert verdict.evidence["lower"] == pytest.approx(0.01 - 1.6486818 * SD / 20, abs=1e-6)
    assert verdict.evidence["upper"] == pytest.approx(0.01 + 1.6486818 * SD / 20, abs=1e-6)
    assert (verdict.evidence["n"], verdict.evidence["ungraded"]) == (400, 3)
    assert verdict.evidence["wins"] + verdict.evidence["ties"] + verdict.evidence["losses"] == 400


def test_certainly_worse_fails() -> None:
    assert judge_noninferiority(differences(-0.1, 200), margin=0.02).outcome is Outcome.FAIL


def test_not_significantly_different_is_not_good_enough() -> None:
    """Zero lies well within the interval, and so does −margin."""
    verdict = judge_noninferiority(differences(-0.005, 60), margin=0.02)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.evidence["lower"] < -0.02 < 0 < verdict.evidence["upper"]


def test_inconclusive_says_how_many_further_queries_decide_and_that_many_do() -> None:
    verdict = judge_noninferiority(differences(0.0, 100), margin=0.02)
    needed = verdict.evidence["needed_n"]
    assert verdict.evidence["further_queries"] == needed - 100
    assert f"{needed - 100} further queries" in verdict.reason
    assert judge_noninferiority(differences(0.0, needed), margin=0.02).outcome is Outcome.PASS
    assert judge_noninferiority(differences(0.0, needed - 1), margin=0.02).outcome is Outcome.INCONCLUSIVE
    assert verdict.evidence["needed_n_power_80"] == 594


def test_a_worse_mean_needs_queries_until_it_fails() -> None:
    bounds = bounds_of(differences(-0.03, 50))
    needed = needed_queries(bounds, 0.02)
    assert needed is not None
    assert judge_noninferiority(differences(-0.03, needed), margin=0.02).outcome is Outcome.FAIL


def test_a_mean_at_the_margin_is_decided_by_no_number_of_queries() -> None:
    verdict = judge_noninferiority(differences(-0.02, 500), margin=0.02)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.evidence["needed_n"] is None
    assert "no number of queries" in verdict.reason


@pytest.mark.parametrize("n", [0, 1, 29])
def test_too_few_queries_are_no_data_however_good_they_look(n: int) -> None:
    verdict = judge_noninferiority([0.5] * n, margin=0.02)
    assert (verdict.outcome, verdict.evidence["n"], verdict.passes) == (Outcome.NO_DATA, n, False)


def test_no_queries_are_no_data_even_if_none_are_asked_for() -> None:
    assert judge_noninferiority([], margin=0.02, min_queries=0).outcome is Outcome.NO_DATA


def test_one_query_never_decides() -> None:
    verdict = judge_noninferiority([0.9], margin=0.02, min_queries=1)
    assert (verdict.outcome, verdict.evidence["sd"]) == (Outcome.INCONCLUSIVE, None)


def test_equal_differences_are_not_taken_for_certainty() -> None:
    """30 ties leave room for 9.5% of other queries, in the worst case lost entirely."""
    few = judge_noninferiority([0.0] * 30, margin=0.02)
    assert few.outcome is Outcome.INCONCLUSIVE
    assert few.evidence["lower"] == pytest.approx(-(1 - 0.05 ** (1 / 30)))
    needed = few.evidence["needed_n"]
    assert needed == 149
    assert judge_noninferiority([0.0] * needed, margin=0.02).outcome is Outcome.PASS
    assert judge_noninferiority([0.0] * (needed - 1), margin=0.02).outcome is Outcome.INCONCLUSIVE
    assert judge_noninferiority([-0.5] * 40, margin=0.02).outcome is Outcome.FAIL
    assert judge_noninferiority([1.0] * 30, margin=0.02).outcome is Outcome.PASS


def test_what_is_no_difference_of_a_metric_is_refused() -> None:
    for wrong in ([math.nan] * 40, [0.0] * 39 + [7.0]):
        with pytest.raises(BadInput, match="not a number from -1 to 1"):
            judge_noninferiority(wrong, margin=0.02)
    with pytest.raises(BadInput, match="margin"):
        judge_noninferiority([0.0] * 40, margin=-0.1)


@pytest.mark.parametrize("n", [100, 200])
def test_a_model_worse_by_the_margin_passes_in_at_most_6_percent(n: int) -> None:
    """Type I error, nominally 5%, on differences that look like nDCG's: 5.6% and 5.5% in 100,000 runs."""
    print("seed", SEED)
    runs = like_ndcg(np.random.default_rng(SEED), -0.03, n, 4_000)
    assert sum(passes(row, 0.03) for row in runs) / len(runs) <= 0.06


def test_a_model_worse_by_the_margin_passes_in_at_most_6_percent_of_the_smallest_sets() -> None:
    print("seed", SEED)
    runs = np.random.default_rng(SEED).normal(-0.03, SD, (4_000, 30)).clip(-1, 1)
    assert sum(passes(row, 0.03) for row in runs) / len(runs) <= 0.06


def test_skewed_differences_in_the_smallest_sets_pass_in_at_most_7_percent() -> None:
    """What the module says of 30 queries: 6.4% in 100,000 runs."""
    print("seed", SEED)
    runs = like_ndcg(np.random.default_rng(SEED), -0.03, 30, 4_000)
    assert sum(passes(row, 0.03) for row in runs) / len(runs) <= 0.07


def test_a_model_worse_by_the_margin_fails_in_at_most_6_percent() -> None:
    runs = like_ndcg(np.random.default_rng(SEED + 1), -0.03, 200, 2_000)
    failed = sum(judge_noninferiority(row.tolist(), margin=0.03).outcome is Outcome.FAIL for row in runs)
    assert failed / len(runs) <= 0.06


def test_an_equal_model_passes_in_about_80_percent_at_the_planned_size() -> None:
    runs = np.random.default_rng(SEED + 2).normal(0.0, SD, (2_000, queries_needed(0.03, SD))).clip(-1, 1)
    assert 0.77 <= sum(passes(row, 0.03) for row in runs) / len(runs) <= 0.83


def test_planned_sizes_are_those_that_were_simulated() -> None:
    assert [queries_needed(margin, SD) for margin in (0.05, 0.03, 0.02)] == [96, 264, 594]
    assert attainable_margin(594, SD) == pytest.approx(0.02, abs=1e-4)
    assert attainable_margin(1) is None
    with pytest.raises(BadInput, match="margin of 0"):
        queries_needed(0.0, SD)


def test_a_golden_set_that_is_too_small_for_the_margin_says_how_many_queries_are_missing() -> None:
    assert [queries_missing(queries, 0.02, SD) for queries in (0, 200, 593, 594, 5_000)] == [594, 394, 1, 0, 0]
    assert queries_missing(20, 0.5, SD, at_least=30) == 10
    assert "200 graded queries are too few to show a margin of 0.02" in margin_warning(200, 0.02, 394)
    assert "394 more are needed" in margin_warning(200, 0.02, 394)
    assert "no graded golden query" in margin_warning(0, 0.02, 594)
    assert margin_warning(594, 0.02, 0) == ""
