"""The figures as tables, with what was assumed for them."""

from __future__ import annotations

from collections.abc import Sequence

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.embedding_time import WITNESS_TOKENS, EmbeddingPace
from vecferry.domain.footprint import StorageRates
from vecferry.sandbox.plan_scale.forecast import Forecast, Given
from vecferry.sandbox.plan_scale.ledger_growth import Growth
from vecferry.sandbox.plan_scale.measuring import LEDGER_BYTES, PLANNING_S, Measured
from vecferry.steps.backfill import PAGE

_LOOK_S = 200 / 33_000
"""Of 200 keys, where a store gives 33,000 a second by its cursor."""
_COLUMNS = (
    "model", "objects", "embed h", "bound by", "store h", "total h", "$", "requests", "memory GiB", "disk GiB", "$/month",
    "ledger MB", "rows", "tasks", "min/task",
)  # fmt: skip


def forecasts(rows: Sequence[Forecast]) -> list[str]:
    """A Markdown table."""
    return table(_COLUMNS, [_cells(row) for row in rows])


def planner(measured: Measured) -> list[str]:
    columns = ("ids", "s", "making ids up s", "again s", "looks", "s of real looks", "chunks", "largest off")
    rows = [
        (
            one.ids,
            f"{one.seconds:.1f}",
            f"{one.store_s:.1f}",
            f"{one.again_s:.2f}",
            f"{one.looks:,}",
            f"{one.looks * _LOOK_S:.0f}",
            f"{one.chunks}",
            f"{one.off:.1%}",
        )
        for one in measured.planned
    ]
    return table(columns, rows)


def ledgers(measured: Measured) -> list[str]:
    columns = ("model", "database", "pages", "requests", "rows at most", "more later", "MB now", "MB at the end", "journal MB")
    rows = [(model, *_of_ledger(one, measured.objects)) for model, each in measured.growth.items() for one in each]
    return table(columns, rows)


def verdict(measured: Measured) -> list[str]:
    found = measured.too_much()
    if found:
        return [f"OVER THE LIMIT: {what}" for what in found]
    return [
        f"within the limits at {size(measured.objects)} objects: planning {measured.planning_s():.1f} s of {PLANNING_S:.0f} s, "
        f"ledger {measured.ledger_bytes() / 1e6:,.1f} MB of {LEDGER_BYTES / 1e6:,.0f} MB"
    ]


def assumptions(cards: Sequence[ModelCard], given: Given) -> list[str]:
    """One line each."""
    rates, pace = StorageRates(), EmbeddingPace()
    return [
        f"{given.tokens} tokens in an object's text, four characters each; no two texts are equal",
        f"{pace.usable_share:.0%} of a limit is the backfill's; {PAGE} objects a page; each request carries a text of the "
        f"fingerprint ({WITNESS_TOKENS} tokens), which counts as an input",
        "a request is a small part of a minute's limit, not as large as the provider would take it (decision 0015)",
        f"the store takes {given.store_objects_per_s:g} objects a second in sum: 477 were measured with 1,536 dimensions on 2 "
        "cores, give yours. Total hours: embedding and storing one after the other, though they overlap",
        f"{given.workers} chunks at once; tasks are Airflow's mapped tasks, min/task the mean at that many at once",
        "memory and disk: live and shadow together, one replica, uncompressed; memory 2 x 4 bytes x dimensions x objects "
        "(Weaviate's documentation, Resource Planning, garbage collection included; the HNSW graph's links, some 300 bytes an "
        "object at 32 connections, fit in from 80 dimensions on); disk 2 x (vectors + properties + stamps): segments merge",
        f"$/month is what both collections cost meanwhile: {rates.source}",
        *(
            f"{card.provider}/{card.model}: {_limits(card)}; ${card.usd_per_million_tokens:g} a million tokens"
            f"{f' on {card.price_date}' if card.price_date else ''}; {card.source}"
            for card in cards
        ),
    ]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in (columns, *rows)) for place in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return [line(columns), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)]


def size(objects: int) -> str:
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if objects >= unit and objects % (unit // 10) == 0:
            return f"{objects / unit:g}{name}"
    return f"{objects:,}"


def _cells(row: Forecast) -> tuple[str, ...]:
    return (
        row.model,
        size(row.objects),
        f"{row.embed_hours:,.1f}",
        row.bound_by.replace(" per minute", "/min"),
        f"{row.store_hours:,.1f}",
        f"{row.total_hours:,.1f}",
        f"{row.cost_usd:,.2f}",
        f"{row.requests:,}",
        f"{row.memory_gib_both:,.0f}",
        f"{row.disk_gib_both:,.0f}",
        f"{row.storage_usd_month_both:,.0f}",
        f"{row.ledger_mb:,.1f}",
        f"{row.ledger_rows:,}",
        f"{row.chunks}",
        f"{row.minutes_a_chunk:,.0f}",
    )


def _of_ledger(one: Growth, objects: int) -> tuple[str, ...]:
    journal = "–" if one.journal_bytes is None else " → ".join(f"{number / 1e6:.1f}" for number in one.journal_bytes)
    more = ", ".join(f"{name} {rows}" for name, rows in one.more.items()) or "none"
    most = ", ".join(f"{name} {rows}" for name, rows in one.rows.items() if name in ("chunks", "journal", "spend"))
    now, end = (f"{number / 1e6:.1f}" for number in (one.bytes, one.bytes_at(objects)))
    return one.database, f"{one.pages}", f"{one.requests:,}", most, more, now, end, journal


def _limits(card: ModelCard) -> str:
    named = (("requests", card.requests_per_minute), ("tokens", card.tokens_per_minute), ("inputs", card.inputs_per_minute))
    return ", ".join(f"{limit:,} {name} a minute" for name, limit in named if limit) or "no limit is published"
