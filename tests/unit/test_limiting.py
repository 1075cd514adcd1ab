"""One limiter for all workers: simulated ones, on one ledger, in time that the test owns."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.support.limited_workers import CountedLedger, Worker, World
from vecferry.adapters.embedders.deadline import Deadline
from vecferry.adapters.embedders.limiting import SharedLimiter
from vecferry.adapters.embedders.own_capacity import OwnCapacity
from vecferry.adapters.embedders.rate_headers import RateHeaders
from vecferry.adapters.embedders.retrying import retried
from vecferry.adapters.memory.clock import ManualClock
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.domain.capacity import Amounts, RateLimits
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.request_limits import request_limits
from vecferry.errors import Retryable
from vecferry.ports import Purpose

LIMITS = {"requests_per_minute": 3000, "tokens_per_minute": 200_000}
Size = Callable[[random.Random], tuple[int, int]]


def world(seed: int = 0, **limits: int) -> World:
    clock = ManualClock()
    card = ModelCard("acme", "m", "openai", 8, **(limits or LIMITS))  # type: ignore[arg-type]
    return World(card, clock, CountedLedger(MemoryLedger(clock)), seed)


def batches(some: World) -> Size:
    """As the batching makes them: nearly full, never over."""
    most = request_limits(some.card).tokens
    return lambda rng: (20, rng.randint(int(most * 0.85), most))


def one_text(tokens: int = 20) -> Size:
    return lambda _: (1, tokens)


def workers(count: int, size: Size, **more: object) -> list[Worker]:
    return [Worker(f"w{place}", size, **more) for place in range(count)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "seed"), [(1, 1), (4, 2), (12, 3)])
def test_workers_together_use_98_of_100_tokens_and_no_minute_holds_more(count: int, seed: int) -> None:
    some = world(seed)
    some.add(*workers(count, batches(some)))
    some.add(Worker("router", one_text(12), Purpose.QUERY, every_s=0.5))
    some.run(200)
    share = some.total(80, 200).tokens / (2 * 160_000)
    assert share >= 0.98, f"{share:.4f} with seed {seed}"
    assert some.fullest_minute(queries=False).tokens <= 160_000
    assert some.fullest_minute().tokens <= 200_000
    assert some.ledger.trips / 200 <= 4 * count


@pytest.mark.parametrize("count", [4, 12])
def test_workers_together_use_98_of_100_requests_with_few_trips_to_the_ledger(count: int) -> None:
    some = world()
    some.add(*workers(count, one_text(), latency_s=0.02))
    some.run(150)
    share = some.total(90, 150).requests / 2400
    assert share >= 0.98, f"{share:.4f}"
    assert some.fullest_minute().requests <= 2400
    assert some.ledger.trips / 150 <= 4 * count


def test_queries_never_wait_and_never_ask_the_ledger() -> None:
    some = world()
    some.add(*workers(4, batches(some)))
    some.add(*(Worker(f"r{place}", one_text(12), Purpose.QUERY, latency_s=0.01, every_s=1.0) for place in range(5)))
    some.run(60)
    assert all(wait_s == 0 for wait_s, sent in some.waits if sent.purpose is Purpose.QUERY)
    alone = world()
    alone.add(Worker("router", one_text(12), Purpose.QUERY, latency_s=0.01, every_s=0.1))
    alone.run(60)
    assert len(alone.sent) >= 590
    assert alone.ledger.trips <= 15, "only reports"


def test_a_hundred_routers_may_use_what_is_kept_for_queries_however_it_falls_on_them() -> None:
    some = world(requests_per_minute=3000)
    some.add(*workers(4, one_text(), latency_s=0.02))
    some.add(*(Worker(f"r{place}", one_text(), Purpose.QUERY, every_s=60.0) for place in range(99)))
    some.add(Worker("busy", one_text(), Purpose.QUERY, latency_s=0.01, every_s=0.125))
    some.run(150)
    assert all(wait_s == 0 for wait_s, sent in some.waits if sent.purpose is Purpose.QUERY)
    assert some.fullest_minute().requests <= 3000
    assert some.total(90, 150).requests >= 0.98 * 2400


def test_documents_yield_to_queries_beyond_their_fifth() -> None:
    some = world(requests_per_minute=600)
    some.add(*workers(4, one_text(), latency_s=0.02))
    some.add(*(Worker(f"r{place}", one_text(), Purpose.QUERY, latency_s=0.01, every_s=0.5, from_s=60) for place in range(4)))
    some.run(300)
    assert all(wait_s == 0 for wait_s, sent in some.waits if sent.purpose is Purpose.QUERY)
    assert some.total(180, 240, queries=True).requests == pytest.approx(480, abs=8)
    assert some.total(180, 240).requests + some.total(180, 240, queries=True).requests <= 600 + 16  # as told 2 s later


def test_a_dual_write_waits_for_no_more_than_what_backfill_has_booked() -> None:
    some = world()
    some.add(*workers(4, batches(some)))
    some.add(Worker("writer", one_text(100), Purpose.WRITE, latency_s=0.05, every_s=2.0))
    some.run(180)
    waits = sorted(wait_s for wait_s, sent in some.waits if sent.purpose is Purpose.WRITE)
    assert len(waits) >= 80
    assert waits[-1] <= 1.5
    assert some.total(120, 180).tokens >= 0.98 * 160_000


def test_backfill_gets_what_dual_writes_leave() -> None:
    some = world(requests_per_minute=600)
    some.add(*workers(4, one_text(), latency_s=0.01))
    some.add(*(Worker(f"x{place}", one_text(), Purpose.WRITE, latency_s=0.01) for place in range(20)))
    some.run(240)
    written = [one for one in some.sent if one.purpose is Purpose.WRITE and one.at_s >= 120]
    assert len(written) >= 0.9 * 2 * 480


def test_a_429_holds_all_workers_for_as_long_as_it_says() -> None:
    some = world()
    some.add(*workers(4, batches(some)))
    some.run(30)
    one = some.limiter()
    one.hold(20)
    some.run(60)
    held = [sent for sent in some.sent if 30 + 0.6 < sent.at_s < 50 - 1e-3]
    assert held == []
    assert some.total(50, 60).tokens > 0
    assert not one.attempt(Purpose.QUERY, Amounts(1, 1, 1), 1).wait_s


def test_what_a_dead_worker_had_is_used_by_the_others() -> None:
    some = world()
    some.add(*workers(3, batches(some)))
    some.add(Worker("dies", batches(some), dies_s=90))
    some.run(210)
    assert some.total(150, 210).tokens >= 0.98 * 160_000
    assert some.fullest_minute().tokens <= 160_000


def test_without_the_ledger_documents_wait_and_queries_go_on() -> None:
    some = world()
    some.add(*workers(4, batches(some)))
    some.add(Worker("router", one_text(12), Purpose.QUERY, every_s=0.5))
    some.run(30)
    some.ledger.away = True
    some.run(60)
    assert [one for one in some.sent if one.at_s > 30.6 and one.purpose is not Purpose.QUERY] == []
    assert some.total(31, 60, queries=True).requests >= 55
    some.ledger.away = False
    some.run(70)
    assert some.total(60, 70).tokens > 0
    assert all(wait_s == 0 for wait_s, sent in some.waits if sent.purpose is Purpose.QUERY)


def test_what_queries_used_while_the_ledger_was_away_is_told_afterwards() -> None:
    some = world()
    router = some.limiter()
    some.add(Worker("router", one_text(12), Purpose.QUERY, every_s=1.0, limiter=router))
    some.ledger.away = True
    some.run(10)
    some.ledger.away = False
    some.run(20)
    router.report()
    answer = some.limiter()._tell()
    assert answer.queries.requests == len(some.sent)


def test_who_has_nothing_to_tell_asks_nobody() -> None:
    some = world()
    router = some.limiter()
    router.report()
    assert some.ledger.trips == 0
    assert router.attempt(Purpose.QUERY, Amounts(1, 12, 1), 1).go
    router.report()
    some.run(30)
    assert some.ledger.trips == 1, "the report that was due later has nothing more to tell"


# one of them


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def limiter(clock: ManualClock, **limits: int) -> SharedLimiter:
    card = ModelCard("acme", "m", "openai", 8, **limits)  # type: ignore[arg-type]
    return SharedLimiter(card, "account", OwnCapacity(clock), clock, later=lambda _, task: task())


def take(some: SharedLimiter, clock: ManualClock, purpose: Purpose = Purpose.BACKFILL, *, within_s: float = 0.001) -> bool:
    try:
        some.acquire(purpose, tokens=1, inputs=1, deadline=Deadline(clock, within_s))
    except Retryable:
        return False
    return True


def test_without_limits_nothing_waits_and_the_ledger_is_asked_once_a_second() -> None:
    some = world(max_tokens=10)
    some.add(*workers(1, one_text(10**9), latency_s=0.01))
    some.run(10)
    assert len(some.sent) >= 900
    assert some.ledger.trips <= 12


def test_a_wait_longer_than_the_call_may_take_is_said_at_once_with_its_length(clock: ManualClock) -> None:
    some = limiter(clock, requests_per_minute=10)
    while take(some, clock):
        pass
    before = clock.monotonic()
    with pytest.raises(Retryable, match="the limit of requests a minute leaves no room") as caught:
        some.acquire(Purpose.BACKFILL, tokens=1, inputs=1, deadline=Deadline(clock, 1.0))
    assert caught.value.retry_after_s is not None
    assert 0.5 < caught.value.retry_after_s < 60
    assert clock.monotonic() == before


def test_a_wait_that_fits_is_waited_for(clock: ManualClock) -> None:
    some = limiter(clock, requests_per_minute=60)
    while take(some, clock):
        pass
    before = clock.monotonic()
    assert take(some, clock, within_s=30)
    assert 0 < clock.monotonic() - before < 30


def test_queries_alone_wait_only_for_the_whole_limit(clock: ManualClock) -> None:
    some = limiter(clock, requests_per_minute=100)
    assert all(take(some, clock, Purpose.QUERY) for _ in range(100))
    assert not take(some, clock, Purpose.QUERY)
    assert take(some, clock, Purpose.QUERY, within_s=61)


@pytest.mark.parametrize("limit", [1, 2, 4, 5])
def test_tiny_limits_let_everybody_through_in_the_end(clock: ManualClock, limit: int) -> None:
    some = limiter(clock, requests_per_minute=limit)
    assert all(take(some, clock, purpose, within_s=300) for purpose in (Purpose.BACKFILL, Purpose.QUERY, Purpose.WRITE))


def test_tokens_billed_beyond_the_estimate_are_taken_off_and_those_below_given_back() -> None:
    some = world(tokens_per_minute=1000)
    one = some.limiter()
    assert one.attempt(Purpose.BACKFILL, Amounts(1, 400, 1), 1).go
    one.answered(Purpose.BACKFILL, estimated=400, billed=700, said=None)
    assert one._tell().documents.tokens == 700
    one.answered(Purpose.BACKFILL, estimated=400, billed=300, said=None)
    assert one._tell().documents.tokens == 600


def test_a_limit_that_the_provider_names_is_everybodys() -> None:
    some = world()
    one, other = some.limiter(), some.limiter()
    said = RateHeaders(RateLimits(requests=30), RateLimits(requests=29))
    one.answered(Purpose.BACKFILL, estimated=1, billed=1, said=said)
    some.run(3)
    assert other._tell().limits == RateLimits(30, 200_000)


def test_little_left_by_the_providers_own_count_holds_documents_until_there_is_more() -> None:
    some = world()
    one = some.limiter()
    said = RateHeaders(RateLimits(tokens=200_000), RateLimits(tokens=1000))
    one.answered(Purpose.BACKFILL, estimated=1, billed=1, said=said)
    some.run(0.1)
    turn = some.limiter().attempt(Purpose.BACKFILL, Amounts(1, 1, 1), 0.1)
    assert not turn.go
    assert 0.2 < turn.wait_s < 1.0


def test_a_request_is_a_small_part_of_a_minute_and_requests_do_not_run_out_before_tokens() -> None:
    card = ModelCard("a", "m", "cohere", 8, inputs_per_minute=3000, tokens_per_minute=1_500_000, inputs_per_request=500)
    assert (request_limits(card).inputs, request_limits(card).tokens) == (20, 10_000)
    few = ModelCard("a", "m", "openai", 8, requests_per_minute=100, tokens_per_minute=1_500_000)
    assert request_limits(few).tokens == 30_000
    free = ModelCard("a", "m", "cohere", 8)
    assert (request_limits(free).inputs, request_limits(free).tokens) == (96, 300_000)


def test_a_retry_after_is_waited_for_as_a_whole_and_no_longer_than_the_deadline(clock: ManualClock) -> None:
    times: list[float] = []

    def limited() -> None:
        times.append(clock.monotonic())
        raise Retryable("slow down", retry_after_s=70)

    with pytest.raises(Retryable):
        retried(limited, Deadline(clock, 200))
    assert times == [0, 70, 140]
