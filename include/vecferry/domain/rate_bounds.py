"""Bounds of a rate that hold however often one looks.

A canary is looked at again and again while it runs; a bound meant for one look (Wilson, Clopper-Pearson) then raises false
alarms. These are the confidence sequences of Robbins (Ann. Math. Statist. 41, 1970): with a Beta(½, ½) mixture, the ratio
M_n(p) = B(k + ½, n − k + ½) / B(½, ½) / (p^k · (1 − p)^(n − k)) is a martingale of mean 1 at the true p, so by Ville's
inequality it ever reaches 1/α with a chance of at most α. The bounds are where M_n(p) = 1/α. The price is width: 6 events
in 100 show a rate above 1% with certainty, where one look would have been content with 4.
"""

from __future__ import annotations

import math


def rate_bounds(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """(lower, upper), 0 … 1, of the rate behind ``count`` events in ``n`` trials; (0, 1) for no trials."""
    if not 0 <= count <= n:
        raise ValueError(f"{count} events in {n} trials")
    if n == 0:
        return 0.0, 1.0
    observed, threshold = count / n, -math.log(1.0 - confidence)
    lower = 0.0 if count == 0 else _crossing(count, n, threshold, outside=0.0, inside=observed)
    upper = 1.0 if count == n else _crossing(count, n, threshold, outside=1.0, inside=observed)
    return lower, upper


def _crossing(count: int, n: int, threshold: float, *, outside: float, inside: float) -> float:
    """Bisection; M_n falls from the edge towards the observed rate. Ends on the outer side, so that rounding widens."""
    for _ in range(60):
        middle = 0.5 * (outside + inside)
        if _log_ratio(count, n, middle) >= threshold:
            outside = middle
        else:
            inside = middle
    return outside


def _log_ratio(count: int, n: int, p: float) -> float:
    mixture = math.lgamma(count + 0.5) + math.lgamma(n - count + 0.5) - math.lgamma(n + 1) - math.log(math.pi)
    likelihood = (count * math.log(p) if count else 0.0) + ((n - count) * math.log1p(-p) if count < n else 0.0)
    return mixture - likelihood
