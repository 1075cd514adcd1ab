"""Spend in SQL: booked before the request is sent, in the same update that checks the budget."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from vecferry.adapters.ledger import refusals
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.database_clock import now
from vecferry.adapters.ledger.insert_new import insert_new
from vecferry.adapters.ledger.tables import accounts, spend
from vecferry.ports import Purpose, Spend

_NANO = 1_000_000_000
FOLD_EVERY = 1_000
"""So often, in requests, the settled ones of an account are summed up: millions of rows that nobody reads would be the
largest part of a ledger."""
_FOLD_AT_MOST = 10
"""Times as many at once: a ledger that is full of them, from a release before, is not summed up on one request's time."""


class SqlSpending:
    _database: Database

    def reserve(
        self,
        *,
        pin: str,
        migration_id: str | None,
        purpose: Purpose,
        tokens: int,
        cost_usd: float,
        budget_usd: float | None,
    ) -> int:
        if tokens < 0 or not cost_usd >= 0:
            raise refusals.negative_spend(tokens, cost_usd)
        booked = partial(_reserve, pin=pin, migration_id=migration_id or "", purpose=purpose, tokens=tokens)
        return self._database.write(partial(booked, cost_usd=cost_usd, budget_usd=budget_usd))

    def settle(self, reservation: int, *, tokens: int, cost_usd: float) -> None:
        if tokens < 0 or not cost_usd >= 0:
            raise refusals.negative_spend(tokens, cost_usd)
        self._database.write(partial(_settle, reservation=reservation, tokens=tokens, cost_usd=cost_usd))

    def spend(self, *, pin: str | None = None, migration_id: str | None = None) -> Spend:
        return self._database.read(partial(_sum, pin=pin, migration_id=migration_id))


def _reserve(
    connection: Connection,
    *,
    pin: str,
    migration_id: str,
    purpose: Purpose,
    tokens: int,
    cost_usd: float,
    budget_usd: float | None,
) -> int:
    nano = round(cost_usd * _NANO)
    account = {"pin": pin, "migration_id": migration_id}
    insert_new(connection, accounts, [account | {"tokens": 0, "nano_usd": 0, "requests": 0, "unsettled": 0}])
    if not _book(connection, account, tokens=tokens, nano=nano, budget_usd=budget_usd):
        spent = _sum(connection, pin=pin, migration_id=migration_id).cost_usd
        raise refusals.over_budget(pin, migration_id, spent, cost_usd, budget_usd or 0.0)
    values = account | {"purpose": purpose.value, "tokens": tokens, "nano_usd": nano, "settled": False, "at": now()}
    reservation: int = connection.execute(insert(spend).values(values).returning(spend.c.id)).scalar_one()
    if reservation % FOLD_EVERY == 0:
        _fold(connection, account)
    return reservation


def _fold(connection: Connection, account: dict[str, str]) -> None:
    """The account's row is locked by the booking before it: whoever settles waits there, so that what is summed up is what is
    deleted."""
    settled = and_(spend.c.settled, *(spend.c[name] == value for name, value in account.items()))
    oldest = select(spend.c.id).where(settled).order_by(spend.c.id).limit(_FOLD_AT_MOST * FOLD_EVERY).subquery()
    through = connection.execute(select(func.max(oldest.c.id))).scalar()
    if through is None:
        return
    folded = settled & (spend.c.id <= through)
    names = ("tokens", "nano_usd", "requests")
    sums = select(spend.c.purpose, *(func.sum(spend.c[name]).label(name) for name in names)).where(folded)
    for row in connection.execute(sums.group_by(spend.c.purpose)).mappings().all():
        values = account | {"purpose": row["purpose"], "settled": True, "at": now(), "through": through}
        connection.execute(insert(spend).values(values | {name: int(row[name]) for name in names}))
    connection.execute(delete(spend).where(folded))


def _book(connection: Connection, account: dict[str, str], *, tokens: int, nano: int, budget_usd: float | None) -> bool:
    """The account's row is locked by its update: two requests cannot both take the last dollar."""
    booking = update(accounts).where(*(accounts.c[name] == value for name, value in account.items()))
    if budget_usd is not None:
        booking = booking.where(accounts.c.nano_usd + nano <= round(budget_usd * _NANO))
    sums = {"tokens": accounts.c.tokens + tokens, "nano_usd": accounts.c.nano_usd + nano}
    counts = {"requests": accounts.c.requests + 1, "unsettled": accounts.c.unsettled + 1}
    return connection.execute(booking.values(sums | counts)).rowcount == 1


def _settle(connection: Connection, *, reservation: int, tokens: int, cost_usd: float) -> None:
    nano = round(cost_usd * _NANO)
    stored = _unsettled(connection, reservation)
    values = {"tokens": tokens, "nano_usd": nano, "settled": True}
    connection.execute(update(spend).where(spend.c.id == reservation).values(values))
    of_account = (accounts.c.pin == stored.pin) & (accounts.c.migration_id == stored.migration_id)
    sums = {
        "tokens": accounts.c.tokens + (tokens - stored.tokens),
        "nano_usd": accounts.c.nano_usd + (nano - stored.nano_usd),
        "unsettled": accounts.c.unsettled - 1,
    }
    connection.execute(update(accounts).where(of_account).values(sums))


def _unsettled(connection: Connection, reservation: int) -> Row[tuple[object, ...]]:
    stored = connection.execute(select(spend).where(spend.c.id == reservation).with_for_update()).one_or_none()
    if stored is None and not _folded(connection, reservation):
        raise refusals.no_reservation(reservation)
    if stored is None or stored.settled:
        raise refusals.settled_before(reservation)
    return stored


def _folded(connection: Connection, reservation: int) -> bool:
    last = connection.execute(select(func.max(spend.c.through))).scalar()
    return last is not None and 0 < reservation <= last


def _sum(connection: Connection, *, pin: str | None, migration_id: str | None) -> Spend:
    names = ("tokens", "nano_usd", "requests", "unsettled")
    query = select(*(func.coalesce(func.sum(accounts.c[name]), 0).label(name) for name in names))
    query = query if pin is None else query.where(accounts.c.pin == pin)
    query = query if migration_id is None else query.where(accounts.c.migration_id == migration_id)
    row = connection.execute(query).one()
    return Spend(int(row.tokens), int(row.nano_usd) / _NANO, int(row.requests), int(row.unsettled))
