"""A suite's result as a verdict: evidence with the whole of what Great Expectations found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vecferry.checks.expectations import CheckResult, failure_text
from vecferry.domain.verdicts import Outcome, Verdict


def verdict_of(stage: str, result: CheckResult, **evidence: Any) -> Verdict:
    """PASS, NO_DATA for an empty frame, else FAIL with the several lines that people read in the log."""
    rows: Mapping[str, Any] = {"rows": result.rows, "gx": result.describe, **evidence}
    if result.success:
        counted = "1 row" if result.rows == 1 else f"{result.rows:,} rows"
        return Verdict(stage, Outcome.PASS, f"{counted}, all as expected", dict(rows))
    outcome = Outcome.FAIL if result.rows else Outcome.NO_DATA
    return Verdict(stage, outcome, failure_text(result), dict(rows))


def with_judgement(judged: Verdict, result: CheckResult) -> Verdict:
    """The rows must be sound before they are judged; a sound frame leaves the judgement as it is."""
    if not result.success:
        return verdict_of(judged.stage, result, **judged.evidence)
    evidence = {**judged.evidence, "rows": result.rows, "gx": result.describe}
    return Verdict(judged.stage, judged.outcome, judged.reason, evidence)
