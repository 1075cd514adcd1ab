"""One seed's world: a collection, a pin and a ledger of its own, three applications and a janitor on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import weaviate
from openai import OpenAI

from tests.faults.nemesis.airflow_part import AirflowPart
from tests.faults.nemesis.links import GATES, KEY, Links, linked, timings
from tests.faults.nemesis.plan import APPS, Plan
from tests.faults.nemesis.servers import Servers
from tests.faults.nemesis.supervised import Supervised, Supervisor
from tests.faults.nemesis.warm import WarmProcess
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.domain.gates import Gates
from vecferry.domain.timing import Timings
from vecferry.errors import Retryable, VecferryError
from vecferry.ports import Ports
from vecferry.sandbox.corpus import load_corpus, load_golden
from vecferry.sandbox.demo.documents import Documents
from vecferry.sandbox.demo.fill import fill
from vecferry.sandbox.jsonl import write_objects
from vecferry.sandbox.models import CHAR, WORD
from vecferry.sandbox.processes import LOOPBACK
from vecferry.sandbox.traffic.control import Control, Wish
from vecferry.sandbox.wait_until import wait_until
from vecferry.settings import Settings

NEW_MODEL = f"cohere/{CHAR}"
RECIPE = ("body",)


@dataclass
class SeedWorld:
    """``pin`` is also the live collection's name. ``ports`` reach everything directly, for the driver's own eyes."""

    plan: Plan
    servers: Servers
    folder: Path
    pin: str
    ledger_url: str
    links: Links
    documents: Documents
    ports: Ports
    supervisor: Supervisor
    apps: list[Supervised] = field(default_factory=list)
    janitor: Supervised | None = None
    step: WarmProcess | None = None
    """The operator's process that runs now, or ran last: a stage's, where none of Airflow's is."""
    airflow: AirflowPart | None = None
    """Serves this world, where the plan's runner is Airflow."""
    tracebacks: list[list[str]] = field(default_factory=list)
    """(log, text) of what a task raised unexpectedly; those in this folder's own logs are found there."""

    @property
    def histories(self) -> list[Path]:
        return [self.folder / f"app-{number}.jsonl" for number in range(APPS)]

    @property
    def models(self) -> dict[str, dict[str, str]]:
        provider = self.servers.address
        old = {"name": WORD, "api": "openai", "base_url": provider.openai_url, "api_key": KEY}
        return {"old": old, "new": {"name": CHAR, "api": "cohere", "base_url": provider.cohere_url, "api_key": KEY}}

    def vecferry(self, client: str, name: str, *arguments: str) -> WarmProcess:
        """``vecferry …`` as a process of that client's."""
        env = self.links.envs[client] if client != "direct" else self.links.direct
        return self.servers.forks.start(name, "vecferry", arguments, env=env, log=self.folder / "logs" / f"{name}.log")

    def vecferry_done(self, name: str, *arguments: str, deadline_s: float = 60) -> None:
        """By no proxy; it must succeed."""
        code = self.vecferry("direct", name, *arguments, "--json").wait(deadline_s)
        if code:
            said = (self.folder / "logs" / f"{name}.log").read_text()[-2000:]
            raise Retryable(f"vecferry {' '.join(arguments)}: exit code {code}: {said}")

    def shadow(self) -> str | None:
        """The newest attempt's shadow, if one is planned."""
        migrations = self.ports.ledger.migrations(self.pin)
        return migrations[0].spec.shadow if migrations else None

    def ask_apps(self, wish: Wish, *, deadline_s: float = 90) -> None:
        """Returns when all of them do as wished; one that is killed meanwhile does so after its restart."""
        for number in range(APPS):
            self._control(number).ask(wish)
        for number in range(APPS):
            self._control(number).ask_and_wait(wish, deadline_s=deadline_s)

    def authority_is(self, collection: str, model: str) -> None:
        """What the applications' control clients ask from now on, over the applications' own proxies."""
        for number in range(APPS):
            env = self.links.envs[f"app-{number}"]
            told = self.models[model] | {"collection": collection, "weaviate_url": env["VECFERRY_WEAVIATE_URL"]}
            told["model"] = told.pop("name")
            told["base_url"] = env["OPENAI_BASE_URL" if told["api"] == "openai" else "CO_API_URL"]
            path = self._authority(number)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(told))
            partial.replace(path)

    def start_apps(self) -> None:
        self.authority_is(self.pin, "old")
        for number in range(APPS):
            self.apps.append(self.supervisor.add(f"app-{number}", lambda n=number: self._start_app(n)))  # type: ignore[misc]
        self.janitor = self.supervisor.add("janitor", lambda: self.vecferry("janitor", "janitor", "janitor", self.pin))
        for number in range(APPS):
            wait_until(
                lambda n=number: self._control(n).reported().get("writes"),  # type: ignore[misc]
                awaited=f"the first write of app-{number}",
                deadline_s=60,
                so_far=lambda n=number: (self.folder / "logs" / f"app-{n}.log").read_text()[-500:],  # type: ignore[misc]
            )

    def _start_app(self, number: int) -> WarmProcess:
        name = f"app-{number}"
        arguments = [
            *("--pin", self.pin, "--number", str(number), "--of", str(APPS), "--seed", str(self.plan.seed)),
            *("--corpus", str(self.folder / "corpus.jsonl"), "--golden", str(self.folder / "golden.jsonl")),
            *("--history", str(self.histories[number]), "--control", str(self.folder / "control" / name)),
            *("--authority", str(self._authority(number))),
        ]
        return self.servers.forks.start(
            name,
            "tests.faults.nemesis.application",
            arguments,
            env=self.links.envs[name],
            log=self.folder / "logs" / f"{name}.log",
        )

    def _control(self, number: int) -> Control:
        return Control(self.folder / "control" / f"app-{number}")

    def _authority(self, number: int) -> Path:
        return self.folder / f"authority-{number}.json"


