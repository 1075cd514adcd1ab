"""How much of a provider's limit four workers use together, beside live queries: by what the provider itself counted."""

from __future__ import annotations

import time
from collections.abc import Iterator

from vecferry.domain.capacity import WINDOW_S, RateLimits
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.limited_world import ROUTER, Request, limited_provider
from vecferry.sandbox.bench.world import Servers

_LIMITS = RateLimits(requests=3000, tokens=200_000)
_WORKERS, _SETTLED_S, _MEASURED_S = 4, 10.0, 60.0


def measure(servers: Servers) -> Iterator[Figure]:
    ledger_url = servers.postgres.fresh_database()
    with limited_provider(_LIMITS) as provider:
        names = [*(f"worker {place}" for place in range(_WORKERS)), ROUTER]
        delayed = provider.run(ledger_url, names, lambda: time.sleep(WINDOW_S + _SETTLED_S + _MEASURED_S))
        requests = provider.requests()
    yield from _figures(requests, delayed)


def _figures(requests: list[Request], delayed: int) -> Iterator[Figure]:
    # In the first minute nothing was used before; after it what flows is what flows for ever.
    begin_s = min(one.at_s for one in requests if not one.is_query) + WINDOW_S + _SETTLED_S / 2
    measured = [one for one in requests if begin_s <= one.at_s < begin_s + _MEASURED_S]
    tokens = sum(one.tokens for one in measured if one.status == 200 and not one.is_query)
    queries = [one for one in measured if one.is_query]
    room = (_LIMITS.for_documents.tokens or 0) * _MEASURED_S / WINDOW_S
    share = 100 * tokens / room
    said = f"{tokens:,} of the {room:,.0f} tokens that queries leave, by {_WORKERS} processes beside {len(queries)} queries"
    yield Figure("of a provider's limit used by documents", share, None, "%", said, least=98.0)
    refused = sum(one.status == 429 for one in measured)
    yield Figure("429s a minute", refused * WINDOW_S / _MEASURED_S, 1.0, "", f"of {len(measured)} requests, by sliding minutes")
    yield Figure("queries delayed by the limiter", delayed, 0.0, "", f"of {sum(one.is_query for one in requests)}")
