"""Processes that start in milliseconds: forked from one that has imported everything, as Airflow's tasks are.

A stage imports for seven seconds and works for two; a nemesis that kills it would mostly meet the imports. Each is a process of
its own, with its own environment and log, and is killed or stopped like any other.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from vecferry.sandbox.processes import LOOPBACK, ChildProcess, free_ports
from vecferry.sandbox.wait_until import wait_until

_ROOT = Path(__file__).parents[3]
_POLL_S = 0.02


def was_there(pid: int, number: signal.Signals) -> bool:
    """Sends it; whether there was a process to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def state_of(pid: int) -> str:
    """The kernel's letter for it: R, S, D, T (stopped), Z; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class WarmProcess:
    """One forked process; ``exit_code`` is None while it runs and negative for the signal that ended it."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        self.name = name
        self._connection = connection
        self._answers = connection.makefile("r")
        self.pid = int(self._answers.readline())
        self.began = time.time()
        self.ended: float | None = None
        self._exit_code: int | None = None

    @property
    def exit_code(self) -> int | None:
        if self._exit_code is None and select.select([self._connection], [], [], 0)[0]:
            self._exit_code = int(self._answers.readline() or -signal.SIGKILL)
            self.ended = time.time()
            self._answers.close()
            self._connection.close()
        return self._exit_code

    def is_running(self) -> bool:
        return self.exit_code is None

    def signal(self, number: signal.Signals) -> bool:
        """Whether it was still there to be met."""
        return self.is_running() and was_there(self.pid, number)

    def wait(self, deadline_s: float) -> int:
        wait_until(lambda: not self.is_running(), awaited=f"the end of {self.name}", deadline_s=deadline_s, poll_s=_POLL_S)
        assert self._exit_code is not None
        return self._exit_code

    def state(self) -> str:
        return state_of(self.pid)


class WarmForks:
    """The process that forks; whatever it forked ends with it, and it ends with this process. ``env`` is its own: what it
    imports by it, all that it forks have imported."""

    def __init__(self, log: Path, env: Mapping[str, str] | None = None) -> None:
        self._port = free_ports(1)[0]
        self._process = ChildProcess(
            "warm forks",
            [sys.executable, "-m", __name__, str(self._port)],
            log=log,
            ready=lambda: "ready" in self._process.log_tail(),
            awaited="all imports",
            deadline_s=180,
            ports=(self._port,),
            env=env,
            cwd=_ROOT,
        )

    def launch(self) -> None:
        self._process.launch()

    def wait_ready(self) -> None:
        self._process.wait_ready()

    def said(self) -> str:
        return self._process.log_tail(1_000)

    def start(self, name: str, program: str, arguments: Sequence[str], *, env: Mapping[str, str], log: Path) -> WarmProcess:
        """``program`` is ``vecferry`` or a module with a ``main(arguments) -> int``."""
        log.parent.mkdir(parents=True, exist_ok=True)
        asked = {"program": program, "arguments": list(arguments), "env": dict(env), "log": str(log)}
        connection = socket.create_connection((LOOPBACK, self._port), timeout=30)
        connection.sendall(json.dumps(asked).encode() + b"\n")
        return WarmProcess(name, connection)

    def stop(self) -> None:
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


# --- the forking process ----------------------------------------------------------------------------------------------


def _import_everything() -> None:
    import cohere.client_v2  # noqa: F401
    import great_expectations  # noqa: F401
    import grpc  # noqa: F401
    import openai.resources  # noqa: F401
    import psycopg  # noqa: F401
    import weaviate  # noqa: F401
    from weaviate.proto.v1 import weaviate_pb2_grpc  # noqa: F401

    import vecferry.adapters.ledger.schema_version
    import vecferry.adapters.weaviate.store
    import vecferry.bootstrap
    import vecferry.checks.gates
    import vecferry.cli.app
    import vecferry.steps.stage_runner  # noqa: F401


def serve(port: int) -> None:
    """Single-threaded on purpose: a fork of a process with threads inherits their locks and not them."""
    _import_everything()
    children: dict[int, socket.socket] = {}
    with socket.create_server((LOOPBACK, port)) as listener:
        print("ready", flush=True)
        while True:
            if select.select([listener], [], [], _POLL_S)[0]:
                connection, _ = listener.accept()
                children[_forked(connection, listener, children)] = connection
            _report_ended(children)


def _report_ended(children: dict[int, socket.socket]) -> None:
    for pid, connection in list(children.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            del children[pid]
            with connection:
                _tell(connection, os.waitstatus_to_exitcode(status))


def _tell(connection: socket.socket, number: int) -> None:
    try:
        connection.sendall(f"{number}\n".encode())
    except OSError:
        return  # Whoever asked is gone; the leash ends all of us.


def _forked(connection: socket.socket, listener: socket.socket, others: Mapping[int, socket.socket]) -> int:
    asked = json.loads(connection.makefile("r").readline())
    pid = os.fork()
    if pid == 0:
        for inherited in (connection, listener, *others.values()):
            inherited.close()
        _become(asked)
    _tell(connection, pid)
    return pid


def _become(asked: Mapping[str, Any]) -> None:
    code = 70
    try:
        os.setpgid(0, 0)  # Ctrl-C is the starter's to hand on; the session stays, and with it the leash.
        signal.signal(signal.SIGTERM, _exit_by_signal)
        output = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.clear()
        os.environ.update(asked["env"])
        code = _run(asked["program"], asked["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_by_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _run(program: str, arguments: list[str]) -> int:
    if program == "vecferry":
        from vecferry.cli.app import app

        sys.argv = ["vecferry", *arguments]
        app(arguments)
        return 0
    import importlib

    return int(importlib.import_module(program).main(arguments))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
