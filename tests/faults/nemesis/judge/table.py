"""All seeds of a run as a table per fault × phase, per fault, per phase; a seed's defects count for each of its faults."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.faults.nemesis.judge.outcome import FILE, Defect, Injection, SeedOutcome, read_outcome

ENOUGH_WITNESSED = 3
ALL = "all"
SUMMED = (
    "lost",
    "stale",
    "resurrected",
    "mixed",
    "unindexed",
    "failed_queries",
    "wrong_share",
    "shadow_after_rollback",
    "re_embedded",
    "double_paid",
)


@dataclass(frozen=True)
class Line:
    """One fault in one phase; either may be ``ALL``. Times in seconds.

    ``mixed``: objects and answers of a space that is not the one said. ``runs`` are seeds that injected it,
    ``witnessed`` the injections that are known to have met something.
    """

    fault: str
    phase: str
    runs: int
    injected: int
    witnessed: int
    lost: int
    stale: int
    resurrected: int
    mixed: int
    unindexed: int
    failed_queries: int
    wrong_share: int
    shadow_after_rollback: int
    re_embedded: int
    double_paid: int
    longest_read_pause_s: float
    longest_write_hold_s: float
    worst_staleness_s: float | None


@dataclass(frozen=True)
class Table:
    """``too_few``: faults and phases with fewer than three witnessed injections over the whole run: nothing is shown there."""

    lines: tuple[Line, ...]
    by_fault: tuple[Line, ...]
    by_phase: tuple[Line, ...]
    total: Line
    too_few: dict[str, int]
    outcomes: tuple[SeedOutcome, ...]

    @property
    def clean(self) -> bool:
        return bool(self.outcomes) and all(outcome.clean for outcome in self.outcomes)

    def as_dict(self) -> dict[str, object]:
        return {
            "clean": self.clean,
            "lines": [asdict(line) for line in self.lines],
            "by_fault": [asdict(line) for line in self.by_fault],
            "by_phase": [asdict(line) for line in self.by_phase],
            "total": asdict(self.total),
            "too_few_witnessed": self.too_few,
            "seeds": [asdict(outcome) for outcome in self.outcomes],
        }


def read_outcomes(out: Path) -> list[SeedOutcome]:
    """Of every seed's folder in ``out``; one that was begun and never judged is there as unfinished."""
    folders = (path.parent for path in out.glob("*/seed.json"))
    found = (read_outcome(folder) if (folder / FILE).exists() else _interrupted(folder) for folder in folders)
    return sorted(found, key=lambda outcome: outcome.seed)


def _interrupted(folder: Path) -> SeedOutcome:
    given: dict[str, Any] = json.loads((folder / "seed.json").read_text(encoding="utf-8"))
    defect = Defect("unfinished", "run", "it was interrupted, and never judged")
    return SeedOutcome(given["seed"], given["ledger"], given["runner"], unfinished=1, defects=(defect,))


def make_table(outcomes: Sequence[SeedOutcome]) -> Table:
    places = sorted({(one.fault, one.phase) for outcome in outcomes for one in outcome.injections})
    return Table(
        tuple(_line(fault, phase, outcomes) for fault, phase in places),
        tuple(_line(fault, ALL, outcomes) for fault in sorted({fault for fault, _ in places})),
        tuple(_line(ALL, phase, outcomes) for phase in _as_entered({phase for _, phase in places}, outcomes)),
        _line(ALL, ALL, outcomes),
        _too_few(outcomes),
        tuple(outcomes),
    )


def _as_entered(phases: set[str], outcomes: Sequence[SeedOutcome]) -> list[str]:
    """In the order of the road: a phase comes behind all that come before it in any seed."""
    roads = [list(dict.fromkeys(one.phase for one in outcome.injections)) for outcome in outcomes]
    before = {phase: {earlier for road in roads if phase in road for earlier in road[: road.index(phase)]} for phase in phases}
    return sorted(phases, key=lambda phase: (len(before[phase]), phase))


def _line(fault: str, phase: str, outcomes: Sequence[SeedOutcome]) -> Line:
    def is_here(one: Injection) -> bool:
        return fault in (one.fault, ALL) and phase in (one.phase, ALL)

    here = [[one for one in outcome.injections if is_here(one)] for outcome in outcomes]
    everywhere = (fault, phase) == (ALL, ALL)  # also seeds in which nothing was injected
    concerned = [outcome for outcome, injections in zip(outcomes, here, strict=True) if injections or everywhere]
    return _summed(fault, phase, concerned, here)


def _summed(fault: str, phase: str, outcomes: Sequence[SeedOutcome], injections: Iterable[Iterable[Injection]]) -> Line:
    all_of_them = [one for some in injections for one in some]
    sums = {name: sum(getattr(outcome, name) for outcome in outcomes) for name in SUMMED}
    sums["mixed"] += sum(outcome.mixed_answers for outcome in outcomes)
    stale = [outcome.worst_staleness_s for outcome in outcomes if outcome.worst_staleness_s is not None]
    return Line(
        fault,
        phase,
        runs=len(outcomes),
        injected=len(all_of_them),
        witnessed=sum(one.witnessed for one in all_of_them),
        longest_read_pause_s=max((outcome.longest_read_pause_s for outcome in outcomes), default=0.0),
        longest_write_hold_s=max((outcome.longest_write_hold_s for outcome in outcomes), default=0.0),
        worst_staleness_s=max(stale, default=None),
        **sums,
    )


def _too_few(outcomes: Sequence[SeedOutcome]) -> dict[str, int]:
    seen: Counter[str] = Counter()
    for one in (one for outcome in outcomes for one in outcome.injections):
        for name in (f"fault {one.fault}", f"phase {one.phase}"):
            seen[name] += one.witnessed
    return {name: count for name, count in sorted(seen.items()) if count < ENOUGH_WITNESSED}
