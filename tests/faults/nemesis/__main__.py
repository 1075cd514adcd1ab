"""``python -m tests.faults.nemesis``: what ``make faults`` runs."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.nemesis import judge, seed_run
from tests.faults.nemesis.judge.__main__ import main as show_table
from tests.faults.nemesis.judge.outcome import MUST_BE_ZERO
from tests.faults.nemesis.plan import Plan, plan_of
from tests.faults.nemesis.servers import Servers
from vecferry.errors import VecferryError

CACHE = Path(".vecferry/sandbox")
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """0: zeros where there must be zeros; 1: not, or it could not run."""
    given = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # the latter is ignored by what a script starts in the background
        signal.signal(number, signal.default_int_handler)
    seeds = [given.seed] if given.seed else range(1, given.seeds + 1)
    try:
        out: Path = given.out / f"only-{given.seed}" if given.seed else given.out
        for before in out.glob("seed-*"):
            shutil.rmtree(before)  # another run's: the table is over one run
        pace = given.pace or usual_pace()
        with Servers(out / "servers", CACHE) as servers:
            for seed in seeds:
                run_seed(plan_of(seed, given.ledger, pace), servers, out, keep=given.keep)
    except VecferryError as error:
        print(f"faults: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; all processes have ended", file=sys.stderr)
        return _INTERRUPTED
    return show_table([str(out)])


def usual_pace() -> float:
    """Longer where others keep the cores busy: what takes its time for that reason is no fault of ours."""
    share = os.getloadavg()[0] / (os.cpu_count() or 1)
    return round(min(4.0, max(1.0, share)), 1)


def run_seed(plan: Plan, servers: Servers, out: Path, *, keep: bool = False) -> judge.SeedOutcome:
    """One seed, judged while its collections are there."""
    began = time.monotonic()
    print(f"seed {plan.seed}: ledger on {plan.ledger}, road {plan.road}, pace {plan.pace:g}", flush=True)
    for injection in plan.injections:
        print(f"  {injection}", flush=True)

    def say(what: str) -> None:
        print(f"  {time.monotonic() - began:5.1f} s  {what}", flush=True)

    with seed_run.run(plan, servers, out, say, keep=keep) as folder:
        say("ended, is being judged")
        outcome = judge.judge_seed(folder)
    defects = {name: count for name in MUST_BE_ZERO if (count := getattr(outcome, name))}
    say(f"judged: {defects or 'nothing wrong'}; {folder}")
    return outcome


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make faults", description="Everything around a migration fails; nothing may be lost.")
    add = parser.add_argument
    add("--seeds", type=int, default=3, help="seeds 1 to this one")
    add("--seed", type=int, help="this one alone, with the same faults as in any other run")
    add("--ledger", choices=["postgresql", "sqlite"], help="for all seeds (default: by turns)")
    add("--out", type=Path, default=Path(".vecferry/faults"), help="the folder that gets a folder for each seed")
    add("--keep", action="store_true", help="leave each seed's collections in Weaviate's folder, below the output's")
    add("--pace", type=float, help="times as long as usual, for a busy machine (default: by its load)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
