"""A process forks while its threads are inside SQLite: the child's first connection must open all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.unit.test_router_forks import forked
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.fork_gate import ForkGate
from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.ledger.sql_ledger import SqlLedger

THREADS, FORKS = 6, 120


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


@contextmanager
def busy(database: Database) -> Iterator[None]:
    """Threads that read without a pause."""
    over = threading.Event()

    def read_on() -> None:
        while not over.is_set():
            database.read(lambda connection: connection.execute(text("SELECT count(*) FROM pins")).scalar())

    threads = [threading.Thread(target=read_on) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.timeout(300)
def test_no_child_stands_still_at_its_first_connection(ledger: SqlLedger) -> None:
    database = ledger._database
    with busy(database):
        for number in range(FORKS):
            assert forked(lambda: ledger.now() is not None) == 0, f"child {number}"


def test_who_is_inside_is_waited_for_and_who_comes_waits() -> None:
    gate, order = ForkGate(), []
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with gate.passage():
            inside.set()
            leave.wait(10)
            order.append("left")

    def second() -> None:
        with gate.passage():
            order.append("came")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(10)
    closing = threading.Thread(target=lambda: (gate.close(), order.append("closed")))
    closing.start()
    time.sleep(0.2)
    threads[1].start()
    time.sleep(0.2)
    assert order == []
    leave.set()
    closing.join(10)
    assert order == ["left", "closed"]
    gate.open()
    for thread in threads:
        thread.join(10)
    assert order == ["left", "closed", "came"]


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecferry.adapters.ledger.fork_gate._QUIET_WITHIN_S", 0.2)
    gate = ForkGate()
    with gate.passage():  # the forking thread itself
        gate.close()
        gate.open()
    with gate.passage():
        pass
    gate.close()
    with gate._changed:  # as in a thread that is held up there
        opening = threading.Thread(target=gate.open)
        opening.start()
        opening.join(5)
        assert not opening.is_alive()
        assert not gate._closed, "a gate that stayed closed would slow down every use from now on"
