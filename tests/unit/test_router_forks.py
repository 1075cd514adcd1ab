"""A Router that was connected before a fork (gunicorn preload, Celery prefork): the child is a router of its own."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.memory_world import LIVE_SCHEMA, NEW, OLD, key_of
from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.ledger.sql_ledger import SqlLedger
from vecferry.adapters.memory.embedder import MemoryEmbedders
from vecferry.adapters.memory.store import MemoryStore
from vecferry.adapters.system_clock import SystemClock
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.objects import STAMPS
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.timing import Timings
from vecferry.errors import Retryable
from vecferry.router import Router

CHILD_S = 60.0
_LOCKS = (type(threading.Lock()), type(threading.RLock()))


@dataclass
class Forking:
    """A router with threads on a real SQLite ledger, in dual-writing; the store is this process's own memory."""

    ledger: SqlLedger
    router: Router

    @property
    def lease_holders(self) -> list[str]:
        return [lease.where for lease in self.ledger.leases("Docs")[0]]


@pytest.fixture
def forking(tmp_path: Path) -> Iterator[Forking]:
    ledger, store = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), MemoryStore()
    recipe = TextRecipe(("body",))
    properties = [{"name": name, "dataType": ["text"]} for name in ("body", *STAMPS)]
    for collection in ("Docs", "Docs_v2"):
        store.create(LIVE_SCHEMA | {"class": collection, "properties": properties})
    ledger.save_pin(Pin("Docs", "Docs", OLD.space, recipe), who="test", why="test")
    planned = Migration("m1", "Docs", Phase.PLANNED, 1, ShadowSpec("Docs", "Docs_v2", recipe, NEW.space), OLD.space)
    created = ledger.move(ledger.start_migration(planned, who="test", why="test"), Phase.SHADOW_CREATED, who="test", why="test")
    ledger.move(created, Phase.DUAL_WRITING, who="test", why="test", routing=(Mode.DUAL, 0))
    parts: dict[str, Any] = {
        "store": store,
        "embedders": MemoryEmbedders(OLD, NEW),
        "clock": SystemClock(),
        "timings": Timings(),
    }
    with Router("Docs", ledger=ledger, **parts) as router:
        yield Forking(ledger, router)
    ledger.close()