@contextmanager
def made(plan: Plan, servers: Servers, folder: Path) -> Iterator[SeedWorld]:
    """Filled, pinned, and with applications on it; they end with the block."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pin = f"Seed{plan.seed}"
    documents = _documents(servers, folder)
    ledger_url = servers.postgres.fresh_database() if plan.ledger == "postgresql" else f"sqlite:///{folder / 'ledger.db'}"
    with ExitStack() as stack:
        stack.callback(servers.proxies.close_all)
        _filled(servers, documents, pin)
        links = linked(servers, folder, ledger_url, plan.pace)
        ports = connect_ports(_settings(links.direct, plan.pace))
        stack.callback(close_ports, ports)
        supervisor = stack.enter_context(Supervisor())
        world = SeedWorld(plan, servers, folder, pin, ledger_url, links, documents, ports, supervisor)
        if plan.runner == "airflow":
            world.airflow = servers.airflow(links.envs["steps"])
            stack.enter_context(world.airflow.serving(links.envs["steps"]))
        world.vecferry_done("pin", "pin", pin, "--collection", pin, "--model", WORD, "--properties", ",".join(RECIPE))
        world.vecferry_done("golden", "golden", "import", str(folder / "golden.jsonl"), "--pin", pin)
        servers.provider("DELETE", "/_usage")
        servers.provider("POST", "/_requests", {"kept": True})
        world.start_apps()
        yield world


def drop_collections(servers: Servers, names: Sequence[str]) -> None:
    for name in names:
        servers.weaviate_rest("DELETE", f"/v1/schema/{name}")


def _documents(servers: Servers, folder: Path) -> Documents:
    rows, golden = load_corpus(servers.corpus.corpus), load_golden(servers.corpus.golden)
    write_objects(folder / "corpus.jsonl", ({"uuid": row["uuid"], "properties": dict(row["properties"])} for row in rows))
    write_objects(folder / "golden.jsonl", (dict(row) for row in golden))
    return Documents(rows, golden, RECIPE)


def _filled(servers: Servers, documents: Documents, collection: str) -> None:
    weaviate_server = servers.weaviate
    openai = OpenAI(api_key=KEY, base_url=servers.address.openai_url)
    with weaviate.connect_to_local(
        host=LOOPBACK, port=weaviate_server.http_port, grpc_port=weaviate_server.grpc_port
    ) as client:
        client.collections.delete(collection)
        fill(client, openai, documents, lambda done, total: None, collection)


def _settings(direct: Any, pace: float) -> Settings:
    return Settings(
        ledger_url=direct["VECFERRY_LEDGER_URL"],
        weaviate_url=direct["VECFERRY_WEAVIATE_URL"],
        weaviate_grpc=direct["VECFERRY_WEAVIATE_GRPC"],
        models=Path(direct["VECFERRY_MODELS"]),
        who="nemesis",
        timings=Timings(**timings(pace)),
        gates=Gates(**GATES),  # type: ignore[arg-type]
    )


def patiently(ask: Any, *, awaited: str, deadline_s: float = 60) -> Any:
    """The driver's own look at the ledger or the store, which may be away for a moment."""
    failed: list[str] = []

    def attempt() -> list[Any]:
        try:
            return [ask()]
        except VecferryError as error:
            failed[:] = [str(error)]
            return []

    return wait_until(attempt, awaited=awaited, deadline_s=deadline_s, so_far=lambda: failed[0] if failed else "")[0]
