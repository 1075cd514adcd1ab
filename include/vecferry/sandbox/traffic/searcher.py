"""One user-facing thread: search after search, each on behalf of one of many users."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from vecferry.errors import VecferryError
from vecferry.router import Router
from vecferry.sandbox.traffic.history import History
from vecferry.sandbox.traffic.pace import Pace

USERS = 4_000
"""Enough that the share of users is close to the share of queries at 5%."""


def search_on(
    router: Router, history: History, queries: Sequence[str], pace: Pace, rng: random.Random, goes_on: Callable[[], bool]
) -> None:
    while goes_on():
        pace.wait_turn()
        history.search(_one(router, rng.choice(queries), f"user-{rng.randrange(USERS)}"))


def _one(router: Router, query: str, key: str) -> dict[str, Any]:
    invoked = time.time()
    try:
        hits = router.search(query, key=key)
    except VecferryError as error:
        return {"ok": False, "key": key, "invoked": invoked, "answered": time.time(), "error": str(error)}
    return {
        "ok": True,
        "key": key,
        "invoked": invoked,
        "answered": time.time(),
        "arm": hits.arm.value,
        "reason": hits.reason,
        "version": hits.route.version,
        "latency_ms": round(hits.latency_ms, 2),
        "hits": len(hits),
    }
