"""The plan's figures: tokens, money, hours, memory, and what the golden set can show, before anything is spent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.embedding_time import EmbeddingPace, embedding_time
from vecferry.domain.footprint import StorageRates, footprint
from vecferry.domain.sample_size import TYPICAL_SD, attainable_margin
from vecferry.domain.sampled_total import SampledTotal, sampled_total


@dataclass(frozen=True)
class Assumptions:
    """What the plan takes for granted; each may be replaced by what was measured.

    ``store_objects_per_s``: written and indexed (477 were measured at 1,536 dimensions on 2 cores, more elsewhere).
    ``golden_sd``: spread of the paired differences. ``soak_minutes``: the sum over all stages.
    """

    pace: EmbeddingPace = field(default_factory=EmbeddingPace)
    store_objects_per_s: float = 477.0
    rates: StorageRates = field(default_factory=StorageRates)
    replicas: int = 1
    golden_sd: float = TYPICAL_SD
    confidence: float = 0.95
    power: float = 0.8
    soak_minutes: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """Intervals are of 95%; ``None`` where one sampled object gives none. ``*_both``: live and shadow together.

    ``cost_usd`` is of one whole backfill; dual-write and judging come on top.
    """

    objects: int
    sampled: int
    tokens: int
    tokens_low: int | None
    tokens_high: int | None
    cost_usd: float
    cost_usd_low: float | None
    cost_usd_high: float | None
    requests: int
    embed_hours: float
    embed_bound_by: str
    store_hours: float
    soak_hours: float
    total_hours: float
    memory_bytes_both: int
    disk_bytes_both: int
    storage_usd_month_both: float
    storage_source: str
    golden_queries: int
    golden_sd: float
    attainable_margin: float | None
    starts_at: datetime
    finishes_at: datetime
    deadline: date | None
    meets_deadline: bool | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; times and dates as ISO 8601."""
        row = dataclasses.asdict(self)
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def estimate(
    *,
    sample_tokens: Sequence[float],
    objects: int,
    card: ModelCard,
    live_dimensions: int,
    starts_at: datetime,
    payload_bytes: float = 0.0,
    golden_queries: int = 0,
    deadline: date | None = None,
    assumptions: Assumptions = Assumptions(),
) -> Estimate:
    """From the token counts of a random sample of the texts (0 for an object without text).

    Hours are at the upper end of the tokens' interval, and embedding and storing are added though they overlap: a plan that
    is late costs more than one that is early. ``deadline`` is met by finishing before that day begins (UTC).
    """
    total = sampled_total(sample_tokens, objects)
    embedding = embedding_time(objects, total.total if total.high is None else total.high, card, assumptions.pace)
    store_hours = objects / assumptions.store_objects_per_s / 3600
    soak_hours = assumptions.soak_minutes / 60
    total_hours = embedding.hours + store_hours + soak_hours
    finishes_at = starts_at + timedelta(hours=total_hours)
    both = footprint(objects, live_dimensions, payload_bytes).plus(footprint(objects, card.dimensions, payload_bytes))
    both = both.times(assumptions.replicas)
    return Estimate(
        objects=objects,
        sampled=total.sampled,
        **_tokens_and_cost(total, card),
        requests=embedding.requests,
        embed_hours=embedding.hours,
        embed_bound_by=embedding.bound_by,
        store_hours=store_hours,
        soak_hours=soak_hours,
        total_hours=total_hours,
        memory_bytes_both=both.memory_bytes,
        disk_bytes_both=both.disk_bytes,
        storage_usd_month_both=both.monthly_usd(assumptions.rates),
        storage_source=assumptions.rates.source,
        golden_queries=golden_queries,
        golden_sd=assumptions.golden_sd,
        attainable_margin=attainable_margin(
            golden_queries, assumptions.golden_sd, confidence=assumptions.confidence, power=assumptions.power
        ),
        starts_at=starts_at,
        finishes_at=finishes_at,
        deadline=deadline,
        meets_deadline=None if deadline is None else finishes_at <= datetime.combine(deadline, time(), UTC),
    )


def _tokens_and_cost(total: SampledTotal, card: ModelCard) -> dict[str, Any]:
    tokens = {"tokens": total.total, "tokens_low": total.low, "tokens_high": total.high}
    rounded = {name: None if value is None else round(value) for name, value in tokens.items()}
    costs = {f"cost_usd{name[6:]}": None if value is None else card.cost_usd(value) for name, value in rounded.items()}
    return rounded | costs
