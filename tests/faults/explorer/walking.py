"""Seeded random walks. Each draws its own temper first: how rarely it switches, how much goes wrong, how time passes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from tests.faults.explorer.choices import FAULTS, Choice, faults, others, read, runnable
from tests.faults.explorer.determinism import deterministic
from tests.faults.explorer.engine import Engine
from tests.faults.explorer.requests import Request
from tests.faults.explorer.running import TO, Outcome, Run
from tests.faults.explorer.scenarios import Scenario, Works

_LONGEST = 400
_WAKE = 0.01
"""Per step: who is stopped stays so for a while."""
_MOST_TURNS = 4
"""Of each of those who work for ever, before the end."""


@dataclass(frozen=True)
class Temper:
    """Probabilities per step. ``ranked``: who is preempted stays paused until the others have had their turn. ``coarse``:
    only where something is written or read is anybody disturbed. ``ghostly``: what goes wrong leaves a write on its way.
    """

    switch: float
    fault: float
    land: float
    time: float
    stop: float
    ranked: bool
    coarse: bool
    ghostly: bool

    @classmethod
    def drawn(cls, random: Random) -> Temper:
        return cls(
            switch=random.choice((0.03, 0.1, 0.2, 0.4)),
            fault=random.choice((0.0, 0.03, 0.1, 0.2)),
            land=random.choice((0.0, 0.0, 0.05, 0.2)),
            time=random.choice((0.0, 0.0, 0.005, 0.03)),
            stop=random.choice((0.0, 0.0, 0.02)),
            ranked=random.random() < 0.8,
            coarse=random.random() < 0.7,
            ghostly=random.random() < 0.5,
        )


class Walker:
    """Chooses; remembers whose turn it is and who stands back."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._temper = Temper.drawn(random)
        self._rank: dict[str, float] = {}
        self._turns: Counter[str] = Counter()
        self._current = ""

    def open(self, run: Run, opening: tuple[str, ...]) -> None:
        for entry in opening:
            run.follow(entry)
        paused = [name for entry in opening if (name := entry.split(TO)[0]) in run.world.engine.actors]
        if all(read(entry)[0] not in FAULTS for entry in opening):
            self._rank |= dict.fromkeys(paused[:1], -1.0)

    def choose(self, run: Run) -> Choice | None:
        """``None`` when everybody has ended and nothing is on its way."""
        random, temper, engine = self._random, self._temper, run.world.engine
        bounds, spent = run.scenario.bounds, run.spent
        here = not temper.coarse or self._is_at_something(engine)
        if here and random.random() < temper.fault and (found := self._faults(run)):
            return random.choice(found)
        for verb, probability in (("land", temper.land), ("pass", temper.time), ("stop", temper.stop), ("wake", _WAKE)):
            if random.random() < probability and (names := others(engine, verb, bounds, spent)):
                return verb, random.choice(names)
        if not engine.ghosts and all(actor.ended or actor.endless for actor in engine.actors.values()):
            return None
        names = [name for name in runnable(engine) if self._turns[name] < _MOST_TURNS]
        if names:
            return "run", self._next(engine, names, may_switch=here)
        ways = ((verb, others(engine, verb, bounds, spent)) for verb in ("land", "wake", "pass"))
        return next(((verb, random.choice(found)) for verb, found in ways if found), None)

    def _next(self, engine: Engine, names: list[str], *, may_switch: bool) -> str:
        random = self._random
        current = engine.actors.get(self._current)
        rests = current is None or self._current not in names or current.waiting
        if not rests and not (may_switch and random.random() < self._temper.switch):
            return self._current
        if current is not None:
            self._rank[self._current] = random.random() if rests else random.random() - 1
        if self._temper.ranked:
            self._current = max(names, key=lambda name: (self._rank.setdefault(name, random.random()), name))
        else:
            self._current = random.choice(names)
        chosen = engine.actors[self._current]
        if chosen.endless and (chosen.at is None or chosen.label == "turn"):
            self._turns[self._current] += 1
        return self._current

    def _faults(self, run: Run) -> list[Choice]:
        """Mostly of the one who runs."""
        found = faults(run.world.engine, run.scenario.bounds, run.spent)
        if self._temper.ghostly:
            found = [choice for choice in found if choice[0].endswith("in flight")]
        mine = [choice for choice in found if choice[1] == self._current]
        return mine if mine and self._random.random() < 0.8 else found

    def _is_at_something(self, engine: Engine) -> bool:
        actor = engine.actors.get(self._current)
        at = actor.at if actor is not None else None
        return not isinstance(at, Request) or at.kind.writes or at.name in ("read", "page")


def works_of(scenario: Scenario, random: Random) -> Works:
    """The scenario's own every third time, else as many operations as it allows, from its menu."""
    if random.random() < 1 / 3:
        return scenario.works
    return {
        name: [random.choice(scenario.menu) for _ in range(random.randint(1, scenario.most_operations))]
        for name in scenario.works
    }


def walk(scenario: Scenario, seed: int, opening: int | None = None) -> Outcome:
    """One run; everything in it follows from the seed. ``opening``: which of the scenario's, drawn without it."""
    random = Random(f"{scenario.name} {seed}")
    with deterministic():
        run = Run(scenario, works_of(scenario, random))
        try:
            walker = Walker(random)
            drawn = random.randrange(len(scenario.openings))
            walker.open(run, scenario.openings[drawn if opening is None else opening])
            for _ in range(_LONGEST):
                choice = walker.choose(run)
                if choice is None or run.judge.broken:
                    break
                run.apply(choice)
            return run.outcome()
        finally:
            run.close()
