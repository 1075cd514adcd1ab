"""The collections that retired migrations of a pin left behind: closed, and to be dropped after their date."""

from __future__ import annotations

from functools import partial

from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.ports import Ports
from vecferry.steps.doctor.finding import Finding, Look, ok, problem
from vecferry.steps.old_collection import is_due, old_collection


def looks(ports: Ports, pin: Pin) -> list[Look]:
    retired = [migration for migration in ports.ledger.migrations(pin.name) if migration.phase is Phase.RETIRED]
    return [(f"old collection {migration.spec.live}", partial(_look, ports, migration)) for migration in retired]


def _look(ports: Ports, migration: Migration) -> Finding | None:
    """READONLY does not outlive a restart of the server: then only its description and the routers' version keep writers
    away, and an application that has its own client is not kept away at all."""
    old = old_collection(ports, migration)
    if old.dropped is not None or old.name not in ports.store.collections():
        return None
    open_shards = sorted(name for name, status in ports.store.shards(old.name).items() if status != "READONLY")
    if open_shards:
        return problem(
            f"{old.name} was retired, and {len(open_shards)} of its shards can be written: {', '.join(open_shards[:3])}",
            f"The server was restarted since. Run `vecferry step retire {migration.pin}`, which closes it again, or drop it.",
        )
    if is_due(ports, migration):
        return ok(f"read-only; its time was over at {old.kept_until:%Y-%m-%d %H:%M} UTC: vecferry drop-old {migration.pin}")
    return ok(f"read-only, kept until {old.kept_until:%Y-%m-%d %H:%M} UTC")
