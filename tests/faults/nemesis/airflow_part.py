"""One Airflow for all seeds of a run that migrate by it: its tasks are told by Connections which seed's world is theirs."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.faults.nemesis.task_process import TaskProcess, at_work, tasks_among
from vecferry.errors import NotFound, Retryable
from vecferry.sandbox.airflow_api import FINISHED, AirflowApi
from vecferry.sandbox.airflow_server import AirflowServer

MIGRATION, ROLLBACK = "embedding_migration", "embedding_rollback"
_DAGS = Path(__file__).with_name("airflow_dags")
_GONE_S = 30.0
_PATIENCE_S = 180.0
T = TypeVar("T")
_AWAY = frozenset({"VECFERRY_LEDGER_URL", "VECFERRY_WEAVIATE_URL", "VECFERRY_WEAVIATE_GRPC", "VECFERRY_MODELS"})
"""What differs by seed; all else is the same for the whole run, and the environment of Airflow's processes."""


class AirflowPart:
    """``env``: what a step's process of any seed is told; ``mutant_env`` comes on top. ``folder`` is its own."""

    def __init__(self, folder: Path, env: Mapping[str, str], mutant_env: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._models = folder / "models.toml"
        same = {name: value for name, value in env.items() if name not in _AWAY}
        told = {**same, "VECFERRY_MODELS": str(self._models.absolute()), **(mutant_env or {})}
        self._server = AirflowServer(folder / "home", _DAGS, env=told)
        self.api = self._server.api

    def ask(self, question: Callable[[AirflowApi], T]) -> T:
        """Again and again while a busy Airflow gives no answer; for what may be asked twice."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return question(self.api)
            except Retryable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """One run, also where the answer to the first try did not arrive."""
        tried: list[str] = []

        def triggered(api: AirflowApi) -> None:
            if tried and run_id in {run["dag_run_id"] for run in api.runs(dag_id)}:
                return
            tried.append(run_id)
            api.trigger(dag_id, conf, run_id=run_id)

        self.ask(triggered)

    def start(self) -> None:
        self._server.start()
        for dag in (MIGRATION, ROLLBACK):
            self.api.wait_for_dag(dag, deadline_s=120)

    def stop(self) -> None:
        self._server.stop()
        self.api.close()

    def said(self) -> str:
        """What the scheduler, which imports the product for all tasks, has said."""
        return (self._server.logs / "scheduler.log").read_text(errors="replace")

    @contextmanager
    def serving(self, env: Mapping[str, str]) -> Iterator[None]:
        """Tasks reach this seed's world; in the end none of them runs any more, whatever happened."""
        shutil.copyfile(env["VECFERRY_MODELS"], self._models)
        for connection in _connections(env):
            self.ask(lambda api, given=connection: _replace(api, given))  # type: ignore[misc]
        try:
            yield
        finally:
            self._end_runs()

    # --- tasks

    def task_at_work(self, *, for_s: float, within_s: float) -> TaskProcess | None:
        return at_work(self._server.members, for_s=for_s, within_s=within_s)

    def tries(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Every try of every task of a run, those before a clear too."""
        found = []
        for task in self.ask(lambda api: api.task_instances(dag_id, run_id)):
            index = f"/{task['map_index']}" if task["map_index"] >= 0 else ""
            path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}{index}/tries"
            found += self.ask(lambda api, path=path: api.call("GET", path))["task_instances"]  # type: ignore[misc]
        return found

    def logs_of(self, dag_id: str, run_id: str) -> list[Path]:
        """A file a try, each line a JSON object."""
        return sorted((self._server.logs / f"dag_id={dag_id}" / f"run_id={run_id}").rglob("attempt=*.log"))

    def _end_runs(self) -> None:
        for dag_id in (MIGRATION, ROLLBACK):
            for run in self.ask(lambda api: api.runs(dag_id)):  # noqa: B023 - asked at once
                if run["state"] not in FINISHED:
                    path = f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}"
                    self.ask(lambda api, path=path: api.call("PATCH", path, json={"state": "failed"}))  # type: ignore[misc]
        deadline = time.monotonic() + _GONE_S
        while (left := list(tasks_among(self._server.members()))) and time.monotonic() < deadline:
            time.sleep(0.2)
        for process in left:
            process.signal(signal.SIGKILL)
            process.wait(_GONE_S)


def _replace(api: AirflowApi, connection: Mapping[str, Any]) -> None:
    with contextlib.suppress(NotFound):
        api.call("DELETE", f"/connections/{connection['connection_id']}")
    api.call("POST", "/connections", json=connection)


def _connections(env: Mapping[str, str]) -> list[dict[str, Any]]:
    weaviate, grpc = urlsplit(env["VECFERRY_WEAVIATE_URL"]), urlsplit(f"//{env['VECFERRY_WEAVIATE_GRPC']}")
    at = {"host": weaviate.hostname, "port": weaviate.port}
    return [
        {
            "connection_id": "vecferry_ledger",
            "conn_type": "generic",
            "extra": json.dumps({"url": env["VECFERRY_LEDGER_URL"]}),
        },
        {
            "connection_id": "vecferry_weaviate",
            "conn_type": "http",
            **at,
            "extra": json.dumps({"grpc_host": grpc.hostname, "grpc_port": grpc.port}),
        },
    ]
