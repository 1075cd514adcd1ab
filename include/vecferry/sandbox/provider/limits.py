"""Requests, tokens and inputs a minute, by key and model, as token buckets that fill continuously."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from vecferry.sandbox.provider.refusal import Refusal, rate_limited
from vecferry.sandbox.provider.request import EmbedRequest

MINUTE_S = 60.0


@dataclass(frozen=True)
class Limit:
    """``None`` is no limit. ``burst_s``: so many seconds' worth may be used at once, after which the rate holds."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    inputs_per_minute: float | None = None
    burst_s: float = MINUTE_S

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not (isinstance(value, int | float) and value > 0):
                raise Refusal(400, f"`{name}` must be a number above 0, not {value!r}.", param=name)


@dataclass
class Bucket:
    per_minute: float
    burst_s: float
    level: float
    filled_at_s: float

    @property
    def capacity(self) -> float:
        return max(1.0, self.per_minute * self.burst_s / MINUTE_S)

    def fill(self, now_s: float) -> None:
        self.level = min(self.capacity, self.level + (now_s - self.filled_at_s) * self.per_minute / MINUTE_S)
        self.filled_at_s = now_s

    def wait_s(self, amount: float) -> float:
        """Seconds until ``amount`` is there; until full, for what is more than the bucket will ever hold."""
        return max(0.0, (min(amount, self.capacity) - self.level) * MINUTE_S / self.per_minute)

    def reset_s(self) -> float:
        return (self.capacity - self.level) * MINUTE_S / self.per_minute


class Limits:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._limits: dict[str | None, Limit] = {}
        self._buckets: dict[tuple[str, str, str], Bucket] = {}

    def set(self, model: str | None, limit: Limit) -> None:
        """For one model, or with ``None`` for every model that has none of its own. Buckets start full."""
        with self._lock:
            self._limits[model] = limit
            self._buckets.clear()

    def clear(self) -> None:
        with self._lock:
            self._limits.clear()
            self._buckets.clear()

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        with self._lock:
            return {model or "*": asdict(limit) for model, limit in self._limits.items()}

    def take(self, request: EmbedRequest) -> dict[str, str]:
        """The ``x-ratelimit-*`` headers of the answer, or a 429. A refused request takes nothing."""
        wanted = {"requests": 1, "tokens": request.tokens, "inputs": len(request.texts)}
        with self._lock:
            buckets = self._of(request)
            for name, bucket in buckets.items():
                if wanted[name] > bucket.capacity:
                    raise rate_limited(
                        f"{wanted[name]} {name} in one request, and {bucket.capacity:.0f} fit", bucket.reset_s() or 1.0
                    )
            short = {name: bucket.wait_s(wanted[name]) for name, bucket in buckets.items()}
            longest = max(short, key=lambda name: short[name], default=None)
            if longest and short[longest] > 0:
                raise rate_limited(f"{buckets[longest].per_minute:g} {longest} per minute", short[longest])
            for name, bucket in buckets.items():
                bucket.level -= wanted[name]
            return _headers(buckets)

    def _of(self, request: EmbedRequest) -> dict[str, Bucket]:
        limit = self._limits.get(request.model) or self._limits.get(None)
        rates = {
            "requests": limit and limit.requests_per_minute,
            "tokens": limit and limit.tokens_per_minute,
            "inputs": limit and limit.inputs_per_minute,
        }
        now_s = self._clock()
        found = {}
        for name, per_minute in rates.items():
            if per_minute and limit:
                at = (request.key, request.model, name)
                if at not in self._buckets:
                    fresh = Bucket(per_minute, limit.burst_s, 0, now_s)
                    fresh.level = fresh.capacity
                    self._buckets[at] = fresh
                self._buckets[at].fill(now_s)
                found[name] = self._buckets[at]
        return found


def _headers(buckets: dict[str, Bucket]) -> dict[str, str]:
    headers = {}
    for name, bucket in buckets.items():
        headers[f"x-ratelimit-limit-{name}"] = f"{bucket.per_minute:.0f}"
        headers[f"x-ratelimit-remaining-{name}"] = f"{math.floor(bucket.level)}"
        headers[f"x-ratelimit-reset-{name}"] = f"{bucket.reset_s():.3f}s"
    return headers
