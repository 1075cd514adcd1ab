"""What a whole collection sums to, from a sample of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecferry.domain.student_t import quantile
from vecferry.errors import BadInput


@dataclass(frozen=True)
class SampledTotal:
    """``low`` … ``high`` is the interval of the total; both ``None`` when one object of many was sampled."""

    total: float
    low: float | None
    high: float | None
    mean: float
    sampled: int
    population: int


def sampled_total(sample: Sequence[float], population: int, *, confidence: float = 0.95) -> SampledTotal:
    """The sum over ``population`` objects of what ``sample`` was drawn from at random, without replacement.

    N·m ± t·N·s/√n·√(1 − n/N): Cochran, Sampling Techniques (1977), §2.5–2.8; approximate for few and very uneven texts.
    Never below what the sample itself already sums to.
    """
    n = len(sample)
    if n == 0 or n > population:
        right = "Sample at least one object, and not more than the collection has."
        raise BadInput(f"{n} objects were sampled of {population}", where="plan", next_action=right)
    values = np.asarray(sample, dtype=float)
    mean, total = float(values.mean()), float(values.mean()) * population
    if n == population:
        return SampledTotal(total, total, total, mean, n, population)
    if n == 1:
        return SampledTotal(total, None, None, mean, n, population)
    error = population * float(values.std(ddof=1)) / math.sqrt(n) * math.sqrt(1.0 - n / population)
    half_width = quantile(0.5 + confidence / 2, n - 1) * error
    return SampledTotal(total, max(float(values.sum()), total - half_width), total + half_width, mean, n, population)
