"""What a provider says about its limits beside an answer: OpenAI's ``x-ratelimit-*`` headers, and every server's that sends
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vecferry.domain.capacity import WINDOW_S, RateLimits

LOW_SHARE = 50
"""One part in fifty: with less left, somebody else uses the account as well, and a 429 is near."""


@dataclass(frozen=True)
class RateHeaders:
    limits: RateLimits
    remaining: RateLimits

    @property
    def low_for_s(self) -> float:
        """Seconds until one part in ``LOW_SHARE`` of each limit is there again; 0 while it is."""
        pairs = zip(self.limits, self.remaining, strict=True)
        short = [(limit / LOW_SHARE - left) / limit for limit, left in pairs if limit and left is not None]
        return max(0.0, max(short, default=0.0) * WINDOW_S)


def rate_headers(headers: Mapping[str, str]) -> RateHeaders | None:
    """``None`` where there are none; names in lower case. A limit of 0 is one that is not known."""
    limits = RateLimits(*(_number(headers.get(f"x-ratelimit-limit-{name}")) or None for name in RateLimits._fields))
    left = RateLimits(*(_number(headers.get(f"x-ratelimit-remaining-{name}")) for name in RateLimits._fields))
    return None if limits == RateLimits() else RateHeaders(limits, left)


def _number(text: str | None) -> int | None:
    said = (text or "").strip()
    return int(said) if said.isascii() and said.isdigit() else None
