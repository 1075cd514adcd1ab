"""What ``make faults`` understands, and what it says of a mutant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.nemesis import lanes
from tests.faults.nemesis.__main__ import _folder, _understood, verdict_on_mutant
from tests.faults.nemesis.judge import SeedOutcome
from tests.faults.nemesis.mutants import MUTANTS, mutant_environment
from tests.faults.nemesis.servers import see_mutant
from tests.faults.nemesis.warm import WarmForks
from vecferry.errors import NeedsPerson

MUTANT = "copiers_open_no_rows"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    for seed in (1, 2):
        (tmp_path / f"seed-{seed}").mkdir()
    return tmp_path


def test_a_run_begins_with_an_empty_folder_and_one_that_goes_on_keeps_what_is_there(out: Path) -> None:
    assert _folder(_understood(["--out", str(out), "--seeds", "9", "--first", "2"])) == out
    assert sorted(path.name for path in out.iterdir()) == ["seed-1", "seed-2"]
    assert _folder(_understood(["--out", str(out), "--seeds", "9"])) == out
    assert not [*out.iterdir()]


def test_a_seed_alone_and_a_mutant_have_folders_of_their_own(out: Path) -> None:
    assert _folder(_understood(["--out", str(out), "--seed", "7"])) == out / "only-7"
    assert _folder(_understood(["--out", str(out), "--mutant", MUTANT])) == out / f"mutant-{MUTANT}"
    assert len([*out.iterdir()]) == 2


@pytest.mark.parametrize(
    "asked",
    [
        ["--first", "4"],
        ["--first", "0"],
        ["--first", "1", "--seed", "1"],
        ["--lanes", "0"],
        ["--mutant", "x"],
        ["--mutant", MUTANT, "--markdown", "x.md"],
    ],
)
def test_what_makes_no_sense_is_refused(asked: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        _understood(asked)
    assert refused.value.code == 2


def test_lanes_share_the_seeds_and_none_empties_the_folder_of_another(out: Path) -> None:
    first, second = lanes.claimed(range(1, 5), out), lanes.claimed(range(1, 5), out)
    assert [next(first), next(second), next(second), *first, *second] == [1, 2, 3, 4]
    _folder(_understood(["--out", str(out), "--lane", "2"]))
    assert sorted(path.name for path in out.glob("seed-*")) == ["seed-1", "seed-2"]


def test_a_lane_that_fails_fails_the_run(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAVIATE_BINARY", "/no/such/weaviate")
    assert lanes.run(["--seeds", "2", "--out", str(out)], 2, out) == 1


def test_the_help_names_every_mutant_and_its_rule(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _understood(["--help"])
    said = capsys.readouterr().out
    assert [name for name, rule in MUTANTS.items() if name not in said or rule not in said] == []


def test_a_mutant_is_caught_by_a_loss_and_by_nothing_else() -> None:
    clean, stuck = SeedOutcome(1, "sqlite", "steps"), SeedOutcome(2, "sqlite", "steps", unfinished=1)
    lossy = SeedOutcome(3, "sqlite", "steps", stale=2, lost=1)
    told = verdict_on_mutant(MUTANT, [clean, stuck])
    assert told.startswith(f"mutant {MUTANT} (without rule 11) in seeds 1, 2: not caught: ")
    assert told.endswith("; unfinished 1")
    assert verdict_on_mutant(MUTANT, [clean, lossy]).endswith("in seeds 1, 3: caught: lost 1, stale 2")


def test_whatever_a_mutants_run_forks_is_the_mutant_and_a_run_in_which_it_is_not_in_place_is_refused(tmp_path: Path) -> None:
    forks = WarmForks(tmp_path / "forks.log", env={**os.environ, **mutant_environment(MUTANT)})
    forks.launch()
    with forks:
        forks.wait_ready()
        see_mutant(MUTANT, "forks", forks.said())
    see_mutant("", "forks", "")
    with pytest.raises(NeedsPerson, match="is not in place"):
        see_mutant(MUTANT, "forks", "ready")
