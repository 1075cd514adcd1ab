"""What a canary is asked, one finding a question.

Each rate FAILs when it is *certainly* above its limit (the lower bound of rate_bounds.py, which holds however often one
looks), PASSes when the observed rate is within it, and is INCONCLUSIVE in between: above, but it may be chance. A PASS is no
proof that the true rate is within the limit (100 queries without an error leave room for some 4%); it says that at the
gate's minimum n nothing speaks against going on, and the upper bound stands in the figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vecferry.domain.rate_bounds import rate_bounds
from vecferry.domain.telemetry import LATENCY_EDGES_MS, Observation, percentile_ms
from vecferry.domain.verdicts import Outcome

QUERIES_PER_KEY = 10.0
"""Design effect of the split where the number of keys is unknown: keys are sticky, so that all queries of a user fall on one
side, and m queries a key make the share's variance m times that of independent queries (Kish 1965, §5.4, at ρ = 1)."""
UNEVEN_KEYS = 2.0
"""Where it is known, keys are taken to be uneven with a coefficient of variation of 1: design effect = 2 × queries per key."""
_SLOW_SHARE = 0.05


@dataclass(frozen=True)
class Finding:
    """One question's answer; ``figures`` are JSON-able."""

    name: str
    outcome: Outcome
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def rate_finding(name: str, count: int, n: int, limit: float, confidence: float) -> Finding:
    """``count`` of ``n`` against ``limit`` (a rate)."""
    lower, upper = rate_bounds(count, n, confidence)
    rate = count / n if n else None
    figures = {"count": count, "n": n, "rate": rate, "lower": lower, "upper": upper, "limit": limit}
    if rate is None:
        return Finding(name, Outcome.NO_DATA, "no queries", figures)
    said = f"{count} of {n:,} ({rate:.2%}), limit {limit:.2%}"
    return Finding(name, _by_limit(rate, lower, limit), said, figures)


def _by_limit(value: float, lower: float, limit: float) -> Outcome:
    if lower > limit:
        return Outcome.FAIL
    return Outcome.PASS if value <= limit else Outcome.INCONCLUSIVE


def empty_finding(shadow: Observation, live: Observation, limit: float, confidence: float) -> Finding:
    """How much more often the shadow's answers are empty than live's; each rate's bound gets half of the error chance."""
    n, base = shadow.queries - shadow.errors, live.queries - live.errors
    if not n or not base:
        return Finding("empty answers", Outcome.INCONCLUSIVE, "one arm has no answers to compare", {"n": n, "live_n": base})
    each = 1.0 - (1.0 - confidence) / 2
    lower, upper = rate_bounds(shadow.empty, n, each)
    live_lower, live_upper = rate_bounds(live.empty, base, each)
    rate, live_rate = shadow.empty / n, live.empty / base
    increase = rate - live_rate
    figures = {"rate": rate, "n": n, "live_rate": live_rate, "live_n": base, "increase": increase, "limit": limit}
    figures |= {"lower": lower - live_upper, "upper": upper - live_lower}
    said = f"{rate:.2%} against live's {live_rate:.2%}, limit +{limit:.2%}"
    return Finding("empty answers", _by_limit(increase, lower - live_upper, limit), said, figures)


def latency_finding(shadow: Observation, live: Observation, ratio: float, slack_ms: float, confidence: float) -> Finding:
    """95th percentiles: the shadow's may reach live's times ``ratio``, or live's plus ``slack_ms``, whichever is more: a
    ratio alone would fail 6 ms against 2 ms, which nobody feels.

    The 95th percentile is above a limit exactly if more than 5% of the queries are slower than it, so that the bound is
    again one of a rate.
    """
    here, there = percentile_ms(shadow.latency, 0.95), percentile_ms(live.latency, 0.95)
    if here is None or there is None:
        return Finding(
            "latency", Outcome.INCONCLUSIVE, "one arm has no latencies to compare", {"p95_ms": here, "live_p95_ms": there}
        )
    each = 1.0 - (1.0 - confidence) / 2
    limit, certain = (max(p95 * ratio, p95 + slack_ms) for p95 in (there, _p95_upper(live.latency, each)))
    lower, _ = rate_bounds(_slower_than(shadow.latency, certain), sum(shadow.latency.values()), each)
    figures: dict[str, Any] = {"p95_ms": here, "live_p95_ms": there, "limit_ms": limit}
    figures |= {"certain_limit_ms": certain if math.isfinite(certain) else None}
    figures |= {
        "share_above_certain_limit_lower": lower,
        "n": sum(shadow.latency.values()),
        "live_n": sum(live.latency.values()),
    }
    said = f"p95 {here:.0f} ms against live's {there:.0f} ms, limit {limit:.0f} ms"
    if lower > _SLOW_SHARE:
        return Finding("latency", Outcome.FAIL, said, figures)
    return Finding("latency", Outcome.PASS if here <= limit else Outcome.INCONCLUSIVE, said, figures)


def _slower_than(latency: Mapping[int, int], limit_ms: float) -> int:
    """Queries certainly slower: those in buckets whose lower edge is at or past the limit."""
    return sum(count for bucket, count in latency.items() if bucket > 0 and LATENCY_EDGES_MS[bucket - 1] >= limit_ms)


def _p95_upper(latency: Mapping[int, int], confidence: float) -> float:
    """The lowest bucket edge that certainly no more than 5% of the queries pass; infinite for too few queries."""
    n = sum(latency.values())
    slower = n
    for bucket in sorted(latency):
        slower -= latency[bucket]
        if rate_bounds(slower, n, confidence)[1] <= _SLOW_SHARE:
            return LATENCY_EDGES_MS[bucket]
    return math.inf


def split_finding(shadow: int, live: int, percent: int, *, sigmas: float, keys: int | None) -> Finding:
    """Whether the shadow got its ``percent`` of the queries, within ``sigmas`` standard deviations √(p(1 − p)·D/n).

    D is the design effect of sticky keys, from the number of distinct ``keys`` if that is known. If it is not, a share that is
    off may be the doing of a few busy users: INCONCLUSIVE, never FAIL, as a wrong share by itself harms nobody.
    """
    n, p = shadow + live, percent / 100
    effect = max(1.0, UNEVEN_KEYS * n / keys) if keys else QUERIES_PER_KEY
    allowed = sigmas * math.sqrt(p * (1 - p) * effect / n)
    share = shadow / n
    figures = {"share": share, "expected": p, "allowed": allowed, "n": n, "keys": keys, "design_effect": effect}
    said = f"{share:.1%} of {n:,} queries, {p:.0%} ± {allowed:.1%} expected"
    if abs(share - p) <= allowed:
        return Finding("split", Outcome.PASS, said, figures)
    if keys is None:
        return Finding("split", Outcome.INCONCLUSIVE, f"{said}; a few busy keys may explain it", figures)
    return Finding("split", Outcome.FAIL, f"{said} for {keys:,} keys", figures)
