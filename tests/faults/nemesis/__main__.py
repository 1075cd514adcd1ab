"""``python -m tests.faults.nemesis``: what ``make faults`` runs."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.faults.nemesis import judge, lanes, seed_run
from tests.faults.nemesis.judge.__main__ import main as show_table
from tests.faults.nemesis.judge.outcome import MUST_BE_ZERO
from tests.faults.nemesis.judge.table import read_outcomes
from tests.faults.nemesis.mutants import MUTANTS
from tests.faults.nemesis.plan import Plan, plan_of
from tests.faults.nemesis.servers import Servers
from vecferry.errors import VecferryError

CACHE = Path(".vecferry/sandbox")
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """0: zeros where there must be zeros; 1: not, or it could not run; 2: asked for what there is not."""
    arguments = sys.argv[1:] if arguments is None else arguments
    given = _understood(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # the latter is ignored by what a script starts in the background
        signal.signal(number, signal.default_int_handler)
    seeds = [given.seed] if given.seed else range(given.first or 1, given.seeds + 1)
    lanes_wanted = given.lanes or lanes.usual(len(seeds))
    try:
        out = _folder(given)
        pace = given.pace or usual_pace()
        if given.lane or lanes_wanted == 1:
            run_lane(given, seeds, out, pace)
            code = 0
        else:
            code = lanes.run([*arguments, "--pace", str(pace)], lanes_wanted, out)
    except VecferryError as error:
        print(f"faults: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; all processes have ended", file=sys.stderr)
        return _INTERRUPTED
    if given.lane:
        return 0
    if code:
        print("faults: a lane did not come to its end; the table is of the seeds that were judged", file=sys.stderr)
    code = show_table([str(out), *(["--markdown", str(given.markdown)] if given.markdown else [])]) or code
    if given.mutant:
        print(verdict_on_mutant(given.mutant, read_outcomes(out)))
    return code


def run_lane(given: argparse.Namespace, seeds: Sequence[int], out: Path, pace: float) -> None:
    """All seeds; of several lanes, those that no other has taken."""
    own = lanes.claimed(seeds, out) if given.lane else iter(seeds)
    with Servers(out / (f"servers-{given.lane}" if given.lane else "servers"), CACHE, given.mutant) as servers:
        for seed in own:
            run_seed(plan_of(seed, given.ledger, pace, given.runner), servers, out, keep=given.keep)


def _folder(given: argparse.Namespace) -> Path:
    """Emptied of another run's seeds, since the table is over one run; not where this one goes on, or is a lane of it."""
    out: Path = given.out / f"mutant-{given.mutant}" if given.mutant else given.out
    out = out / f"only-{given.seed}" if given.seed else out
    for before in out.glob("seed-*") if given.first is None and not given.lane else ():
        shutil.rmtree(before)
    return out


def verdict_on_mutant(name: str, outcomes: Sequence[judge.SeedOutcome]) -> str:
    """A run that only did not come to its end has lost nothing, and is no proof of the rule."""
    seeds = ", ".join(str(outcome.seed) for outcome in outcomes)
    kinds = {kind: sum(getattr(outcome, kind) for outcome in outcomes) for kind in MUST_BE_ZERO}
    unfinished = kinds.pop("unfinished")
    found = ", ".join(f"{kind} {count}" for kind, count in kinds.items() if count)
    told = f"mutant {name} (without {MUTANTS[name]}) in seeds {seeds}: "
    told += f"caught: {found}" if found else "not caught: these seeds lose nothing without the rule"
    return told + (f"; unfinished {unfinished}" if unfinished else "")


def usual_pace() -> float:
    """Longer where others keep the cores busy: what takes its time for that reason is no fault of ours."""
    share = os.getloadavg()[0] / (os.cpu_count() or 1)
    return round(min(4.0, max(1.0, share)), 1)


def run_seed(plan: Plan, servers: Servers, out: Path, *, keep: bool = False) -> judge.SeedOutcome:
    """One seed, judged while its collections are there."""
    began = time.monotonic()
    head = f"seed {plan.seed}: ledger on {plan.ledger}, stages by {plan.runner}, road {plan.road}, pace {plan.pace:g}"
    print("\n".join([head, *(f"  {injection}" for injection in plan.injections)]), flush=True)

    def say(what: str) -> None:
        print(f"  {time.monotonic() - began:5.1f} s  seed {plan.seed}: {what}", flush=True)

    with seed_run.run(plan, servers, out, say, keep=keep) as folder:
        say("ended, is being judged")
        outcome = replace(judge.judge_seed(folder), took_s=round(time.monotonic() - began, 1))
        outcome.write(folder)
    defects = {name: count for name in MUST_BE_ZERO if (count := getattr(outcome, name))}
    say(f"judged: {defects or 'nothing wrong'}; {folder}")
    return outcome


def _understood(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.first is not None and (given.seed or not 1 <= given.first <= given.seeds):
        parser.error(f"--first must lie between 1 and --seeds ({given.seeds}), and goes without --seed")
    if given.lanes is not None and given.lanes < 1:
        parser.error("--lanes must be 1 or more")
    if given.mutant and given.markdown:
        parser.error("a mutant's table is no table of the product: --markdown goes without --mutant")
    return given


def _parser() -> argparse.ArgumentParser:
    told = "mutants, each the product without one rule:\n"
    told += "\n".join(f"  {name:<40} {rule}" for name, rule in MUTANTS.items())
    parser = argparse.ArgumentParser(
        "make faults",
        description="Everything around a migration fails; nothing may be lost.",
        epilog=told,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--seeds", type=int, default=3, help="seeds 1 to this one")
    add("--first", type=int, metavar="N", help="go on at seed N: other seeds' folders stay, and are in the table")
    add("--seed", type=int, help="this one alone, with the same faults as in any other run")
    add("--ledger", choices=["postgresql", "sqlite"], help="for all seeds (default: by turns)")
    runner = parser.add_mutually_exclusive_group()
    told = "all seeds by Airflow, one for the whole run (default: every thirteenth)"
    runner.add_argument("--airflow", dest="runner", action="store_const", const="airflow", help=told)
    runner.add_argument(
        "--steps", dest="runner", action="store_const", const="steps", help="none by Airflow, a process a stage"
    )
    add("--out", type=Path, default=Path(".vecferry/faults"), help="the folder that gets a folder for each seed")
    add("--keep", action="store_true", help="leave each seed's collections in Weaviate's folder, below the output's")
    add("--pace", type=float, help="times as long as usual, for a busy machine (default: by its load)")
    add("--lanes", type=int, metavar="N", help="seeds side by side (default: one for two cores and five seeds)")
    add("--lane", type=int, help=argparse.SUPPRESS)
    add("--markdown", type=Path, metavar="FILE", help="write the sums by fault and by phase there, for a page")
    add(
        "--mutant",
        choices=sorted(MUTANTS),
        default="",
        metavar="NAME",
        help="run the product without one of its rules (below): exit code 1 if the loss is seen, and a line that says "
        "whether it was; with its folder in --out",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
