"""``report.json``: what moved, what it cost, what users noticed. The keys are a promise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vecferry.domain.stages import STAGES
from vecferry.errors import VecferryError
from vecferry.sandbox.demo.demo import Demo
from vecferry.sandbox.demo.fill import COLLECTION
from vecferry.sandbox.demo.migration_run import MIGRATION
from vecferry.sandbox.demo.road_to_retire import Journey
from vecferry.sandbox.demo.traffic_figures import Traffic
from vecferry.steps import cut_over, report
from vecferry.steps.accept import newest_verdict

Figures = dict[str, Any]
_ROW_COUNT = "expect_table_row_count_to_be_between"


def figures(demo: Demo, journey: Journey, traffic: Traffic) -> Figures:
    """All keys on every road; ``None`` where a road has no such figure."""
    told = report.gather(demo.ports, COLLECTION)
    spend = told["spend"]
    return {
        **_objects(demo, journey),
        "queries_total": len(traffic.searches),
        "queries_failed": traffic.queries_failed,
        "writes_total": len(traffic.writes),
        "writes_unknown": traffic.writes_unknown,
        **_defects(journey),
        **_quality(demo),
        "verdicts": _verdicts(demo, journey, told),
        "shares": _shares(demo, traffic),
        "rollback_seen_s": _rollback_seen_s(journey, traffic, told),
        "write_hold_s": _write_hold_s(journey, traffic),
        "spend_usd": spend["cost_usd"],
        "tokens": spend["tokens"],
        "seconds": demo.watching.seconds.by_stage(),
        "rows_checked": _rows_checked(demo, journey, told),
    }


def _objects(demo: Demo, journey: Journey) -> Figures:
    spec = demo.migration().spec
    counted = journey.before_retire or journey.final
    return {
        "objects_live": counted["objects"].get(spec.live),
        "objects_shadow": counted["objects"].get(spec.shadow),
        "parity_differences": counted.get("parity"),
    }


def _defects(journey: Journey) -> Figures:
    """Of both looks together: what was wrong once was wrong."""
    looks = [look for look in (journey.before_retire, journey.final) if look]
    names = {
        "writes_lost": "lost",
        "stale_objects": "stale",
        "resurrected_objects": "resurrected",
        "mixed_space_objects": "mixed",
        "unindexed_objects": "unindexed",
    }
    return {key: sum(look[name] for look in looks) for key, name in names.items()}


def _quality(demo: Demo) -> Figures:
    verdict = newest_verdict(demo.ports, demo.migration().id, "validate_golden_set")
    evidence = verdict.evidence if verdict else {}
    return {"ndcg_old": evidence.get("ndcg_live"), "ndcg_new": evidence.get("ndcg_shadow")}


def _verdicts(demo: Demo, journey: Journey, told: Figures) -> Figures:
    """The first stage is judged before there is a migration to record it for, so its task is asked."""
    first: Any = _xcom(demo, journey, "return_value")
    found = {"check_deprecation": dict(first)} if first else {}
    return found | {row["stage"]: {"outcome": row["outcome"], "reason": row["reason"]} for row in told["stages"]}


def _rows_checked(demo: Demo, journey: Journey, told: Figures) -> Figures:
    gx: Any = _xcom(demo, journey, "gx") or {}
    counts = [e["result"]["observed_value"] for e in gx.get("expectations", ()) if e["expectation_type"] == _ROW_COUNT]
    found = {"check_deprecation": counts[0]} if counts else {}
    return found | {row["stage"]: row["rows_checked"] for row in told["stages"]}


def _xcom(demo: Demo, journey: Journey, key: str) -> Any:
    try:
        return demo.airflow.api.xcom(MIGRATION, journey.run.run_id, "check_deprecation.check", key)
    except VecferryError:
        return None


def _shares(demo: Demo, traffic: Traffic) -> Figures:
    """Of the routing version that each percent was judged by, as the application saw it."""
    found: Figures = {}
    for stage in (stage for stage in STAGES if stage.percent is not None):
        routing = cut_over.routing_of(demo.ports, demo.migration(), stage.name)
        if routing is not None and stage.percent is not None:
            queries, served = traffic.served(routing.version)
            found[stage.name] = {"asked": stage.percent / 100, "served": round(served, 4), "queries": queries}
    return found


def _rollback_seen_s(journey: Journey, traffic: Traffic, told: Mapping[str, Any]) -> float | None:
    """From the command (of a person, or of the run that found its canary failed) to the last query that the shadow served."""
    if not told["rollbacks"]:
        return None
    by_itself = datetime.fromisoformat(told["rollbacks"][-1]["at"]).timestamp()
    began = journey.rollback_began if journey.reopened and journey.rollback_began else by_itself
    last = traffic.last_served_by_shadow(began, journey.reopened or float("inf"))
    return round(max(0.0, last - began), 3) if last else 0.0


def _write_hold_s(journey: Journey, traffic: Traffic) -> float | None:
    """The longest write that the application had while authority moved: what a user waited, not what the tool says."""
    if journey.retire_began is None or journey.retire_ended is None:
        return None
    return round(traffic.longest_write_s(journey.retire_began, journey.retire_ended), 3)
