"""Bounds of a rate hold however often one looks."""

from __future__ import annotations

import numpy as np
import pytest

from vecferry.domain.rate_bounds import rate_bounds

SEED = 20261102


def test_bounds_enclose_the_observed_rate_and_narrow_with_more_trials() -> None:
    few, many = rate_bounds(5, 100), rate_bounds(500, 10_000)
    assert 0 < few[0] < many[0] < 0.05 < many[1] < few[1] < 1


def test_nothing_and_everything_leave_one_side_open() -> None:
    assert rate_bounds(0, 0) == (0.0, 1.0)
    assert rate_bounds(0, 50)[0] == 0.0
    assert rate_bounds(50, 50)[1] == 1.0
    assert 0.03 < rate_bounds(0, 100)[1] < 0.06


def test_certainty_takes_more_than_one_bad_query() -> None:
    assert rate_bounds(1, 20)[0] < 0.01
    assert rate_bounds(5, 100)[0] < 0.01 < rate_bounds(6, 100)[0]


def test_more_events_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="3 events in 2 trials"):
        rate_bounds(3, 2)


def test_looking_after_every_query_raises_a_false_alarm_in_less_than_5_percent_of_the_canaries() -> None:
    """At a true rate at the limit itself; bounds made for one look would do so in some 20%."""
    print("seed", SEED)
    limit, runs, length = 0.02, 400, 1_000
    rng = np.random.default_rng(SEED)
    fewest = [next((k for k in range(n + 1) if rate_bounds(k, n)[0] > limit), n + 1) for n in range(10, length, 10)]
    counts = (rng.random((runs, length)) < limit).cumsum(axis=1)[:, 9 : length - 1 : 10]
    assert (counts >= np.array(fewest)).any(axis=1).mean() <= 0.05
