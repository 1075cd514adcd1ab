"""What will go wrong in a seed, decided beforehand from the seed alone: which fault, where, in which phase, when, how long.

Which faults a phase gets goes round by the seed's number, so that a run covers every fault in every phase evenly; all else is
drawn from one ``random.Random(seed)``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

APPS = 3
QUARANTINE_S = 3.0
"""``Q`` of every process of a run, at pace 1; a writer that is stopped for longer breaks an assumption."""
PHASES = (
    "plan",
    "create_shadow",
    "enable_dual_write",
    "backfill",
    "verify_parity",
    "validate_golden_set",
    "cut_over_5",
    "cut_over_25",
    "cut_over_100",
    "roll_back",
    "discard",
    "retire",
    "retired",
)
Runner = Literal["steps", "airflow"]
_AIRFLOW_EVERY = 13
"""Odd, so that both ledgers have their turn: seeds 13, 26 and 39 of fifty."""
Road = Literal["straight", "rollback", "discard"]
ROADS: tuple[Road, ...] = ("straight", "rollback", "discard", "rollback", "straight")
_EACH = 2
"""Faults a phase."""
_ONLY_ON: Mapping[str, Road] = {"roll_back": "rollback", "discard": "discard"}
_BEFORE_THE_SHADOW = frozenset({"plan", "create_shadow"})
CLIENTS = (*(f"app-{number}" for number in range(APPS)), "steps", "janitor")


@dataclass(frozen=True)
class Injection:
    """``delay_s`` after the phase began, for ``duration_s`` (0 for a kill: it is started again at once)."""

    id: str
    fault: str
    phase: str
    target: str
    delay_s: float
    duration_s: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        more = " ".join(f"{name}={value}" for name, value in self.settings.items())
        lasts = f" for {self.duration_s:.1f} s" if self.duration_s else ""
        return f"{self.phase}: {self.fault} {self.target} after {self.delay_s:.1f} s{lasts} {more}".rstrip()


@dataclass(frozen=True)
class Plan:
    """``runner``: what runs the stages, a process each or Airflow. ``back_from``: the percent from which a ``rollback`` road
    goes back. ``discard_after``: the stage after which a ``discard`` road gives up, and begins anew."""

    seed: int
    ledger: str
    road: Road
    back_from: int
    discard_after: str
    injections: tuple[Injection, ...]
    pace: float = 1.0
    """How many times as long everything may take as on a machine that has time for us; no fault depends on it."""
    runner: Runner = "steps"

    @property
    def quarantine_s(self) -> float:
        return QUARANTINE_S * self.pace

    def of(self, phase: str) -> list[Injection]:
        return [injection for injection in self.injections if injection.phase == phase]

    @property
    def phases(self) -> list[str]:
        return [phase for phase in PHASES if _ONLY_ON.get(phase, self.road) == self.road]


@dataclass(frozen=True)
class _Case:
    """What a fault's particulars are drawn from."""

    rng: random.Random
    phase: str
    ledger: str

    def link(self) -> str:
        servers = ["weaviate_http", "weaviate_grpc", "provider"] + ["ledger"] * (self.ledger == "postgresql")
        return f"{self.rng.choice(CLIENTS)}→{self.rng.choice(servers)}"

    def model(self) -> str:
        return "old" if self.phase in _BEFORE_THE_SHADOW else self.rng.choice(("old", "new", "both"))

    def collection(self) -> str:
        if self.phase in _BEFORE_THE_SHADOW:
            return "live"
        return "shadow" if self.phase in ("retire", "retired") else self.rng.choice(("live", "shadow"))


@dataclass(frozen=True)
class _Fault:
    """``duration_s`` and ``delay_s`` are ranges."""

    target: Callable[[_Case], str]
    duration_s: tuple[float, float] = (0.0, 0.0)
    delay_s: tuple[float, float] = (0.0, 0.8)
    settings: Callable[[_Case], Mapping[str, Any]] = lambda case: {}
    only: Callable[[str, str], bool] = lambda ledger, phase: True


def _one(name: str) -> Callable[[_Case], str]:
    return lambda case: name


def _an_app(case: _Case) -> str:
    return f"app-{case.rng.randrange(APPS)}"


def _delay_of(case: _Case) -> Mapping[str, Any]:
    """A little, or longer than a write's timeout, so that what was given up arrives all the same; within Q."""
    low, high = case.rng.choice(((0.05, 0.3), (1.1, 1.6)))
    return {"seconds": round(case.rng.uniform(low, high), 2)}


