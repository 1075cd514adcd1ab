"""One run's world: the product's own Router, steps and janitor on scheduled ports, with actors to drive them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from tests.faults.explorer.actors import Actor, current_actor
from tests.faults.explorer.determinism import WouldBlock
from tests.faults.explorer.engine import Engine
from tests.faults.explorer.history import History, Operation
from tests.faults.explorer.requests import Wait
from tests.faults.explorer.scheduled_ports import ScheduledLedger, ScheduledStore, schedule_embedders
from tests.faults.explorer.templates import FIRST_BODIES, KEYS, LIVE, NEW, OLD, TIMINGS, Template, ports_on
from tests.support.memory_world import key_of
from vecferry.adapters.memory.embedder import MemoryEmbedders
from vecferry.domain.lifecycle import Migration
from vecferry.errors import BadInput, NotWritten, UnknownOutcome, VecferryError
from vecferry.protocol.janitor import Janitor
from vecferry.router import Router

POLL_S = TIMINGS.lease_s / 4


class World:
    """``raw_*`` are the explorer's own way to the fakes, past the schedule."""

    def __init__(self, template: Template) -> None:
        made = template.copied()
        self.clock, self.raw_store, self.raw_ledger = made.clock, made.store, made.ledger
        self.migration_id = made.migration_id
        self.engine = Engine(made.clock, quarantine_s=TIMINGS.quarantine_s, poll_s=POLL_S)
        self.embedders = MemoryEmbedders(OLD, NEW)
        self.store: Any = ScheduledStore(made.store, self.engine, {LIVE: "L", self.migration.spec.shadow: "S"})
        self.ledger: Any = ScheduledLedger(made.ledger, self.engine)
        schedule_embedders(self.embedders, self.engine, {OLD.model: "L", NEW.model: "S"})
        self.ports = ports_on(self.ledger, self.store, self.embedders, self.clock)
        self.history = History()
        self.passes = 0
        self.routers: dict[str, Router] = {}
        self.engine.poll = self._poll
        for key in KEYS:
            first = self.history.begin("what was there first", key, {"body": FIRST_BODIES.get(key), "title": None}, -1)
            first.outcome, first.end = "acknowledged", -1

    @property
    def migration(self) -> Migration:
        return self.raw_ledger.migration(self.migration_id)

    # --- actors

    def router(self, name: str) -> Router:
        """One application process, with a thread that refreshes the routing whenever a schedule says so."""
        made = Router(
            LIVE,
            ledger=self.ledger,
            store=self.store,
            embedders=self.embedders,
            clock=self.clock,
            timings=TIMINGS,
            threads=False,
        )
        self.routers[name] = made
        self.endless(f"{name}.poll", made.refresh, process=name)
        return made

    def application(self, name: str, router: str, work: Sequence[str]) -> None:
        """A thread of the router's process. ``work``: ``put a``, ``update a``, ``title a``, ``delete a``, ``put_many a b``."""

        def all_of_it() -> None:
            for number, what in enumerate(work):
                self._write(f"{name}: {what}", self.routers[router], what, f"{name} {number}")

        self.engine.actor(name, all_of_it, process=router)

    def janitor(self, name: str) -> None:
        """A process of its own. It looks again when it could act on what it has seen: looks in between change nothing."""
        janitor = self.new_janitor(name)

        def due_s() -> float:
            return min((since for _, since in janitor._seen.values()), default=-inf) + TIMINGS.takeover_s

        self.endless(name, janitor.run_once, due_s=due_s)

    def new_janitor(self, owner: str) -> Janitor:
        return Janitor(
            LIVE,
            ledger=self.ledger,
            store=self.store,
            embedders=self.embedders,
            clock=self.clock,
            timings=TIMINGS,
            owner=owner,
        )

    def task(self, name: str, work: Callable[[], Any]) -> None:
        """A step's process: ends with its answer, or with an error that the product names."""

        def guarded() -> None:
            try:
                work()
            except VecferryError:
                return  # a task that fails is cleared or retried: by a successor, in the scenario

        self.engine.actor(name, guarded)

    def environment(self, name: str, work: Callable[[], Any]) -> None:
        """Happens at any time, and cannot fail itself."""
        self.engine.actor(name, work).reliable = True

    def endless(
        self, name: str, turn: Callable[[], Any], *, process: str = "", due_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        def for_ever() -> None:
            while True:
                with suppress(VecferryError):  # the product's own threads log it and go on
                    turn()
                _self().park(Wait("turn", until_s=due_s()))

        self.engine.actor(name, for_ever, process=process, endless=True)

    def undisturbed(self, work: Callable[[], Any]) -> Any:
        """What the scenario needs done and does not explore."""
        actor = _self()
        actor.undisturbed = True
        try:
            return work()
        finally:
            actor.undisturbed = False

    # --- writing

    def _write(self, name: str, router: Router, what: str, value: str) -> None:
        verb, *keys = what.split()
        changes = _CHANGES[verb](value)
        operations = [self.history.begin(name, key, changes, self.engine.moment()) for key in keys]
        actor = _self()
        actor.operation = _Together(operations)
        unknown: set[str] = set()
        try:
            receipt = _VERBS[verb](router, [key_of(key) for key in keys], value)
            unknown = set(receipt.unknown)
            outcome = "acknowledged"
        except UnknownOutcome:
            outcome = "unknown"
        except (NotWritten, BadInput):
            outcome = "refused"
        for operation in operations:
            operation.end = self.engine.moment()
            operation.outcome = "unknown" if key_of(operation.key) in unknown else outcome
        actor.operation = None
        while router._queue._jobs:
            router._queue.run_once()

    def _poll(self) -> None:
        """The routing threads of the processes that are alive and not stopped."""
        for name, router in self.routers.items():
            if self.engine.dead.intersection({name}) or self.engine.stopped.intersection({name, f"{name}.poll"}):
                continue
            try:
                router.refresh()
            except (VecferryError, WouldBlock):
                continue


class _Together:
    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations

    def ends(self, step: int) -> None:
        for operation in self._operations:
            operation.ends(step)


def _self() -> Actor:
    actor = current_actor()
    assert actor is not None
    return actor


_CHANGES: dict[str, Callable[[str], Mapping[str, Any]]] = {
    "put": lambda value: {"body": value, "title": None},
    "put_many": lambda value: {"body": value, "title": None},
    "update": lambda value: {"body": value},
    "title": lambda value: {"title": value},
    "delete": lambda value: {"body": None, "title": None},
}
_VERBS: dict[str, Callable[[Router, list[str], str], Any]] = {
    "put": lambda router, keys, value: router.put(keys[0], {"body": value}),
    "put_many": lambda router, keys, value: router.put_many([(key, {"body": value}) for key in keys]),
    "update": lambda router, keys, value: router.update(keys[0], {"body": value}),
    "title": lambda router, keys, value: router.update(keys[0], {"title": value}),
    "delete": lambda router, keys, value: router.delete(keys[0]),
}
