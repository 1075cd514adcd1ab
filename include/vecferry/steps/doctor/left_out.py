"""Objects whose vector is of a part of their text, or missing, of the pin's collection and of a shadow that is being filled."""

from __future__ import annotations

from functools import partial

from vecferry.domain.left_out import told
from vecferry.domain.pins import Pin
from vecferry.ports import Ports
from vecferry.steps.doctor.finding import Finding, Look, ok
from vecferry.steps.left_out import left_out


def looks(ports: Ports, pin: Pin) -> list[Look]:
    active = ports.ledger.active_migration(pin.name)
    shadow = active.spec.shadow if active else None
    names = [pin.collection, *([shadow] if shadow and shadow in ports.store.collections() else [])]
    return [(f"left out in {name}", partial(_look, ports, name)) for name in names]


def _look(ports: Ports, collection: str) -> Finding | None:
    """A count, not a fault: the policy was chosen. Nothing where all vectors are of whole texts."""
    text = told(left_out(ports, collection))
    return ok(text) if text else None
