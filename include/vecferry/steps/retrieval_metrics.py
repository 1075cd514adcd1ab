"""Measure what two arms answered to the golden queries, per query, by ir-measures (trec_eval's definitions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from vecferry.domain.golden import GoldenQuery, GoldenSet
from vecferry.errors import BadInput

CUTOFF = 10
Run = Mapping[str, Sequence[tuple[str, float]]]
"""query_id → (uuid, score), best first; the order counts, not the score. An empty or missing list is unanswered."""


@dataclass(frozen=True)
class QueryMetrics:
    """All 0 … 1. ``unjudged_at_10``: the share of the first ten answers that nobody has judged; judgements that were pooled
    from the old model's answers favour it, and this is where one sees it."""

    ndcg_at_10: float = 0.0
    recall_at_10: float = 0.0
    mrr_at_10: float = 0.0
    success_at_10: float = 0.0
    unjudged_at_10: float = 0.0


@dataclass(frozen=True)
class ArmMetrics:
    """``queries`` holds every graded query; an unanswered one is there with zeros."""

    queries: Mapping[str, QueryMetrics]
    unanswered: tuple[str, ...]

    @property
    def means(self) -> dict[str, float]:
        """Of the graded queries; empty if there are none. ``unjudged_at_10`` is over the answered ones."""
        answered = [m for name, m in self.queries.items() if name not in set(self.unanswered)]
        groups = {f.name: answered if f.name == "unjudged_at_10" else list(self.queries.values()) for f in fields(QueryMetrics)}
        return {name: sum(getattr(m, name) for m in group) / len(group) for name, group in groups.items() if group}


@dataclass(frozen=True)
class Comparison:
    """Old and new over the same graded queries. ``ungraded`` ones were asked and cannot be judged."""

    old: ArmMetrics
    new: ArmMetrics
    ungraded: tuple[str, ...]

    @property
    def differences(self) -> dict[str, float]:
        """query_id → nDCG@10 of new − old, as ``judge_noninferiority`` takes their values."""
        return {name: metrics.ndcg_at_10 - self.old.queries[name].ndcg_at_10 for name, metrics in self.new.queries.items()}

    @property
    def counted(self) -> dict[str, int]:
        """For the verdict's evidence."""
        return {
            "ungraded": len(self.ungraded),
            "unanswered_old": len(self.old.unanswered),
            "unanswered_new": len(self.new.unanswered),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One per graded query and arm, for a check."""
        arms = (("live", self.old), ("shadow", self.new))
        return [
            {"query_id": name, "arm": arm, "answered": name not in set(measured.unanswered), **asdict(metrics)}
            for arm, measured in arms
            for name, metrics in measured.queries.items()
        ]


def compare(golden: GoldenSet, old: Run, new: Run) -> Comparison:
    """Raises ``BadInput`` if a run answers a query that the golden set does not have."""
    return Comparison(measure(golden, old), measure(golden, new), golden.ungraded)


def measure(golden: GoldenSet, run: Run) -> ArmMetrics:
    unknown = sorted(set(run) - {query.query_id for query in golden.queries})
    if unknown:
        right = "Ask the queries of this golden set; results are paired by their ids."
        raise BadInput(f"{len(unknown)} answered queries are not in the golden set, e.g. {unknown[:3]}", next_action=right)
    queries = [query for query in golden.graded if run.get(query.query_id)]
    measured = _measured(queries, run)
    unanswered = tuple(query.query_id for query in golden.graded if not run.get(query.query_id))
    return ArmMetrics({q.query_id: measured.get(q.query_id, QueryMetrics()) for q in golden.graded}, unanswered)


def _measured(queries: Sequence[GoldenQuery], run: Run) -> dict[str, QueryMetrics]:
    """The ranks stand in for the scores: trec_eval breaks ties by document id and sees scores in single precision."""
    import ir_measures  # here, so that importing a step costs nothing
    from ir_measures import RR, Judged, R, Success, nDCG

    if not queries:
        return {}
    measures = {
        nDCG @ CUTOFF: "ndcg_at_10",
        R @ CUTOFF: "recall_at_10",
        RR @ CUTOFF: "mrr_at_10",
        Success @ CUTOFF: "success_at_10",
        Judged @ CUTOFF: "unjudged_at_10",
    }
    qrels = {query.query_id: dict(query.relevant) for query in queries}
    ranked = {query.query_id: _by_rank(run[query.query_id]) for query in queries}
    values: dict[str, dict[str, float]] = {query.query_id: {} for query in queries}
    for metric in ir_measures.iter_calc(list(measures), qrels, ranked):
        name = measures[metric.measure]
        values[metric.query_id][name] = 1.0 - metric.value if name == "unjudged_at_10" else metric.value
    return {query_id: QueryMetrics(**found) for query_id, found in values.items()}


def _by_rank(answers: Sequence[tuple[str, float]]) -> dict[str, float]:
    """An object that is named twice counts at its better rank."""
    uuids = list(dict.fromkeys(uuid for uuid, _ in answers))
    return {uuid: float(len(uuids) - rank) for rank, uuid in enumerate(uuids)}
