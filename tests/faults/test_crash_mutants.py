"""Crash anywhere has teeth: a step that a crash breaks turns the case red that kills it there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.crash import crash_mutants as mutants
from tests.faults.crash.cases import Case, cases_of
from tests.faults.crash.judging import judge, undisturbed
from tests.faults.crash.quick_checks import judge_the_same_rows_once
from tests.faults.crash.repeatable import make_repeatable
from tests.faults.crash.roads import ROADS
from tests.faults.fault_world import Broken
from tests.faults.ledgers import LedgerKind
from vecferry.errors import NeedsPerson

Mutant = Callable[[pytest.MonkeyPatch], None]

FINDS: list[tuple[Mutant, str, str, type[BaseException], str]] = [
    (mutants.publishes_its_routing_again, "cut_over_25.act", "ledger.move-after", Broken, "routings"),
    (mutants.checkpoints_before_it_copies, "backfill.chunk_1", "ledger.checkpoint-after", Broken, "alarms"),
    (mutants.refuses_its_own_shadow, "create_shadow.act", "store.create-after", NeedsPerson, "is not this migration's"),
    (
        mutants.copies_without_rows,
        "verify_parity.act",
        "store.put_batch-late-written",
        AssertionError,
        "missing|content|orphan",
    ),
    (
        mutants.forgets_the_shadow_of_a_discarded_migration,
        "discard.act",
        "ledger.move-after",
        AssertionError,
        "asked shadow has holds False",
    ),
    (mutants.leaves_the_old_collection_open, "retire.act", "ledger.flip-after", Broken, "schemas"),
    (mutants.moves_aliases_with_its_own_flip_only, "retire.act", "store.set_alias-after", Broken, "aliases"),
    (
        mutants.holds_only_what_it_has_just_created,
        "kept.create_shadow.act",
        "store.create-after",
        AssertionError,
        "create_shadow",
    ),
    (mutants.lets_go_with_its_own_flip_only, "kept.retire.act", "ledger.flip-after", Broken, "schemas"),
    (mutants.forgets_a_trial_that_came_later, "kept.plan.act", "store.create-late", Broken, "orphan"),
    (mutants.tells_of_no_flip_but_its_own, "retire.act", "ledger.flip-after", Broken, "events"),
    (mutants.pays_before_it_looks, "backfill.chunk_0", "store.put_batch-after", Broken, "paid for twice"),
    (mutants.judges_what_a_dead_owner_left, "verify_parity.act", "ledger.open_rows-after", AssertionError, "verify_parity"),
]


@pytest.fixture(autouse=True)
def repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    make_repeatable(monkeypatch)
    judge_the_same_rows_once(monkeypatch)


@pytest.mark.parametrize(("mutant", "step", "place", "error", "says"), FINDS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_crash_finds_its_mutant(
    monkeypatch: pytest.MonkeyPatch, mutant: Mutant, step: str, place: str, error: type[BaseException], says: str
) -> None:
    """What the mutant's own run shows is what is killed."""
    road = next(road for road in ROADS if step in road.tried)
    wanted = undisturbed(road, LedgerKind())
    mutant(monkeypatch)
    case = _case(cases_of(road), step, place)
    with pytest.raises(error, match=says):
        judge(case, LedgerKind(), wanted)


def _case(cases: Iterator[Case], step: str, place: str) -> Case:
    """The step's first effect of that kind."""
    return next(case for case in cases if case.step.name == step and str(case).endswith(place))
