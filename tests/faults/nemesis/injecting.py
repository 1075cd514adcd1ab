"""Does what the plan says, lifts it again, and says whether the fault met anybody.

*Witnessed* is what the faulted side shows: bytes that were held, requests that were struck, a process that died of signal 9, a
lock that somebody waited for. A fault that met nobody is written down as such.
"""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg

from tests.faults.nemesis.plan import QUARANTINE_S, Injection
from tests.faults.nemesis.records import JsonLines
from tests.faults.nemesis.seed_world import SeedWorld
from tests.faults.nemesis.task_process import TaskProcess
from tests.faults.nemesis.warm import WarmProcess
from vecferry.sandbox.models import CHAR, WORD
from vecferry.sandbox.postgres_server import SUPERUSER
from vecferry.sandbox.processes import LOOPBACK
from vecferry.sandbox.wait_until import wait_until

_READ_ONLY = b"read-only"
_LOCKED = "routing"
"""Every snapshot reads it, every row and every move locks it; one table alone, for several would be taken in a deadlock."""
_STRIKE_S = 3.0
"""How long a fault may try to begin, where what it aims at is away through another fault."""
_LIFT_S = 90.0
_TASK_S = 15.0
"""How long Airflow may be without a task to be met."""
_DEAD_S = 2.0
"""A lease that ran out before that was a dead router's."""


@dataclass(frozen=True)
class Outcome:
    """``waited``: also needs an operation of an application that was under way from before the fault's end until after it;
    histories tell, once they are written."""

    witnessed: bool
    witness: Mapping[str, Any]
    waited: bool = False


