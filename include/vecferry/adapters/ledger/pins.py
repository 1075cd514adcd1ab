"""Pins in SQL."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, insert, select, update

from vecferry.adapters.ledger import codec, history, refusals, routing_rules, stored_migration, stored_routing
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.stored_events import clock_of, record
from vecferry.adapters.ledger.tables import pins
from vecferry.domain.pins import Pin


class SqlPins:
    _database: Database

    def pin(self, name: str) -> Pin:
        return self._database.read(lambda connection: read_pin(connection, name))

    def pins(self) -> list[Pin]:
        found = self._database.read(lambda connection: connection.execute(select(pins.c.document)).scalars().all())
        return sorted((codec.restored(Pin, document) for document in found), key=lambda pin: pin.name)

    def save_pin(self, pin: Pin, *, who: str, why: str) -> None:
        self._database.write(partial(_save, pin=pin, who=who, why=why))


def read_pin(connection: Connection, name: str) -> Pin:
    document = connection.execute(select(pins.c.document).where(pins.c.name == name)).scalar()
    if document is None:
        raise refusals.no_pin(name, connection.execute(select(pins.c.name)).scalars())
    return codec.restored(Pin, document)


def _save(connection: Connection, *, pin: Pin, who: str, why: str) -> None:
    at = clock_of(connection)
    if connection.execute(select(pins.c.name).where(pins.c.name == pin.name)).scalar() is None:
        connection.execute(insert(pins).values(_columns(pin)))
        stored_routing.begin_history(connection, routing_rules.first_routing(pin, at))
    else:
        _replace(connection, pin, why)
    record(connection, history.pin_saved(pin, at=at, who=who, why=why))


def _replace(connection: Connection, pin: Pin, why: str) -> None:
    routing = stored_routing.locked(connection, pin.name)
    before, active = read_pin(connection, pin.name), stored_migration.active_of(connection, pin.name)
    if active is not None and (before.collection, before.space) != (pin.collection, pin.space):
        raise refusals.pin_in_migration(pin, active.id)
    write_pin(connection, pin)
    if (routing.authority, before.space) != (pin.collection, pin.space):
        at = clock_of(connection)
        stored_routing.replace_by(connection, routing_rules.repinned(routing, pin, why=why, at=at))


def write_pin(connection: Connection, pin: Pin) -> None:
    connection.execute(update(pins).where(pins.c.name == pin.name).values(_columns(pin)))


def _columns(pin: Pin) -> dict[str, object]:
    return {"name": pin.name, "collection": pin.collection, "space": pin.space.id, "document": codec.plain(pin)}
