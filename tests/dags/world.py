"""A small world on the shipped fakes, with an application that searches all the time: what a whole DAG run moves."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from vecferry.adapters.memory.embedder import MemoryEmbedders, MemoryModelLists, vector_of
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.adapters.memory.store import MemoryStore
from vecferry.adapters.system_clock import SystemClock
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.gates import Gates
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.timing import Timings
from vecferry.ports import Ports
from vecferry.router.router import Router
from vecferry.steps import pin as pin_step

OLD = ModelCard("memory", "old", "openai", dimensions=24)
NEW = ModelCard("memory", "new", "openai", dimensions=32)
DEAR = ModelCard("memory", "dear", "openai", dimensions=32, usd_per_million_tokens=1e6)
QUICK = Timings(
    write_timeout_s=0.4,
    delta_s=0.5,
    quarantine_s=0.6,
    row_deadline_s=2.0,
    takeover_s=3.0,
    poll_s=0.05,
    lease_s=1.5,
    idle_lease_s=3.0,
)
_TOPICS = ("index", "cluster", "array", "query", "token", "frame", "socket", "thread", "schema", "vector")


class NoFeed:
    def rows(self) -> list[dict[str, str]]:
        return []


class World:
    """``Docs`` with 120 objects in ``memory/old``, pinned, with a golden set of known items."""

    def __init__(self, objects: int = 120) -> None:
        clock = SystemClock()
        embedders = MemoryEmbedders(OLD, NEW, DEAR)
        self.ports = Ports(
            ledger=MemoryLedger(clock),
            store=MemoryStore(),
            embedders=embedders,
            model_lists=MemoryModelLists(),
            notice_feed=NoFeed(),
            catalogue=embedders.catalogue,
            clock=clock,
            timings=QUICK,
            gates=replace(Gates(), canary_min_queries=10, canary_latency_slack_ms=5_000.0, canary_golden_margin=0.5),
        )
        self.new = embedders["memory/new"]
        self._fill(objects)

    @contextmanager
    def connect(self, _pin: str) -> Iterator[Ports]:
        """Shared by all tasks of a run, so nobody closes it."""
        yield self.ports

    @contextmanager
    def application(self) -> Iterator[Router]:
        ports, stop = self.ports, threading.Event()
        with Router(
            "Docs",
            ledger=ports.ledger,
            store=ports.store,
            embedders=ports.embedders,
            clock=ports.clock,
            timings=ports.timings,
        ) as router:
            asking = threading.Thread(target=_ask, args=(router, stop))
            asking.start()
            try:
                yield router
            finally:
                stop.set()
                asking.join()

    def _fill(self, objects: int) -> None:
        self.ports.store.create(
            {
                "class": "Docs",
                "vectorizer": "none",
                "vectorIndexConfig": {"distance": "cosine"},
                "properties": [{"name": "body", "dataType": ["text"]}],
            }
        )
        texts = {str(uuid.uuid5(uuid.NAMESPACE_OID, str(n))): _text(n) for n in range(objects)}
        for key, text in texts.items():
            vectors = {UNNAMED: vector_of(OLD.space, text)}
            self.ports.store.put("Docs", StoredObject(key, {"body": text}, vectors), timeout_s=1)
        pin = Pin("Docs", "Docs", OLD.space, TextRecipe(("body",)))
        pin_step.act(self.ports, pin, who="ada", why="test")
        golden = [{"query_id": f"q{n}", "query": text, "relevant": {key: 1}} for n, (key, text) in enumerate(texts.items())]
        self.ports.ledger.save_golden("Docs", golden)


def _text(number: int) -> str:
    return f"{_TOPICS[number % 10]} {_TOPICS[number // 10 % 10]} number{number} note{number * 7}"


def _ask(router: Router, stop: threading.Event) -> None:
    number = 0
    while not stop.wait(0.002):
        number += 1
        router.search(_text(number % 120), key=f"user-{number}", limit=5)
