"""Student's t distribution without scipy: the routers' process must not load it for three functions."""

from __future__ import annotations

import math
from statistics import NormalDist

_MANY = 100_000.0
"""Degrees of freedom past which ``lgamma`` loses more digits than the expansion in 1/df does."""


def cdf(t: float, df: float) -> float:
    """P(T ≤ t). Abramowitz & Stegun 26.7.1: the tail is I_x(df/2, 1/2) / 2 at x = df / (df + t²)."""
    tail = 0.5 * regularised_incomplete_beta(0.5 * df, 0.5, df / (df + t * t))
    return 1.0 - tail if t > 0 else tail


def quantile(probability: float, df: float) -> float:
    """The t below which ``probability`` (0 < p < 1) lies, for ``df`` > 0; right to about 1e-9, relative."""
    if not 0.0 < probability < 1.0 or not df > 0.0:
        raise ValueError(f"no t quantile for probability {probability} and {df} degrees of freedom")
    if probability < 0.5:
        return -quantile(1.0 - probability, df)
    return _expansion(probability, df) if df > _MANY else _newton(probability, df)


def _newton(probability: float, df: float) -> float:
    """From t = 0: above the median the cdf is concave, so that each step lands short of the root and none overshoots."""
    t = 0.0
    for _ in range(200):
        step = (probability - cdf(t, df)) / _density(t, df)
        t += step
        if step <= 1e-13 * (1.0 + t):
            break
    return t


def _expansion(probability: float, df: float) -> float:
    """Abramowitz & Stegun 26.7.5, its first two terms in 1/df."""
    z = NormalDist().inv_cdf(probability)
    return z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df * df)


def _density(t: float, df: float) -> float:
    scale = math.lgamma(0.5 * (df + 1)) - math.lgamma(0.5 * df) - 0.5 * math.log(df * math.pi)
    return math.exp(scale - 0.5 * (df + 1) * math.log1p(t * t / df))


def regularised_incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) by its continued fraction (DLMF 8.17.22), on the side where that converges fast (DLMF 8.17.4)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's method, modified by Thompson and Barnett (1986): no term may become zero."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / _off_zero(1.0 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 10_000):
        for numerator in _numerators(a, b, x, m):
            d = 1.0 / _off_zero(1.0 + numerator * d, tiny)
            c = _off_zero(1.0 + numerator / c, tiny)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _numerators(a: float, b: float, x: float, m: int) -> tuple[float, float]:
    even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return even, odd


def _off_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
