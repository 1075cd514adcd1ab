"""Slices of providers' limits, in SQL: one row an account and model, locked while ``domain.capacity`` decides."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, select, update

from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.insert_new import insert_new
from vecferry.adapters.ledger.stored_events import clock_of
from vecferry.adapters.ledger.tables import capacity
from vecferry.domain.capacity import CapacityAnswer, CapacityAsk, CapacityState, decide, state_of


class SqlCapacity:
    _database: Database

    def take_capacity(self, ask: CapacityAsk) -> CapacityAnswer:
        return self._database.write(partial(_take, ask=ask))


def _take(connection: Connection, *, ask: CapacityAsk) -> CapacityAnswer:
    mine = (capacity.c.account == ask.account) & (capacity.c.model == ask.model)
    locked = select(capacity.c.began_at, capacity.c.state).where(mine).with_for_update()
    row = connection.execute(locked).first()
    if row is None:
        empty = {"began_at": clock_of(connection), "state": CapacityState().as_json()}
        insert_new(connection, capacity, [{"account": ask.account, "model": ask.model} | empty])
        row = connection.execute(locked).one()
    # Read under the lock: who waited for it is answered by the time at which its turn came.
    now_s = (clock_of(connection) - row.began_at).total_seconds()
    state, answer = decide(state_of(row.state), ask, now_s)
    connection.execute(update(capacity).where(mine).values(state=state.as_json()))
    return answer
