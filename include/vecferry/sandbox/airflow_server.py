"""Run a whole Airflow on this machine: database, api-server, scheduler and DAG processor, tuned for quick small runs.

Airflow itself is imported by its own processes only.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from vecferry.errors import NeedsPerson, VecferryError
from vecferry.sandbox.airflow_api import AirflowApi
from vecferry.sandbox.processes import LOOPBACK, ChildProcess, free_ports

USER = "admin"
# SQLite as Airflow's own database dies of "database is locked" at the default of 32; at 4 to 12 it never did.
PARALLELISM = 8
# The LocalExecutor's workers fork from the scheduler: what it has imported, no task needs to import again. Measured on
# 2 cores: Great Expectations 3 s a task, the vector store's and the providers' clients another 3 s, vecferry's own
# modules 0.4 s. Importing them starts no thread and opens no connection, so that forking afterwards is safe.
PRELOAD = '''"""Written by vecferry.sandbox.airflow_server. Airflow imports this file in each of its processes."""

import contextlib
import importlib
import sys

__all__ = []  # Airflow would take any other name here for a setting.

if "scheduler" in sys.argv[1:2]:
    for name in (
        "great_expectations",
        "great_expectations.expectations",
        "weaviate",
        "openai",
        "cohere",
        "vecferry.adapters.embedders.embedders",
        "vecferry.adapters.embedders.model_lists",
        "vecferry.adapters.ledger.schema_version",
        "vecferry.adapters.weaviate.store",
        "vecferry.bootstrap",
        "vecferry.checks.gates",
        "vecferry.steps.stage_runner",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
'''


class AirflowServer:
    """``home`` keeps database, logs and secrets: starting again on it continues where it was.

    ``env`` overrides settings, and is what tasks see on top of this process's environment. Raises ``NeedsPerson`` with
    the last lines of the log of the process that did not come up.
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        plugins_folder: Path | None = None,
        *,
        env: Mapping[str, str] | None = None,
        triggerer: bool = False,
        port: int | None = None,
        preload: str = PRELOAD,
        deadline_s: float = 180,
    ) -> None:
        self.home = home.absolute()
        self.port = port or free_ports(1)[0]
        self.user = USER
        self._preload = preload
        self._deadline_s = deadline_s
        (self.home / "config").mkdir(parents=True, exist_ok=True)
        plugins = plugins_folder or self.home / "plugins"
        if plugins_folder is None:
            plugins.mkdir(exist_ok=True)
        for folder in (dags_folder, plugins):  # Airflow looks once, at its start, and ignores what is not there.
            if not folder.is_dir():
                raise NeedsPerson("there is no such folder", where=str(folder))
        secret = _secrets(self.home / "secrets.json")
        self.password = secret["password"]
        self._env = _environment(self.home, dags_folder, plugins, self.port, secret) | dict(env or {})
        self.processes = [
            self._process("api-server"),
            # Else it serves logs on port 8793 of every network interface; here the api-server reads the files.
            self._process("scheduler", "--skip-serve-logs"),
            self._process("dag-processor"),
        ]
        if triggerer:
            self.processes.append(self._process("triggerer"))
        self.api = AirflowApi(self.url, self.user, self.password)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def start(self) -> Self:
        """Returns when the scheduler and the DAG processor report that they are alive; DAGs are parsed shortly after."""
        self._write_settings()
        self._migrate()
        self._started_at = datetime.datetime.now(datetime.UTC)
        try:
            for process in self.processes:
                process.launch()
            for process in self.processes:
                process.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """All of it is asked to end at once, so that nobody waits for a peer that is already gone."""
        for process in self.processes:
            process.ask_to_stop()
        for process in self.processes:
            process.stop()

    def kill(self) -> None:
        """``kill -9`` to all of it, running tasks included."""
        for process in self.processes:
            process.kill()

    def members(self) -> list[int]:
        """The ids of all live processes of this Airflow."""
        return [pid for process in self.processes for pid in process.members()]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self.api.close()

    def _process(self, name: str, *arguments: str) -> ChildProcess:
        # The command that is installed beside this Python, not whichever the PATH finds first.
        airflow = Path(sys.executable).parent / "airflow"
        return ChildProcess(
            f"airflow {name}",
            [airflow, name, *arguments],
            log=self.logs / f"{name}.log",
            ready=self._serves if name == "api-server" else lambda: self._beats(name),
            awaited=f"{name} at {self.url}/api/v2/monitor/health",
            deadline_s=self._deadline_s,
            ports=(self.port,) if name == "api-server" else (),
            env=self._env,
            cwd=self.home,
        )

    def _serves(self) -> bool:
        with contextlib.suppress(VecferryError):
            return bool(self.api.health()["metadatabase"]["status"] == "healthy")
        return False

    def _beats(self, name: str) -> bool:
        component = name.replace("-", "_")
        with contextlib.suppress(VecferryError):
            beat = self.api.health()[component].get(f"latest_{component}_heartbeat")
            # The heartbeat of a killed predecessor counts as healthy for 30 s: only one of our own time does here.
            return beat is not None and datetime.datetime.fromisoformat(beat) >= self._started_at
        return False

    def _migrate(self) -> None:
        """Create or upgrade Airflow's database; 4 to 6 s, so only when this home has not seen this version."""
        version = importlib.metadata.version("apache-airflow")
        done = self.home / "migrated"
        if done.exists() and done.read_text() == version:
            return
        migrate = self._process("db", "migrate")
        migrate.launch()
        if (code := migrate.wait_exit(self._deadline_s)) != 0:
            raise NeedsPerson(f"exit code {code}:\n{migrate.log_tail()}\n", where="airflow db migrate")
        done.write_text(version)

    def _write_settings(self) -> None:
        (self.home / "config" / "airflow_local_settings.py").write_text(self._preload)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({self.user: self.password}))


