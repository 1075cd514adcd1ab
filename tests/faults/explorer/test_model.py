"""The explorer's own model: what it lets happen is what the protocol assumes, no more and no less."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.explorer.choices import read, written
from tests.faults.explorer.determinism import deterministic
from tests.faults.explorer.history import History
from tests.faults.explorer.running import Run
from tests.faults.explorer.scenarios import SCENARIOS
from tests.faults.explorer.templates import TIMINGS
from tests.support.memory_world import key_of


@pytest.fixture
def run() -> Iterator[Run]:
    with deterministic():
        made = Run(SCENARIOS["writers"], {"W0": ["put b"], "W1": []})
        yield made
        made.close()


def live_body(run: Run) -> str | None:
    found = run.world.raw_store.read("Docs", [key_of("b")]).get(key_of("b"))
    return None if found is None else str(found.properties["body"])


def test_a_ghost_lands_at_q_after_it_was_sent_at_the_latest(run: Run) -> None:
    run.follow("W0 to put L")
    run.world.engine.pass_time(TIMINGS.quarantine_s / 2)
    run.follow("crash W0 in flight")
    assert live_body(run) is None
    run.world.engine.pass_time(TIMINGS.quarantine_s / 2)
    assert live_body(run) == "W0 0"
    assert not run.world.engine.ghosts


def test_a_pause_between_check_and_send_counts_inside_q(run: Run) -> None:
    run.follow("W0 to put L")
    run.world.engine.pass_time(TIMINGS.quarantine_s)
    assert live_body(run) == "W0 0", "whoever is parked at a write has sent it"
    assert run.world.engine.actors["W0"].label == "put L done"


def test_a_statement_of_the_ledger_may_be_sent_as_late_as_its_sender_likes(run: Run) -> None:
    run.follow("W0 to open_rows ledger")
    run.world.engine.pass_time(10 * TIMINGS.quarantine_s)
    assert run.world.engine.actors["W0"].label == "open_rows ledger"


def test_a_crash_takes_every_thread_of_the_process_and_what_it_had_not_sent(run: Run) -> None:
    run.follow("A.poll to snapshot ledger")
    run.follow("W0 to put L")
    run.follow("crash W0")
    assert run.world.engine.actors["A.poll"].ended
    run.world.engine.pass_time(10 * TIMINGS.quarantine_s)
    assert live_body(run) is None


def test_live_routers_keep_their_lease_while_time_passes_and_stopped_ones_lose_it(run: Run) -> None:
    run.follow("stop A")
    run.world.engine.pass_time(2 * TIMINGS.lease_s)
    valid = {name: router._membership.valid for name, router in run.world.routers.items()}
    assert valid == {"A": False, "B": True}


def test_choices_are_read_as_they_are_written() -> None:
    choices = [("run", "W0"), ("crash in flight", "J1"), ("time out", "W0"), ("land", "W0's put L"), ("pass", "lease + Q")]
    assert [read(written(choice)) for choice in choices] == choices


@pytest.mark.parametrize(
    ("outcome", "end", "allowed"),
    [("acknowledged", 2, False), ("unknown", 2, False), ("unknown", 5, True), ("refused", 2, False)],
)
def test_an_older_value_is_allowed_only_while_its_write_may_still_take_effect(outcome: str, end: int, allowed: bool) -> None:
    history = History()
    older = history.begin("older", "a", {"body": "old"}, 1)
    older.outcome, older.end = outcome, end
    newer = history.begin("newer", "a", {"body": "new"}, 4)
    newer.outcome, newer.end = "acknowledged", 6
    assert (history.why_impossible("a", "body", "old") is None) is allowed
    assert history.why_impossible("a", "body", "new") is None
    assert history.why_impossible("a", "body", "nobody's") == "nobody wrote that"
