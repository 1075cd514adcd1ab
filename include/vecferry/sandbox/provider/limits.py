"""Requests, tokens and inputs a minute, by key and model: as token buckets that fill continuously, or by sliding minutes.

The headers are OpenAI's: limit, remaining and the time until all is there again (``6m0s``, ``1.2s``, ``120ms``).
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from vecferry.sandbox.provider.refusal import Refusal, rate_limited
from vecferry.sandbox.provider.request import EmbedRequest

MINUTE_S = 60.0


@dataclass(frozen=True)
class Limit:
    """``None`` is no limit. ``burst_s``: so many seconds' worth may be used at once, after which the rate holds; 0: no bucket,
    but no more than the limit in any 60 s."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    inputs_per_minute: float | None = None
    burst_s: float = MINUTE_S

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 0 if name == "burst_s" else 1e-9
            if value is not None and not (isinstance(value, int | float) and value >= least):
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

    def take(self, amount: float) -> None:
        self.level -= amount


@dataclass
class SlidingMinute:
    """No more than ``per_minute`` in any 60 s, whenever they begin."""

    per_minute: float
    now_s: float
    taken: deque[tuple[float, float]] = field(default_factory=deque)

    @property
    def capacity(self) -> float:
        return self.per_minute

    @property
    def level(self) -> float:
        return self.per_minute - sum(amount for _, amount in self.taken)

    def fill(self, now_s: float) -> None:
        self.now_s = now_s
        while self.taken and self.taken[0][0] <= now_s - MINUTE_S:
            self.taken.popleft()

    def wait_s(self, amount: float) -> float:
        level, wait_s = self.level, 0.0
        for at_s, gone in self.taken:
            if level >= amount:
                break
            level, wait_s = level + gone, at_s + MINUTE_S - self.now_s
        return wait_s

    def reset_s(self) -> float:
        return self.taken[-1][0] + MINUTE_S - self.now_s if self.taken else 0.0

    def take(self, amount: float) -> None:
        self.taken.append((self.now_s, amount))


class Limits:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._limits: dict[str | None, Limit] = {}
        self._buckets: dict[tuple[str, str, str], Bucket | SlidingMinute] = {}

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
                bucket.take(wanted[name])
            return _headers(buckets)

    def _of(self, request: EmbedRequest) -> dict[str, Bucket | SlidingMinute]:
        limit = self._limits.get(request.model) or self._limits.get(None)
        rates = {
            "requests": limit and limit.requests_per_minute,
            "tokens": limit and limit.tokens_per_minute,
            "inputs": limit and limit.inputs_per_minute,
        }
        now_s = self._clock()
        found: dict[str, Bucket | SlidingMinute] = {}
        for name, per_minute in rates.items():
            if per_minute and limit:
                at = (request.key, request.model, name)
                if at not in self._buckets:
                    self._buckets[at] = _fresh(per_minute, limit.burst_s, now_s)
                self._buckets[at].fill(now_s)
                found[name] = self._buckets[at]
        return found


def _fresh(per_minute: float, burst_s: float, now_s: float) -> Bucket | SlidingMinute:
    if not burst_s:
        return SlidingMinute(per_minute, now_s)
    bucket = Bucket(per_minute, burst_s, 0, now_s)
    bucket.level = bucket.capacity
    return bucket


def _headers(buckets: dict[str, Bucket | SlidingMinute]) -> dict[str, str]:
    headers = {}
    for name, bucket in buckets.items():
        headers[f"x-ratelimit-limit-{name}"] = f"{bucket.per_minute:.0f}"
        headers[f"x-ratelimit-remaining-{name}"] = f"{math.floor(bucket.level)}"
        headers[f"x-ratelimit-reset-{name}"] = _duration(bucket.reset_s())
    return headers


def _duration(seconds: float) -> str:
    """As OpenAI writes it."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    said = f"{rest:.3f}".rstrip("0").rstrip(".")
    return f"{minutes:.0f}m{said}s" if minutes else f"{said}s"
