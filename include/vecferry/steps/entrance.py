"""What every gate asks before it copies, judges or cuts over: is this the ledger that we knew, do we speak the migration's
protocol, and is live still what was planned?"""

from __future__ import annotations

from datetime import datetime, timedelta

from vecferry.domain.lifecycle import PROTOCOL_VERSION, Migration, Phase, understands
from vecferry.errors import BadInput, NeedsPerson
from vecferry.ports import Ports
from vecferry.protocol import restored
from vecferry.steps import drift, restored_ledger, verify_parity
from vecferry.steps.readiness import recorded

_SERVING = frozenset({"cut_over_5", "cut_over_25", "cut_over_100", "retire"})
INDEX_DOUBTED = "index_doubted"
_PROVEN = frozenset({Phase.VERIFIED, Phase.VALIDATED, Phase.SERVING})


def enter(ports: Ports, migration: Migration, stage: str) -> None:
    """Raises ``Paused`` where a person must look first, ``BadInput`` for another release's migration; else the shadow has
    followed live, and what it was given is verified where parity was proven before (rules 13 and 18); a restart of the server
    is answered with another look at every copy before the shadow serves more (rule 12a)."""
    if migration.ended or migration.phase is Phase.PLANNED:
        return
    refuse_another_protocol(migration)
    restored_ledger.refuse(ports, migration)
    _refuse_without_a_younger_pass(ports, migration, stage)
    if drift.follow(ports, migration) and migration.phase in _PROVEN:
        verify_parity.act(ports, migration.id)
    if stage in _SERVING and migration.phase in _PROVEN:
        _look_for_all_after_a_restart(ports, migration)


def leave(ports: Ports, migration_id: str) -> None:
    """After the act: how far the ledger was is noted where a restore cannot undo it."""
    migration = ports.ledger.migration(migration_id)
    if not migration.ended and migration.phase is not Phase.PLANNED:
        restored_ledger.note(ports, migration)


def refuse_another_protocol(migration: Migration) -> None:
    """Rule 18 for tasks and commands: another release's f would not be the migration's."""
    if not understands(PROTOCOL_VERSION, migration):
        raise BadInput(
            f"this vecferry speaks protocol {PROTOCOL_VERSION}, migration {migration.id} protocol {migration.protocol_version} "
            f"with hash version {migration.spec.hash_version}",
            where=f"pin {migration.pin}",
            next_action="Run the stages with the release that began the migration, or the one before or after it.",
        )


def _look_for_all_after_a_restart(ports: Ports, migration: Migration) -> None:
    """Rule 12a: the index of a killed server forgets what was acknowledged, some of it long before. No row is open for that,
    and nothing but a search for each object tells."""
    if verify_parity.restarted_since(ports, migration):
        why = "Weaviate may have restarted since the last clean pass (by its cluster's state): all copies are looked for"
        recorded(ports, migration, INDEX_DOUBTED, why)
        verify_parity.act(ports, migration.id, sample=0)


def _refuse_without_a_younger_pass(ports: Ports, migration: Migration, stage: str) -> None:
    """Where writes may have gone without a row, only parity knows which keys of the shadow are behind."""
    moments = _without_rows_until(ports, migration, stage)
    if not moments:
        return
    passes = [e.at for e in ports.ledger.events(migration_id=migration.id, what=verify_parity.CLEAN_PASS)]
    missed = [why for at, why in moments if not passes or max(passes) < at]
    if missed:
        raise NeedsPerson(
            f"no clean parity pass is younger than {missed[0]}",
            where=migration.id,
            next_action=f"Run: vecferry verify {migration.pin} --repair",
        )


def _without_rows_until(ports: Ports, migration: Migration, stage: str) -> list[tuple[datetime, str]]:
    """A restored ledger has lost rows; a dismissed router, if it lives after all, writes without them until its own lease and
    Q are over."""
    moments: list[tuple[datetime, str]] = []
    word = restored.accepted(ports.ledger, migration.pin)
    if word is not None and stage in _SERVING:
        moments.append((word.at, "the restore of the ledger"))
    if stage == "retire":
        quarantine = timedelta(seconds=ports.timings.quarantine_s)
        leases, _ = ports.ledger.leases(migration.pin)
        dismissed = [lease for lease in leases if lease.dismissed_at is not None]
        moments += [
            (
                one.expires_at + quarantine,
                f"{one.expires_at + quarantine:%Y-%m-%d %H:%M:%S} UTC, when {one.router_id} can no longer live",
            )
            for one in dismissed
        ]
    return moments
