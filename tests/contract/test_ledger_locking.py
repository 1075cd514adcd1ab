"""Locks that are fair, and answers that are honest when the database goes away in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import Connection, event

from tests.support.ledger_case import WHO, LedgerCase, at_once, lease
from vecferry.adapters.ledger import stored_routing
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.ledger.sql_ledger import SqlLedger
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode, Snapshot, barrier
from vecferry.errors import Retryable, UnknownOutcome


def _database(case: LedgerCase) -> Database:
    assert isinstance(case.ledger, SqlLedger)
    return case.ledger._database


def _kill_own_session(connection: Connection) -> None:
    """What a failover looks like from here."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    killer = sqlalchemy.create_engine(connection.engine.url, poolclass=sqlalchemy.NullPool)
    with killer.begin() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({driver.info.backend_pid})")


def _once(action: Callable[[Connection], None]) -> Callable[..., None]:
    done = threading.Event()

    def listener(connection: Connection, *_: Any) -> None:
        if not done.is_set():
            done.set()
            action(connection)

    return listener


def test_a_publisher_gets_its_turn_while_writers_keep_coming(postgres_case: LedgerCase) -> None:
    """A row lock alone let it wait until they stopped: a rollback would not come through under load."""
    migration, database, stop = postgres_case.at(Phase.SERVING), _database(postgres_case), threading.Event()

    def share_for_50_ms(connection: Connection) -> None:
        stored_routing.locked(connection, "Docs", shared=True)
        time.sleep(0.05)

    def keep_sharing(delay_s: float) -> None:
        time.sleep(delay_s)  # they overlap: there is never a moment without one
        while not stop.is_set():
            database.write(share_for_50_ms)

    writers = [threading.Thread(target=keep_sharing, args=(0.01 * place,)) for place in range(6)]
    for writer in writers:
        writer.start()
    try:
        time.sleep(0.2)
        started = time.monotonic()
        postgres_case.ledger.publish(migration, Mode.DUAL, 25, **WHO)
        waited_s = time.monotonic() - started
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert waited_s < 1.0


@pytest.mark.parametrize("call", ["register", "renew"])
def test_a_lease_that_is_being_written_holds_up_a_publisher(sql_case: LedgerCase, call: str) -> None:
    """Rule 14: a publisher that overtook it would see no lease, and the router would go on by the version it had read."""
    migration, router = sql_case.at(Phase.SHADOW_CREATED), sql_case.another()
    assert isinstance(router, SqlLedger)
    router.register(lease("r1", acknowledged=1, lease_s=0.0))  # expired: the barrier passes over it
    sql_case.advance(60)
    reached_commit, overtaken = threading.Event(), threading.Event()

    def wait_for_a_publisher(_: Connection) -> None:
        reached_commit.set()
        overtaken.wait(timeout=0.5)

    def publish_and_look() -> tuple[int, bool]:
        assert reached_commit.wait(timeout=10), "the lease was not written within 10 s"
        version = sql_case.ledger.publish(migration, Mode.DUAL, 0, **WHO).version
        leases, now = sql_case.ledger.leases("Docs")
        overtaken.set()
        return version, barrier(leases, version, now=now, quarantine_s=8).passed

    event.listen(router._database.engine, "commit", wait_for_a_publisher)
    writing = {
        "register": lambda: router.register(lease("r1", acknowledged=1)),
        "renew": lambda: router.renew("r1", pin="Docs", acknowledged_version=1, lease_s=10),
    }
    published, snapshot = at_once(publish_and_look, writing[call])
    assert isinstance(snapshot, Snapshot), snapshot
    assert isinstance(published, tuple), published
    version, passed = published
    assert snapshot.routing.version == version or not passed


def test_a_session_lost_while_committing_has_an_unknown_outcome(postgres_case: LedgerCase) -> None:
    migration = postgres_case.at(Phase.SERVING)
    event.listen(_database(postgres_case).engine, "commit", _once(_kill_own_session))
    with pytest.raises(UnknownOutcome, match="the connection was lost while committing"):
        postgres_case.ledger.publish(migration, Mode.DUAL, 25, **WHO)
    assert postgres_case.ledger.snapshot("Docs").routing.percent == 100


def test_rows_whose_insert_nobody_confirmed_have_an_unknown_outcome(postgres_case: LedgerCase) -> None:
    postgres_case.at(Phase.DUAL_WRITING)
    event.listen(_database(postgres_case).engine, "before_cursor_execute", _once(_kill_own_session))
    with pytest.raises(UnknownOutcome):
        postgres_case.ledger.open_rows("m1", ["k"], tenant=None, owner="w", kind=RowKind.WRITE)


def test_a_session_lost_before_the_commit_is_replaced_and_the_write_done_once(postgres_case: LedgerCase) -> None:
    migration = postgres_case.at(Phase.SERVING)
    event.listen(_database(postgres_case).engine, "before_cursor_execute", _once(_kill_own_session))
    assert postgres_case.ledger.publish(migration, Mode.DUAL, 25, **WHO).version == 4
    assert [routing.version for routing in postgres_case.ledger.routings("Docs")] == [1, 2, 3, 4]


def test_sessions_that_died_while_idle_are_not_noticed(postgres_case: LedgerCase) -> None:
    postgres_case.at(Phase.DUAL_WRITING)
    postgres_case.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vecferry'")
    assert postgres_case.ledger.open_rows("m1", ["k"], tenant=None, owner="w", kind=RowKind.WRITE)


def test_an_acknowledged_row_is_on_disk(sql_case: LedgerCase) -> None:
    """The row must survive the power cut that takes the write to L with it, or leaves it behind."""
    with _database(sql_case).engine.connect() as connection:
        if sql_case.kind == "postgresql":
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        else:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_sqlite_ledger_that_another_process_locks_may_be_tried_again(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}?timeout=0.1"
    case = LedgerCase("sqlite", url)
    case.at(Phase.DUAL_WRITING)
    stranger = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with stranger.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Retryable, match="another process holds the ledger's lock"):
            case.ledger.open_rows("m1", ["k"], tenant=None, owner="w", kind=RowKind.WRITE)
        assert case.ledger.snapshot("Docs").journal_rows == 0  # readers do not wait
        connection.exec_driver_sql("ROLLBACK")
    assert case.ledger.open_rows("m1", ["k"], tenant=None, owner="w", kind=RowKind.WRITE)
    case.close()


def test_a_ledger_that_is_stopped_may_be_tried_again(postgres_case: LedgerCase) -> None:
    url = sqlalchemy.make_url(postgres_case.url).set(port=1, password="sesame")  # nobody listens on port 1
    with pytest.raises(Retryable, match="cannot be reached") as refused:
        open_ledger(url.render_as_string(hide_password=False))
    assert "sesame" not in str(refused.value)
    assert "postgres:***@127.0.0.1:1/" in str(refused.value)
