"""One look at everything that moves: ledger, tasks, and what the application reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vecferry.domain.stages import BY_NAME, EVERY

_AT_WORK = frozenset({"running", "queued", "scheduled", "awaiting_input", "up_for_reschedule", "up_for_retry", "deferred"})


@dataclass(frozen=True)
class Glance:
    """``outcomes``: stage → its newest verdict; ``ledger`` as ``vecferry status --json`` has it."""

    stage: str
    waiting: str
    outcomes: Mapping[str, str]
    ledger: Mapping[str, Any]
    traffic: Mapping[str, Any]
    login: str = ""
    shares: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> list[tuple[str, str]]:
        return [
            ("stage", f"{self.stage} {self.waiting}".strip()),
            ("objects", self._objects()),
            ("spend", self._spend()),
            ("queries", self._queries()),
            ("writes", f"{self.traffic.get('writes', 0):,}, {self.traffic.get('writes_unknown', 0)} of unknown outcome"),
            ("Airflow", self.login),
        ]

    @property
    def line(self) -> str:
        parts = [f"{self.stage} {self.waiting}".strip(), self._objects(), self._spend(), self._queries()]
        return " · ".join(part for part in parts if part)

    def _objects(self) -> str:
        backfill = self.ledger.get("backfill") or {}
        if not backfill.get("objects_expected"):
            return ""
        rate, eta = backfill.get("rate_per_s"), backfill.get("eta_s")
        pace = f", {rate:,.0f}/s, {eta:,.0f} s to go" if rate else ""
        return f"{backfill['objects']:,} of {backfill['objects_expected']:,} objects copied{pace}"

    def _spend(self) -> str:
        spend = self.ledger.get("spend")
        return f"${spend['cost_usd']:.4f} for {spend['tokens']:,} tokens" if spend else ""

    def _queries(self) -> str:
        percent = self.ledger.get("routing", {}).get("percent", 0)
        served = sum(self.shares.values())
        shadow = f", shadow answered {self.shares.get('shadow', 0) / served:.1%} of the last {served}" if served else ""
        failed = self.traffic.get("queries_failed", 0)
        return f"{self.traffic.get('queries', 0):,} queries, {failed} failed, {percent}% asked of the new model{shadow}"


def stage_of(tasks: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The stage at work and what it does; the last that ended when none is."""
    at_work = [task for task in tasks if task["state"] in _AT_WORK and _stage(task) in EVERY]
    for task in at_work:
        asks = task["state"] == "awaiting_input"
        return _stage(task), "waits for a person's approval" if asks else str(task["task_id"]).partition(".")[2]
    ended = sorted((t for t in tasks if t.get("end_date") and _stage(t) in BY_NAME), key=lambda t: str(t["end_date"]))
    return (_stage(ended[-1]), "") if ended else ("", "")


def _stage(task: Mapping[str, Any]) -> str:
    return str(task["task_id"]).partition(".")[0]
