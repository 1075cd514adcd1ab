"""What a schedule can say next, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.explorer.engine import Engine
from tests.faults.explorer.requests import Request
from tests.faults.explorer.templates import TIMINGS

PASSES = {
    "the hold": TIMINGS.freeze_hold_s,
    "Q": TIMINGS.quarantine_s,
    "T_live": TIMINGS.row_deadline_s,
    "lease + Q": TIMINGS.lease_s + TIMINGS.quarantine_s,
    "most of the idle lease": TIMINGS.idle_lease_s - 1.0,
    "idle lease + Q": TIMINGS.idle_lease_s + TIMINGS.quarantine_s,
}
Choice = tuple[str, str]
"""Verb and whom it concerns: ``("run", "W0")``."""
_COUNTED = ("crashes", "ghosts", "timeouts", "passes", "stops")
FAULTS = ("crash", "crash in flight", "time out", "time out in flight")


@dataclass(frozen=True)
class Bounds:
    """How often a run may be disturbed. ``stops``: processes, or their polling alone, that are
    stopped while time passes and woken later."""

    crashes: int = 3
    ghosts: int = 3
    timeouts: int = 2
    passes: int = 3
    stops: int = 1
    preemptions: int = 1_000


@dataclass
class Spent:
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))

    def note(self, verb: str) -> None:
        for name in _SPENDS.get(verb, ()):
            self.counts[name] += 1

    def allows(self, verb: str, bounds: Bounds) -> bool:
        return all(self.counts[name] < getattr(bounds, name) for name in _SPENDS.get(verb, ()))


_SPENDS = {
    "crash": ("crashes",),
    "crash in flight": ("crashes", "ghosts"),
    "time out": ("timeouts",),
    "time out in flight": ("timeouts", "ghosts"),
    "pass": ("passes",),
    "stop": ("stops",),
}


def options(engine: Engine, bounds: Bounds, spent: Spent) -> Iterator[Choice]:
    """Everything that could happen now, in a fixed order."""
    yield from (("run", name) for name in runnable(engine))
    yield from faults(engine, bounds, spent)
    for verb in ("land", "pass", "wake", "stop"):
        yield from ((verb, name) for name in others(engine, verb, bounds, spent))


def runnable(engine: Engine) -> list[str]:
    return [actor.name for actor in engine.actors.values() if engine.can_run(actor)]


def faults(engine: Engine, bounds: Bounds, spent: Spent) -> list[Choice]:
    """What can go wrong with the requests that actors are parked at."""
    allowed = {verb for verb in FAULTS if spent.allows(verb, bounds)}
    if not allowed:
        return []
    parked = [(a.name, a.at) for a in engine.actors.values() if isinstance(a.at, Request) and not a.reliable]
    return [(verb, name) for name, request in parked for verb in _faults_of(request) if verb in allowed]


def others(engine: Engine, verb: str, bounds: Bounds, spent: Spent) -> list[str]:
    """Whom ``land``, ``pass``, ``wake`` or ``stop`` may concern now."""
    if not spent.allows(verb, bounds):
        return []
    if verb == "land":
        return list(engine.ghosts)
    if verb == "pass":
        return list(PASSES)
    if verb == "wake":
        return sorted(engine.stopped)
    alive = [actor for actor in engine.actors.values() if not actor.ended and actor.process != actor.name]
    found = dict.fromkeys(name for actor in alive for name in (actor.process, *((actor.name,) if actor.endless else ())))
    return [name for name in found if name not in engine.stopped]


def _faults_of(request: Request) -> Iterator[str]:
    if request.landed:
        yield "time out"
        yield "crash"
        return
    yield "crash"
    yield "time out"
    if request.kind.writes:
        yield "crash in flight"
        yield "time out in flight"


def apply(engine: Engine, choice: Choice) -> bool:
    """Does it; ``False`` if it is impossible here."""
    verb, name = choice
    if verb == "pass":
        engine.pass_time(PASSES[name])
    elif verb == "land":
        if name not in engine.ghosts:
            return False
        engine.land(name)
    elif verb in ("stop", "wake"):
        if (name in engine.stopped) is (verb == "stop"):
            return False
        (engine.stop if verb == "stop" else engine.wake)(name)
    else:
        return _act(engine, verb, name)
    return True


def _act(engine: Engine, verb: str, name: str) -> bool:
    actor = engine.actors.get(name)
    if actor is None or actor.ended:
        return False
    if verb == "run":
        if not engine.can_run(actor):
            return False
        engine.run(actor)
        return True
    if not isinstance(actor.at, Request) or verb not in _faults_of(actor.at):
        return False
    if verb == "crash":
        engine.crash(actor.process)
    elif verb == "crash in flight":
        engine.crash_in_flight(actor)
    elif verb == "time out":
        engine.time_out(actor)
    else:
        engine.time_out_in_flight(actor)
    return True


def written(choice: Choice) -> str:
    verb, name = choice
    if verb == "run":
        return name
    return f"{verb.removesuffix(' in flight')} {name}" + (" in flight" if verb.endswith(" in flight") else "")


_WRITTEN = re.compile(r"^(crash|time out|land|pass|stop|wake) (.+?)( in flight)?$")


def read(text: str) -> Choice:
    """The opposite of ``written``."""
    found = _WRITTEN.match(text)
    if found is None:
        return "run", text
    verb, name, in_flight = found.groups()
    return verb + (in_flight or ""), name
