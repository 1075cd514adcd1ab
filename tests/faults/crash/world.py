"""The world around the process that dies: a store, a ledger, an application with its router and janitor, and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from tests.faults.crash.billing import Meter
from tests.faults.crash.process import Kill, Process
from tests.faults.ledgers import DrivenClock, LedgerKind
from tests.faults.scheduler import Crash
from tests.support.kept_world import pin_by_the_servers_rules, server_model, vectorizing
from tests.support.memory_world import LIVE_SCHEMA, NEW, OLD, NoFeed, fill, key_of, text_of
from vecferry.adapters.memory.embedder import MemoryEmbedders, MemoryModelLists
from vecferry.adapters.memory.store import MemoryStore
from vecferry.domain.chunks import LAST
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import Migration
from vecferry.domain.objects import StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation
from vecferry.domain.timing import Timings
from vecferry.errors import Retryable, VecferryError
from vecferry.ports import Ports
from vecferry.router import Router

LIVE = "Docs"
OBJECTS = 10
ALIASES = ("Library", "Search")
KEYS = sorted(key_of(number) for number in range(OBJECTS))
CORPUS = frozenset(text_of(number) for number in range(OBJECTS))
PAGE = 4
"""Objects a page of the copiers; ``small_pages`` sees to it."""

_GATES = Gates(margin=0.9, canary_golden_margin=0.9, canary_min_queries=20, min_golden_queries=2)
"""Two golden queries say little: how good the new model is, is not what is tried here."""
_TIMINGS = replace(Timings(), freeze_hold_s=0.05)
"""A write held by a freeze waits for real time."""
_TURN_S = 3.0
_PATIENCE = 12


Run = Callable[["CrashWorld", Ports], Any]
"""A step, as a process runs it with its own ports."""


class SleepersClock(DrivenClock):
    """While one sleeps, the router's threads take their turns: it renews, and its janitor looks."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Callable[[], Any]] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for turn in self.turns:
            turn()


