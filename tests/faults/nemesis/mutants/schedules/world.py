"""A small migration at 100% on real servers, the processes that act in it, and the folder that its judge reads."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import weaviate
from openai import OpenAI

from tests.faults.nemesis.judge import SeedOutcome, judge_seed
from tests.faults.nemesis.mutants import VARIABLE
from tests.faults.nemesis.mutants.schedules.relay import Relay
from tests.faults.nemesis.records import phase_lines, write_json, write_lines
from tests.faults.nemesis.warm import WarmForks, WarmProcess
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import FORWARD, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.request import MigrationRequest
from vecferry.domain.routing import Mode
from vecferry.ports import Ports
from vecferry.sandbox.demo.documents import Documents
from vecferry.sandbox.demo.fill import fill
from vecferry.sandbox.demo.models_file import write_models
from vecferry.sandbox.models import CHAR, WORD
from vecferry.sandbox.processes import LOOPBACK
from vecferry.sandbox.provider import Address
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.settings import Settings
from vecferry.steps import backfill, pin, stage_runner

TIMINGS = {
    "write_timeout_s": 1.0,
    "delta_s": 0.5,
    "quarantine_s": 3.0,
    "row_deadline_s": 6.0,
    "takeover_s": 10.0,
    "poll_s": 0.1,
    "lease_s": 3.0,
    "idle_lease_s": 6.0,
}
"""Of the actors, short because each schedule waits for some of them; what prepares them has the product's own."""
RECIPE = ("body",)
Script = Sequence[Sequence[Any]]
"""Verbs of an application with what they take: see ``actor``."""
_KEY = "schedules"
_DEADLINE_S = 60.0
_MAKING_A_LEDGER = threading.Lock()
"""Alembic, which makes its tables, has one context a process."""
_ACTOR = "tests.faults.nemesis.mutants.schedules.actor"


@dataclass(frozen=True)
class Parts:
    """What all schedules share. ``rows``: documents for a collection of their own each."""

    weaviate: WeaviateServer
    provider: Address
    forks: WarmForks
    rows: Sequence[Mapping[str, Any]]


