"""The t distribution agrees with the tables."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from vecferry.domain.student_t import cdf, quantile

# NIST/SEMATECH e-Handbook §1.3.6.7.2 gives these to three digits; the further digits are scipy.stats.t.ppf's (1.17.1).
TABLE = [
    (0.95, 1, 6.313751514675043),
    (0.975, 1, 12.706204736432095),
    (0.995, 1, 63.65674116287399),
    (0.95, 2, 2.919985580353726),
    (0.975, 2, 4.302652729696142),
    (0.95, 5, 2.015048373333024),
    (0.975, 10, 2.228138851986274),
    (0.95, 29, 1.699127026533498),
    (0.99, 30, 2.457261542400591),
    (0.95, 99, 1.660391156017),
    (0.95, 199, 1.652546746165),
    (0.975, 1000, 1.962339080829),
]


@pytest.mark.parametrize(("probability", "df", "expected"), TABLE)
def test_quantiles_agree_with_tabulated_values(probability: float, df: int, expected: float) -> None:
    assert quantile(probability, df) == pytest.approx(expected, abs=1e-6)
    assert quantile(1 - probability, df) == pytest.approx(-expected, abs=1e-6)


@pytest.mark.parametrize("probability", [0.6, 0.9, 0.95, 0.999, 0.9999])
def test_quantiles_of_one_and_two_degrees_agree_with_their_closed_forms(probability: float) -> None:
    cauchy = math.tan(math.pi * (probability - 0.5))
    assert quantile(probability, 1) == pytest.approx(cauchy, rel=1e-9)
    two = (2 * probability - 1) * math.sqrt(2 / (4 * probability * (1 - probability)))
    assert quantile(probability, 2) == pytest.approx(two, rel=1e-9)


@pytest.mark.parametrize("df", [1, 3, 17.5, 400, 99_999])
def test_the_quantile_inverts_the_distribution(df: float) -> None:
    for probability in (0.001, 0.05, 0.5, 0.7, 0.95, 0.9999):
        assert cdf(quantile(probability, df), df) == pytest.approx(probability, abs=1e-9)


def test_both_ways_of_computing_agree_where_they_meet_and_end_at_the_normal() -> None:
    assert quantile(0.95, 99_999) == pytest.approx(quantile(0.95, 100_001), abs=1e-8)
    assert quantile(0.95, 1e12) == pytest.approx(NormalDist().inv_cdf(0.95), abs=1e-9)


def test_impossible_questions_are_refused() -> None:
    for probability, df in ((0.0, 5), (1.0, 5), (0.95, 0)):
        with pytest.raises(ValueError, match="no t quantile"):
            quantile(probability, df)
