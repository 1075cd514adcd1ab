"""Golden queries through the route that users take, against live asked directly: only quality can tell a foreign space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vecferry.domain.golden import GoldenQuery, GoldenSet
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Arm
from vecferry.domain.stages import BY_NAME
from vecferry.ports import Ports
from vecferry.router import Router
from vecferry.steps.asking import ask_all, ask_arm, golden_of
from vecferry.steps.cut_over import key_on
from vecferry.steps.retrieval_metrics import CUTOFF, compare


def replay(ports: Ports, migration: Migration, stage: str) -> int:
    """Measures up to ``canary_golden_queries``, evenly spread, and stores the differences; returns how many.

    Only while the shadow serves; afterwards what was measured then stands.
    """
    if (
        migration.live_model_gone
        or migration.phase is not Phase.SERVING
        or migration.percent != BY_NAME[stage].percent
        or not any(migration.covers(query.get("tenant")) for query in ports.ledger.golden(migration.pin))
    ):
        return 0
    golden = golden_of(ports, migration.pin, of=migration.covers)
    step = max(1, len(golden.graded) // ports.gates.canary_golden_queries)
    asked = GoldenSet(golden.graded[::step][: ports.gates.canary_golden_queries])
    pin = ports.ledger.pin(migration.pin)
    live = ask_all(asked.queries, ask_arm(ports, pin, migration.spec.live, migration.from_space, migration_id=None))
    with _router(ports, migration.pin) as router:
        routed = ask_all(asked.queries, _through(router, key_on(Arm.SHADOW, migration.id, migration.percent)))
    differences = compare(asked, live, routed).differences
    rows = [{"query_id": name, "difference": value} for name, value in differences.items()]
    ports.ledger.save_measurements(migration.id, stage, rows)
    return len(rows)


def _router(ports: Ports, pin: str) -> Router:
    """Without threads: it only asks, for seconds, on a short lease. Not counted: the telemetry is the users' own."""
    return Router(
        pin,
        ledger=ports.ledger,
        store=ports.store,
        embedders=ports.embedders,
        clock=ports.clock,
        timings=replace(ports.timings, idle_lease_s=max(ports.timings.lease_s, 60.0)),
        threads=False,
        counted=False,
    )


def _through(router: Router, key: str) -> Callable[[GoldenQuery], list[tuple[str, float]]]:
    def ask(query: GoldenQuery) -> list[tuple[str, float]]:
        router.refresh()
        hits = router.search(query.query, key=key, limit=CUTOFF, filters=query.filters, tenant=query.tenant)
        return [(hit.uuid, hit.score) for hit in hits]

    return ask
