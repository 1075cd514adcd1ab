"""Who may look at the routing row next.

A row lock on PostgreSQL is not fair: writers that share it overlap, and the publisher of a rollback would wait for a gap
between them as long as they keep coming. So everybody first takes an advisory lock, whose queue is in order of arrival,
and then, in the same statement, the row: it is read anew after the wait, so no old routing is acted on.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_KEY = 0x726F7574696E67  # "routing"; one for all pins: what needs it alone is rare and short


class _turn(FunctionElement[Any]):
    inherit_cache = True
    name = "turn"


class _shared_turn(_turn):
    inherit_cache = True
    name = "shared_turn"


def my_turn(*, shared: bool) -> ColumnElement[bool]:
    """True, once it is; a scalar subquery, so that it is asked before any row is locked."""
    key = bindparam(None, _KEY, type_=BigInteger, literal_execute=True)
    lock: _turn = _shared_turn(key) if shared else _turn(key)
    return select(lock.is_not(None)).scalar_subquery()


@compiles(_turn, "postgresql")
def _postgresql(element: _turn, compiler: Any, **kw: Any) -> str:
    function = "pg_advisory_xact_lock_shared" if isinstance(element, _shared_turn) else "pg_advisory_xact_lock"
    return f"{function}({compiler.process(element.clauses, **kw)})"


@compiles(_turn, "sqlite")
def _sqlite(element: _turn, compiler: Any, **kw: Any) -> str:
    """The transaction has been the only writer since its BEGIN IMMEDIATE."""
    return "1"
