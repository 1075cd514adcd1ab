"""A world in memory to run commands in: a collection of documents, two models, a ledger, a clock that stands still."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from typer.testing import CliRunner

from vecferry.adapters.memory.clock import ManualClock
from vecferry.adapters.memory.embedder import MemoryEmbedders, MemoryModelLists, vector_of
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.adapters.memory.store import MemoryStore
from vecferry.cli.app import app
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation
from vecferry.domain.timing import Timings
from vecferry.ports import Ports
from vecferry.steps import stage_runner

OLD = ModelCard("sandbox", "sandbox-word-1", "openai", 16, usd_per_million_tokens=0.02, source="tests")
NEW = ModelCard("sandbox", "sandbox-char-2", "cohere", 16, usd_per_million_tokens=0.1, source="tests")
WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa".split()  # noqa: SIM905

_ROAD = (
    ("create_shadow", Phase.SHADOW_CREATED),
    ("enable_dual_write", Phase.DUAL_WRITING),
    ("backfill", Phase.BACKFILLED),
    ("verify_parity", Phase.VERIFIED),
    ("validate_golden_set", Phase.VALIDATED),
    ("cut_over_5", Phase.SERVING),
)


class Rows:
    """A notice feed of given rows."""

    def __init__(self) -> None:
        self.given: list[Mapping[str, Any]] = []

    def rows(self) -> list[Mapping[str, Any]]:
        return self.given


class Said:
    """What a command said."""

    def __init__(self, result: Any) -> None:
        self.code: int = result.exit_code
        self.out: str = result.stdout
        self.err: str = result.stderr
        self.exception = result.exception
        assert "Traceback" not in self.out + self.err

    @property
    def json(self) -> Any:
        """The one document on stdout: anything beside it is an error here."""
        return json.loads(self.out)


class World:
    def __init__(self, objects: int = 60) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.ledger = MemoryLedger(self.clock)
        self.embedders = MemoryEmbedders(OLD, NEW, ledger=self.ledger)
        self.feed = Rows()
        self.model_lists = MemoryModelLists()
        self.ports = Ports(
            ledger=self.ledger,
            store=self.store,
            embedders=self.embedders,
            model_lists=self.model_lists,
            notice_feed=self.feed,
            catalogue=self.embedders.catalogue,
            clock=self.clock,
            timings=Timings(),
            gates=Gates(
                margin=0.15,  # what 20 queries can show
                min_golden_queries=5,
                canary_min_queries=20,
                canary_golden_queries=10,
                canary_golden_margin=0.5,
                corroboration_sources=1,
            ),
        )
        self._runner = CliRunner()
        self.fill(objects)

    def fill(self, objects: int) -> None:
        properties = [{"name": name, "dataType": ["text"]} for name in ("title", "body")] + [
            {"name": "year", "dataType": ["int"]}
        ]
        self.store.create(
            {
                "class": "Docs",
                "properties": properties,
                "vectorizer": "none",
                "vectorIndexType": "hnsw",
                "vectorIndexConfig": {"distance": "cosine"},
            }
        )
        for number in range(objects):
            self.store.put("Docs", document(number), timeout_s=1)

    def run(self, *args: str) -> Said:
        return Said(self._runner.invoke(app, list(args), obj=self._connect, env={"VECFERRY_WHO": "tester", "COLUMNS": "120"}))

    def done(self, *args: str) -> Any:
        """The JSON document of a command that has to succeed."""
        said = self.run(*args, "--json")
        assert said.code == 0, (args, said.out, said.err)
        return said.json

    def pinned(self) -> World:
        self.done("pin", "Docs", "--model", "sandbox-word-1", "--properties", "title,body")
        return self

    def started(self) -> World:
        self.pinned().done("plan", "Docs", "--to", "sandbox-char-2", "--soak-minutes", "0", "--start")
        return self

    def stepped(self, *stages: str) -> World:
        for stage in stages:
            self.done("step", stage, "Docs")
        return self

    def proven_up_to(self, phase: Phase) -> World:
        """There without the checks, which take seconds: for tests of what comes after."""
        for stage, reached in _ROAD:
            stage_runner.act(stage, self.ports, self.migration.id)
            if self.migration.phase is not reached:
                self.ledger.move(self.migration, reached, who="tester", why="a shortcut")
            if reached is phase:
                break
        return self

    def ask(self, queries: int = 400) -> None:
        """As if applications had asked, in the shares of the routing of this moment."""
        routing = self.ledger.snapshot("Docs").routing
        on_shadow = queries * routing.percent // 100
        counts = {Arm.SHADOW: on_shadow, Arm.LIVE: queries - on_shadow}
        seen = [Observation("Docs", routing.version, arm, n, n, latency={10: n}) for arm, n in counts.items() if n]
        self.ledger.observe(seen, router_id="r1")

    @property
    def migration(self) -> Any:
        return self.ledger.migrations("Docs")[0]

    @contextmanager
    def _connect(self) -> Iterator[Ports]:
        yield self.ports


def key(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def document(number: int) -> StoredObject:
    title = f"{WORDS[number % 16]} {WORDS[(number * 7 + 3) % 16]} item{number}"
    body = f"about {title} in the year {1900 + number}"
    text = f"{title}\n{body}"
    properties = {"title": title, "body": body, "year": 1900 + number}
    return StoredObject(key(number), properties, {UNNAMED: vector_of(OLD.space, text)})


def golden_lines(queries: int = 20) -> str:
    """Each asks for a document by its whole text, which both models find."""
    texts = ["{title}\n{body}".format(**document(n).properties) for n in range(queries)]
    rows = [{"query_id": f"q{n}", "query": text, "relevant": {key(n): 1}} for n, text in enumerate(texts)]
    return "\n".join(json.dumps(row) for row in rows)
