"""Each step is killed at each of its effects, and run again: the migration ends as if nothing had happened."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.faults.crash.cases import Case, effects_of, every_case
from tests.faults.crash.judging import Undisturbed, judge, undisturbed
from tests.faults.crash.process import READS, Process
from tests.faults.crash.quick_checks import judge_the_same_rows_once
from tests.faults.crash.repeatable import make_repeatable
from tests.faults.crash.roads import ROADS, Road
from tests.faults.crash.world import CrashWorld
from tests.faults.ledgers import LedgerKind, ledger_kind

SEED = 4
IN_SQL = {"sqlite": 24, "postgresql": 10}
"""How many of the cases run there as well; which ones is drawn by ``SEED``."""

CASES = every_case()
WITHOUT_EFFECT = {
    *("create_shadow.ready", "backfill.ready", "verify_parity.ready", "validate_golden_set.ready", "retire.ready"),
    *(f"cut_over_{percent}.ready" for percent in (5, 25, 100)),
}
"""Sensors that only look."""


def drawn(kind: str) -> list[Case]:
    return random.Random(SEED).sample(CASES, IN_SQL[kind])


@pytest.fixture(scope="module", autouse=True)
def repeatable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_repeatable(patch)
        judge_the_same_rows_once(patch)
        yield


@pytest.fixture(scope="module")
def memory() -> LedgerKind:
    return LedgerKind()


@pytest.fixture(scope="module")
def sqlite(request: pytest.FixtureRequest) -> Iterator[LedgerKind]:
    with ledger_kind("sqlite", request) as made:
        yield made


@pytest.fixture(scope="module")
def postgresql(request: pytest.FixtureRequest) -> Iterator[LedgerKind]:
    with ledger_kind("postgresql", request) as made:
        yield made


@pytest.fixture(scope="module")
def wanted(memory: LedgerKind) -> dict[str, Undisturbed]:
    return {road.name: undisturbed(road, memory) for road in ROADS}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_crash_changes_nothing(case: Case, memory: LedgerKind, wanted: dict[str, Undisturbed]) -> None:
    judge(case, memory, wanted[case.road.name])


@pytest.mark.parametrize("case", drawn("sqlite"), ids=str)
def test_a_crash_changes_nothing_on_sqlite(case: Case, sqlite: LedgerKind, wanted: dict[str, Undisturbed]) -> None:
    judge(case, sqlite, wanted[case.road.name])


@pytest.mark.parametrize("case", drawn("postgresql"), ids=str)
def test_a_crash_changes_nothing_on_postgresql(case: Case, postgresql: LedgerKind, wanted: dict[str, Undisturbed]) -> None:
    judge(case, postgresql, wanted[case.road.name])


# --- whether the list of cases is what it says


@pytest.mark.parametrize("road", ROADS, ids=lambda road: road.name)
def test_the_cases_are_the_effects_of_a_run_with_real_checks(road: Road, sqlite: LedgerKind) -> None:
    real = {step.name: effects for step, effects in effects_of(road, sqlite)}
    for name in sorted(road.tried - WITHOUT_EFFECT):
        assert real[name], f"{name} has no effect, so that nothing was killed"
        listed = dict.fromkeys(case.effect for case in CASES if case.step.name == name)
        assert list(listed) == real[name]


def test_what_counts_as_a_read_changes_nothing(monkeypatch: pytest.MonkeyPatch, memory: LedgerKind) -> None:
    """Else it would be an effect that nobody is killed at."""
    call, seen = Process._call, set[tuple[str, str]]()

    def watched(self: Process, port: str, name: str, method: Callable[..., object], *given: object, **named: object) -> object:
        if name not in READS[port]:
            return call(self, port, name, method, *given, **named)
        before = world.fingerprint()
        answer = call(self, port, name, method, *given, **named)
        assert world.fingerprint() == before, f"{port}.{name} changes something"
        seen.add((port, name))
        return answer

    world = CrashWorld(memory)
    monkeypatch.setattr(Process, "_call", watched)
    for step in ROADS[0].steps:
        if step.first is not None:
            step.first(world)
        world.run(step.run)
    world.close()
    assert len(seen) > 20
