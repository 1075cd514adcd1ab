"""Who else knows the collection by its name."""

from __future__ import annotations

from vecferry.ports import Ports
from vecferry.steps import inbound_references
from vecferry.steps.doctor.finding import Finding, Look, ok, problem


def looks(ports: Ports, collection: str) -> list[Look]:
    return [("inbound references", lambda: _references(ports, collection)), ("aliases", lambda: _aliases(ports, collection))]


def _references(ports: Ports, collection: str) -> Finding:
    found = inbound_references.look(ports, collection).references
    if not found:
        return ok("no other collection points to it")
    return problem(
        ", ".join(reference.told for reference in found),
        "They name the collection, which a migration replaces by a new one: plan refuses but with --inbound-references leave.",
    )


def _aliases(ports: Ports, collection: str) -> Finding | None:
    names = sorted(alias for alias, target in ports.store.aliases().items() if target == collection)
    return ok(f"{', '.join(names)} lead to it") if names else None
