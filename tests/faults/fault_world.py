"""The small world of ``tests/support``, with the scheduler at every port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.ledgers import DrivenClock, LedgerKind
from tests.faults.scheduler import Point, Scheduler
from tests.support.memory_world import LIVE_SCHEMA, NEW, OLD, NoFeed, fill, key_of, request
from vecferry.adapters.memory.embedder import MemoryEmbedders, MemoryModelLists
from vecferry.adapters.memory.store import Call, MemoryStore
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import FORWARD, Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode
from vecferry.domain.shadow import differences
from vecferry.domain.timing import Timings
from vecferry.ports import Ledger, Ports
from vecferry.protocol.janitor import Janitor
from vecferry.router import Router
from vecferry.steps import backfill, retire, stage_runner

LIVE = "Docs"


class Broken(AssertionError):
    """A promise of the protocol does not hold: what a mutant must bring about, and nothing else may."""


def expect(holds: bool, promise: str) -> None:
    if not holds:
        raise Broken(promise)


class ParkingClock(DrivenClock):
    """Who sleeps is parked first, so that others may act meanwhile."""

    def __init__(self, arrive: Callable[[Point], None]) -> None:
        super().__init__()
        self._arrive = arrive

    def sleep(self, seconds: float) -> None:
        self._arrive(Point("sleep"))
        super().sleep(seconds)


class ParkingLedger:
    """Parks before and after every call of the ledger behind it: never inside a transaction."""

    def __init__(self, ledger: Ledger, arrive: Callable[[Point], None]) -> None:
        self._ledger = ledger
        self._arrive = arrive

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)

        def call(*given: Any, **named: Any) -> Any:
            self._arrive(Point(name, "ledger", effect=lambda: method(*given, **named)))
            answer = method(*given, **named)
            self._arrive(Point(name, "ledger", done=True))
            return answer

        return call


@dataclass
class FaultWorld:
    """``s`` runs the actors; ``L`` and ``S`` in points are the live and the shadow collection."""

    s: Scheduler
    clock: ParkingClock
    store: MemoryStore
    ledger: Any
    embedders: MemoryEmbedders
    ports: Ports
    migration_id: str = ""
    routers: list[Router] = field(default_factory=list)

    # --- actors

    def router(self) -> Router:
        timings = self.ports.timings
        made = Router(
            LIVE,
            ledger=self.ledger,
            store=self.store,
            embedders=self.embedders,
            clock=self.clock,
            timings=timings,
            threads=False,
        )
        self.routers.append(made)
        return made

    def writer(self, name: str, key: str, body: str, router: Router | None = None) -> Router:
        """An application that puts, and whose router then follows on the shadow."""
        return self.application(name, lambda r: r.put(key_of(key), {"body": body}, timeout=2), router)

    def deleter(self, name: str, key: str, router: Router | None = None) -> Router:
        return self.application(name, lambda r: r.delete(key_of(key)), router)

    def application(self, name: str, write: Callable[[Router], Any], router: Router | None = None) -> Router:
        own = router or self.router()

        def work() -> Any:
            receipt = write(own)
            follow(own)
            return receipt

        self.s.actor(name, work)
        return own

    def put(self, key: str, body: str) -> None:
        """A whole write by an application that nothing happens to."""
        self.writer(f"put-{body}", key, body)
        self.s.run(f"put-{body}")
        self.routers.pop().close()

    def delete(self, key: str) -> None:
        self.deleter(f"delete-{key}", key)
        self.s.run(f"delete-{key}")
        self.routers.pop().close()

    def janitor(self, name: str) -> Janitor:
        return Janitor(
            LIVE,
            ledger=self.ledger,
            store=self.store,
            embedders=self.embedders,
            clock=self.clock,
            timings=self.ports.timings,
            owner=name,
        )

    def copier(self, name: str) -> None:
        """The backfill of the only chunk."""
        (chunk,) = backfill.plan_chunks(self.ports, self.migration_id)
        place = {part: chunk[part] for part in ("start", "end", "tenant")}
        self.s.actor(name, lambda: backfill.run_chunk(self.ports, self.migration_id, **place))

    def retirer(self, name: str) -> None:
        self.s.actor(name, lambda: retire.act(self.ports, self.migration_id))

    # --- where the migration stands

    @property
    def migration(self) -> Migration:
        return self.ledger.migration(self.migration_id)

    def plan(self) -> None:
        self.migration_id = stage_runner.act("plan", self.ports, request())["migration_id"]
        stage_runner.act("create_shadow", self.ports, self.migration_id)
        self.walk_to(Phase.SHADOW_CREATED)

    def dual_write(self) -> None:
        stage_runner.act("enable_dual_write", self.ports, self.migration_id)
        self.refresh()

    def copied(self) -> FaultWorld:
        """Dual-writing, and all that was there before is copied."""
        self.plan()
        self.dual_write()
        self.backfill()
        return self

    def backfill(self) -> None:
        backfill.run_all(self.ports, self.migration_id)

    def serve_everything(self) -> None:
        """100% on the shadow, with the clean parity pass that ``retire`` asks for."""
        self.backfill()
        self.walk_to(Phase.BACKFILLED)
        stage_runner.act("verify_parity", self.ports, self.migration_id)
        self.walk_to(Phase.SERVING, 100)
        self.refresh()

    def try_to_retire(self, *paused: Router) -> bool:
        """One attempt, while the routers but the paused ones go on polling; whether authority has moved."""
        self.retirer("T")
        try:
            while self.s.run_out("T", until="sleep") is None and not self.s.ended("T"):
                self.refresh(*paused)
        finally:
            self.refresh(*paused)
        return self.migration.phase is Phase.RETIRED

    def walk_to(self, phase: Phase, percent: int = 0) -> None:
        while self.migration.phase is not phase:
            to = FORWARD[FORWARD.index(self.migration.phase) + 1]
            routing = {Phase.SERVING: (Mode.DUAL, percent)}.get(to)
            self.ledger.move(self.migration, to, who="test", why="test", routing=routing)

    def refresh(self, *paused: Router) -> None:
        """The routing threads of all routers but the paused (or dead) ones take a turn."""
        for router in self.routers:
            if router not in paused:
                router.refresh()

    # --- what is there

    def live(self, key: str) -> str | None:
        return self._body(LIVE, key)

    def shadow(self, key: str) -> str | None:
        return self._body(self.migration.spec.shadow, key)

    def _body(self, collection: str, key: str) -> str | None:
        found = self.store.read(collection, [key_of(key)]).get(key_of(key))
        return None if found is None else str(found.properties["body"])

    def authoritative(self, key: str) -> str | None:
        """What readers find in the collection that holds the truth."""
        return self._body(self.ledger.snapshot(LIVE).routing.authority, key)

    def rows(self) -> list[str]:
        return [row.key for row in self.ledger.rows(self.migration_id, limit=1000)]

    def covered(self, key: str) -> bool:
        return key_of(key) in self.rows()

    def differing(self) -> dict[str, list[str]]:
        spec = self.migration.spec
        keys = {k for c in (spec.live, spec.shadow) for k in self.store.keys(c, after="", until="f" * 36, limit=1000)}
        live, shadow = (self.store.read(c, sorted(keys)) for c in (spec.live, spec.shadow))
        found = {key: differences(spec, live.get(key), shadow.get(key)) for key in keys}
        return {key: why for key, why in found.items() if why}

    def close(self) -> None:
        self.s.close()
        self.ledger.close()

    def settle(self) -> None:
        """What the janitor makes of it in the end: shadow = f(live) for every key, and an empty journal."""
        janitor = self.janitor("settling")
        for _ in range(3):
            janitor.run_once()
            self.clock.advance(self.ports.timings.takeover_s + 1)
        expect(not self.rows(), "the journal empties itself")
        expect(not self.differing(), f"the shadow is f(live): {self.differing()}")


def follow(router: Router) -> None:
    while router._queue.run_once():
        pass


def make_fault_world(objects: int, kind: LedgerKind, *, timings: Timings | None = None) -> FaultWorld:
    """On an empty ledger of the kind. Dual-writing is not enabled yet; no actor, no router."""
    s = Scheduler()
    clock = ParkingClock(s.arrive)
    kind.fresh(clock)
    opened = kind.open()
    ledger: Any = ParkingLedger(opened, s.arrive)
    embedders = MemoryEmbedders(OLD, NEW, ledger=opened)
    store = MemoryStore()
    store.create(LIVE_SCHEMA)
    fill(store, embedders, objects)
    ledger.save_pin(Pin(LIVE, LIVE, OLD.space, TextRecipe(("body",))), who="test", why="test")
    ports = Ports(
        ledger=ledger,
        store=store,
        embedders=embedders,
        model_lists=MemoryModelLists(),
        notice_feed=NoFeed(),
        catalogue=embedders.catalogue,
        clock=clock,
        timings=timings or Timings(),
        gates=Gates(margin=0.1, min_golden_queries=1),
    )
    _park_at(s, store, embedders)
    return FaultWorld(s, clock, store, ledger, embedders, ports)


def _park_at(s: Scheduler, store: MemoryStore, embedders: MemoryEmbedders) -> None:
    def before(name: str, collection: str, call: Call) -> None:
        s.arrive(Point(name, _side(collection), effect=call.effect))

    def after(name: str, collection: str, call: Call) -> None:
        s.arrive(Point(name, _side(collection), done=True))

    store.before, store.after = before, after
    for model, side in ((OLD.model, "L"), (NEW.model, "S")):
        embedders[model].before = lambda method, texts, side=side: s.arrive(Point(method, side))


def _side(collection: str) -> str:
    return "L" if collection == LIVE else "S"
