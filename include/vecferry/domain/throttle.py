"""How far a copier slows down for the users' sake: by their own latency, and by the store's.

As TCP finds out what a line carries: it begins small, doubles until somebody suffers, goes back to half, and from there on
grows slowly. A page is what the store is busy with at once, so users wait for a part of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vecferry.domain.telemetry import percentile_ms

FEWEST_KEYS = 8
MOST_PAUSE_S = 10.0
FIRST_PAUSE_S = 0.1
ENOUGH_QUERIES = 20
"""Fewer in an interval say nothing of a p99: the next look adds to them."""

STORE_RATIO, STORE_SLACK_S = 4.0, 0.25
_GROWTH = 8

Histogram = Mapping[int, int]
"""Over ``telemetry.LATENCY_EDGES_MS``."""


@dataclass(frozen=True)
class Pace:
    """Pages of ``keys``, never more than ``most_keys``, and ``pause_s`` before each, which is more than 0 only at the smallest
    pages. ``limit_ms``: the p99 agreed for live; ``seen``: what routers had counted when last judged; ``doubled_to``: from
    there on ``keys`` grows by an eighth (``None``: nobody has suffered yet); ``best_store_s``: the store's quickest answer so
    far; ``unjudged``: queries that were too few so far; ``why`` it slows down, for people."""

    limit_ms: float
    seen: Histogram
    most_keys: int
    keys: int = FEWEST_KEYS
    doubled_to: int | None = None
    pause_s: float = 0.0
    best_store_s: float | None = None
    unjudged: int = 0
    why: str = ""


def next_pace(pace: Pace, counted: Histogram, store_s: float | None) -> Pace:
    """After a look: ``counted`` by routers up to now, ``store_s`` for a small question to the store (``None``: no answer). Too
    few queries to judge leave it as it is, until no more of them come: then nobody suffers."""
    new = {bucket: count - pace.seen.get(bucket, 0) for bucket, count in counted.items() if count > pace.seen.get(bucket, 0)}
    queries = sum(new.values())
    enough = queries >= ENOUGH_QUERIES
    judged = enough or queries == pace.unjudged
    why = _users_suffer(pace, percentile_ms(new, 0.99) if enough else None) or _store_suffers(pace, store_s)
    best = [s for s in (pace.best_store_s, store_s) if s is not None]
    seen, unjudged = (counted, 0) if judged else (pace.seen, queries)
    known = replace(pace, seen=seen, unjudged=unjudged, best_store_s=min(best, default=None), why=why)
    if why:
        return _slower(known)
    return _quicker(known) if judged else known


def _slower(pace: Pace) -> Pace:
    if pace.keys == FEWEST_KEYS:
        return replace(pace, pause_s=min(MOST_PAUSE_S, max(FIRST_PAUSE_S, 2 * pace.pause_s)))
    half = max(FEWEST_KEYS, pace.keys // 2)
    return replace(pace, keys=half, doubled_to=half)


def _quicker(pace: Pace) -> Pace:
    if pace.pause_s > 0:
        return replace(pace, pause_s=pace.pause_s / 2 if pace.pause_s > FIRST_PAUSE_S else 0.0)
    until = pace.most_keys if pace.doubled_to is None else pace.doubled_to
    keys = min(until, 2 * pace.keys) if pace.keys < until else pace.keys + max(1, pace.keys // _GROWTH)
    return replace(pace, keys=min(pace.most_keys, keys))


def _users_suffer(pace: Pace, p99_ms: float | None) -> str:
    if p99_ms is None or p99_ms <= pace.limit_ms:
        return ""
    return f"the users' p99 is {p99_ms:.0f} ms, more than {pace.limit_ms:.0f} ms"


def _store_suffers(pace: Pace, store_s: float | None) -> str:
    if store_s is None:
        return "the store does not answer"
    if pace.best_store_s is None or store_s <= max(STORE_RATIO * pace.best_store_s, STORE_SLACK_S):
        return ""
    return f"the store takes {store_s:.2f} s for what it can answer in {pace.best_store_s:.2f} s"
