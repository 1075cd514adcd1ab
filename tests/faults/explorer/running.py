"""One run of a scenario: choices are applied and recorded, the rest settles, the judge speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.explorer.choices import Choice, Spent, apply, read, written
from tests.faults.explorer.determinism import deterministic
from tests.faults.explorer.judge import Judge
from tests.faults.explorer.scenarios import Scenario, Works
from tests.faults.explorer.settling import probe, settle
from tests.faults.explorer.world import World
from tests.faults.scheduler import ScheduleError

_LONGEST_TO = 2_000
DOES = " does "
TO = " to "
WAITS = ("turn", "sleep", "wait", "lock")


@dataclass(frozen=True)
class Outcome:
    """``broken`` is empty if every promise held. ``schedule`` replays the run."""

    broken: str
    schedule: list[str]
    steps: int


@dataclass
class Run:
    """Use within ``deterministic()``; ``close`` always."""

    scenario: Scenario
    works: Works
    spent: Spent = field(default_factory=Spent)
    trace: list[tuple[Choice, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = World(self.scenario.begins())
        self.judge = Judge(self.world)
        self.scenario.cast(self.world, self.works)

    def apply(self, choice: Choice) -> bool:
        if not apply(self.world.engine, choice):
            return False
        verb, name = choice
        self.spent.note(verb)
        self.trace.append((choice, self.world.engine.actors[name].label if verb == "run" else ""))
        return True

    def follow(self, entry: str) -> bool:
        """One entry of a schedule; ``False`` if it is impossible here."""
        if TO not in entry:
            return self.apply(read(entry))
        name, label = entry.split(TO)
        actor = self.world.engine.actors.get(name)
        for _ in range(_LONGEST_TO if actor is not None else 0):
            if not self.apply(("run", name)):
                return False
            if actor.label == label:
                return True
            if actor.ended or (actor.waiting and self.world.engine.must_wait(actor)):
                return False
        return False

    def finish(self) -> str:
        """Settles and judges; what is broken, or nothing."""
        if not self.judge.broken:
            settle(self.scenario, self.world, self.judge)
            self.judge.at_the_end()
        if not self.judge.broken:
            probe(self.world, self.judge)
            if self.scenario.afterwards is not None:
                self.scenario.afterwards(self.world)
                self.judge.everything_is_found()
        return self.judge.broken

    def outcome(self) -> Outcome:
        broken = self.finish()
        schedule = [f"{name}{DOES}{', '.join(work)}" for name, work in self.works.items()] + merged(self.trace)
        return Outcome(broken, schedule, len(self.trace))

    def close(self) -> None:
        self.world.engine.close()


def merged(trace: Sequence[tuple[Choice, str]]) -> list[str]:
    """Steps of one actor in a row become ``W0 to put L``, once for each time that it comes by there, and for each wait."""
    entries: list[str] = []
    group: list[str] = []
    for number, (choice, label) in enumerate(trace):
        if choice[0] != "run":
            entries.append(written(choice))
            continue
        group.append(label)
        following = trace[number + 1][0] if number + 1 < len(trace) else None
        if following != choice or label in WAITS:
            entries += [f"{choice[1]}{TO}{label}"] * group.count(label)
            group = []
    return entries


def replay(scenario: Scenario, schedule: Sequence[str], *, strict: bool = True) -> Outcome:
    """Runs a schedule as ``merged`` writes it. What is impossible is skipped, or raises if ``strict``."""
    works = dict(scenario.works)
    for entry in schedule:
        if DOES in entry:
            name, work = entry.split(DOES)
            works[name] = work.split(", ") if work else []
    with deterministic():
        run = Run(scenario, works)
        try:
            for entry in schedule:
                if DOES not in entry and not run.follow(entry) and strict:
                    raise ScheduleError(f"{entry!r} is impossible there")
                if run.judge.broken:
                    break
            return run.outcome()
        finally:
            run.close()
