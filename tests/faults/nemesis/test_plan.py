"""The plan of a seed is the same every time, and a run's plans meet every fault in every phase."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.nemesis.plan import FAULTS, PHASES, QUARANTINE_S, plan_of

RUN = [plan_of(seed) for seed in range(1, 51)]


@pytest.mark.parametrize("seed", [1, 2, 7, 50])
def test_a_seed_gives_the_same_plan_every_time(seed: int) -> None:
    assert plan_of(seed) == plan_of(seed)


def test_two_seeds_differ() -> None:
    assert len({str(plan.injections) for plan in RUN}) == len(RUN)


def test_ledgers_alternate_and_every_road_is_taken() -> None:
    assert Counter(plan.ledger for plan in RUN) == {"postgresql": 25, "sqlite": 25}
    assert Counter(plan.road for plan in RUN) == {"straight": 20, "rollback": 20, "discard": 10}
    assert {plan.back_from for plan in RUN if plan.road == "rollback"} == {5, 25, 100}


def test_fifty_seeds_meet_every_fault_often_and_in_every_phase() -> None:
    faults = Counter(injection.fault for plan in RUN for injection in plan.injections)
    pairs = Counter((injection.fault, injection.phase) for plan in RUN for injection in plan.injections)
    assert min(faults[name] for name in FAULTS) >= 20
    rare = {"roll_back", "discard"}  # not on every road
    assert not {(fault, phase) for fault in FAULTS for phase in PHASES if phase not in rare and not pairs[fault, phase]}
    assert {phase: sum(n for (_, p), n in pairs.items() if p == phase) >= 20 for phase in PHASES} == dict.fromkeys(PHASES, True)


def test_three_seeds_already_meet_most_faults() -> None:
    met = {injection.fault for plan in RUN[:3] for injection in plan.injections}
    assert len(met) >= 0.75 * len(FAULTS)


def test_nothing_is_asked_for_that_cannot_be() -> None:
    for plan in RUN:
        for injection in plan.injections:
            assert injection.phase in plan.phases
            assert plan.ledger == "postgresql" or "→ledger" not in injection.target
            assert plan.ledger == "postgresql" or injection.fault != "kill_postgresql"


def test_what_arrives_late_arrives_within_q_and_only_a_named_fault_stops_a_writer_for_longer() -> None:
    for injection in (injection for plan in RUN for injection in plan.injections):
        if injection.fault == "proxy_delay":
            assert injection.settings["seconds"] < QUARANTINE_S - 1
        if injection.fault.startswith("stop_") and injection.fault != "stop_app_beyond_q":
            assert injection.duration_s < QUARANTINE_S
