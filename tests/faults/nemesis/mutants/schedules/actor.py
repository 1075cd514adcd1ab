"""One process of a schedule: an application with a script, or the one that retires. ``main([file])``, which is JSON."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.faults.nemesis.mutants import VARIABLE
from tests.faults.nemesis.mutants.installing import install
from tests.faults.nemesis.mutants.schedules.hooks import Hooks, pass_gate
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.errors import NotWritten, Retryable, UnknownOutcome
from vecferry.ports import Ports
from vecferry.protocol.janitor import Janitor
from vecferry.router import Router
from vecferry.sandbox.traffic.history import History, Outcome
from vecferry.sandbox.wait_until import wait_until
from vecferry.steps import retire

_TRIES = 20
_FLUSH_S = 150.0
_RETIRED_WITHIN_S = 90.0


def main(arguments: Sequence[str]) -> int:
    spec = json.loads(Path(arguments[0]).read_text())
    if VARIABLE in os.environ:
        install(os.environ[VARIABLE])
    if spec["role"] == "retire":
        _retire(spec["pin"], spec["migration_id"])
        return 0
    Hooks(spec["hooks"], spec["sides"], Path(spec["gates"])).install()
    with History(Path(spec["history"])) as history, Router.connect(spec["pin"]) as router:
        application = _Application(router, history, Path(spec["gates"]))
        for verb, *given in spec["script"]:
            getattr(application, verb)(*given)
    return 0


class _Application:
    """A method for each verb of a script."""

    def __init__(self, router: Router, history: History, gates: Path) -> None:
        self._router = router
        self._history = history
        self._gates = gates

    def put(self, key: str, content: Mapping[str, Any]) -> None:
        self._told("put", {key: content}, lambda: self._router.put(key, content))

    def update(self, key: str, changes: Mapping[str, Any]) -> None:
        self._told("update", {key: changes}, lambda: self._router.update(key, changes))

    def put_many(self, items: Mapping[str, Mapping[str, Any]]) -> None:
        self._told("put", items, lambda: self._router.put_many(list(items.items())))

    def flush(self) -> None:
        """Until the shadow has followed, or has been left to the janitor."""
        self._router.flush(_FLUSH_S)

    def gate(self, name: str) -> None:
        pass_gate(self._gates, name)

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def search(self, query: str) -> None:
        """And a plain client beside it, as in every application whose history is to be judged."""
        asked = {"query": query, "key": "somebody", "invoked": time.time()}
        httpx.get(os.environ["VECFERRY_WEAVIATE_URL"] + "/v1/.well-known/ready", trust_env=False).raise_for_status()
        self._history.note({"op": "control", "invoked": asked["invoked"], "answered": time.time(), "ok": True, "error": ""})
        found = self._router.search(query, key="somebody")
        route = {"arm": found.arm.value, "reason": found.reason, "version": found.route.version}
        unit = {"collection": found.route.collection, "space": found.route.space.id}
        hits = [[hit.uuid, hit.score] for hit in found]
        self._history.search({"ok": True, **asked, "answered": time.time(), **route, **unit, "hits": hits})

    def _told(self, op: str, contents: Mapping[str, Any], send: Callable[[], object]) -> None:
        """What was refused is asked again: a busy machine may let a lease expire, and no schedule is about that."""
        for _ in range(_TRIES):
            names = [self._history.begin_write(op, key, content) for key, content in contents.items()]
            outcome, why = _outcome_of(send)
            for name in names:
                self._history.end_write(name, outcome, why)
            if outcome != "not_written":
                return
            time.sleep(0.3)
        raise Retryable(f"{op} was refused {_TRIES} times: {why}")


def _outcome_of(send: Callable[[], object]) -> tuple[Outcome, str]:
    try:
        receipt = send()
    except UnknownOutcome as error:
        return "unknown", str(error)
    except NotWritten as error:
        return "not_written", str(error)
    return ("unknown" if getattr(receipt, "unknown", ()) else "ok"), ""


def _retire(pin: str, migration_id: str) -> None:
    """As people do: again and again; the janitor works once rows stand in the way, and not before."""
    ports = connect_ports()
    deadline = time.monotonic() + _RETIRED_WITHIN_S
    try:
        while True:
            try:
                retire.act(ports, migration_id)
                return
            except Retryable as error:
                if time.monotonic() > deadline:
                    raise
                if "journal rows" in str(error):
                    _work_off(ports, pin, migration_id)
            time.sleep(0.1)
    finally:
        close_ports(ports)


def _work_off(ports: Ports, pin: str, migration_id: str) -> None:
    parts = {"ledger": ports.ledger, "store": ports.store, "clock": ports.clock, "timings": ports.timings}
    janitor = Janitor(pin, embedders=ports.embedders, owner="the schedule's janitor", **parts)  # type: ignore[arg-type]

    def empty() -> bool:
        janitor.run_once()
        return not any(ports.ledger.journal_counts(migration_id).values())

    wait_until(empty, awaited="an empty journal", deadline_s=_RETIRED_WITHIN_S, poll_s=0.2)
