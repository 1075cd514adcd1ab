"""What a native write leaves behind, and how stale the shadow may be because of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vecferry.domain.sweeping import NativeChange, Sweep, native_change, planned_staleness_s, staleness_bound_s

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def sweep(began_s: float, ended_s: float) -> Sweep:
    return Sweep(NOON + timedelta(seconds=began_s), NOON + timedelta(seconds=ended_s))


@pytest.mark.parametrize(
    ("why", "change"),
    [
        (["missing"], NativeChange.NEW),
        (["orphan"], NativeChange.DELETED),
        (["content", "content stamp"], NativeChange.CHANGED),
        (["content", "content stamp", "text"], NativeChange.CHANGED),
    ],
)
def test_a_write_to_live_alone_explains_a_shadow_that_was_right_once(why: list[str], change: NativeChange) -> None:
    assert native_change(why) is change


@pytest.mark.parametrize(
    "why",
    [
        ["content"],  # its own stamp does not say so: somebody changed the shadow
        ["content stamp"],
        ["text"],
        ["space"],
        ["dimensions"],
        ["no vector"],
        ["content", "content stamp", "space"],
        ["foreign vector"],
    ],
    ids=", ".join,
)
def test_no_native_write_explains_what_was_never_right(why: list[str]) -> None:
    assert native_change(why) is None


def test_the_bound_is_two_of_the_slowest_pass_and_the_longest_pause() -> None:
    passes = [sweep(0, 10), sweep(40, 70), sweep(75, 80)]
    assert staleness_bound_s(passes, NOON + timedelta(seconds=81)) == 2 * 30 + 30


def test_a_pause_that_lasts_now_counts() -> None:
    """Nobody sweeps any more: the bound grows with the clock."""
    assert staleness_bound_s([sweep(0, 10)], NOON + timedelta(seconds=10 + 3600)) == 2 * 10 + 3600


def test_there_is_no_bound_before_the_first_pass() -> None:
    assert staleness_bound_s([], NOON) is None


def test_the_plan_says_it_from_the_size() -> None:
    assert planned_staleness_s(1_000_000) == 2 * 1000 + 60
