"""The candidate that the golden set must refuse, and the canary that must go back by itself."""

from __future__ import annotations

import time

from vecferry.sandbox.demo.demo import Demo
from vecferry.sandbox.demo.provider_control import break_queries
from vecferry.sandbox.demo.road_to_retire import Journey

_AFTER_S = 2.0


def refused_by_golden_set(demo: Demo) -> Journey:
    run = demo.start_by_notice()
    run.approve("plan.approve")
    demo.say("approved: the plan")
    demo.say(f"the run ended: {run.wait_end(deadline_s=300)}")
    return ended(demo, Journey(run, {}))


def canary_fails(demo: Demo) -> Journey:
    run = demo.start_by_notice()
    run.approve("plan.approve")
    demo.say("approved: the plan")
    run.wait(lambda: demo.percent() >= 25, "serving 25% of the queries from the new model", deadline_s=300)
    broken = time.time()
    break_queries(demo.provider, demo.options.candidate)
    demo.say("the provider now answers the new model's queries with vectors of another space; only quality can tell")
    demo.say(f"the run ended: {run.wait_end(deadline_s=180)}")
    return ended(demo, Journey(run, {}, rollback_began=broken))


def ended(demo: Demo, journey: Journey) -> Journey:
    """What is left to do on a road that does not reach retire."""
    time.sleep(_AFTER_S)
    demo.stop_traffic()
    demo.say("the application has stopped; the checker looks at every object")
    return Journey(journey.run, demo.check(both=True), rollback_began=journey.rollback_began)
