"""A backfill slows down by the users' own latency, and by the store's."""

from __future__ import annotations

import pytest

from vecferry.domain.telemetry import latency_bucket
from vecferry.domain.throttle import MOST_PAUSE_S, Histogram, Pace, next_pace


def queries(count: int, latency_ms: float, slow: int = 0, slow_ms: float = 500.0) -> dict[int, int]:
    return {latency_bucket(latency_ms): count - slow, latency_bucket(slow_ms): slow}


def more(before: Histogram, new: Histogram) -> dict[int, int]:
    return {bucket: before.get(bucket, 0) + new.get(bucket, 0) for bucket in before.keys() | new.keys()}


def test_while_users_are_as_before_nothing_pauses() -> None:
    pace = Pace(20.0, queries(1000, 10))
    pace = next_pace(pace, more(pace.seen, queries(100, 11)), 0.01)
    assert (pace.pause_s, pace.why) == (0.0, "")


def test_a_p99_over_the_measure_doubles_the_pause_up_to_an_end_and_it_goes_when_users_are_well() -> None:
    pace, pauses = Pace(20.0, queries(1000, 10)), []
    for _ in range(10):
        pace = next_pace(pace, more(pace.seen, queries(100, 10, slow=5)), 0.01)
        pauses.append(pace.pause_s)
    assert pauses[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert pauses[-1] == MOST_PAUSE_S
    assert "the users' p99" in pace.why
    for _ in range(8):
        pace = next_pace(pace, more(pace.seen, queries(100, 10)), 0.01)
    assert (pace.pause_s, pace.why) == (0.0, "")


def test_the_measure_is_the_agreed_limit() -> None:
    agreed = Pace(600.0, queries(1000, 10))
    assert next_pace(agreed, more(agreed.seen, queries(100, 400)), 0.01).pause_s == 0.0
    assert next_pace(agreed, more(agreed.seen, queries(100, 900)), 0.01).pause_s > 0.0


def test_what_was_slow_long_ago_does_not_hide_in_the_sums_nor_stand_out_of_them() -> None:
    """Counts only grow: the p99 of all that was ever counted would notice a slow hour after another hour."""
    pace = Pace(20.0, queries(1_000_000, 10))
    assert next_pace(pace, more(pace.seen, queries(50, 300)), 0.01).pause_s > 0.0


def test_a_few_queries_are_judged_once_there_are_enough_of_them() -> None:
    pace = Pace(20.0, queries(1000, 10))
    once = next_pace(pace, more(pace.seen, queries(15, 300)), 0.01)
    assert once.pause_s == 0.0
    assert next_pace(once, more(once.seen, queries(30, 300)), 0.01).pause_s > 0.0


def test_a_store_that_answers_slowly_or_not_at_all_counts_as_well() -> None:
    pace = next_pace(Pace(20.0, {}), {}, 0.05)
    assert pace.pause_s == 0.0
    slow = next_pace(pace, pace.seen, 0.4)
    assert slow.pause_s > 0.0
    assert "the store takes 0.40 s" in slow.why
    assert next_pace(pace, pace.seen, 0.2).pause_s == 0.0
    assert next_pace(pace, pace.seen, None).why == "the store does not answer"