def _half_closed(case: _Case) -> Mapping[str, Any]:
    return {"kind": case.rng.choice(("swallow_answers", "swallow_answers", "swallow_requests"))}


def _provider(kind: str, **settings: Any) -> _Fault:
    return _Fault(_Case.model, (1.0, 2.0), (0.0, 0.4), lambda case: {"kind": kind, **settings})


FAULTS: Mapping[str, _Fault] = {
    "kill_app": _Fault(_an_app),
    "stop_app": _Fault(_an_app, (0.5, 2.4)),
    "stop_app_beyond_q": _Fault(_an_app, (QUARANTINE_S + 0.5, QUARANTINE_S + 1.5)),
    "kill_janitor": _Fault(_one("janitor")),
    "stop_janitor": _Fault(_one("janitor"), (1.2, 2.4)),
    "kill_step": _Fault(_one("step"), delay_s=(0.05, 0.9)),
    "stop_step": _Fault(_one("step"), (0.4, 2.4), (0.05, 0.7)),
    "kill_weaviate": _Fault(_one("weaviate")),
    "stop_weaviate": _Fault(_one("weaviate"), (0.5, 1.8)),
    "kill_postgresql": _Fault(_one("postgresql"), only=lambda ledger, phase: ledger == "postgresql"),
    "lock_ledger": _Fault(_one("ledger"), (0.8, 2.5)),
    "proxy_delay": _Fault(_Case.link, (1.0, 2.5), settings=_delay_of),
    "proxy_cut": _Fault(_Case.link, (0.3, 1.5)),
    "proxy_half_close": _Fault(_Case.link, (0.5, 1.5), settings=_half_closed),
    "weaviate_read_only": _Fault(_Case.collection, (1.0, 2.0)),
    "provider_429": _provider("rate_limit", retry_after_s=1),
    "provider_500": _provider("status", status=500),
    "provider_hang": _provider("hang", seconds=1.5),
    "provider_truncated": _provider("truncated"),
    "provider_wrong_count": _provider("wrong_count"),
    "provider_wrong_dimensions": _provider("wrong_dimensions"),
    "provider_nan": _provider("nan"),
    "provider_quota": _provider("quota"),
    # Seed 1 once showed what this is for: fingerprints were compared at gates alone, and three foreign vectors stayed.
    "provider_silent_change": _Fault(
        _one("new"), (1.0, 2.0), (0.0, 0.4), lambda case: {"kind": "silent_change", "cosine": 0.93}
    ),
}


def plan_of(seed: int, ledger: str | None = None, pace: float = 1.0, runner: Runner | None = None) -> Plan:
    """The faults of a seed depend on its number and its ledger alone."""
    runner = runner or ("steps" if seed % _AIRFLOW_EVERY else "airflow")
    ledger = ledger or ("postgresql" if seed % 2 else "sqlite")
    road = ROADS[seed % len(ROADS)]
    rng = random.Random(seed)
    back_from, discard_after = rng.choice((5, 25, 100)), rng.choice(("enable_dual_write", "backfill", "verify_parity"))
    empty = Plan(seed, ledger, road, back_from, discard_after, ())
    injections = [
        _drawn(name, f"{seed}-{phase}-{number}", _Case(rng, phase, ledger))
        for phase in empty.phases
        for number, name in enumerate(_turn(seed, phase, ledger))
    ]
    return Plan(seed, ledger, road, back_from, discard_after, tuple(injections), pace, runner)


def _turn(seed: int, phase: str, ledger: str) -> list[str]:
    """The faults whose turn it is. Each ledger's seeds go round apart: one of them has a fault more."""
    fitting = _in_order(phase, ledger)
    before = sum(_has(n, phase) for n in range(seed % 2, seed, 2))
    return [fitting[(before * _EACH + number) % len(fitting)] for number in range(_EACH)]


def _in_order(phase: str, ledger: str) -> Sequence[str]:
    """An order of its own for each phase and ledger, so that a few seeds already meet most faults."""
    fitting = [name for name, fault in FAULTS.items() if fault.only(ledger, phase)]
    random.Random(f"{phase} {ledger}").shuffle(fitting)
    return fitting


def _has(seed: int, phase: str) -> bool:
    return _ONLY_ON.get(phase, ROADS[seed % len(ROADS)]) == ROADS[seed % len(ROADS)]


def _drawn(name: str, identity: str, case: _Case) -> Injection:
    fault = FAULTS[name]
    return Injection(
        identity,
        name,
        case.phase,
        fault.target(case),
        round(case.rng.uniform(*fault.delay_s), 2),
        round(case.rng.uniform(*fault.duration_s), 2),
        dict(fault.settings(case)),
    )
