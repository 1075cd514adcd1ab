"""The whole way: 5%, 25%, back by hand, verified, reopened, and on to the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from vecferry.domain.routing import Arm
from vecferry.sandbox.demo.demo import Demo
from vecferry.sandbox.demo.fill import COLLECTION
from vecferry.sandbox.demo.migration_run import MigrationRun
from vecferry.sandbox.traffic.control import Wish
from vecferry.steps import cut_over

_SERVED_AT_25 = 8
"""Users have been served, and the canary, which wants more, has not judged yet: the run must not be at 100% by then."""
_AFTER_S = 4.0


@dataclass(frozen=True)
class Journey:
    """Instants are seconds since 1970; figures are the checker's. ``None``: this road has no such thing."""

    run: MigrationRun
    final: dict[str, Any]
    before_retire: dict[str, Any] | None = None
    rollback_began: float | None = None
    reopened: float | None = None
    retire_began: float | None = None
    retire_ended: float | None = None


def travel(demo: Demo) -> Journey:
    run = demo.start_by_notice()
    run.approve("plan.approve")
    demo.say("approved: the plan")
    run.wait(
        lambda: _served(demo, "cut_over_25") >= _SERVED_AT_25, "serving 25% of the queries from the new model", deadline_s=300
    )
    rollback_began, reopened = _back_and_again(demo, run)
    run.wait_asked("retire.approve", deadline_s=300)
    before = _counted(demo)
    retire_began = time.time()
    run.approve("retire.approve")
    demo.say("approved: retire")
    state = run.wait_end(deadline_s=120)
    retire_ended = time.time()
    demo.say(f"the run ended: {state}")
    time.sleep(_AFTER_S)  # the application goes on with the new collection alone
    demo.stop_traffic()
    demo.say("the application has stopped; the checker looks at every object once more")
    return Journey(run, demo.check(both=False), before, rollback_began, reopened, retire_began, retire_ended)


def _back_and_again(demo: Demo, run: MigrationRun) -> tuple[float, float]:
    """Rolled back with the CLI in the middle of 25%, verified, reopened, and the run taken up again by REST."""
    began = time.time()
    back = demo.vecferry("rollback", COLLECTION, "--why", "the demo goes back once, to show that it can")
    demo.say(f"rolled back from {back['from_percent']}%; every router had it after {back['acknowledged_s']:.1f} s")
    demo.vecferry("verify", COLLECTION, "--repair")
    demo.say(f"the run ended {run.wait_end(deadline_s=120)}, as it must: somebody rolled back")
    reopened = time.time()
    demo.vecferry("reopen", COLLECTION, "--why", "verified: nothing was wrong")
    run.clear("cut_over_5.act")
    demo.say("cleared cut_over_5 with downstream, through Airflow's REST API")
    return began, reopened


def _counted(demo: Demo) -> dict[str, Any]:
    """Both collections by the checker, while the run waits at retire's approval and the application's writes rest."""
    demo.control.ask_and_wait(Wish.PAUSE_WRITES)
    demo.say("the application's writes rest; the checker compares both collections object by object")
    found = demo.check(both=True)
    demo.control.ask_and_wait(Wish.RUN)
    demo.say(f"the checker found: {found}")
    return found


def _served(demo: Demo, stage: str) -> int:
    migration = demo.migration()
    routing = cut_over.routing_of(demo.ports, migration, stage)
    seen = cut_over.observed(demo.ports, migration, routing).get(Arm.SHADOW) if routing else None
    return seen.served if seen else 0