class CrashWorld:
    """Ten objects in live, pinned, with a golden set; one application that is there from the first to the last day."""

    def __init__(self, kind: LedgerKind) -> None:
        self.clock = SleepersClock()
        kind.fresh(self.clock)
        self._kind = kind
        self.store = MemoryStore()
        self.store.create(LIVE_SCHEMA)
        for alias in ALIASES:
            self.store.set_alias(alias, LIVE)
        self.ledger = kind.open()
        self.meter = Meter()
        embedders = MemoryEmbedders(OLD, NEW)
        fill(self.store, embedders, OBJECTS)
        self.ledger.save_pin(Pin(LIVE, LIVE, OLD.space, TextRecipe(("body",))), who="test", why="test")
        self.ledger.save_golden(LIVE, _golden())
        self.ports = Ports(
            ledger=self.ledger,
            store=self.store,
            embedders=embedders,
            model_lists=MemoryModelLists(),
            notice_feed=NoFeed(),
            catalogue=embedders.catalogue,
            clock=self.clock,
            timings=_TIMINGS,
            gates=_GATES,
        )
        self.application = Application(self.ports)
        self.clock.turns += [self.application.router.refresh, self.application.clean]

    def close(self) -> None:
        self.application.router.close()
        self.ledger.close()

    @property
    def migration(self) -> Migration:
        return self.ledger.migrations(LIVE)[0]

    # --- processes

    def run(self, step: Run, kill: Kill | None = None, *, anew: bool = False) -> Process:
        """By a process that dies there, or to the end. What may pass is tried again by a new one, as an orchestrator does.

        ``anew``: connected to the ledger as a process that has just been started; opening one for each step takes a second.
        """
        why = ""
        for _ in range(_PATIENCE):
            process = self._process(kill, anew=anew or kill is not None)
            try:
                process.run(partial(step, self))
                return process
            except Crash:
                return process
            except Retryable as error:
                why = str(error)
                self.let_time_pass()
        raise AssertionError(f"still not done after {_PATIENCE} attempts: {why}")

    def _process(self, kill: Kill | None, *, anew: bool) -> Process:
        ledger = self._kind.open() if anew else self.ledger
        return Process(replace(self.ports, ledger=ledger), self.meter, kill, close=ledger.close if anew else lambda: None)

    def let_time_pass(self) -> None:
        """As long as a janitor watches a row, and a little."""
        for _ in range(int(_TIMINGS.takeover_s // _TURN_S) + 2):
            self.clock.sleep(_TURN_S)

    @property
    def paid_copies(self) -> Counter[str]:
        """Texts that were embedded to be stored in the shadow, by the processes, and by the application and its janitor."""
        embedders: Any = self.ports.embedders
        return self.meter.copies + Counter(embedders[NEW.model].texts)

    def shadow_texts(self) -> set[str]:
        """Of the objects that can be found in the newest migration's shadow."""
        migrations = self.ledger.migrations(LIVE)
        if not migrations or migrations[0].spec.shadow not in self.store.collections():
            return set()
        found = self.objects(migrations[0].spec.shadow)
        indexed = self.store.indexed(migrations[0].spec.shadow, {k: o.vectors[""] for k, o in found.items()}, vector_name="")
        return {str(found[key].properties["body"]) for key in indexed}

    def objects(self, collection: str) -> dict[str, StoredObject]:
        return self.store.read(collection, self.store.keys(collection, after="", until=LAST, limit=1000))

    def fingerprint(self) -> str:
        """Of all that the store and the memory ledger hold."""
        tables = {name: kept for name, kept in vars(self.ledger._tables).items() if isinstance(kept, dict | list)}
        contents = {name: (c.schema, c.tenants, c.shards) for name, c in self.store._collections.items()}
        return repr((tables, contents, self.store._aliases))

    # --- people and accidents

    def users_search(self) -> None:
        """What their routers report: the share that was asked for, all answered, as fast on either arm."""
        routing = self.ledger.snapshot(LIVE).routing
        shares = {Arm.SHADOW: routing.percent * 4, Arm.LIVE: (100 - routing.percent) * 4}
        seen = [Observation(LIVE, routing.version, arm, queries=n, served=n, latency={10: n}) for arm, n in shares.items() if n]
        self.ledger.observe(seen, router_id="users")

    def let_the_server_vectorize(self) -> None:
        """Live has had its vectors from the server, of the same texts."""
        self.store.server_model = server_model
        live = self.store._collections[LIVE]
        live.schema = vectorizing(live.schema, vectorizeClassName=False)
        pin_by_the_servers_rules(self.store, self.ledger)

    def damage(self) -> None:
        """What no row covers: a copy lost, one changed, an orphan, and one that the index does not find."""
        shadow = self.migration.spec.shadow
        lost, changed, unfound = KEYS[1], KEYS[3], KEYS[5]
        self.store.delete(shadow, lost, timeout_s=1)
        (copy,) = self.store.read(shadow, [changed]).values()
        self.store.put(shadow, replace(copy, properties={**copy.properties, "body": "bypassed"}), timeout_s=1)
        self.store.put(
            shadow, replace(copy, uuid=key_of("orphan"), properties={**copy.properties, "body": "orphan"}), timeout_s=1
        )
        self.store.unindex(shadow, unfound)


class Application:
    """``said``: the body of each key by what was acknowledged, ``None`` for deleted. ``after_flip``: keys written to the new
    collection alone."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.router = Router(
            LIVE,
            ledger=ports.ledger,
            store=ports.store,
            embedders=ports.embedders,
            clock=ports.clock,
            timings=ports.timings,
            threads=False,
        )
        self.said: dict[str, str | None] = {key_of(n): text_of(n) for n in range(OBJECTS)}
        self.after_flip: set[str] = set()

    def write(self) -> None:
        """Creates, changes and deletes objects of the first and of a later page, and is acknowledged each time."""
        bodies = {key_of("new"): "a new one", KEYS[1]: "changed", KEYS[6]: "changed too", key_of("other"): "another new one"}
        for key, body in bodies.items():
            self._acknowledged(key, body, partial(self.router.put, key, {"body": body}))
        for key in (KEYS[2], KEYS[7]):
            self._acknowledged(key, None, partial(self.router.delete, key))
        while self.router._queue.run_once():
            pass

    def clean(self) -> None:
        """A turn of the router's janitor."""
        self.router._janitor.run_once()

    def _acknowledged(self, key: str, body: str | None, write: Callable[[], Any]) -> None:
        write()  # raises what is not acknowledged
        self.said[key] = body
        with suppress(VecferryError):
            self.router.refresh()
        if self.router._membership.snapshot.routing.authority != LIVE:
            self.after_flip.add(key)


def _golden() -> list[dict[str, Any]]:
    """Two queries for objects that nobody writes to: what is judged is not what is tried here."""
    numbers = [number for number in range(OBJECTS) if key_of(number) in KEYS[8:]]
    return [{"query_id": f"q{n}", "query": text_of(n), "relevant": {key_of(n): 1}, "cohort": "all"} for n in numbers]
