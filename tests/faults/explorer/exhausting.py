"""Every schedule of a small case, within bounds: depth first, by running each anew from the start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.explorer.choices import FAULTS, Bounds, Choice, faults, others, runnable
from tests.faults.explorer.determinism import deterministic
from tests.faults.explorer.fingerprints import fingerprint
from tests.faults.explorer.running import Outcome, Run
from tests.faults.explorer.scenarios import Scenario

_LONGEST = 400


@dataclass(frozen=True)
class Small:
    """At most so many preemptions, faults (each may leave a ghost), and turns of those who work for ever.

    Switching is free where the one who runs has ended or waits. Routers poll as time passes, and not in between.
    """

    preemptions: int = 2
    faults: int = 1
    turns: int = 2


@dataclass
class _Node:
    """A place where more than one thing could happen; ``at`` is the one being explored."""

    choices: list[Choice]
    at: int = 0


@dataclass
class Search:
    """``runs`` were begun, ``known`` of them were cut short at a state seen before."""

    scenario: Scenario
    small: Small
    runs: int = 0
    known: int = 0
    _path: list[_Node] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    def outcomes(self) -> Iterator[Outcome]:
        """One for each schedule that was run to its end."""
        while True:
            self.runs += 1
            outcome = self._run()
            if outcome is None:
                self.known += 1
            else:
                yield outcome
            while self._path and self._path[-1].at + 1 >= len(self._path[-1].choices):
                self._path.pop()
            if not self._path:
                return
            self._path[-1].at += 1

    def _run(self) -> Outcome | None:
        with deterministic():
            run = Run(self.scenario, self.scenario.works)
            run.world.engine.remembers = True
            try:
                return run.outcome() if self._follow(run) else None
            finally:
                run.close()

    def _follow(self, run: Run) -> bool:
        """Along the path, then always the first choice; ``False`` at a state that was seen before."""
        budget = _Budget(self.small)
        depth = 0
        for _ in range(_LONGEST):
            choices = budget.choices(run)
            if not choices or run.judge.broken:
                return True
            choice = choices[0]
            if len(choices) > 1:
                if depth == len(self._path):
                    state = hash((fingerprint(run), budget.state()))
                    if state in self._seen:
                        return False
                    self._seen.add(state)
                    self._path.append(_Node(choices))
                choice = self._path[depth].choices[self._path[depth].at]
                depth += 1
            budget.spend(run, choice)
            run.apply(choice)
        return True


class _Budget:
    """What is left of the bounds in one run, and who runs."""

    def __init__(self, small: Small) -> None:
        self._left = {"preemptions": small.preemptions, "faults": small.faults, "turns": small.turns}
        self._current = ""
        self._bounds = Bounds(crashes=small.faults, timeouts=small.faults, ghosts=small.faults)

    def state(self) -> tuple[str, int, int, int]:
        return self._current, self._left["preemptions"], self._left["faults"], self._left["turns"]

    def choices(self, run: Run) -> list[Choice]:
        engine = run.world.engine
        names = [name for name in runnable(engine) if self._may_run(run, name)]
        found: list[Choice] = [("run", name) for name in names]
        if self._left["faults"]:
            found += [choice for choice in faults(engine, self._bounds, run.spent) if choice[1] in names]
        found += [("land", name) for name in others(engine, "land", self._bounds, run.spent)]
        return found

    def spend(self, run: Run, choice: Choice) -> None:
        verb, name = choice
        if verb == "land":
            return
        if verb in FAULTS:
            self._left["faults"] -= 1
        if self._goes_on(run) and name != self._current:
            self._left["preemptions"] -= 1
        if run.world.engine.actors[name].label in ("turn", "start") and run.world.engine.actors[name].endless:
            self._left["turns"] -= 1
        self._current = name

    def _may_run(self, run: Run, name: str) -> bool:
        actor = run.world.engine.actors[name]
        if name.endswith(".poll"):
            return False
        if actor.endless and actor.label in ("turn", "start") and not self._left["turns"]:
            return False
        return name == self._current or not self._goes_on(run) or self._left["preemptions"] > 0

    def _goes_on(self, run: Run) -> bool:
        """The one who runs could go on without time passing."""
        actor = run.world.engine.actors.get(self._current)
        return actor is not None and run.world.engine.can_run(actor) and not actor.waiting