def forked(work: Callable[[], bool]) -> int:
    """Runs ``work`` in a child; its exit status, 0 where ``work`` was true. A child that hangs is killed and gives −9."""
    child = os.fork()
    if child == 0:
        faulthandler.register(signal.SIGUSR1, file=2)
        try:
            os._exit(0 if work() else 1)
        except BaseException as error:
            os.write(2, f"child: {error!r}\n".encode())
            os._exit(2)
    deadline = time.monotonic() + CHILD_S
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGUSR1)  # it tells where it stands
    time.sleep(1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL


def _at_work(forking: Forking, name: str = "child") -> bool:
    """Routes, writes and has the shadow follow."""
    router = forking.router
    receipt = router.put(key_of(name), {"body": f"the {name}'s"}, timeout=30)
    return router.route("u").collection == "Docs" and receipt.wait(30) and router.flush(30)


def test_a_child_registers_anew_and_the_parent_goes_on(forking: Forking) -> None:
    parents = forking.router._membership.router_id
    assert forked(lambda: _at_work(forking) and forking.router._membership.router_id != parents) == 0
    assert _at_work(forking, "parent")
    assert forking.router._membership.router_id == parents
    assert [where.endswith(f":{os.getpid()}") for where in forking.lease_holders].count(True) == 1
    assert len(forking.lease_holders) == 2  # the child ended without a word
    assert not forking.ledger.rows("m1", limit=10)


def test_a_child_that_closes_takes_its_own_lease_only(forking: Forking) -> None:
    def work_and_close() -> bool:
        worked = _at_work(forking)
        forking.router.close()
        return worked

    assert forked(work_and_close) == 0
    assert [where.endswith(f":{os.getpid()}") for where in forking.lease_holders] == [True]


def test_a_child_that_never_calls_has_no_lease_and_ends_nobodys(forking: Forking) -> None:
    before = forking.ledger.leases("Docs")[0]

    def close_only() -> bool:
        forking.router.close()
        return threading.active_count() == 1

    assert forked(lambda: threading.active_count() == 1) == 0
    assert forked(close_only) == 0
    assert [lease.router_id for lease in forking.ledger.leases("Docs")[0]] == [lease.router_id for lease in before]
    assert _at_work(forking, "parent")


def test_a_childs_threads_are_its_own(forking: Forking) -> None:
    def threads_of_this_process() -> bool:
        forking.router.refresh()
        alive = [thread for thread in threading.enumerate() if thread.name.startswith("vecferry")]
        return len(alive) == len(forking.router._threads) > 3 and all(thread.is_alive() for thread in forking.router._threads)

    assert forked(threads_of_this_process) == 0


def test_what_the_parent_had_queued_is_the_parents(forking: Forking) -> None:
    """Both would reconcile it, and both would close its rows."""
    queued = forking.router._queue
    assert forked(lambda: _at_work(forking) and forking.router._queue is not queued) == 0


def test_a_grandchild_registers_anew_too(forking: Forking) -> None:
    assert forked(lambda: _at_work(forking) and forked(lambda: _at_work(forking, "grandchild")) == 0) == 0
    assert len(forking.lease_holders) == 3


def test_two_threads_of_a_child_that_call_at_once_are_one_router(forking: Forking) -> None:
    def both() -> bool:
        calls = [threading.Thread(target=forking.router.refresh) for _ in range(8)]
        for call in calls:
            call.start()
        for call in calls:
            call.join(30)
        return len([where for where in forking.lease_holders if where.endswith(f":{os.getpid()}")]) == 1

    assert forked(both) == 0


def test_a_child_whose_ledger_is_away_says_so_and_comes_back(forking: Forking) -> None:
    def away_then_back() -> bool:
        real, forking.ledger.snapshot = forking.ledger.snapshot, _away  # type: ignore[method-assign]
        with pytest.raises(Retryable):
            forking.router.put(key_of("x"), {"body": "x"})
        forking.ledger.snapshot = real  # type: ignore[method-assign]
        return _at_work(forking)

    assert forked(away_then_back) == 0


def _away(*args: object, **more: object) -> None:
    raise Retryable("the ledger is away")


@pytest.mark.timeout(600)
def test_a_lock_that_a_thread_of_the_parent_holds_at_the_fork_does_not_hold_the_child(forking: Forking) -> None:
    """Each lock of the router and its ledger, one at a time: in the child nobody would ever release it."""
    held = locks_of(forking.router)
    assert {"_waking", "_membership._turn", "_membership.operations._changed", "_queue._ready", "_counts._lock"} <= set(held)
    assert {"_ledger._database._turn", "_ledger._database.engine.pool._pool.mutex"} <= set(held)
    for path, lock in held.items():
        with _held_by_another_thread(lock):
            status = forked(lambda: _at_work(forking))
        assert status == 0, f"the child stood still, or failed ({status}), with {path} held"


class _held_by_another_thread:
    def __init__(self, lock: Any) -> None:
        self._lock, self._taken, self._give_back = lock, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        with self._lock:
            self._taken.set()
            self._give_back.wait()

    def __enter__(self) -> None:
        self._thread.start()
        assert self._taken.wait(30)

    def __exit__(self, *exc: object) -> None:
        self._give_back.set()
        self._thread.join()


def locks_of(router: Router) -> dict[str, Any]:
    """Every lock that can be reached from it, by its shortest path; not the fakes', which are no servers to share."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", router)]
    while waiting:
        path, value = waiting.pop(0)
        if id(value) in seen or type(value).__module__.startswith("vecferry.adapters.memory"):
            continue
        seen.add(id(value))
        if isinstance(value, _LOCKS):
            found[path] = value
        elif isinstance(value, threading.Condition):
            found[path] = value._lock  # type: ignore[attr-defined]
        elif isinstance(value, threading.Event):
            waiting.append((path, value._cond))  # type: ignore[attr-defined]
        elif type(value).__module__.startswith(
            ("vecferry", "sqlalchemy.pool", "sqlalchemy.util.queue", "sqlalchemy.engine.base")
        ):
            waiting += [(f"{path}.{name}".lstrip("."), part) for name, part in getattr(value, "__dict__", {}).items()]
    return found
