"""A ledger restored from a backup pauses the migration: what it forgot is in the routers' memory and on the shadow."""

from __future__ import annotations

from vecferry.domain.descriptions import ledger_seen, with_ledger_seen
from vecferry.domain.lifecycle import Migration
from vecferry.errors import LedgerRestored, NotFound, Paused
from vecferry.ports import Ports
from vecferry.protocol import restored


def refuse(ports: Ports, migration: Migration) -> None:
    """By what the descriptions of shadow and live remember, and by what routers have reported. Raises ``Paused``.

    A ledger from before the flip would have live, which nobody writes any more, copied over the shadow's newer writes.
    """
    try:
        restored.check(ports.ledger, ports.store, ports.ledger.snapshot(migration.pin))
    except LedgerRestored as error:
        if restored.standing(ports.ledger, migration.pin) is None:
            restored.report(ports.ledger, migration.pin, error, who=f"vecferry:{migration.id}")
        _pause(ports, migration, error.what)
    found = restored.standing(ports.ledger, migration.pin)
    if found is not None:
        _pause(ports, migration, f"{found.why} (found by {found.who})")


def note(ports: Ports, migration: Migration) -> None:
    """On the shadow: how far the ledger was. One restored from before this moment does not know that version."""
    routing = ports.ledger.snapshot(migration.pin).routing
    try:
        schema = ports.store.schema(migration.spec.shadow)
    except NotFound:
        return
    noted = ledger_seen(schema, migration.id)
    if noted is None or not routing.is_the_seen(noted):
        ports.store.set_description(migration.spec.shadow, with_ledger_seen(schema, migration.id, routing))


def _pause(ports: Ports, migration: Migration, why: str) -> None:
    if ports.ledger.migration(migration.id).paused != why:
        ports.ledger.set_paused(migration.id, why, who=f"vecferry:{migration.id}")
    raise Paused(
        why,
        where=f"pin {migration.pin}",
        next_action=f"Bring the right ledger back. If this one is to count: vecferry routers {migration.pin} --accept-restored "
        f"--why …, vecferry verify {migration.pin} --repair, vecferry unpause {migration.pin}.",
    )
