"""Has the new model changed under its name? Asked at each gate, of eight fixed texts, before anything more is built on it.

Without it: vectors of two models of one length stand in one index under equal stamps, and every check but re-embedding passes.
Between two gates one of the texts goes along with each request (``protocol.same_model``).
"""

from __future__ import annotations

from vecferry.domain.fingerprint import MEASURED, SAME_FROM, TEXTS, Fingerprint, cosines
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.errors import Paused, Retryable
from vecferry.ports import Ports
from vecferry.steps.fingerprint import take
from vecferry.steps.readiness import recorded

UNSETTLED = "model_unsettled"
_TIMEOUT_S = 60.0
_NOTHING_STORED = frozenset({Phase.PLANNED, Phase.SHADOW_CREATED})


def refuse_a_changed_model(ports: Ports, migration: Migration) -> None:
    """The new model's fingerprint is taken before its first vector is kept, by two gates that have to agree; every later one
    compares.

    Pauses the migration and raises ``Paused`` where an answer is below cosine 0.999. Before the first vector it raises
    ``Retryable`` for that, and the newer fingerprint is what the next attempt has to agree with, Q seconds later: one taken
    during a passing fault would stand against every right answer from then on.
    """
    embedder = ports.embedders.of(migration.spec.space, migration_id=migration.id, witnessed=False)
    now = take(embedder, timeout_s=_TIMEOUT_S)
    first = fingerprint_of(ports, migration.id)
    worst = min(cosines(first, now)) if first else 1.0
    if not first or (worst < SAME_FROM and migration.phase in _NOTHING_STORED):
        ports.ledger.save_measurements(migration.id, MEASURED, [{"vector": list(vector)} for vector in now])
    if migration.phase in _NOTHING_STORED:
        _refuse_unless_settled(ports, migration, worst)
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


def _refuse_unless_settled(ports: Ports, migration: Migration, worst: float) -> None:
    """Two answers that agree may both be of one fault; so the second comes when the fault should have passed."""
    wait_s = ports.timings.quarantine_s
    if worst < SAME_FROM:
        recorded(ports, migration, UNSETTLED, f"cosine {worst:.4f} at worst of {len(TEXTS)} fixed texts")
        raise Retryable(
            f"{migration.spec.space.id} answers otherwise than a moment ago: cosine {worst:.4f} at worst of {len(TEXTS)} fixed "
            "texts; nothing is stored yet",
            where=migration.spec.shadow,
            next_action=f"Try again: it goes on when two answers agree that are {wait_s:.0f} s apart.",
            retry_after_s=wait_s,
        )
    unsettled = ports.ledger.events(migration_id=migration.id, what=UNSETTLED)
    since_s = (ports.ledger.now() - unsettled[-1].at).total_seconds() if unsettled else wait_s
    if since_s < wait_s:
        raise Retryable(
            f"{migration.spec.space.id} answered otherwise {since_s:.0f} s ago; nothing is stored yet",
            where=migration.spec.shadow,
            next_action=f"Try again: it goes on when two answers agree that are {wait_s:.0f} s apart.",
            retry_after_s=wait_s - since_s,
        )


def fingerprint_of(ports: Ports, migration_id: str) -> Fingerprint:
    """Empty before the first gate."""
    return tuple(tuple(row["vector"]) for row in ports.ledger.measurements(migration_id, MEASURED))
