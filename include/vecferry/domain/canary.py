"""The canary's verdict: may more of the users be served by the shadow?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vecferry.domain.canary_findings import Finding, empty_finding, latency_finding, rate_finding, split_finding
from vecferry.domain.gates import Gates
from vecferry.domain.noninferiority import judge_noninferiority
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation
from vecferry.domain.verdicts import Outcome, Verdict

_PRECEDENCE = (Outcome.FAIL, Outcome.NO_DATA, Outcome.INCONCLUSIVE, Outcome.PASS)


def judge_canary(
    stage: str,
    percent: int,
    observations: Mapping[Arm, Observation],
    golden_differences: Sequence[float] | None,
    gates: Gates,
    *,
    baseline: Observation | None = None,
    keys: int | None = None,
) -> Verdict:
    """FAIL if any finding fails, else NO_DATA, else INCONCLUSIVE, else PASS; the evidence holds every finding's figures.

    ``observations``: of this stage's routing version only. ``baseline``: live's own, to compare empty answers and latency
    with; at 100% live is not asked any more, so that the earlier stages' must be given (else INCONCLUSIVE).
    ``golden_differences``: new − old per golden query, replayed through the route; ``None`` if they were not.
    ``keys``: distinct keys behind the queries, if known.

    The minimum n is of the shadow's queries, and not scaled with ``percent``: what can be seen depends on how many there are
    and not on how many others went to live. Certain harm FAILs below it too.
    """
    if not 1 <= percent <= 100:
        raise ValueError(f"a canary serves 1 to 100 percent, not {percent}")
    shadow = observations.get(Arm.SHADOW)
    live = observations.get(Arm.LIVE)
    evidence: dict[str, Any] = {"percent": percent, "confidence": gates.confidence}
    if shadow is None or shadow.queries == 0:
        asked = live.queries if live else 0
        reason = f"the shadow was asked nothing yet ({asked:,} queries went to live)"
        return Verdict(stage, Outcome.NO_DATA, reason, evidence | {"queries": 0, "live_queries": asked})
    evidence |= {"queries": shadow.queries, "live_queries": live.queries if live else 0}
    findings = [
        _enough(shadow, gates),
        rate_finding("errors", shadow.errors, shadow.queries, gates.canary_max_error_rate, gates.confidence),
        rate_finding("fallbacks", shadow.fallbacks, shadow.queries, gates.canary_max_fallback_rate, gates.confidence),
        _split(shadow, live, percent, gates, keys),
        *_comparisons(shadow, baseline or live, gates),
        _golden(golden_differences, gates),
    ]
    return _verdict(stage, findings, evidence)


def _enough(shadow: Observation, gates: Gates) -> Finding:
    figures = {"n": shadow.queries, "min": gates.canary_min_queries}
    missing = gates.canary_min_queries - shadow.queries
    if missing > 0:
        return Finding("enough queries", Outcome.INCONCLUSIVE, f"{missing:,} more queries of the shadow are needed", figures)
    return Finding("enough queries", Outcome.PASS, f"{shadow.queries:,} queries", figures)


def _split(shadow: Observation, live: Observation | None, percent: int, gates: Gates, keys: int | None) -> Finding:
    """At 100% there is no spread: live is asked only by routers that are behind or whose lease ran out, which is a fallback
    by another name and has its limit."""
    to_live = live.queries if live else 0
    if percent < 100:
        return split_finding(shadow.queries, to_live, percent, sigmas=gates.split_tolerance_sigmas, keys=keys)
    asked = shadow.queries + to_live
    return rate_finding("split", to_live, asked, gates.canary_max_fallback_rate, gates.confidence)


def _comparisons(shadow: Observation, live: Observation | None, gates: Gates) -> list[Finding]:
    if live is None:
        why = "live has no queries to compare with; give those of the stage before"
        return [Finding(name, Outcome.INCONCLUSIVE, why) for name in ("empty answers", "latency")]
    found = [
        empty_finding(shadow, live, gates.canary_max_empty_increase, gates.confidence),
        latency_finding(shadow, live, gates.canary_max_latency_ratio, gates.canary_latency_slack_ms, gates.confidence),
    ]
    return [_unless_live_is_few(finding, live, gates) for finding in found]


def _unless_live_is_few(finding: Finding, live: Observation, gates: Gates) -> Finding:
    """Being as good as live can be said only if it is known how good live is."""
    if finding.outcome is not Outcome.PASS or live.queries >= gates.canary_min_queries:
        return finding
    why = f"{finding.reason}; live's {live.queries:,} queries are too few to compare with ({gates.canary_min_queries:,} needed)"
    return Finding(finding.name, Outcome.INCONCLUSIVE, why, finding.figures)


def _golden(differences: Sequence[float] | None, gates: Gates) -> Finding:
    if differences is None:
        return Finding("golden queries", Outcome.NO_DATA, "no golden queries were replayed through the route")
    verdict = judge_noninferiority(
        differences, margin=gates.canary_golden_margin, confidence=gates.confidence, min_queries=gates.min_golden_queries
    )
    return Finding("golden queries", verdict.outcome, verdict.reason, verdict.evidence)


def _verdict(stage: str, findings: Sequence[Finding], evidence: dict[str, Any]) -> Verdict:
    outcome = min((f.outcome for f in findings), key=_PRECEDENCE.index)
    evidence |= {"findings": {f.name: {"outcome": f.outcome.value, "reason": f.reason, **f.figures} for f in findings}}
    if outcome is Outcome.PASS:
        return Verdict(stage, outcome, f"{findings[0].reason}: all {len(findings)} findings are within their limits", evidence)
    telling = sorted((f for f in findings if f.outcome is not Outcome.PASS), key=lambda f: _PRECEDENCE.index(f.outcome))
    return Verdict(stage, outcome, "; ".join(f"{f.name}: {f.reason}" for f in telling), evidence)
