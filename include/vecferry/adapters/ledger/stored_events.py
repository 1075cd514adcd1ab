"""Events: written by the change that they tell of, in its transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlalchemy.engine import RowMapping

from vecferry.adapters.ledger.database_clock import now
from vecferry.adapters.ledger.tables import events
from vecferry.ports import Event


def clock_of(connection: Connection) -> datetime:
    """The ledger's clock."""
    at: datetime = connection.execute(select(now())).scalar_one()
    return at


def record(connection: Connection, event: Event) -> None:
    connection.execute(
        insert(events).values(
            at=event.at,
            who=event.who,
            what=event.what,
            why=event.why,
            pin=event.pin,
            migration_id=event.migration_id,
            detail=dict(event.detail),
        )
    )


def event_of(row: RowMapping) -> Event:
    return Event(row["at"], row["who"], row["what"], row["why"], row["pin"], row["migration_id"], row["detail"])
