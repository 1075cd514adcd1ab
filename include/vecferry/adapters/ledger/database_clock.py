"""The ledger's time in SQL: PostgreSQL's own clock, or on SQLite (one host) the host's (host_clock.py).

One clock for all leases and ages: machines that disagree about the time would disagree about who is expired.
``clock_timestamp()`` is PostgreSQL's name; on SQLite every connection gets a function of that name (engine.py).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, bindparam, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from vecferry.adapters.ledger.column_types import UtcDateTime


def now() -> ColumnElement[Any]:
    return func.clock_timestamp(type_=UtcDateTime())


class seconds_from_now(FunctionElement[Any]):
    """``clock_timestamp()`` plus that many seconds; negative for the past."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float | str) -> None:
        """A number, or the name of a bound parameter."""
        bound = bindparam(seconds, type_=Float) if isinstance(seconds, str) else bindparam(None, seconds, type_=Float)
        super().__init__(bound)


@compiles(seconds_from_now, "postgresql")
def _postgresql(element: seconds_from_now, compiler: Any, **kw: Any) -> str:
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(seconds_from_now, "sqlite")
def _sqlite(element: seconds_from_now, compiler: Any, **kw: Any) -> str:
    return f"clock_timestamp({compiler.process(element.clauses, **kw)})"
