"""How many golden queries a margin needs, and which margin a golden set can attain.

Normal approximation for a paired one-sided test (Julious 2004, Statistics in Medicine 23:1921, non-inferiority):
n = ((z_confidence + z_power) · SD / δ)². With SD 0.196, power 80% and one-sided 5% it gives 96 queries at 0.05, 264 at
0.03, 594 at 0.02.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from vecferry.errors import BadInput

TYPICAL_SD = 0.196
"""Spread of paired nDCG@10 differences on graded judgements; known-item sets vary more (0.34)."""


def queries_needed(margin: float, sd: float, *, confidence: float = 0.95, power: float = 0.8) -> int:
    """Queries that prove, with chance ``power``, that a model of equal quality is not worse by ``margin``."""
    if margin <= 0:
        raise BadInput(f"a margin of {margin} can be shown by no number of queries", next_action="Choose a margin above 0.")
    return max(2, math.ceil((_z_sum(confidence, power) * sd / margin) ** 2))


def attainable_margin(queries: int, sd: float = TYPICAL_SD, *, confidence: float = 0.95, power: float = 0.8) -> float | None:
    """The smallest margin, in points of the metric, that ``queries`` can show; ``None`` below two queries."""
    if queries < 2:
        return None
    return _z_sum(confidence, power) * sd / math.sqrt(queries)


def queries_missing(
    queries: int, margin: float, sd: float = TYPICAL_SD, *, at_least: int = 2, confidence: float = 0.95, power: float = 0.8
) -> int:
    """How many more than ``queries`` a verdict at ``margin`` wants; 0 if enough. Below ``at_least`` no verdict is given."""
    return max(0, max(queries_needed(margin, sd, confidence=confidence, power=power), at_least) - queries)


def margin_warning(queries: int, margin: float, missing: int) -> str:
    """For whoever accepts the plan; empty where nothing is missing. The spread is known only when both models have answered."""
    if not missing:
        return ""
    found = f"the golden set's {queries:,} graded queries are too few" if queries else "there is no graded golden query"
    return (
        f"{found} to show a margin of {margin:g} at a typical spread: {missing:,} more are needed, "
        "or the verdict is likely to be INCONCLUSIVE"
    )


def _z_sum(confidence: float, power: float) -> float:
    return NormalDist().inv_cdf(confidence) + NormalDist().inv_cdf(power)
