"""Has the new model changed under its name? Asked at each gate, of eight fixed texts, before anything more is built on it.

Without it: vectors of two models of one length stand in one index under equal stamps, and every check but re-embedding passes.
"""

from __future__ import annotations

from vecferry.domain.fingerprint import SAME_FROM, TEXTS, Fingerprint, cosines
from vecferry.domain.lifecycle import Migration
from vecferry.errors import Paused
from vecferry.ports import Ports
from vecferry.steps.fingerprint import take

MEASURED = "model_fingerprint"
_TIMEOUT_S = 60.0


def refuse_a_changed_model(ports: Ports, migration: Migration) -> None:
    """The first gate takes the new model's fingerprint, before its first vector is kept; every later one compares.

    Pauses the migration and raises ``Paused`` where an answer is below cosine 0.999.
    """
    now = take(ports.embedders.of(migration.spec.space, migration_id=migration.id), timeout_s=_TIMEOUT_S)
    first = fingerprint_of(ports, migration.id)
    if not first:
        ports.ledger.save_measurements(migration.id, MEASURED, [{"vector": list(vector)} for vector in now])
        return
    worst = min(cosines(first, now))
    if worst < SAME_FROM:
        why = f"{migration.spec.space.id} has changed under its name: cosine {worst:.4f} at worst of {len(TEXTS)} fixed texts"
        if ports.ledger.migration(migration.id).paused != why:
            ports.ledger.set_paused(migration.id, why, who=f"vecferry:{migration.id}")
        raise Paused(
            why,
            where=migration.spec.shadow,
            next_action="Ask the provider. If it was a passing fault: unpause, then vecferry verify --sample all --repair. "
            "If the model has changed for good, roll back and discard: the shadow holds vectors of two models.",
        )


def fingerprint_of(ports: Ports, migration_id: str) -> Fingerprint:
    """Empty before the first gate."""
    return tuple(tuple(row["vector"]) for row in ports.ledger.measurements(migration_id, MEASURED))
