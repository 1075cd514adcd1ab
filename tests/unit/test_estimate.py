"""The plan's figures follow from the sample, the model card and the stated assumptions."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from vecferry.adapters.embedders.embedder import ProviderEmbedder
from vecferry.adapters.embedders.limiting import SharedLimiter
from vecferry.adapters.embedders.own_capacity import OwnCapacity
from vecferry.adapters.embedders.per_process import PerProcess
from vecferry.adapters.embedders.spending import Unbooked
from vecferry.adapters.memory.clock import ManualClock
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.embedding_time import WITNESS_TOKENS, EmbeddingPace, embedding_time, inputs_per_request
from vecferry.domain.estimate import Assumptions, Estimate, estimate
from vecferry.domain.fingerprint import TEXTS
from vecferry.domain.footprint import GIB, StorageRates, footprint
from vecferry.domain.sampled_total import sampled_total
from vecferry.errors import BadInput
from vecferry.ports import Purpose
from vecferry.sandbox.plan_scale.instant_provider import InstantApi
from vecferry.steps import backfill

SEED = 20261103
START = datetime(2027, 1, 1, tzinfo=UTC)


def card(**changes: int | float | None) -> ModelCard:
    limits = {"inputs_per_request": 2048, "tokens_per_minute": 1_000_000, "usd_per_million_tokens": 0.02} | changes
    return ModelCard("openai", "text-embedding-3-small", "openai", 1536, **limits)  # type: ignore[arg-type]


def plan(sample: list[float], objects: int, *, deadline: date | None = None, **assumed: float) -> Estimate:
    return estimate(
        sample_tokens=sample,
        objects=objects,
        card=card(),
        live_dimensions=1536,
        starts_at=START,
        golden_queries=594,
        deadline=deadline,
        assumptions=Assumptions(**assumed),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("size", [200, 2_500])
def test_the_interval_of_the_total_holds_it_in_about_95_percent_of_samples(size: int) -> None:
    """Also where the sample is half of the collection, and the interval narrower for it."""
    print("seed", SEED)
    rng = np.random.default_rng(SEED)
    lengths = rng.gamma(4.0, 50.0, 5_000)
    held = 0
    for _ in range(1_000):
        total = sampled_total(rng.choice(lengths, size, replace=False).tolist(), len(lengths))
        assert total.low is not None
        assert total.high is not None
        held += total.low <= lengths.sum() <= total.high
    assert 930 <= held <= 970


def test_a_whole_collection_has_no_interval_and_one_object_none_to_give() -> None:
    everything = sampled_total([1.0, 2.0, 3.0], 3)
    assert (everything.low, everything.total, everything.high) == (6.0, 6.0, 6.0)
    one = sampled_total([100.0], 1000)
    assert (one.total, one.low, one.high) == (100_000.0, None, None)


@pytest.mark.parametrize(("sample", "population"), [([], 10), ([], 0), ([1.0, 2.0], 1)])
def test_an_impossible_sample_is_refused(sample: list[float], population: int) -> None:
    with pytest.raises(BadInput, match="were sampled"):
        sampled_total(sample, population)


def test_tokens_a_minute_bind_long_texts() -> None:
    time = embedding_time(100_000, 48_000_000, card())
    assert time.bound_by == "tokens per minute"
    assert time.inputs_per_request == 1_000_000 // 150 // 480  # a request is a small part of a minute
    assert time.requests == 400 * 20  # 250 texts a page, 13 a request
    assert time.hours == pytest.approx((48_000_000 + 8_000 * WITNESS_TOKENS) / 800_000 / 60)


def test_inputs_a_minute_bind_short_texts() -> None:
    time = embedding_time(96_000, 960_000, card(tokens_per_minute=None, inputs_per_minute=2000, inputs_per_request=96))
    assert time.bound_by == "inputs per minute"
    assert (time.inputs_per_request, time.requests) == (12, 384 * 21)
    assert time.hours == pytest.approx((96_000 + time.requests) / 1600 / 60)  # the witness is an input as well


def test_requests_a_minute_bind_small_batches() -> None:
    slow = card(requests_per_minute=10, inputs_per_request=10)
    assert embedding_time(10_000, 100_000, slow).bound_by == "requests per minute"


def test_without_limits_the_round_trips_bind() -> None:
    pace = EmbeddingPace(0.8, 2.0, 4, page_objects=960)
    time = embedding_time(9_600, 9_600, card(tokens_per_minute=None, inputs_per_request=97), pace)
    assert time.bound_by == "round trips"
    assert time.hours == pytest.approx(100 * 2.0 / 4 / 3600)


def test_a_page_is_what_the_backfill_embeds_together() -> None:
    assert EmbeddingPace().page_objects == backfill.PAGE
    free = card(tokens_per_minute=None)
    assert embedding_time(600, 600, free).requests == 3
    assert embedding_time(100, 100, free).requests == 1


@pytest.mark.parametrize(
    ("changes", "tokens"),
    [({}, 480), ({"requests_per_minute": 100}, 480), ({"tokens_per_minute": None, "inputs_per_minute": 2000}, 40)],
)
def test_the_requests_are_those_that_the_embedder_sends(changes: dict[str, int | None], tokens: int) -> None:
    made = replace(card(**changes), model="m", dimensions=8)
    clock, api = ManualClock(), InstantApi(made.dimensions)
    embedder = ProviderEmbedder(
        made,
        api,
        limiter=PerProcess(lambda: SharedLimiter(made, "a", OwnCapacity(clock), clock)),
        spending=PerProcess(Unbooked),
        clock=clock,
        reference=lambda: ((1.0,) + (0.0,) * 7,) * len(TEXTS),
    )
    for page in range(4):
        texts = [f"{page} {number}".ljust(4 * tokens, "x") for number in range(backfill.PAGE)]
        embedder.embed_documents(texts, purpose=Purpose.BACKFILL, timeout_s=3_600)
    expected = embedding_time(4 * backfill.PAGE, 4.0 * backfill.PAGE * tokens, made)
    assert api.requests == expected.requests
    assert api.inputs == 4 * backfill.PAGE + api.requests  # a witness with each


def test_a_batch_is_never_empty() -> None:
    assert inputs_per_request(10, 10_000_000, card()) == 1
    assert inputs_per_request(10, 0, card()) == 2047
    assert embedding_time(0, 0, card()).hours == 0.0


def test_memory_is_twice_the_float32_vectors() -> None:
    assert footprint(1_000_000, 1536).memory_bytes == 2 * 4 * 1536 * 1_000_000
    assert footprint(10, 4, payload_bytes=84).disk_bytes == 2 * 10 * (16 + 84)


def test_a_month_of_storage_follows_the_rates_that_are_given() -> None:
    rates = StorageRates(usd_per_gib_memory_month=5.0, usd_per_gib_disk_month=1.0, source="ours")
    assert footprint(GIB // 8, 1).monthly_usd(rates) == pytest.approx(5.0 + 1.0)


def test_the_whole_plan_adds_up() -> None:
    result = plan([480.0] * 100, 100_000, store_objects_per_s=1000 / 36, soak_minutes=90)
    assert (result.tokens, result.tokens_low, result.tokens_high) == (48_000_000, 48_000_000, 48_000_000)
    assert result.cost_usd == pytest.approx(0.96)
    witnesses_h = 8_000 * WITNESS_TOKENS / 800_000 / 60
    assert [result.embed_hours, result.store_hours, result.soak_hours] == pytest.approx([1.0 + witnesses_h, 1.0, 1.5])
    assert result.total_hours == pytest.approx(3.5 + witnesses_h)
    assert result.finishes_at == START + timedelta(hours=result.total_hours)
    assert result.memory_bytes_both == 2 * footprint(100_000, 1536).memory_bytes
    assert result.attainable_margin == pytest.approx(0.02, abs=1e-4)
    assert (result.deadline, result.meets_deadline) == (None, None)


def test_hours_are_at_the_upper_end_of_the_interval() -> None:
    result = plan([100.0, 900.0] * 50, 100_000)
    assert result.tokens_high is not None
    assert result.cost_usd_high is not None
    assert result.tokens_high > result.tokens
    assert result.cost_usd_high > result.cost_usd
    assert result.embed_hours == pytest.approx(result.tokens_high / 800_000 / 60, rel=0.003)  # the witnesses' tokens are above
    assert result.embed_hours > result.tokens_high / 800_000 / 60


def test_replicas_multiply_what_is_stored() -> None:
    once, thrice = plan([480.0] * 10, 1000), plan([480.0] * 10, 1000, replicas=3)
    assert thrice.storage_usd_month_both == pytest.approx(3 * once.storage_usd_month_both)


def test_a_deadline_is_met_before_its_day_begins() -> None:
    assert plan([480.0] * 10, 100_000, deadline=date(2027, 1, 2)).meets_deadline is True
    assert plan([480.0] * 10, 100_000, deadline=date(2027, 1, 1)).meets_deadline is False


def test_the_plan_is_json() -> None:
    row = json.loads(json.dumps(plan([480.0], 100_000, deadline=date(2027, 1, 2)).as_dict(), allow_nan=False))
    assert (row["starts_at"], row["deadline"]) == ("2027-01-01T00:00:00+00:00", "2027-01-02")
    assert row["tokens_high"] is None


def test_an_empty_collection_has_no_plan() -> None:
    with pytest.raises(BadInput, match="0 objects were sampled of 0"):
        plan([], 0)
