"""The migration row: read, locked, written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.engine import RowMapping

from vecferry.adapters.ledger import codec, refusals
from vecferry.adapters.ledger.tables import migrations
from vecferry.domain.lifecycle import ENDED, Migration, Phase
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.spaces import EmbeddingSpace

_PLAIN = ("id", "pin", "version", "percent", "attempt", "notice_id", "paused", "options", "plan", "protocol_version")

is_active = migrations.c.phase.not_in([phase.value for phase in ENDED])


def migration_of(row: RowMapping) -> Migration:
    return Migration(
        **{name: row[name] for name in _PLAIN},
        phase=Phase(row["phase"]),
        spec=codec.restored(ShadowSpec, row["spec"]),
        from_space=codec.restored(EmbeddingSpace, row["from_space"]),
    )


def columns(migration: Migration) -> dict[str, Any]:
    return {name: getattr(migration, name) for name in _PLAIN} | {
        "phase": migration.phase.value,
        "shadow": migration.spec.shadow,
        "spec": codec.plain(migration.spec),
        "from_space": codec.plain(migration.from_space),
    }


def by_id(connection: Connection, migration_id: str, *, lock: bool = False) -> Migration:
    """Whoever locks it holds the pin's routing row already: one order for all, so that nobody deadlocks."""
    query = select(migrations).where(migrations.c.id == migration_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise refusals.no_migration(migration_id, connection.execute(select(migrations.c.id)).scalars())
    return migration_of(row)


def active_of(connection: Connection, pin: str) -> Migration | None:
    row = connection.execute(select(migrations).where(migrations.c.pin == pin, is_active)).mappings().one_or_none()
    return None if row is None else migration_of(row)


def write_move(connection: Connection, before: Migration, after: Migration) -> None:
    """Phase, percent and version, if it is still as ``before``; the trigger checks the move once more."""
    current = (migrations.c.id == before.id) & (migrations.c.phase == before.phase) & (migrations.c.version == before.version)
    values = {"phase": after.phase.value, "percent": after.percent, "version": after.version}
    if connection.execute(update(migrations).where(current).values(values)).rowcount != 1:
        raise refusals.moved_first(before, by_id(connection, before.id))
