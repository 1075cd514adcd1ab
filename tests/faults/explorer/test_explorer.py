"""The explorer finds a loss for every rule that is dropped, and none when none is."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.faults import mutants
from tests.faults.explorer.exhausting import Search, Small
from tests.faults.explorer.running import Outcome, replay
from tests.faults.explorer.scenarios import SCENARIOS
from tests.faults.explorer.shrinking import Shrinker
from tests.faults.explorer.walking import walk
from tests.faults.mutants import Mutant

MOST_WALKS = 3_000
"""From its first seed a mutant is found at once today; when the product's calls change, it may take a longer way."""

FINDS: list[tuple[Mutant, str, int]] = [
    (mutants.writers_open_their_rows_afterwards, "writers", 0),
    (mutants.writers_go_on_without_a_certain_row, "writers", 720),
    (mutants.one_row_covers_a_key, "one-router", 20),
    (mutants.without_the_reread_of_live, "writers", 0),
    (mutants.without_the_read_back_of_the_shadow, "lying", 30),
    (mutants.only_the_text_is_compared, "one-router", 20),
    (mutants.unknown_live_writes_are_followed, "writers", 0),
    (mutants.unknown_shadow_writes_are_tried_again, "writers", 80),
    (mutants.ambiguous_live_writes_are_retried, "writers", 270),
    (mutants.owners_do_not_fence_themselves, "paused-owner", 160),
    (mutants.rows_are_closed_by_id_alone, "paused-owner", 565),
    (mutants.the_janitor_takes_over_at_once, "one-router", 10),
    (mutants.claims_keep_the_token, "janitors", 290),
    (mutants.copiers_open_no_rows, "backfill", 120),
    (mutants.copiers_open_no_rows, "parity", 40),
    (mutants.parity_puts_what_is_not_indexed_again, "unindexed", 0),
    (mutants.unknown_operations_finish_at_once, "adoption", 10),
    (mutants.unknown_operations_do_not_count, "adoption", 175),
    (mutants.routers_do_not_mind_their_lease, "adoption", 10),
    (mutants.a_renewed_lease_revives_old_operations, "adoption", 10),
    (mutants.barriers_pass_at_the_moment_of_expiry, "adoption", 195),
    (mutants.acts_do_not_compare_and_set, "rolling-back", 0),
    (mutants.a_new_attempt_takes_the_old_name, "again", 0),
    (mutants.copiers_may_start_after_the_flip, "retire-parity", 10),
    (mutants.nothing_stops_an_expired_router, "retire-parity", 0),
    (mutants.the_flip_ignores_the_journal, "retire", 0),
    (mutants.nobody_undoes_a_freeze, "retire", 0),
]
"""Mutant, scenario, seed of the first walk."""


@pytest.fixture(autouse=True)
def collected_between_runs() -> Iterator[None]:
    """A run leaves cycles behind; to look for them in the middle of runs takes a third of the time."""
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def first_failure(scenario: str, seed: int, most: int = MOST_WALKS) -> tuple[int, Outcome]:
    for number in range(most):
        outcome = walk(SCENARIOS[scenario], seed + number)
        if outcome.broken:
            return seed + number, outcome
        if number % 200 == 199:
            gc.collect()
    pytest.fail(f"{most} walks of {scenario} from seed {seed} on found nothing")


@pytest.mark.parametrize(
    ("mutant", "scenario", "seed"), FINDS, ids=[f"{scenario}-{mutant.__name__}" for mutant, scenario, _ in FINDS]
)
def test_a_dropped_rule_is_found_by_walking_and_by_nothing_without_it(
    monkeypatch: pytest.MonkeyPatch, mutant: Mutant, scenario: str, seed: int
) -> None:
    with monkeypatch.context() as patch:
        mutant(patch)
        found, outcome = first_failure(scenario, seed)
        assert "died of" not in outcome.broken, "a loss, not a mutant that stumbles over itself"
        assert replay(SCENARIOS[scenario], outcome.schedule).broken, "what was recorded is what happened"
    assert walk(SCENARIOS[scenario], found).broken == ""
    assert replay(SCENARIOS[scenario], outcome.schedule, strict=False).broken == ""


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_walks_of_the_product_break_no_promise(scenario: str) -> None:
    for seed in range(20):
        outcome = walk(SCENARIOS[scenario], seed)
        assert outcome.broken == "", f"seed {seed}: {outcome.schedule}"


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_two_runs_of_one_seed_are_identical(scenario: str) -> None:
    assert [walk(SCENARIOS[scenario], seed) for seed in range(3)] == [walk(SCENARIOS[scenario], seed) for seed in range(3)]


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_the_recorded_schedule_replays_the_walk_and_is_recorded_again(scenario: str) -> None:
    for seed in range(3):
        walked = walk(SCENARIOS[scenario], seed)
        replayed = replay(SCENARIOS[scenario], walked.schedule)
        assert (replayed.broken, replayed.steps, replayed.schedule) == (walked.broken, walked.steps, walked.schedule)


def test_all_schedules_of_two_threads_with_one_preemption_break_no_promise() -> None:
    search = Search(SCENARIOS["one-router"], Small(preemptions=1, faults=0, turns=1))
    broken = [outcome for outcome in search.outcomes() if outcome.broken]
    assert broken == []
    assert search.runs > 100


def test_the_exhaustive_search_finds_a_dropped_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    mutants.without_the_reread_of_live(monkeypatch)
    search = Search(SCENARIOS["one-router"], Small(preemptions=1, faults=0, turns=0))
    assert any(outcome.broken for outcome in search.outcomes())


def test_a_failing_schedule_is_shrunk_to_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 1: the application's process dies with a write in flight, and no row says so."""
    mutants.writers_open_their_rows_afterwards(monkeypatch)
    _, outcome = first_failure("writers", 0)
    shrunk = Shrinker(SCENARIOS["writers"]).shrunk(outcome)
    assert shrunk.broken
    assert len(shrunk.schedule) <= 5, shrunk.schedule
    without = [shrunk.schedule[:i] + shrunk.schedule[i + 1 :] for i in range(2, len(shrunk.schedule))]
    assert not any(replay(SCENARIOS["writers"], shorter, strict=False).broken for shorter in without)
