"""How long a provider takes for a whole collection, and which of its limits is the one that binds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vecferry.domain.catalogue import ModelCard


@dataclass(frozen=True)
class EmbeddingPace:
    """What backfill may use. ``usable_share`` of the limits: the rest is the reserve of queries and dual-write (design.md §6).

    ``seconds_per_request`` and ``concurrency`` bound the pace where the provider names no limit.
    """

    usable_share: float = 0.8
    seconds_per_request: float = 0.5
    concurrency: int = 4


@dataclass(frozen=True)
class EmbeddingTime:
    """``bound_by``: the limit that decides ``hours``."""

    hours: float
    bound_by: str
    requests: int
    inputs_per_request: int


def embedding_time(objects: int, tokens: float, card: ModelCard, pace: EmbeddingPace = EmbeddingPace()) -> EmbeddingTime:
    """For ``objects`` texts of ``tokens`` in sum, in full batches; the slowest limit binds."""
    per_request = inputs_per_request(objects, tokens, card)
    requests = math.ceil(objects / per_request)
    minutes = {"round trips": requests * pace.seconds_per_request / pace.concurrency / 60}
    limits = {
        "requests per minute": (requests, card.requests_per_minute),
        "tokens per minute": (tokens, card.tokens_per_minute),
        "inputs per minute": (objects, card.inputs_per_minute),
    }
    minutes |= {name: amount / (limit * pace.usable_share) for name, (amount, limit) in limits.items() if limit}
    bound_by = max(minutes, key=lambda name: minutes[name])
    return EmbeddingTime(minutes[bound_by] / 60, bound_by, requests, per_request)


def inputs_per_request(objects: int, tokens: float, card: ModelCard) -> int:
    """Texts a request, as many as the inputs *and* the tokens of a request allow, for texts of mean length."""
    mean = tokens / objects if objects else 0.0
    by_tokens = int(card.tokens_per_request / mean) if mean else card.inputs_per_request
    return max(1, min(card.inputs_per_request, by_tokens))
