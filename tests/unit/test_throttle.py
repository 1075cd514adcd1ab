"""A backfill slows down by the users' own latency, and by the store's."""

from __future__ import annotations

import pytest

from vecferry.domain.telemetry import latency_bucket
from vecferry.domain.throttle import FEWEST_KEYS, MOST_PAUSE_S, Histogram, Pace, next_pace


def queries(count: int, latency_ms: float, slow: int = 0, slow_ms: float = 500.0) -> dict[int, int]:
    return {latency_bucket(latency_ms): count - slow, latency_bucket(slow_ms): slow}


def more(before: Histogram, new: Histogram) -> dict[int, int]:
    return {bucket: before.get(bucket, 0) + new.get(bucket, 0) for bucket in before.keys() | new.keys()}


def looked(pace: Pace, new: Histogram, times: int = 1, store_s: float | None = 0.01) -> list[Pace]:
    paces = [pace]
    for _ in range(times):
        paces.append(next_pace(paces[-1], more(paces[-1].seen, new), store_s))
    return paces[1:]


CALM, SLOW = queries(100, 10), queries(100, 10, slow=5)


def test_it_begins_small_and_doubles_while_users_are_as_before() -> None:
    paces = looked(Pace(20.0, queries(1000, 10), 100), CALM, 6)
    assert [pace.keys for pace in paces] == [16, 32, 64, 100, 100, 100]
    assert {(pace.pause_s, pace.why) for pace in paces} == {(0.0, "")}


def test_when_users_suffer_it_goes_back_to_half_and_grows_slowly_from_there() -> None:
    (hurt,) = looked(Pace(20.0, {}, 250, keys=64), SLOW)
    assert (hurt.keys, hurt.pause_s) == (32, 0.0)
    assert "the users' p99" in hurt.why
    assert [pace.keys for pace in looked(hurt, CALM, 4)] == [36, 40, 45, 50]
    again = looked(looked(hurt, SLOW)[0], CALM, 2)
    assert [pace.keys for pace in again] == [18, 20]


def test_at_the_smallest_pages_it_pauses_longer_and_longer_up_to_an_end_and_no_more_when_users_are_well() -> None:
    paces = looked(Pace(20.0, {}, 250, keys=16), SLOW, 11)
    assert [pace.pause_s for pace in paces[:5]] == pytest.approx([0.0, 0.1, 0.2, 0.4, 0.8])
    assert paces[-1].pause_s == MOST_PAUSE_S
    assert {pace.keys for pace in paces} == {FEWEST_KEYS}
    assert [pace.pause_s for pace in looked(paces[-1], CALM, 9)[-2:]] == [0.0, 0.0]


def test_where_nobody_asks_nobody_suffers_and_too_few_to_judge_leave_it_as_it_is() -> None:
    pace = Pace(20.0, {}, 250)
    assert looked(pace, {})[0].keys == 16
    few = looked(pace, queries(5, 900))[0]
    assert few.keys == FEWEST_KEYS
    assert next_pace(few, queries(5, 900), 0.01).keys == 16, "no more of them come, and nobody asks"
    assert looked(Pace(20.0, {}, 250, pause_s=10.0, unjudged=7), queries(7, 10))[0].pause_s == 5.0


def test_the_measure_is_the_agreed_limit() -> None:
    agreed = Pace(600.0, queries(1000, 10), 250, keys=64)
    assert looked(agreed, queries(100, 400))[0].keys > 64
    assert looked(agreed, queries(100, 900))[0].keys < 64


def test_what_was_slow_long_ago_does_not_hide_in_the_sums_nor_stand_out_of_them() -> None:
    """Counts only grow: the p99 of all that was ever counted would notice a slow hour after another hour."""
    pace = Pace(20.0, queries(1_000_000, 10), 250, keys=64)
    assert looked(pace, queries(50, 300))[0].keys < 64


def test_a_few_queries_are_judged_once_there_are_enough_of_them() -> None:
    pace = Pace(20.0, queries(1000, 10), 250, keys=64)
    (once,) = looked(pace, queries(15, 300))
    assert once.keys == 64
    assert looked(once, queries(30, 300))[0].keys < 64


def test_a_store_that_answers_slowly_or_not_at_all_counts_as_well() -> None:
    (pace,) = looked(Pace(20.0, {}, 250, keys=64), {}, store_s=0.05)
    (slow,) = looked(pace, {}, store_s=0.4)
    assert slow.keys < pace.keys
    assert "the store takes 0.40 s" in slow.why
    assert looked(pace, {}, store_s=0.2)[0].keys > pace.keys
    assert looked(pace, {}, store_s=None)[0].why == "the store does not answer"
