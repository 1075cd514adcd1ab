"""Hours, money, disk and memory of one model at one size, by the estimates that ``vecferry plan`` makes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.embedding_time import WITNESS_TOKENS, EmbeddingPace
from vecferry.domain.estimate import Assumptions, estimate
from vecferry.domain.footprint import GIB
from vecferry.sandbox.plan_scale.ledger_growth import Growth
from vecferry.steps.backfill import PAGE, chunks_for

_BYTES_A_TOKEN = 4
_STAMPS_BYTES = 350
"""Six stamps with their names, two of them hashes of 64 digits."""


@dataclass(frozen=True)
class Given:
    """What is assumed of the objects and of the store; ``workers`` are backfill tasks at once."""

    tokens: int
    store_objects_per_s: float
    workers: int

    @property
    def payload_bytes(self) -> int:
        return self.tokens * _BYTES_A_TOKEN + _STAMPS_BYTES


@dataclass(frozen=True)
class Forecast:
    """``*_both``: live and shadow together, one replica, uncompressed. ``chunks`` are Airflow's mapped tasks."""

    model: str
    objects: int
    tokens: int
    cost_usd: float
    requests: int
    embed_hours: float
    bound_by: str
    store_hours: float
    total_hours: float
    memory_gib_both: float
    disk_gib_both: float
    storage_usd_month_both: float
    chunks: int
    minutes_a_chunk: float
    ledger_rows: int
    ledger_mb: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def forecast(card: ModelCard, objects: int, given: Given, growth: Growth) -> Forecast:
    """``growth`` is of this model: its requests are what the ledger keeps accounts of."""
    found = estimate(
        sample_tokens=[float(given.tokens)] * 2,
        objects=objects,
        card=card,
        live_dimensions=card.dimensions,
        starts_at=datetime.now(UTC),
        payload_bytes=given.payload_bytes,
        assumptions=Assumptions(
            pace=EmbeddingPace(page_objects=PAGE, concurrency=given.workers), store_objects_per_s=given.store_objects_per_s
        ),
    )
    tokens = found.tokens + found.requests * WITNESS_TOKENS
    chunks = chunks_for(objects)
    return Forecast(
        model=f"{card.provider}/{card.model}",
        objects=objects,
        tokens=tokens,
        cost_usd=card.cost_usd(tokens),
        requests=found.requests,
        embed_hours=found.embed_hours,
        bound_by=found.embed_bound_by,
        store_hours=found.store_hours,
        total_hours=found.total_hours,
        memory_gib_both=found.memory_bytes_both / GIB,
        disk_gib_both=found.disk_bytes_both / GIB,
        storage_usd_month_both=found.storage_usd_month_both,
        chunks=chunks,
        minutes_a_chunk=max(found.embed_hours, found.store_hours) * 60 * min(given.workers, chunks) / chunks,
        ledger_rows=growth.rows_at(objects),
        ledger_mb=growth.bytes_at(objects) / 1e6,
    )
