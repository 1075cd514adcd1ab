"""Per-query metrics of two arms; what was not answered counts as zero and is counted."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping

import pytest

from vecferry.domain.golden import GoldenQuery, GoldenSet
from vecferry.errors import BadInput
from vecferry.steps.retrieval_metrics import compare, measure


def uid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def golden(**relevant: Mapping[str, int]) -> GoldenSet:
    return GoldenSet(tuple(GoldenQuery(name, name, grades) for name, grades in relevant.items()))


def ranked(*numbers: int) -> list[tuple[str, float]]:
    return [(uid(number), 1.0) for number in numbers]


def test_metrics_are_trec_evals() -> None:
    arm = measure(golden(q={uid(1): 2, uid(2): 1, uid(3): 0}), {"q": ranked(3, 1, 9)})
    metrics = arm.queries["q"]
    assert metrics.ndcg_at_10 == pytest.approx((2 / math.log2(3)) / (2 + 1 / math.log2(3)))
    assert (metrics.recall_at_10, metrics.mrr_at_10, metrics.success_at_10) == (0.5, 0.5, 1.0)
    assert metrics.unjudged_at_10 == pytest.approx(1 / 3)


def test_the_order_counts_where_scores_tie() -> None:
    """trec_eval would rank equal scores by document id."""
    one = golden(q={uid(1): 1})
    assert measure(one, {"q": ranked(1, 5)}).queries["q"].mrr_at_10 == 1.0
    assert measure(one, {"q": ranked(5, 1)}).queries["q"].mrr_at_10 == 0.5
    close = [(uid(5), 0.90000000001), (uid(1), 0.9)]
    assert measure(one, {"q": close}).queries["q"].mrr_at_10 == 0.5


def test_only_the_first_ten_answers_count() -> None:
    one = golden(q={uid(1): 1})
    assert measure(one, {"q": ranked(*range(11, 20), 1)}).queries["q"].success_at_10 == 1.0
    late = measure(one, {"q": ranked(*range(11, 21), 1)}).queries["q"]
    assert (late.ndcg_at_10, late.recall_at_10, late.mrr_at_10, late.success_at_10) == (0, 0, 0, 0)


def test_an_object_that_is_answered_twice_counts_once_at_its_better_rank() -> None:
    assert measure(golden(q={uid(1): 1}), {"q": ranked(1, 1, 1)}).queries["q"].ndcg_at_10 == 1.0


def test_unanswered_queries_are_zero_and_counted() -> None:
    both = golden(a={uid(1): 1}, b={uid(1): 1}, c={uid(1): 1})
    result = compare(both, {name: ranked(1) for name in "abc"}, {"a": ranked(1), "b": []})
    assert result.new.unanswered == ("b", "c")
    assert result.differences == {"a": 0.0, "b": -1.0, "c": -1.0}
    assert result.counted == {"ungraded": 0, "unanswered_old": 0, "unanswered_new": 2}
    assert result.new.means["ndcg_at_10"] == pytest.approx(1 / 3)


def test_an_arm_that_answered_nothing_has_all_its_queries_at_zero() -> None:
    arm = measure(golden(a={uid(1): 1}, b={uid(2): 1}), {})
    assert {name: metrics.ndcg_at_10 for name, metrics in arm.queries.items()} == {"a": 0.0, "b": 0.0}
    assert arm.unanswered == ("a", "b")


def test_ungraded_queries_are_counted_and_judge_nothing() -> None:
    result = compare(
        golden(a={uid(1): 1}, b={uid(2): 0}, c={}), {"a": ranked(1), "b": ranked(2)}, {"a": ranked(1), "c": ranked(3)}
    )
    assert result.ungraded == ("b", "c")
    assert list(result.differences) == ["a"]


def test_a_run_of_other_queries_is_refused() -> None:
    with pytest.raises(BadInput, match="not in the golden set"):
        measure(golden(a={uid(1): 1}), {"z": ranked(1)})


def test_rows_have_both_arms_of_every_graded_query() -> None:
    rows = compare(golden(a={uid(1): 1}, b={uid(1): 1}), {"a": ranked(1), "b": ranked(1)}, {"a": ranked(2)}).rows()
    assert [(row["query_id"], row["arm"], row["answered"]) for row in rows] == [
        ("a", "live", True),
        ("b", "live", True),
        ("a", "shadow", True),
        ("b", "shadow", False),
    ]
    assert rows[0]["ndcg_at_10"] == 1.0


def test_importing_the_step_loads_no_ir_measures() -> None:
    code = "import sys, vecferry.steps.retrieval_metrics; sys.exit('ir_measures' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
