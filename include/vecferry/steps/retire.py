"""Authority moves, once, through a short freeze; afterwards the shadow is alone and rollback has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vecferry.domain.chunks import ChunkState
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Mode, Routing
from vecferry.errors import BadInput, Conflict, NeedsPerson, NotYet, Retryable, UnknownOutcome
from vecferry.ports import Ports
from vecferry.steps import only_tenants
from vecferry.steps.before_the_freeze import obstacle
from vecferry.steps.hold_vectorizer import let_go
from vecferry.steps.model_drift import fingerprint_of
from vecferry.steps.move_aliases import move_aliases
from vecferry.steps.old_collection import RETIRED, OldCollection, close, next_step, old_collection, write_hold_s
from vecferry.steps.readiness import YES, Ready, acknowledged, recorded
from vecferry.steps.standing import has_work, refuse_if_paused
from vecferry.steps.sweep import refuse_while_natively_written
from vecferry.steps.verify_parity import last_clean_pass, restarted_since


def act(ports: Ports, migration_id: str) -> dict[str, Any]:
    """Freeze → acknowledged → journal empty → flip → the old collection read-only, and kept until its date. Whatever fails
    before the flip undoes the freeze; a crash in the middle is undone by the first router whose hold runs out. Run again, it
    closes the old collection again, which a restart of the server opens, and records what a crash left untold."""
    migration = ports.ledger.migration(migration_id)
    if has_work("retire", migration):
        refuse_if_paused(migration)
        _refuse_unless_proven(ports, migration)
        refuse_while_natively_written(ports, migration)
        _refuse_a_vain_freeze(ports, migration)
        _freeze_and_flip(ports, migration)
    migration = ports.ledger.migration(migration_id)
    old = old_collection(ports, migration)
    closed = close(ports, migration) if old.dropped is None else False  # at once: until then an expired router trusts it
    _record_once(ports, migration, old)
    return {
        "collection": migration.spec.shadow,
        "kept": old.name if closed else None,
        "kept_until": old.kept_until.isoformat(),
        "old_read_only": closed or None,
        "vectorizer": let_go(ports, migration),
        "aliases": move_aliases(ports, migration),
        "next": next_step(ports, migration),
    }


def may_freeze(ports: Ports, migration_id: str) -> Ready:
    """Whether an attempt would hold writers for nothing; ``done`` where there is nothing to freeze for any more."""
    migration = ports.ledger.migration(migration_id)
    if migration.ended:
        return YES
    found = obstacle(ports, migration)
    return YES if found is None else Ready(False, found.waiting_for)


def ready(ports: Ports, migration_id: str) -> Ready:
    """All routers have acknowledged the flip, so held writes are released."""
    return acknowledged(ports, ports.ledger.migration(migration_id))


def _refuse_unless_proven(ports: Ports, migration: Migration) -> None:
    """Step 1: all reads on the shadow; backfill and parity complete and stopped; no lease that expired less than Q ago."""
    only_tenants.refuse_to_retire(migration)
    if migration.percent != 100:
        raise BadInput(
            f"{migration.percent}% of the queries are on the shadow, not 100%",
            where=migration.id,
            next_action="Run cut_over_100 first.",
        )
    if any(chunk.state is not ChunkState.DONE for chunk in ports.ledger.chunks(migration.id)):
        raise BadInput("the backfill is not complete", where=migration.id, next_action="Run the backfill first.")
    if last_clean_pass(ports, migration, ports.gates.parity_max_age_s) is None:
        raise NeedsPerson(
            f"no clean parity pass is younger than {ports.gates.parity_max_age_s:.0f} s",
            where=migration.id,
            next_action=f"Run: vecferry verify {migration.pin}, then clear retire.act.",
        )


def _refuse_a_vain_freeze(ports: Ports, migration: Migration) -> None:
    found = obstacle(ports, migration)
    if found is not None:
        kind = Retryable if found.gone_in_s is None else NotYet
        raise kind(
            f"retire waits, and no write is held, for {found.waiting_for}",
            where=migration.id,
            next_action="It is tried again.",
            retry_after_s=found.gone_in_s,
        )


def _freeze_and_flip(ports: Ports, migration: Migration) -> None:
    frozen = ports.ledger.publish(
        migration, Mode.FREEZE, migration.percent, who=f"vecferry:{migration.id}", why="retire: the flip is near"
    )
    started = ports.clock.monotonic()
    try:
        _wait(ports, started, lambda: acknowledged(ports, migration, frozen.version))
        _wait(ports, started, lambda: _journal_empty(ports, migration))  # after the acknowledgements: before proves nothing
        if restarted_since(ports, migration):  # what its index may have forgotten is looked for at the entrance
            raise Retryable("Weaviate may have restarted since every copy was looked for; they are looked for again first")
        ports.ledger.flip(
            migration,
            frozen.version,
            _new_pin(ports, migration),
            quarantine_s=ports.timings.quarantine_s,
            who=f"vecferry:{migration.id}",
        )
    except (Conflict, Retryable, UnknownOutcome) as error:
        _undo(ports, migration, frozen, error)


def _record_once(ports: Ports, migration: Migration, old: OldCollection) -> None:
    """By the ledger's own times, so that it is the same whoever comes to tell it; with the date of the deletion, which a
    setting that changes later does not move."""
    if ports.ledger.events(migration_id=migration.id, what=RETIRED):
        return
    held_s = write_hold_s(ports, migration, old)
    why = f"writes were held for {held_s:.3f} s; {old.name} is kept until {old.kept_until:%Y-%m-%d %H:%M} UTC"
    recorded(ports, migration, RETIRED, why, write_hold_s=held_s, kept_until=old.kept_until.isoformat())


def _undo(ports: Ports, migration: Migration, frozen: Routing, error: Exception) -> None:
    """One of the two wins. If the flip's answer was lost, the ledger knows whether it happened."""
    ports.ledger.undo_freeze(migration.pin, frozen.version, who=f"vecferry:{migration.id}", why=str(error))
    if ports.ledger.migration(migration.id).phase is not Phase.RETIRED:
        raise Retryable(
            f"the freeze was undone ({error})", where=migration.id, next_action="Nothing is lost; it is tried again."
        ) from error


def _wait(ports: Ports, started: float, answer: Callable[[], Ready]) -> None:
    """Within the routers' own patience: past it they undo the freeze anyway."""
    while not (ready_now := answer()).done:
        if ports.clock.monotonic() - started > ports.timings.freeze_hold_s:
            raise Retryable(f"waited {ports.timings.freeze_hold_s} s for {ready_now.waiting_for}")
        ports.clock.sleep(ports.timings.freeze_poll_s)


def _journal_empty(ports: Ports, migration: Migration) -> Ready:
    rows = sum(ports.ledger.journal_counts(migration.id).values())
    return Ready(rows == 0, f"{rows} journal rows")


def _new_pin(ports: Ports, migration: Migration) -> Pin:
    pin = ports.ledger.pin(migration.pin)
    return replace(
        pin,
        collection=migration.spec.shadow,
        space=migration.spec.space,
        recipe=migration.spec.recipe,
        stamped=True,
        fingerprint=fingerprint_of(ports, migration.id),
    )
