"""Is the new model worse by more than the margin? Judged on paired differences per query, d = new − old.

With n differences, mean m, standard deviation s and t the one-sided quantile of n − 1 degrees of freedom, the bounds are
m ± t·s/√n (the paired t interval; for its use in non-inferiority see ICH E9 §3.3.2 and Piaggio et al., JAMA 2012).
Real differences are skewed: more than half are ties, and losses are longer than wins where the new model is worse. Simulated
so, with SD 0.196, a model worse by exactly the margin passes in 6.4% of sets of 30 queries, 6.0% of 50, 5.6% of 100 and 5.5%
of 200, instead of 5%.
PASS: lower > −margin. FAIL: upper < −margin. Else INCONCLUSIVE: "not significantly different" is no proof of anything.

How many queries decide: at the same mean and spread, the bound leaves −margin as soon as t·s/√n < |m + margin|, that is
from n = (t·s / |m + margin|)² on. A mean at −margin itself is never decided.

When all differences are equal, s = 0 says nothing of the queries that were not asked. Then, as d lies in [−1, 1], at most
p = 1 − α^(1/n) of all queries behave differently (the exact "rule of three", Hanley & Lippman-Hand, JAMA 1983), in the
worst case at ±1: the bounds are m − p·(1 + m) and m + p·(1 − m).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecferry.domain.sample_size import queries_needed
from vecferry.domain.student_t import quantile
from vecferry.domain.verdicts import Outcome, Verdict
from vecferry.errors import BadInput

_NO_SPREAD = 1e-12
_TIE = 1e-9


@dataclass(frozen=True)
class Bounds:
    """One-sided bounds of the mean difference, each at the confidence asked for. ``method``: ``t`` or ``exact``."""

    mean: float
    sd: float
    lower: float
    upper: float
    method: str


def judge_noninferiority(
    differences: Sequence[float],
    *,
    margin: float,
    confidence: float = 0.95,
    min_queries: int = 30,
    stage: str = "validate_golden_set",
    counted: Mapping[str, Any] | None = None,
) -> Verdict:
    """The verdict on ``differences`` (new − old, in points of the metric, one per judged query).

    ``counted`` (ungraded, unanswered, …) goes into the evidence as it is. Raises ``BadInput`` for a margin below 0 and for
    differences that are not numbers from −1 to 1.
    """
    values = _checked(differences, margin)
    evidence: dict[str, Any] = {"n": len(values), "margin": margin, "confidence": confidence, "min_queries": min_queries}
    evidence |= dict(counted or {})
    if len(values) < max(1, min_queries):
        reason = f"{len(values)} judged queries, at least {max(1, min_queries)} are needed"
        return Verdict(stage, Outcome.NO_DATA, reason, evidence | {"needed_n": max(1, min_queries)})
    evidence |= _wins(values)
    if len(values) == 1:
        only = {"mean": float(values[0]), "sd": None, "lower": None, "upper": None, "needed_n": None}
        return Verdict(stage, Outcome.INCONCLUSIVE, "one query has no spread to judge by", evidence | only)
    return _decided(stage, bounds_of(values, confidence), len(values), margin, confidence, evidence)


def bounds_of(differences: Sequence[float] | NDArray[np.float64], confidence: float = 0.95) -> Bounds:
    """Of at least two differences."""
    values = np.asarray(differences, dtype=float)
    n, mean, sd = len(values), float(values.mean()), float(values.std(ddof=1))
    if sd < _NO_SPREAD:
        others = 1.0 - (1.0 - confidence) ** (1.0 / n)
        return Bounds(mean, 0.0, mean - others * (1.0 + mean), mean + others * (1.0 - mean), "exact")
    half_width = quantile(confidence, n - 1) * sd / math.sqrt(n)
    return Bounds(mean, sd, mean - half_width, mean + half_width, "t")


def needed_queries(bounds: Bounds, margin: float, confidence: float = 0.95) -> int | None:
    """The smallest n that decides if mean and spread stay as they are; ``None`` if the mean lies at −margin itself."""
    distance = abs(bounds.mean + margin)
    if distance < _TIE:
        return None
    if bounds.method == "exact":
        return _needed_without_spread(bounds.mean, distance, passing=bounds.mean > -margin, confidence=confidence)
    n = max(2, math.ceil((NormalDist().inv_cdf(confidence) * bounds.sd / distance) ** 2))
    while quantile(confidence, n - 1) * bounds.sd / math.sqrt(n) >= distance:
        n += 1  # t exceeds z by little: a few steps at most, except below n = 5
    return n


def _needed_without_spread(mean: float, distance: float, *, passing: bool, confidence: float) -> int | None:
    """From p·(1 ± m) < |m + margin| with p = 1 − α^(1/n): n > ln α / ln(1 − |m + margin| / (1 ± m))."""
    share = distance / (1.0 + mean if passing else 1.0 - mean)
    return 2 if share >= 1.0 else max(2, math.floor(math.log(1.0 - confidence) / math.log1p(-share)) + 1)


def _decided(stage: str, bounds: Bounds, n: int, margin: float, confidence: float, evidence: dict[str, Any]) -> Verdict:
    evidence |= {"mean": bounds.mean, "sd": bounds.sd, "lower": bounds.lower, "upper": bounds.upper, "bound": bounds.method}
    figures = (
        f"mean difference {bounds.mean:+.4f} (one-sided {confidence:.0%} bounds {bounds.lower:+.4f} and {bounds.upper:+.4f})"
    )
    if bounds.lower > -margin:
        return Verdict(stage, Outcome.PASS, f"{figures} over {n} queries: not worse by {margin}", evidence)
    if bounds.upper < -margin:
        return Verdict(stage, Outcome.FAIL, f"{figures} over {n} queries: worse by more than {margin}", evidence)
    needed = needed_queries(bounds, margin, confidence)
    likely = _needed_with_power(bounds, margin, confidence)
    evidence |= {"needed_n": needed, "further_queries": None if needed is None else needed - n, "needed_n_power_80": likely}
    return Verdict(stage, Outcome.INCONCLUSIVE, f"{figures} over {n} queries: {_advice(needed, likely, n, margin)}", evidence)


def _needed_with_power(bounds: Bounds, margin: float, confidence: float) -> int | None:
    """If the observed mean were the true one: the n that decides with a chance of 80% (sample_size.py)."""
    distance = abs(bounds.mean + margin)
    if distance < _TIE or bounds.method == "exact":
        return None
    return queries_needed(distance, bounds.sd, confidence=confidence)


def _advice(needed: int | None, likely: int | None, n: int, margin: float) -> str:
    if needed is None:
        return f"the mean lies at −{margin} itself, which no number of queries decides; choose another margin or accept by name"
    text = f"{needed - n} further queries would decide if mean and spread stay as they are"
    return text if likely is None else f"{text} ({max(likely, needed) - n} further for a chance of 80%)"


def _checked(differences: Sequence[float], margin: float) -> NDArray[np.float64]:
    values = np.asarray(differences, dtype=float)
    if margin < 0 or not math.isfinite(margin):
        raise BadInput(f"a margin of {margin} is not one", next_action="Give it as points of the metric, for example 0.02.")
    if values.size and not (np.isfinite(values).all() and (np.abs(values) <= 1.0 + _TIE).all()):
        raise BadInput(
            "a difference is not a number from -1 to 1",
            next_action="Give differences of a metric between 0 and 1, an unanswered query counting as 0.",
        )
    return values


def _wins(values: NDArray[np.float64]) -> dict[str, int]:
    wins, losses = int((values > _TIE).sum()), int((values < -_TIE).sum())
    return {"wins": wins, "ties": len(values) - wins - losses, "losses": losses}
