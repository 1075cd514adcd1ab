"""Pins in memory."""

from __future__ import annotations

from vecferry.adapters.ledger import history, refusals, routing_rules
from vecferry.adapters.memory.ledger_tables import Tables
from vecferry.domain.pins import Pin


class MemoryPins:
    _tables: Tables

    def pin(self, name: str) -> Pin:
        with self._tables.lock:
            return self._tables.pin(name)

    def pins(self) -> list[Pin]:
        with self._tables.lock:
            return [self._tables.pins[name] for name in sorted(self._tables.pins)]

    def save_pin(self, pin: Pin, *, who: str, why: str) -> None:
        tables, now = self._tables, self._tables.clock.now()
        with tables.lock:
            before, active = tables.pins.get(pin.name), tables.active(pin.name)
            moves = before is not None and (before.collection, before.space) != (pin.collection, pin.space)
            if moves and active is not None:
                raise refusals.pin_in_migration(pin, active.id)
            tables.pins[pin.name] = pin
            self._route(pin, why, moves=moves)
            tables.events.append(history.pin_saved(pin, at=now, who=who, why=why))

    def _route(self, pin: Pin, why: str, *, moves: bool) -> None:
        """A new pin gets version 1; one that means another collection or another model now gets the next."""
        now, versions = self._tables.clock.now(), self._tables.routings.setdefault(pin.name, [])
        if not versions:
            versions.append(routing_rules.first_routing(pin, now))
        elif moves or versions[-1].authority != pin.collection:
            versions.append(routing_rules.repinned(versions[-1], pin, why=why, at=now))
