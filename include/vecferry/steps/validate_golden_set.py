"""Both arms answer the team's own golden queries, by the pin's search profile."""

from __future__ import annotations

from typing import Any

from vecferry.domain.noninferiority import judge_noninferiority
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports
from vecferry.steps.asking import Progress, ask_all, ask_arm, golden_of
from vecferry.steps.readiness import YES, Ready
from vecferry.steps.retrieval_metrics import compare
from vecferry.steps.standing import has_work, refuse_if_paused

STAGE = "validate_golden_set"


def act(ports: Ports, migration_id: str, progress: Progress | None = None) -> dict[str, Any]:
    """Measures per query and stores it; the check judges what it reads back."""
    migration = ports.ledger.migration(migration_id)
    if not has_work(STAGE, migration):
        return {"measured": len(ports.ledger.measurements(migration_id, STAGE))}
    refuse_if_paused(migration)
    if migration.live_model_gone:  # there is nothing to compare with: NO_DATA, which a person may accept
        ports.ledger.save_measurements(migration_id, STAGE, [])
        return {"measured": 0}
    pin, spec = ports.ledger.pin(migration.pin), migration.spec
    golden = golden_of(ports, pin.name, of=migration.covers)
    old = ask_all(golden.queries, ask_arm(ports, pin, spec.live, migration.from_space, migration_id=None), progress)
    new = ask_all(golden.queries, ask_arm(ports, pin, spec.shadow, spec.space, migration_id=migration_id), progress)
    comparison = compare(golden, old, new)
    ports.ledger.save_measurements(migration_id, STAGE, comparison.rows())
    return {"measured": len(comparison.rows()), **comparison.counted}


def ready(ports: Ports, migration_id: str) -> Ready:
    """Enough judged queries were measured on both arms for a verdict at all."""
    migration = ports.ledger.migration(migration_id)
    if migration.live_model_gone:
        return YES
    wanted = len(golden_of(ports, migration.pin, of=migration.covers).graded)
    rows = ports.ledger.measurements(migration_id, STAGE)
    return YES if len(rows) == 2 * wanted else Ready(False, f"{2 * wanted} measurements; there are {len(rows)}")


def judge(ports: Ports, migration_id: str) -> Verdict:
    """Non-inferiority of nDCG@10 on the paired differences."""
    migration = ports.ledger.migration(migration_id)
    rows = ports.ledger.measurements(migration_id, STAGE)
    differences, means = paired(rows)
    margin = migration.options.get("margin") or ports.gates.margin
    unanswered = sum(not row["answered"] for row in rows)
    return judge_noninferiority(
        list(differences.values()),
        margin=margin,
        confidence=ports.gates.confidence,
        min_queries=ports.gates.min_golden_queries,
        stage=STAGE,
        counted={"unanswered": unanswered, **means, "worst": dict(sorted(differences.items(), key=lambda d: d[1])[:5])},
    )


def paired(rows: list[Any]) -> tuple[dict[str, float], dict[str, float]]:
    """query_id → nDCG@10 of shadow − live, and the means of each arm as ``ndcg_live``, ``recall_shadow`` and so on."""
    by_arm: dict[str, dict[str, Any]] = {"live": {}, "shadow": {}}
    for row in rows:
        by_arm[row["arm"]][row["query_id"]] = row
    both = by_arm["live"].keys() & by_arm["shadow"].keys()
    differences = {q: by_arm["shadow"][q]["ndcg_at_10"] - by_arm["live"][q]["ndcg_at_10"] for q in sorted(both)}
    means = {
        f"{short}_{arm}": sum(row[metric] for row in measured.values()) / len(measured)
        for arm, measured in by_arm.items()
        if measured
        for short, metric in (("ndcg", "ndcg_at_10"), ("recall", "recall_at_10"), ("mrr", "mrr_at_10"))
    }
    return differences, means
