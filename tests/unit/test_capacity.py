"""Deciding about a provider's limits, by literals."""

from __future__ import annotations

import random

import pytest

from vecferry.domain import capacity
from vecferry.domain.capacity import (
    NOTHING,
    Amounts,
    CapacityAnswer,
    CapacityAsk,
    CapacityState,
    RateLimits,
    decide,
    state_of,
    used,
)

LIMITS = RateLimits(requests=100, tokens=10_000)


class Book:
    """One account and model, at a time that the test sets."""

    def __init__(self, limits: RateLimits = LIMITS) -> None:
        self.limits, self.state, self.now_s = limits, CapacityState(), 1000.0

    def ask(self, requests: int = 0, tokens: int = 0, inputs: int = 0, **more: object) -> CapacityAnswer:
        ask = CapacityAsk("account", "m", self.limits, Amounts(requests, tokens, inputs), **more)  # type: ignore[arg-type]
        self.state, answer = decide(self.state, ask, self.now_s)
        return answer

    def tell(self, **more: object) -> CapacityAnswer:
        return self.ask(**more)  # type: ignore[arg-type]


def test_what_fits_is_granted_at_once_and_counted() -> None:
    answer = Book().ask(1, 100, 5)
    assert (answer.granted, answer.wait_s, answer.documents) == (Amounts(1, 100, 5), 0.0, Amounts(1, 100, 5))


def test_without_limits_everything_is_granted() -> None:
    assert Book(RateLimits()).ask(10**6, 10**9, 10**9).wait_s == 0.0


def _granted(dimension: int, until_s: float = 1300) -> list[tuple[float, float, int]]:
    """From when to when each grant may be used, and how much, of workers that always want more."""
    limits = RateLimits(*(1000 if place == dimension else None for place in range(3)))
    book, rng, spans = Book(limits), random.Random(dimension), []
    while book.now_s < until_s:
        amount = rng.randint(5, 30)
        answer = book.ask(*(amount if place == dimension else 1 for place in range(3)), valid_s=0.5)
        if answer.granted == NOTHING:
            book.now_s += answer.wait_s
        else:
            start = book.now_s + answer.wait_s
            spans.append((start, start + 0.5, amount))
            book.now_s += rng.random() * 0.3
    return spans


def _fullest_minute(spans: list[tuple[float, float, int]]) -> int:
    """The fullest minutes begin where a slice may be used for the last time."""
    return max(
        sum(amount for first, _, amount in spans[place : place + 1000] if first < begin + 60 - 1e-6)
        for place, (_, begin, _) in enumerate(spans)
    )


@pytest.mark.parametrize("dimension", [0, 1, 2])
def test_no_sliding_minute_is_granted_more_than_four_fifths_even_when_slices_are_used_at_their_last_moment(
    dimension: int,
) -> None:
    spans = _granted(dimension)
    assert _fullest_minute(spans) <= 800
    assert sum(amount for first, _, amount in spans if 1200 <= first < 1260) >= 0.95 * 800