class Nemesis:
    """The injections of one seed. ``begin`` starts those of a phase in threads, ``wait`` until they are over and lifted."""

    def __init__(self, world: SeedWorld) -> None:
        self._world = world
        self._file = JsonLines(world.folder / "injections.jsonl")
        self._threads: list[threading.Thread] = []
        self._rows: list[tuple[dict[str, Any], Outcome]] = []
        self._over = threading.Event()
        self.failures: list[str] = []

    def begin(self, phase: str) -> None:
        for injection in self._world.plan.of(phase):
            thread = threading.Thread(target=self._inject, args=(injection,), name=injection.id, daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def striking(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def end(self) -> None:
        """Lifts early what still holds."""
        self._over.set()
        self.wait()

    def write(self, operations: Sequence[tuple[float, float]]) -> None:
        """``operations``: (invoked, answered) of all applications."""
        for row, outcome in self._rows:
            if outcome.waited:
                spans = sum(began <= row["ended"] - 0.3 and ended >= row["ended"] for began, ended in operations)
                row["witness"] = {**row["witness"], "operations_that_waited": spans}
                row["witnessed"] = row["witnessed"] or spans > 0
            self._file.add(row)

    def _inject(self, injection: Injection) -> None:
        if self._over.wait(injection.delay_s):
            return
        began = time.time()
        try:
            outcome = _FAULTS[injection.fault](self._world, injection, self._hold)
        except Exception as error:  # the harness's own failure: it must show, and not as a fault that met nobody
            self.failures.append(f"{injection.id} {injection.fault}: {type(error).__name__}: {error}")
            outcome = Outcome(False, {"failed": str(error)})
        row = {
            "id": injection.id,
            "fault": injection.fault,
            "target": injection.target,
            "phase": injection.phase,
            "began": began,
            "ended": time.time(),
            "witnessed": outcome.witnessed,
            "witness": {**injection.settings, **outcome.witness},
        }
        self._rows.append((row, outcome))

    def _hold(self, seconds: float) -> None:
        self._over.wait(seconds)


Hold = Callable[[float], None]
Strike = Callable[[SeedWorld, Injection, Hold], Outcome]


# --- processes --------------------------------------------------------------------------------------------------------


def _process_of(world: SeedWorld, injection: Injection) -> WarmProcess | TaskProcess | None:
    target = injection.target
    if target == "step":
        return _working(world, injection)
    if target == "janitor":
        return world.janitor.process if world.janitor else None
    return next(app.process for app in world.apps if app.name == target)


def _working(world: SeedWorld, injection: Injection) -> WarmProcess | TaskProcess | None:
    """The stage's process. Airflow has times without any between two tasks: the next one then, once it has begun its work."""
    if world.airflow is None or (world.step and world.step.is_running()):
        return world.step
    return world.airflow.task_at_work(for_s=injection.delay_s, within_s=_TASK_S * world.plan.pace)


def _kill(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    process = _process_of(world, injection)
    if process is None or not process.signal(signal.SIGKILL):
        return Outcome(False, {"running": False})
    code = process.wait(20)
    return Outcome(code == -signal.SIGKILL, {"pid": process.pid, "exit": code})


def _stop(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    process = _process_of(world, injection)
    if process is None or not process.signal(signal.SIGSTOP):
        return Outcome(False, {"running": False})
    began = time.monotonic()
    try:
        beyond_q = injection.duration_s > QUARANTINE_S  # must stay so at any pace
        hold(injection.duration_s * (world.plan.pace if beyond_q else 1.0))
        stopped = process.state() == "T"
    finally:
        process.signal(signal.SIGCONT)
    lasted = time.monotonic() - began
    witness = {
        "pid": process.pid,
        "stopped_s": round(lasted, 2),
        "state": "T" if stopped else "gone",
        "beyond_q": injection.target != "janitor" and lasted > world.plan.quarantine_s,
    }
    # The janitor makes a round each second, a step works all the time: theirs certainly waited.
    waits_by_itself = injection.target in ("janitor", "step")
    return Outcome(stopped and waits_by_itself, witness, waited=stopped and not waits_by_itself)


# --- servers ----------------------------------------------------------------------------------------------------------


def _kill_weaviate(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    server = world.servers.weaviate
    with world.servers.weaviate_turn:
        server.kill()
        code, began = server.process.exit_code, time.monotonic()
        server.start()
        return Outcome(code == -signal.SIGKILL, {"exit": code, "back_after_s": round(time.monotonic() - began, 2)})


def _stop_weaviate(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    with world.servers.weaviate_turn:
        world.servers.weaviate.freeze()
        began = time.monotonic()
        try:
            hold(injection.duration_s)
        finally:
            world.servers.weaviate.resume()
    return Outcome(False, {"stopped_s": round(time.monotonic() - began, 2)}, waited=True)


def _kill_postgresql(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    server = world.servers.postgres
    with world.servers.postgres_turn:
        server.kill()
        code, began = server.process.exit_code, time.monotonic()
        server.start()
        return Outcome(code == -signal.SIGKILL, {"exit": code, "back_after_s": round(time.monotonic() - began, 2)})


def _read_only(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    collection = world.pin if injection.target == "live" else world.shadow()
    if collection is None:
        return Outcome(False, {"collection": None})
    watched = [proxy for name, proxy in world.links.proxies.items() if "→weaviate" in name]
    for proxy in watched:
        proxy.watch(_READ_ONLY)
    try:
        if not _tried(lambda: _set_shards(world, collection, "READONLY")):
            return Outcome(False, {"collection": collection, "set": False})
        try:
            hold(injection.duration_s)
        finally:
            wait_until(
                lambda: _tried(lambda: _set_shards(world, collection, "READY")),
                awaited=f"{collection} to be writable again",
                deadline_s=_LIFT_S,
            )
    finally:
        refused = sum(proxy.watch(b"") for proxy in watched)
    return Outcome(refused > 0, {"collection": collection, "answers_saying_read_only": refused})


def _set_shards(world: SeedWorld, collection: str, status: str) -> bool:
    """As the disk threshold does. A collection that was dropped meanwhile has none."""
    try:
        shards = world.servers.weaviate_rest("GET", f"/v1/schema/{collection}/shards")
    except httpx.HTTPStatusError as error:
        return error.response.status_code == 404
    for shard in shards:
        world.servers.weaviate_rest("PUT", f"/v1/schema/{collection}/shards/{shard['name']}", {"status": status})
    return True


def _tried(work: Callable[[], bool]) -> bool:
    """Another fault may have Weaviate down just now."""
    end = time.monotonic() + _STRIKE_S
    while True:
        try:
            return work()
        except httpx.HTTPError:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)


# --- the ledger's lock ------------------------------------------------------------------------------------------------


def _lock(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    if world.plan.ledger == "sqlite":
        return _lock_sqlite(world, injection, hold)
    with world.servers.postgres_turn:
        return _lock_postgresql(world, injection, hold)


def _lock_sqlite(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    """Waiters poll, so that nobody can see them; but each router renews its lease, and those that were due did not come."""
    connection = sqlite3.connect(world.folder / "ledger.db", timeout=20, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        hold(injection.duration_s)
        held_s = time.monotonic() - began
        overdue = _overdue(connection.execute("SELECT expires_at, lease_s FROM routers").fetchall())
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    return Outcome(overdue > 0, {"held_s": round(held_s, 2), "renewals_overdue": overdue}, waited=True)


def _overdue(leases: Sequence[tuple[str, float]]) -> int:
    """Live routers whose renewal, due after a third of the lease, has not come."""
    now = datetime.now(UTC)
    left = [((datetime.fromisoformat(at).replace(tzinfo=UTC) - now).total_seconds(), lease_s) for at, lease_s in leases]
    return sum(-_DEAD_S < left_s < lease_s * 2 / 3 - 0.2 for left_s, lease_s in left)


def _lock_postgresql(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    database = world.ledger_url.rpartition("/")[2]
    address = f"host={LOOPBACK} port={world.servers.postgres.port} user={SUPERUSER} dbname={database}"
    with psycopg.connect(address, connect_timeout=20) as connection, psycopg.connect(address, autocommit=True) as watching:
        connection.execute(f"LOCK TABLE {_LOCKED} IN ACCESS EXCLUSIVE MODE")
        began, most = time.monotonic(), 0
        while time.monotonic() - began < injection.duration_s:
            hold(0.1)
            row = watching.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted").fetchone()
            most = max(most, row[0] if row else 0)
        connection.rollback()
    return Outcome(most > 0, {"held_s": round(time.monotonic() - began, 2), "sessions_that_waited": most})


# --- the network ------------------------------------------------------------------------------------------------------


def _proxy(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    proxy = world.links.proxies[injection.target]
    kind = injection.settings.get("kind") or {"proxy_delay": "delay", "proxy_cut": "cut"}[injection.fault]
    with _turn_of(injection.target):
        proxy.strike(kind, seconds=injection.settings.get("seconds", 0.0))
        try:
            hold(injection.duration_s)
        finally:
            counts = proxy.lift()
    return Outcome(bool(counts), counts)


_turns: dict[str, threading.Lock] = {}


@contextmanager
def _turn_of(link: str) -> Iterator[None]:
    """A proxy has one fault at a time."""
    with _turns.setdefault(link, threading.Lock()):
        yield


# --- the provider -----------------------------------------------------------------------------------------------------


def _provider(world: SeedWorld, injection: Injection, hold: Hold) -> Outcome:
    model = {"old": WORD, "new": CHAR, "both": None}[injection.target]
    (fault,) = world.servers.provider("POST", "/_faults", {**injection.settings, "model": model})
    try:
        hold(injection.duration_s)
    finally:
        struck = {row["id"]: row["struck"] for row in world.servers.provider("GET", "/_faults")}.get(fault["id"], 0)
        world.servers.provider("DELETE", f"/_faults/{fault['id']}")
    return Outcome(struck > 0, {"struck": struck})


_FAULTS: Mapping[str, Strike] = {
    **dict.fromkeys(("kill_app", "kill_janitor", "kill_step"), _kill),
    **dict.fromkeys(("stop_app", "stop_app_beyond_q", "stop_janitor", "stop_step"), _stop),
    "kill_weaviate": _kill_weaviate,
    "stop_weaviate": _stop_weaviate,
    "kill_postgresql": _kill_postgresql,
    "lock_ledger": _lock,
    "weaviate_read_only": _read_only,
    **dict.fromkeys(("proxy_delay", "proxy_cut", "proxy_half_close"), _proxy),
    **dict.fromkeys(
        (
            "provider_429",
            "provider_500",
            "provider_hang",
            "provider_truncated",
            "provider_wrong_count",
            "provider_wrong_dimensions",
            "provider_nan",
            "provider_quota",
            "provider_silent_change",
        ),
        _provider,
    ),
}
