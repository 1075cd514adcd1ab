"""``python -m tests.faults.explorer``: long walks, exhaustive searches, replays. Ends with 1 when a promise was broken."""

from __future__ import annotations

import argparse
import ast
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice

import pytest

from tests.faults import mutants
from tests.faults.explorer.exhausting import Search, Small
from tests.faults.explorer.running import Outcome, replay
from tests.faults.explorer.scenarios import SCENARIOS, Scenario
from tests.faults.explorer.shrinking import Shrinker
from tests.faults.explorer.walking import walk

_COLLECT_EVERY = 200
_TELL_EVERY_S = 10.0
say = partial(print, flush=True)


def main(argv: list[str] | None = None) -> int:
    given = _parser().parse_args(argv)
    if given.list:
        return _list()
    names = given.scenario or list(SCENARIOS)
    for name in names:
        SCENARIOS[name].begins()
    gc.disable()  # a run leaves cycles behind; they are collected between runs
    with _mutated(given.mutant):
        if given.replay is not None:
            return _replay(SCENARIOS[names[0]], ast.literal_eval(given.replay))
        return max(_explore(SCENARIOS[name], given) for name in names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.explorer", description=__doc__)
    parser.add_argument("--list", action="store_true", help="scenarios and mutants")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="may be given again; all without it")
    parser.add_argument("--mutant", choices=_mutant_names(), help="the rule that is dropped")
    parser.add_argument("--walks", type=int, default=1_000, help="random walks per scenario (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first walk; the next has the next")
    parser.add_argument("--exhaustive", metavar="P,F,T", type=_small, help="all schedules within these bounds")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="of an exhaustive search, at most")
    parser.add_argument("--replay", metavar="LIST", help="a schedule as it was printed")
    return parser


def _mutant_names() -> list[str]:
    return [name for name, made in vars(mutants).items() if getattr(made, "__module__", "") == mutants.__name__]


def _small(text: str) -> Small:
    return Small(*map(int, text.split(",")))


def _list() -> int:
    for scenario in SCENARIOS.values():
        say(f"{scenario.name:16} {scenario.about}")
    for name in _mutant_names():
        say(f"--mutant {name:45} {(getattr(mutants, name).__doc__ or '').strip().splitlines()[0]}")
    return 0


@contextmanager
def _mutated(name: str | None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if name is not None:
            getattr(mutants, name)(patch)
        yield


def _replay(scenario: Scenario, schedule: list[str]) -> int:
    outcome = replay(scenario, schedule)
    say(outcome.broken or "every promise held")
    return int(bool(outcome.broken))


def _explore(scenario: Scenario, given: argparse.Namespace) -> int:
    if given.exhaustive is not None:
        search = Search(scenario, given.exhaustive)
        outcomes: Iterator[tuple[str, Outcome]] = (("exhaustive", outcome) for outcome in search.outcomes())
    else:
        outcomes = ((f"seed {seed}", walk(scenario, seed)) for seed in islice(count(given.seed), given.walks))
    began = told = time.monotonic()
    runs = 0
    for runs, (where, outcome) in enumerate(outcomes, start=1):
        if outcome.broken:
            return _report(scenario, where, outcome)
        now = time.monotonic()
        if now - told > _TELL_EVERY_S:
            told = now
            say(f"{scenario.name}: {runs} runs, {runs / (now - began):.0f} a second", file=sys.stderr)
        if runs % _COLLECT_EVERY == 0:
            gc.collect()
        if now - began > given.seconds:
            say(f"{scenario.name}: cut short after {given.seconds:g} s")
            break
    took_s = time.monotonic() - began
    say(f"{scenario.name}: {runs} runs, nothing broken, {runs / max(took_s, 0.001):.0f} runs a second")
    return 0


def _report(scenario: Scenario, where: str, outcome: Outcome) -> int:
    say(f"{scenario.name}, {where}: {outcome.broken}\nshrinking {len(outcome.schedule)} choices …")
    shrunk = Shrinker(scenario).shrunk(outcome)
    say(f'{shrunk.broken}\npython -m tests.faults.explorer --scenario {scenario.name} --replay "{shrunk.schedule!r}"')
    return 1


if __name__ == "__main__":
    sys.exit(main())
