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


def _z_sum(confidence: float, power: float) -> float:
    return NormalDist().inv_cdf(confidence) + NormalDist().inv_cdf(power)
