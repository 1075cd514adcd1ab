"""The journal's two statements that decide and write at once."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Boolean, Text, bindparam, insert, or_, select, update
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from vecferry.adapters.ledger.database_clock import now
from vecferry.adapters.ledger.given_rows import keys_relation, tokens_relation
from vecferry.adapters.ledger.routing_turn import my_turn
from vecferry.adapters.ledger.tables import journal, routing
from vecferry.domain.routing import Mode

_COLUMNS = ("migration_id", "tenant", "key", "owner", "token", "kind", "opened_at")


@cache
def open_statement(dialect: str) -> ReturningInsert[Any]:
    """A row per given key, if the routing row, which is locked against flip and publish, allows it.

    Parameters: those of ``keys_parameter``, migration_id, tenant, owner, token, kind, freeze_too. PostgreSQL looks at
    the routing row again after waiting for its lock, so a flip that was first leaves nothing to insert.
    """
    frozen = (routing.c.mode == Mode.FREEZE.value) & bindparam("freeze_too", type_=Boolean)
    allowed = or_(routing.c.mode == Mode.DUAL.value, frozen)
    ours = routing.c.migration_id == bindparam("migration_id", type_=Text)
    turn = my_turn(shared=True)
    lock = select(routing.c.migration_id).where(turn, ours, allowed).with_for_update(read=True).subquery("open_routing")
    given = keys_relation(dialect)
    bound = {name: bindparam(name, type_=Text) for name in ("tenant", "owner", "token", "kind")}
    chosen = select(
        lock.c.migration_id, bound["tenant"], given.c.key, bound["owner"], bound["token"], bound["kind"], now()
    ).select_from(lock.join(given, given.c.key.is_not(None)))
    return insert(journal).from_select(_COLUMNS, chosen.order_by(given.c.place)).returning(journal.c.id, journal.c.key)


@cache
def claim_statement(dialect: str) -> ReturningUpdate[Any]:
    """Parameters: those of ``tokens_parameter``, new_owner, new_token."""
    given = tokens_relation(dialect)
    unchanged = (journal.c.id == given.c.id) & (journal.c.token == given.c.token)
    values = {"owner": bindparam("new_owner", type_=Text), "token": bindparam("new_token", type_=Text)}
    return update(journal).where(unchanged).values(values).returning(*journal.c, now().label("now"))
