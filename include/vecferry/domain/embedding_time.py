"""How long a provider takes for a whole collection, and which of its limits is the one that binds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.fingerprint import TEXTS
from vecferry.domain.request_limits import request_limits

WITNESS_TOKENS = min(len(text.encode()) for text in TEXTS) // 4
"""Of the text of the fingerprint that goes along with each request."""


@dataclass(frozen=True)
class EmbeddingPace:
    """What backfill may use. ``usable_share`` of the limits: the rest is the reserve of queries and dual-write (design.md §6).

    ``seconds_per_request`` and ``concurrency`` bound the pace where the provider names no limit. ``page_objects``: texts that
    are embedded together, of which the last request is seldom full.
    """

    usable_share: float = 0.8
    seconds_per_request: float = 0.5
    concurrency: int = 4
    page_objects: int = 250


@dataclass(frozen=True)
class EmbeddingTime:
    """``bound_by``: the limit that decides ``hours``. ``inputs_per_request``: without the witness."""

    hours: float
    bound_by: str
    requests: int
    inputs_per_request: int


def embedding_time(objects: int, tokens: float, card: ModelCard, pace: EmbeddingPace = EmbeddingPace()) -> EmbeddingTime:
    """For ``objects`` texts of ``tokens`` in sum, page by page; the slowest limit binds."""
    per_request = inputs_per_request(objects, tokens, card)
    pages, rest = divmod(objects, pace.page_objects)
    requests = pages * math.ceil(pace.page_objects / per_request) + math.ceil(rest / per_request)
    minutes = {"round trips": requests * pace.seconds_per_request / pace.concurrency / 60}
    limits = {
        "requests per minute": (requests, card.requests_per_minute),
        "tokens per minute": (tokens + requests * WITNESS_TOKENS, card.tokens_per_minute),
        "inputs per minute": (objects + requests, card.inputs_per_minute),
    }
    minutes |= {name: amount / (limit * pace.usable_share) for name, (amount, limit) in limits.items() if limit}
    bound_by = max(minutes, key=lambda name: minutes[name])
    return EmbeddingTime(minutes[bound_by] / 60, bound_by, requests, per_request)


def inputs_per_request(objects: int, tokens: float, card: ModelCard) -> int:
    """Texts a request beside the witness, as many as its inputs *and* its tokens allow, for texts of mean length."""
    most = request_limits(card).beside(WITNESS_TOKENS)
    mean = tokens / objects if objects else 0.0
    by_tokens = int(most.tokens / mean) if mean else most.inputs
    return max(1, min(most.inputs, by_tokens))
