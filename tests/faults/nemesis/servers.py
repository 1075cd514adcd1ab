"""What all seeds of a run share: Weaviate, PostgreSQL, the provider, the forking process, and the proxies' thread."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.faults.nemesis.airflow_part import AirflowPart
from tests.faults.nemesis.mutants import mutant_environment
from tests.faults.nemesis.proxy import Proxies
from tests.faults.nemesis.warm import WarmForks
from vecferry.errors import NeedsPerson
from vecferry.sandbox.corpus import BuiltCorpus, build
from vecferry.sandbox.postgres_server import PostgresServer
from vecferry.sandbox.processes import LOOPBACK, ChildProcess, free_ports
from vecferry.sandbox.provider import Address
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer

DOCUMENTS, QUERIES = 360, 150


class Servers:
    """Started together, stopped together, whatever happens in the block. ``cache`` keeps the fitted models for the next run.
    With a ``mutant``, all of the product that runs here is the product without that rule.

    ``weaviate_turn`` and ``postgres_turn`` are held by whoever kills or stops one of them, so that two faults take turns.
    """

    def __init__(self, folder: Path, cache: Path, mutant: str = "") -> None:
        self._stack = ExitStack()
        self._folder = folder
        self._airflow: AirflowPart | None = None
        shutil.rmtree(folder, ignore_errors=True)
        self.corpus: BuiltCorpus = build(cache / f"corpus-{DOCUMENTS}-{QUERIES}", documents=DOCUMENTS, queries=QUERIES)
        self.weaviate = WeaviateServer(folder / "weaviate", log=folder / "weaviate.log")
        self.weaviate_turn, self.postgres_turn = threading.Lock(), threading.Lock()
        self.postgres = PostgresServer()
        self._mutant = mutant
        self._mutant_env = mutant_environment(mutant) if mutant else {}
        self.forks = WarmForks(folder / "forks.log", env={**os.environ, **self._mutant_env})
        self.proxies = Proxies()
        self.address = Address(LOOPBACK, free_ports(1)[0])
        provider = ["--port", str(self.address.port), "--corpus", str(self.corpus.corpus), "--cache", str(cache)]
        self._provider = ChildProcess(
            "provider",
            [sys.executable, "-m", "vecferry.sandbox", "provider", *provider],
            log=folder / "provider.log",
            ready=self._provider_answers,
            awaited=f"{self.address.url}/_health",
            deadline_s=300,
            ports=(self.address.port,),
        )

    def provider(self, method: str, path: str, body: Any = None) -> Any:
        """The provider's control API, by no proxy."""
        answer = httpx.request(method, self.address.url + path, json=body, timeout=20, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def weaviate_rest(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, self.weaviate.http_url + path, json=body, timeout=10, trust_env=False)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def airflow(self, env: Mapping[str, str]) -> AirflowPart:
        """Started for the first seed that asks for it, by what its steps are told, and there until the run ends."""
        if self._airflow is None:
            self._airflow = AirflowPart(self._folder / "airflow", env, self._mutant_env)
            self._stack.callback(self._airflow.stop)
            self._airflow.start()
            see_mutant(self._mutant, "Airflow's scheduler", self._airflow.said())
        return self._airflow

    def wait_all_healthy(self) -> None:
        """After a seed: whatever was killed or stopped serves again."""
        wait_until(self.weaviate.is_ready, awaited="Weaviate", deadline_s=90)
        wait_until(self.postgres.process.is_running, awaited="PostgreSQL", deadline_s=60)

    def __enter__(self) -> Self:
        self._stack.callback(self.postgres.stop)
        for process in (self.weaviate.process, self._provider, self.forks):
            self._stack.callback(process.stop)
            process.launch()
        self._stack.enter_context(self.proxies)
        try:
            self.postgres.start()
            for process in (self.weaviate.process, self._provider, self.forks):
                process.wait_ready()
            see_mutant(self._mutant, "the process that forks", self.forks.said())
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def _provider_answers(self) -> bool:
        try:
            return httpx.get(f"{self.address.url}/_health", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False


def see_mutant(mutant: str, where: str, said: str) -> None:
    """One that is not in place would look like a rule that nobody needs."""
    if mutant and f"mutant {mutant}: " not in said:
        raise NeedsPerson(f"the mutant {mutant} is not in place", where=where)
