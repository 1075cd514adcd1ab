"""The short form of ``make faults``: three seeds on real processes, with zeros where there must be zeros."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.faults.nemesis.__main__ import CACHE, run_seed, usual_pace
from tests.faults.nemesis.judge.outcome import MUST_BE_ZERO
from tests.faults.nemesis.plan import plan_of
from tests.faults.nemesis.servers import Servers

SEEDS = (1, 2, 3)
"""Two on PostgreSQL and one on SQLite."""
_MOST_S = 900


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers(tmp_path_factory.mktemp("faults") / "servers", CACHE) as servers:
        yield servers


@pytest.mark.timeout(_MOST_S)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_whatever_fails(seed: int, servers: Servers, tmp_path: Path) -> None:
    outcome = run_seed(plan_of(seed, pace=usual_pace()), servers, tmp_path)
    assert {name: getattr(outcome, name) for name in MUST_BE_ZERO} == dict.fromkeys(MUST_BE_ZERO, 0), asdict(outcome)["defects"]
    assert sum(injection.witnessed for injection in outcome.injections) >= len(outcome.injections) / 2
