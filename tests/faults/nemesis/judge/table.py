"""All seeds of a run as one table per fault × phase; an outcome with defects counts for each of its seed's faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.nemesis.judge.outcome import FILE, Injection, SeedOutcome, read_outcome

ENOUGH_WITNESSED = 3
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
    """One fault in one phase. ``mixed``: objects and answers of a space that is not the one said. Times in seconds.

    ``runs`` are seeds that injected it, ``witnessed`` the injections that are known to have met something.
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
            "total": asdict(self.total),
            "too_few_witnessed": self.too_few,
            "seeds": [asdict(outcome) for outcome in self.outcomes],
        }


def read_outcomes(out: Path) -> list[SeedOutcome]:
    """Of every seed's folder in ``out``."""
    return sorted((read_outcome(path.parent) for path in out.glob(f"*/{FILE}")), key=lambda outcome: outcome.seed)


def make_table(outcomes: Sequence[SeedOutcome]) -> Table:
    places = sorted({(one.fault, one.phase) for outcome in outcomes for one in outcome.injections})
    lines = tuple(_line(fault, phase, outcomes) for fault, phase in places)
    return Table(lines, _summed("all", "all", outcomes, [o.injections for o in outcomes]), _too_few(outcomes), tuple(outcomes))


def _line(fault: str, phase: str, outcomes: Sequence[SeedOutcome]) -> Line:
    here = [[one for one in outcome.injections if (one.fault, one.phase) == (fault, phase)] for outcome in outcomes]
    concerned = [outcome for outcome, injections in zip(outcomes, here, strict=True) if injections]
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