def _secrets(file: Path) -> dict[str, str]:
    """Random per home, and kept there: a restart must be able to read what was encrypted, and users stay logged in."""
    if file.exists():
        return dict(json.loads(file.read_text()))
    names = ("password", "jwt", "flask")
    fresh = {name: secrets.token_urlsafe(16 if name == "password" else 48) for name in names}
    file.touch(mode=0o600)
    file.write_text(json.dumps(fresh))
    return fresh


def _environment(home: Path, dags: Path, plugins: Path, port: int, secret: Mapping[str, str]) -> dict[str, str]:
    """What the processes and their tasks see: this environment, but for any Airflow settings of the caller's shell."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    # Without .pyc files Airflow's imports take three times as long.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    loopback = f"{LOOPBACK},localhost"  # Tasks report to the api-server: a proxy must not get in between.
    settings = {
        "CORE__DAGS_FOLDER": dags.absolute(),
        "CORE__PLUGINS_FOLDER": plugins.absolute(),
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": PARALLELISM,
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
        "CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{port}/execution/",
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "API__HOST": LOOPBACK,
        "API__PORT": port,
        "API__BASE_URL": f"http://{LOOPBACK}:{port}",
        "API__WORKERS": 1,
        "API__SECRET_KEY": secret["flask"],
        "API_AUTH__JWT_SECRET": secret["jwt"],
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.1,
        # After a kill of the whole tree, tasks that nobody runs any more are found this often (seconds; default 300).
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 60,
        # A finished task otherwise holds its slot for up to 5 s.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
        "DAG_PROCESSOR__REFRESH_INTERVAL": 10,
        "LOGGING__BASE_LOG_FOLDER": home / "logs",
        # At WARNING the log of a task that went well is an empty page; INFO costs no time that could be measured.
        "LOGGING__LOGGING_LEVEL": "INFO",
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    return {
        **inherited,
        "AIRFLOW_HOME": str(home),
        "GX_ANALYTICS_ENABLED": "False",
        "NO_PROXY": ",".join(filter(None, [inherited.get("NO_PROXY"), loopback])),
        "no_proxy": ",".join(filter(None, [inherited.get("no_proxy"), loopback])),
        **{f"AIRFLOW__{name}": str(value) for name, value in settings.items()},
    }
