"""Transactions on the ledger's database: reads, writes, and writes of a single statement."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from vecferry.adapters.ledger.database_url import shown
from vecferry.adapters.ledger.engine import BEGIN, BUSY_TIMEOUT_S
from vecferry.adapters.ledger.fork_gate import ForkGate
from vecferry.adapters.ledger.translation import DidNothing, Moment, translated
from vecferry.errors import Retryable

T = TypeVar("T")
Work = Callable[[Connection], T]

_ATTEMPTS = 3


class Database:
    """Safe across threads and after a fork. ``work`` may be run again: it changes nothing but the database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.where = f"ledger {shown(engine.url)}"
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._turn = threading.Lock()
        self._gate = ForkGate() if self.is_sqlite else None
        self._inherited: list[Any] = []
        _forget_connections_after_fork(self)

    def read(self, work: Work[T]) -> T:
        """One statement sees one state; ``work`` with several may see several."""
        options = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        return self._retrying(lambda: self._run(work, Moment.BEFORE_COMMIT, options))

    def write(self, work: Work[T]) -> T:
        """One transaction, committed on return. Raises ``UnknownOutcome`` if the commit's fate is unknown."""
        return self._retrying(lambda: self._in_turn(self._committed, work))

    def write_at_once(self, work: Work[T]) -> T:
        """``work`` is a single statement, which commits itself: one round trip instead of three."""
        if self.is_sqlite:
            return self.write(work)
        return self._retrying(lambda: self._run(work, Moment.COMMITTING, {"isolation_level": "AUTOCOMMIT"}))

    def close(self) -> None:
        with self._passage():
            self.engine.dispose()

    def _retrying(self, attempt: Callable[[], T]) -> T:
        """Again only where the database said that nothing was done."""
        retrying = Retrying(
            retry=retry_if_exception_type(DidNothing),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random(0.005, 0.05),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except DidNothing as error:  # the caller's word for it, and the caller's turn
            raise Retryable(error.what, where=error.where, next_action=error.next_action) from error

    def _run(self, work: Work[T], moment: Moment, options: dict[str, Any]) -> T:
        with self._connection(options) as connection, self._words(moment):
            return work(connection)

    def _committed(self, work: Work[T]) -> T:
        with self._connection({BEGIN: "IMMEDIATE"} if self.is_sqlite else {}) as connection:
            with self._words(Moment.BEFORE_COMMIT):
                result = work(connection)
            with self._words(Moment.COMMITTING):
                connection.commit()
            return result

    def _in_turn(self, attempt: Callable[[Work[T]], T], work: Work[T]) -> T:
        """On SQLite this process's writers queue here: its own busy handler polls, up to 100 ms a turn."""
        if not self.is_sqlite:
            return attempt(work)
        turn = self._turn
        if not turn.acquire(timeout=BUSY_TIMEOUT_S):
            raise Retryable("this process's other writers hold the ledger", where=self.where, next_action="Retry.")
        try:
            return attempt(work)
        finally:
            turn.release()

    @contextmanager
    def _connection(self, options: dict[str, Any]) -> Iterator[Connection]:
        with self._passage():
            with self._words(Moment.BEFORE_COMMIT):
                connection = self.engine.connect()
            try:
                yield connection.execution_options(**options)
            finally:
                with self._words(Moment.BEFORE_COMMIT):
                    connection.close()

    def _passage(self) -> AbstractContextManager[None]:
        return self._gate.passage() if self._gate else nullcontext()

    @contextmanager
    def _words(self, moment: Moment) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise translated(error, moment, self.where) from error

    def _after_fork(self) -> None:
        """The parent's connections are neither used nor closed here: SQLite must not be carried across a fork, and a
        goodbye on an inherited socket would end the parent's session."""
        self._inherited.append(self.engine.pool)
        self.engine.dispose(close=False)
        self._turn = threading.Lock()
        self._gate = ForkGate() if self.is_sqlite else None

    def _before_fork(self) -> None:
        if self._gate:
            self._gate.close()

    def _after_fork_in_parent(self) -> None:
        if self._gate:
            self._gate.open()


def _forget_connections_after_fork(database: Database) -> None:
    alive = weakref.ref(database)

    def told(what: Callable[[Database], None]) -> Callable[[], None]:
        def tell() -> None:
            if (known := alive()) is not None:
                what(known)

        return tell

    os.register_at_fork(
        before=told(Database._before_fork),
        after_in_parent=told(Database._after_fork_in_parent),
        after_in_child=told(Database._after_fork),
    )