def test_without_the_time_in_which_a_slice_may_be_used_a_minute_would_hold_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: a slice counts from its grant only."""
    booked = capacity._booked

    def from_the_grant(state: CapacityState, granted: Amounts, slot: int, limits: RateLimits, start_s: float) -> CapacityState:
        return booked(state, granted, int(start_s / capacity.SLOT_S), limits, start_s)

    monkeypatch.setattr(capacity, "_booked", from_the_grant)
    assert _fullest_minute(_granted(0)) > 800


def test_a_pause_is_made_up_for_by_a_tenth_of_a_minute_at_most() -> None:
    book = Book(RateLimits(requests=1000))
    book.ask(1)
    book.now_s += 300
    burst = 0
    while book.ask(1).granted != NOTHING:
        burst += 1
    assert 78 <= burst <= 82


def test_who_may_book_further_ahead_comes_first() -> None:
    book = Book(RateLimits(requests=100))
    while book.ask(1, ahead_s=0.5).granted != NOTHING:
        pass
    write = book.ask(1, ahead_s=30)
    assert write.granted == Amounts(1)
    assert 0 < write.wait_s <= 1.5
    refused = book.ask(1, ahead_s=0.5)
    assert refused.granted == NOTHING
    assert refused.short_of == "requests"
    book.now_s += write.wait_s
    assert book.ask(1, ahead_s=0.0).granted == NOTHING, "the write's turn is not the backfill's"


def test_a_spare_part_is_left_out_where_it_would_make_anybody_wait() -> None:
    book = Book(RateLimits(requests=100))
    assert book.ask(1, spare=Amounts(5)).granted == Amounts(6)
    tokens = Book(RateLimits(tokens=1000))
    assert tokens.ask(1, 500, spare=Amounts(0, 400)).granted == Amounts(1, 500)


def test_a_hold_is_everybodys_and_the_longest_counts() -> None:
    book = Book()
    book.tell(hold_s=30.0)
    book.tell(hold_s=5.0)
    refused = book.ask(1, 10, ahead_s=1.0)
    assert (refused.granted, refused.wait_s) == (NOTHING, 29.0)
    assert "wait" in refused.short_of
    assert book.tell().wait_s == 30.0
    book.now_s += 30
    assert book.ask(1, 10).granted == Amounts(1, 10)


def test_queries_beyond_their_fifth_take_from_the_documents() -> None:
    book = Book(RateLimits(requests=1000))
    book.tell(queries=Amounts(950))
    granted = 0
    while book.ask(1).granted != NOTHING:
        granted += 1
    assert granted == 50
    within = Book(RateLimits(requests=1000))
    within.tell(queries=Amounts(200))
    while within.now_s < 1070:
        within.now_s += within.ask(1).wait_s + 0.01
    assert used(within.state.documents).requests > 700


def test_a_text_larger_than_all_that_there_is_goes_when_nothing_else_is_there() -> None:
    book = Book(RateLimits(tokens=100))
    assert book.ask(1, 5000).granted == Amounts(1, 80)
    assert book.ask(1, 1).granted == NOTHING
    book.now_s += 61
    assert book.ask(1, 5000).granted == Amounts(1, 80)


def test_what_was_not_used_is_given_back_and_what_was_used_beyond_is_counted() -> None:
    book = Book()
    slot = book.ask(1, 500, spare=Amounts(3, 100)).slot
    book.tell(correction=Amounts(-3, -200), corrected_slot=slot)
    assert used(book.state.documents) == Amounts(1, 400)
    book.tell(correction=Amounts(0, 70), corrected_slot=slot)
    assert used(book.state.documents) == Amounts(1, 470)
    book.now_s += 100
    book.tell(correction=Amounts(-1, -470), corrected_slot=slot)
    assert used(book.state.documents) == NOTHING


def test_a_slice_of_somebody_who_died_is_given_back_by_time() -> None:
    book = Book(RateLimits(requests=10))
    assert book.ask(8, valid_s=0.5).granted == Amounts(8)
    book.now_s += 59
    assert book.ask(8).granted == NOTHING
    book.now_s += 1.7
    assert book.ask(8).granted == Amounts(8)


def test_the_smaller_of_the_catalogues_limit_and_the_providers_own_counts_and_the_newest_word_of_the_provider() -> None:
    book = Book(RateLimits(requests=100, tokens=1000))
    assert book.tell(learned=RateLimits(requests=50, tokens=5000, inputs=70)).limits == RateLimits(50, 1000, 70)
    assert book.tell(learned=RateLimits(requests=200)).limits == RateLimits(100, 1000, 70)


def test_a_state_survives_the_ledger() -> None:
    book = Book()
    book.ask(1, 100, 5)
    book.tell(queries=Amounts(1, 10, 1), hold_s=3.0, learned=RateLimits(tokens=70))
    assert state_of(book.state.as_json()) == book.state