@dataclass
class ScheduleWorld:
    """``relay`` is the way of every actor to Weaviate's REST address; ``ports`` reach everything without it."""

    parts: Parts
    folder: Path
    live: str
    mutant: str
    ports: Ports
    relay: Relay
    ledger_url: str
    migration_id: str = ""
    _started: list[WarmProcess] = field(default_factory=list)
    _histories: list[str] = field(default_factory=list)

    @property
    def shadow(self) -> str:
        return self.ports.ledger.migration(self.migration_id).spec.shadow

    def key(self, number: int) -> str:
        return str(self.parts.rows[number]["uuid"])

    def content(self, number: int, **changes: Any) -> dict[str, Any]:
        return {**self.parts.rows[number]["properties"], **changes}

    # --- actors

    def application(self, name: str, script: Script, *hooks: Mapping[str, str], mutant: bool = True) -> WarmProcess:
        """Searches once, then follows its script; it is the mutant, unless it is said not to be."""
        history = f"app-{name}.jsonl"
        self._histories.append(history)
        asked = {
            "role": "application",
            "history": str(self.folder / history),
            "gates": str(self.folder),
            "sides": {self.live: "live", self.shadow: "shadow"},
            "hooks": hooks,
            "script": [["search", self.content(0)["body"][:200]], *script],
        }
        return self._start(name, asked, mutant=mutant)

    def retired(self, *, mutant: bool = False) -> None:
        """What missed the shadow until now is lost."""
        process = self._start("retire", {"role": "retire", "migration_id": self.migration_id}, mutant=mutant)
        self.ended(process)

    def ended(self, process: WarmProcess, *, killed: bool = False) -> None:
        code = process.wait(3 * _DEADLINE_S)
        assert code == (-signal.SIGKILL if killed else 0), f"{process.name} ended with {code}: {self._said(process.name)}"

    def waits_at(self, gate: str, process: WarmProcess) -> None:
        wait_until(
            lambda: (self.folder / f"at-{gate}").exists() or not process.is_running(),
            awaited=f"{process.name} at {gate}",
            deadline_s=_DEADLINE_S,
            so_far=lambda: self._said(process.name),
        )
        assert process.is_running(), self._said(process.name)

    def open(self, gate: str) -> None:
        (self.folder / f"go-{gate}").touch()

    def rows_are_gone(self) -> None:
        """Somebody's janitor has worked them off."""
        wait_until(
            lambda: not any(self.ports.ledger.journal_counts(self.migration_id).values()),
            awaited="an empty journal",
            deadline_s=_DEADLINE_S,
        )

    def _start(self, name: str, asked: Mapping[str, Any], *, mutant: bool) -> WarmProcess:
        spec = self.folder / f"{name}.json"
        spec.write_text(json.dumps({"pin": self.live, **asked}))
        env = self._env() | ({VARIABLE: self.mutant} if mutant and self.mutant else {})
        process = self.parts.forks.start(name, _ACTOR, [str(spec)], env=env, log=self.folder / f"{name}.log")
        self._started.append(process)
        return process

    def _env(self) -> dict[str, str]:
        provider = self.parts.provider
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ},
            **{f"VECFERRY_TIMINGS__{name.upper()}": str(value) for name, value in TIMINGS.items()},
            "VECFERRY_LEDGER_URL": self.ledger_url,
            "VECFERRY_WEAVIATE_URL": f"http://{LOOPBACK}:{self.relay.port}",
            "VECFERRY_WEAVIATE_GRPC": self.parts.weaviate.grpc_address,
            "VECFERRY_MODELS": str(self.folder / "models.toml"),
            "OPENAI_API_KEY": _KEY,
            "OPENAI_BASE_URL": provider.openai_url,
            "CO_API_KEY": _KEY,
            "CO_API_URL": provider.cohere_url,
        }

    def _said(self, name: str) -> str:
        log = self.folder / f"{name}.log"
        return log.read_text()[-2000:] if log.exists() else ""

    # --- the migration

    def at_100_percent(self) -> None:
        """Copied, proven equal, and serving: from here on only dual-writing keeps the shadow equal."""
        ports, space = self.ports, self.ports.catalogue.card(WORD).space
        pin.act(ports, Pin(self.live, self.live, space, TextRecipe(RECIPE)), who="test", why="test")
        request = MigrationRequest(self.live, f"cohere/{CHAR}", soak_minutes=0, approvals=False, who="test", why="test")
        self.migration_id = str(stage_runner.act("plan", ports, request)["migration_id"])
        stage_runner.act("create_shadow", ports, self.migration_id)
        self._walk_to(Phase.SHADOW_CREATED)
        stage_runner.act("enable_dual_write", ports, self.migration_id)
        backfill.run_all(ports, self.migration_id)
        self._walk_to(Phase.BACKFILLED)
        stage_runner.act("verify_parity", ports, self.migration_id)
        self._walk_to(Phase.SERVING)

    def _walk_to(self, phase: Phase) -> None:
        ledger = self.ports.ledger
        while (migration := ledger.migration(self.migration_id)).phase is not phase:
            to = FORWARD[FORWARD.index(migration.phase) + 1]
            ledger.move(migration, to, who="test", why="test", routing=(Mode.DUAL, 100) if to is Phase.SERVING else None)

    # --- the verdict

    def judged(self) -> SeedOutcome:
        """The judge of ``make faults``, on the same files."""
        ledger, provider = self.ports.ledger, self.parts.provider
        write_lines(self.folder / "phases.jsonl", phase_lines(ledger.events(pin=self.live), ledger.routings(self.live), {}))
        write_lines(self.folder / "corpus.jsonl", (dict(row) for row in self.parts.rows))
        old = {"name": WORD, "api": "openai", "base_url": provider.openai_url, "api_key": _KEY}
        new = {"name": CHAR, "api": "cohere", "base_url": provider.cohere_url, "api_key": _KEY}
        write_json(
            self.folder / "seed.json",
            {
                "seed": 0,
                "ledger": self.ledger_url.partition(":")[0],
                "runner": "schedule",
                "pin": self.live,
                "live": self.live,
                "shadow": self.shadow,
                "weaviate_url": self.parts.weaviate.http_url,
                "recipe": list(RECIPE),
                "corpus": "corpus.jsonl",
                "histories": self._histories,
                "models": {"old": old, "new": new},
                "quarantine_s": TIMINGS["quarantine_s"],
                "ended": ledger.migration(self.migration_id).phase is Phase.RETIRED,
                "failure": "",
            },
        )
        return judge_seed(self.folder)

    def close(self) -> None:
        for process in self._started:
            process.signal(signal.SIGKILL)
        self.relay.__exit__(None, None, None)
        for migration in self.ports.ledger.migrations(self.live):
            if migration.spec.shadow in self.ports.store.collections():
                self.ports.store.drop(migration.spec.shadow)
        close_ports(self.ports)


@contextmanager
def schedule_world(parts: Parts, folder: Path, live: str, mutant: str, ledger_url: str = "") -> Iterator[ScheduleWorld]:
    """At 100%. ``mutant`` is empty for the product as it is; the ledger is a SQLite file unless an address is given."""
    folder.mkdir(parents=True, exist_ok=True)
    write_models(folder / "models.toml", parts.provider)
    ledger_url = ledger_url or f"sqlite:///{folder / 'ledger.db'}"
    server = parts.weaviate
    with weaviate.connect_to_local(host=LOOPBACK, port=server.http_port, grpc_port=server.grpc_port) as client:
        openai = OpenAI(api_key=_KEY, base_url=parts.provider.openai_url)
        fill(client, openai, Documents(list(parts.rows), [], RECIPE), lambda done, total: None, live)
        with _MAKING_A_LEDGER:
            ports = connect_ports(
                Settings(
                    ledger_url=ledger_url,
                    weaviate_url=server.http_url,
                    weaviate_grpc=server.grpc_address,
                    models=folder / "models.toml",
                    gates=Gates(margin=0.2, min_golden_queries=1),
                )
            )
        world = ScheduleWorld(parts, folder, live, mutant, ports, Relay(server.http_port), ledger_url)
        try:
            world.at_100_percent()
            yield world
        finally:
            world.close()
            client.collections.delete(live)
