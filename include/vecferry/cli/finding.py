"""Which migration a command is about: the one under way, or the newest of the pin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecferry.errors import NotFound

if TYPE_CHECKING:
    from vecferry.domain.lifecycle import Migration
    from vecferry.ports import Ports


def active(ports: Ports, pin: str) -> Migration:
    name = ports.ledger.pin(pin).name
    found = ports.ledger.active_migration(name)
    if found is None:
        raise NotFound(
            "no migration is under way", where=name, next_action=f"To start one: vecferry plan {name} --to MODEL --start"
        )
    return found


def active_or_newest(ports: Ports, pin: str) -> Migration:
    """An ended migration's effects can still be looked at, and what ended it finished."""
    name = ports.ledger.pin(pin).name
    under_way = ports.ledger.active_migration(name)
    if under_way is not None:
        return under_way
    all_of_pin = ports.ledger.migrations(name)
    return all_of_pin[0] if all_of_pin else active(ports, name)
