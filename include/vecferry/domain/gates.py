"""The bounds that gates decide by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gates:
    """Margins are in points of nDCG@10, rates and shares 0 … 1; times are in the unit that ends their names."""

    margin: float = 0.02
    confidence: float = 0.95
    min_golden_queries: int = 30
    canary_min_queries: int = 100
    canary_max_error_rate: float = 0.01
    canary_max_fallback_rate: float = 0.02
    canary_max_empty_increase: float = 0.02
    canary_max_latency_ratio: float = 2.0
    canary_latency_slack_ms: float = 25.0
    canary_golden_queries: int = 200
    canary_golden_margin: float = 0.05
    split_tolerance_sigmas: float = 4.0
    parity_max_age_s: float = 3600.0
    sweep_max_age_s: float = 900.0
    """Since the end of the last sweep, where applications write live natively."""
    corroboration_sources: int = 2
    keep_old_days: float = 14.0
    """How long ``retire`` keeps the old collection, unless the request says otherwise."""
