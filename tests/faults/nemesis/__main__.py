"""``python -m tests.faults.nemesis``: what ``make faults`` runs."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.nemesis import seed_run
from tests.faults.nemesis.plan import Plan, plan_of
from tests.faults.nemesis.servers import Servers
from vecferry.errors import VecferryError

_CACHE = Path(".vecferry/sandbox")
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # the latter is ignored by what a script starts in the background
        signal.signal(number, signal.default_int_handler)
    plans = [_plan(seed, given.ledger) for seed in ([given.seed] if given.seed else range(1, given.seeds + 1))]
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        with Servers(given.out / "servers", _CACHE) as servers:
            for plan in plans:
                _one(plan, servers, given.out)
    except VecferryError as error:
        print(f"faults: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; all processes have ended", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _one(plan: Plan, servers: Servers, out: Path) -> None:
    began = time.monotonic()
    print(f"seed {plan.seed}: {plan.ledger}, {plan.road}", flush=True)
    for injection in plan.injections:
        print(f"  {injection}", flush=True)

    def say(what: str) -> None:
        print(f"  {time.monotonic() - began:5.1f} s  {what}", flush=True)

    with seed_run.run(plan, servers, out, say) as folder:
        say(f"ended; {folder}")


def _plan(seed: int, ledger: str | None) -> Plan:
    return plan_of(seed, ledger)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make faults", description="Everything around a migration fails; nothing may be lost.")
    add = parser.add_argument
    add("--seeds", type=int, default=3, help="seeds 1 to this one")
    add("--seed", type=int, help="this one alone, exactly as in any other run")
    add("--ledger", choices=["postgresql", "sqlite"], help="for all seeds (default: by turns)")
    add("--out", type=Path, default=Path(".vecferry/faults"), help="the folder that gets a folder for each seed")
    add("--keep", action="store_true", help="leave the collections of each seed in Weaviate's folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
