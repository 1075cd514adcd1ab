import threading

import pytest

from vecferry.adapters.embedders.deadline import Deadline
from vecferry.adapters.embedders.limiting import LocalLimiter, request_limits
from vecferry.adapters.embedders.retrying import retried
from vecferry.adapters.memory.clock import ManualClock
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import Retryable
from vecferry.ports import Purpose


@pytest.fixture
def clock():
    return ManualClock()


def limiter(clock, **limits):
    return LocalLimiter(ModelCard("acme", "m", "openai", 8, **({"max_tokens": 10} | limits)), clock)


def take(some, clock, purpose=Purpose.BACKFILL, *, tokens=1, inputs=1, within_s=0.001):
    try:
        some.acquire(purpose, tokens=tokens, inputs=inputs, deadline=Deadline(clock, within_s))
    except Retryable:
        return False
    return True


def how_many(some, clock, purpose, seconds, **weights):
    """Passed within so many seconds, asking without a pause."""
    ends, passed = clock.monotonic() + seconds, 0
    while clock.monotonic() < ends:
        passed += take(some, clock, purpose, **weights)
        clock.advance(0.01)
    return passed


@pytest.mark.parametrize(
    ("limits", "weights", "units"),
    [
        ({"requests_per_minute": 100}, {}, 1),
        ({"inputs_per_minute": 1000}, {"inputs": 10}, 10),
        ({"tokens_per_minute": 1000}, {"tokens": 10}, 10),
    ],
)
def test_backfill_stays_below_four_fifths_of_each_limit_in_every_minute(clock, limits, weights, units):
    some = limiter(clock, **limits)
    for _ in range(3):
        passed = how_many(some, clock, Purpose.BACKFILL, 60, **weights) * units
        allowed = next(iter(limits.values())) * 0.8
        assert 0.85 * allowed <= passed <= allowed + units


def test_all_together_stay_below_the_limit(clock):
    some = limiter(clock, requests_per_minute=100)
    passed = 0
    for _ in range(6000):
        passed += take(some, clock, Purpose.BACKFILL) + take(some, clock, Purpose.QUERY)
        clock.advance(0.01)
    assert 85 <= passed <= 101


def test_queries_find_room_when_backfill_has_taken_all_it_can(clock):
    some = limiter(clock, requests_per_minute=100)
    while take(some, clock, Purpose.BACKFILL):
        pass
    assert take(some, clock, Purpose.QUERY)
    assert not take(some, clock, Purpose.WRITE)


def test_without_limits_nothing_waits(clock):
    some = limiter(clock)
    assert all(take(some, clock, tokens=10**9, inputs=10**6) for _ in range(100))


def test_a_wait_longer_than_the_call_may_take_is_said_at_once_with_its_length(clock):
    some = limiter(clock, requests_per_minute=10)
    while take(some, clock):
        pass
    before = clock.monotonic()
    with pytest.raises(Retryable, match="the limit of requests a minute leaves no room") as caught:
        some.acquire(Purpose.BACKFILL, tokens=1, inputs=1, deadline=Deadline(clock, 1.0))
    assert 1.0 < caught.value.retry_after_s < 60
    assert clock.monotonic() == before


def test_a_wait_that_fits_is_waited_for(clock):
    some = limiter(clock, requests_per_minute=60)
    while take(some, clock):
        pass
    before = clock.monotonic()
    assert take(some, clock, within_s=30)
    assert 0 < clock.monotonic() - before < 30


def test_a_text_larger_than_what_may_be_spent_at_once_still_passes(clock):
    some = limiter(clock, tokens_per_minute=100)
    assert take(some, clock, tokens=5000, within_s=120)


@pytest.mark.parametrize("limit", [1, 2, 4, 5])
def test_tiny_limits_let_everybody_through_in_the_end(clock, limit):
    some = limiter(clock, requests_per_minute=limit)
    assert all(take(some, clock, purpose, within_s=300) for purpose in (Purpose.BACKFILL, Purpose.QUERY, Purpose.WRITE))


def test_after_a_retry_after_nobody_but_queries_sends(clock):
    some = limiter(clock)
    some.hold(30)
    assert not take(some, clock, Purpose.BACKFILL, within_s=29)
    assert not take(some, clock, Purpose.WRITE, within_s=29)
    assert take(some, clock, Purpose.QUERY)
    assert take(some, clock, Purpose.BACKFILL, within_s=31)
    assert clock.monotonic() == pytest.approx(30)


class ParkingClock(ManualClock):
    """``sleep`` of the thread that is to be parked waits for the test."""

    def __init__(self):
        super().__init__()
        self.parked, self.go = threading.Event(), threading.Event()

    def sleep(self, seconds):
        if threading.current_thread().name == "writer":
            self.parked.set()
            assert self.go.wait(10), "the test never let the writer go on"
        super().sleep(seconds)


def test_backfill_steps_aside_while_a_write_waits():
    clock = ParkingClock()
    some = limiter(clock, requests_per_minute=60)
    while take(some, clock):
        pass
    writer = threading.Thread(target=take, args=(some, clock, Purpose.WRITE), kwargs={"within_s": 60}, name="writer")
    writer.start()
    assert clock.parked.wait(10), "the writer did not come to wait"
    clock.advance(5)
    assert not take(some, clock, Purpose.BACKFILL)
    clock.go.set()
    writer.join(10)
    assert take(some, clock, Purpose.BACKFILL)


def test_a_request_is_never_more_than_half_of_what_passes_at_once():
    card = ModelCard("a", "m", "cohere", 8, inputs_per_minute=2000, tokens_per_minute=1_000_000, inputs_per_request=500)
    assert (request_limits(card).inputs, request_limits(card).tokens) == (100, 50_000)
    free = ModelCard("a", "m", "cohere", 8)
    assert (request_limits(free).inputs, request_limits(free).tokens) == (96, 300_000)


def test_a_retry_after_is_waited_for_as_a_whole_and_no_longer_than_the_deadline(clock):
    def limited():
        times.append(clock.monotonic())
        raise Retryable("slow down", retry_after_s=70)

    times = []
    with pytest.raises(Retryable):
        retried(limited, Deadline(clock, 200))
    assert times == [0, 70, 140]
    assert clock.monotonic() == 140
