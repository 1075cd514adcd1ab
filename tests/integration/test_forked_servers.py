"""gunicorn with preload and Celery with prefork, as real processes on a real Weaviate: each child is a router of its own."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.real_world import ROOT, RealWorld, dual_writing_world, real_environment
from vecferry.sandbox.processes import LOOPBACK, ChildProcess, free_ports
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer

BIN = Path(sys.executable).parent
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def world(weaviate_server: WeaviateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealWorld]:
    with real_environment(weaviate_server, tmp_path) as environment:
        for name, value in (environment | {"FORKED_TASKS_FOLDER": str(tmp_path)}).items():
            monkeypatch.setenv(name, value)
        with dual_writing_world(environment, tmp_path) as made:
            yield made


@pytest.fixture
def web(world: RealWorld) -> Iterator[tuple[ChildProcess, httpx.Client]]:
    (port,) = free_ports(1)
    client = httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=90, trust_env=False)
    command = [BIN / "gunicorn", "--preload", "--workers", "2", "--bind", f"{LOOPBACK}:{port}", "--timeout", "120"]
    command += ["--no-control-socket"]
    config = world.folder / "gunicorn.conf.py"
    config.write_text("from tests.support.forked_web import worker_exit\n")
    server = ChildProcess(
        "gunicorn",
        [*command, "--config", config, "tests.support.forked_web:app"],
        log=world.folder / "gunicorn.log",
        ready=lambda: _answers(client),
        awaited="gunicorn to answer",
        ports=(port,),
        env=world.environment,
        cwd=ROOT,
        deadline_s=120,
        grace_s=30,
    )
    server.start()
    yield server, client
    server.stop()
    client.close()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/search", params={"text": "x"}).is_success
    except httpx.TransportError:
        return False


def _until_two_processes_answered(ask: Callable[[int], dict[str, Any]]) -> tuple[dict[int, dict[str, Any]], int]:
    """The last answer of each process, and how often was asked: who answers is the server's choice."""
    answers: dict[int, dict[str, Any]] = {}
    number = 0

    def asked() -> bool:
        nonlocal number
        answer = ask(number)
        number += 1
        answers[answer["pid"]] = answer
        return len(answers) >= 2

    wait_until(asked, awaited="answers of two processes", deadline_s=120)
    return answers, number


def _all_are_their_own(answers: dict[int, dict[str, Any]], world: RealWorld) -> None:
    holders = world.holders()
    for pid, answer in answers.items():
        assert answer["followed"]
        assert answer["clients_of"] == pid != answer["connected_in"]
        assert answer["threads"] > 3
        assert holders[answer["router_id"]] == pid
    assert len({answer["router_id"] for answer in answers.values()}) == len(answers)


def _key(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"forked-{number}"))


def test_gunicorn_with_preload(world: RealWorld, web: tuple[ChildProcess, httpx.Client]) -> None:
    server, client = web

    def put(number: int) -> dict[str, Any]:
        answer: dict[str, Any] = client.get("/put", params={"key": _key(number), "body": f"text {number}"}).json()
        return answer

    answers, puts = _until_two_processes_answered(put)
    _all_are_their_own(answers, world)
    victim = next(iter(answers))
    os.kill(victim, signal.SIGKILL)  # the master forks another one, from routers and locks of its own
    wait_until(lambda: victim not in server.members(), awaited="the worker's end", deadline_s=30)
    after: dict[int, dict[str, Any]] = {}

    def a_new_one_answered() -> bool:
        nonlocal puts
        answer = put(puts)
        puts += 1
        after[answer["pid"]] = answer
        return bool(set(after) - set(answers))

    wait_until(a_new_one_answered, awaited="an answer of the worker's successor", deadline_s=120)
    _all_are_their_own(after, world)
    keys = [_key(number) for number in range(puts)]
    assert world.both_hold(keys)
    assert not world.ports.ledger.rows("m1", limit=10)
    assert client.get("/search", params={"text": "text 0"}).json()["found"]
    server.stop()
    left = set(world.holders().values())
    assert victim in left  # it was killed: its lease is left to expire
    assert not left & set(after), "a worker that stops gives its lease back"


def test_celery_with_prefork(world: RealWorld) -> None:
    for folder in ("queue", "control", "results"):
        (world.folder / folder).mkdir()
    command = [BIN / "celery", "--app", "tests.support.forked_tasks:tasks", "worker", "--pool", "prefork", "--concurrency", "2"]
    log = world.folder / "celery.log"
    worker = ChildProcess(
        "celery",
        [*command, "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"],
        log=log,
        ready=lambda: log.exists() and " ready." in log.read_text(),
        awaited="celery to be ready",
        env=world.environment,
        cwd=ROOT,
        deadline_s=120,
        grace_s=30,
    )
    with worker:
        put = _task_by_name()
        answers, puts = _until_two_processes_answered(lambda number: _both(put, number))
        _all_are_their_own(answers, world)
        assert world.both_hold([_key(number) for number in range(2 * puts)])
        assert not world.ports.ledger.rows("m1", limit=10)
    assert not set(world.holders().values()) & set(answers), "a pool process that stops gives its lease back"


def _task_by_name() -> Callable[[str, str], Any]:
    """As another process would send it: without the worker's module, which would connect a Router here."""
    from celery import Celery

    folder = Path(os.environ["FORKED_TASKS_FOLDER"])
    sender = Celery("sender", broker="filesystem://", backend=f"file://{folder / 'results'}")
    sender.conf.broker_transport_options = {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
    }
    return lambda key, body: sender.send_task("tests.support.forked_tasks.put", args=[key, body])


def _both(put: Callable[[str, str], Any], number: int) -> dict[str, Any]:
    """Two at a time, so that both processes of the pool have something to do; the second one's answer."""
    results = [put(_key(2 * number + place), f"text {number}") for place in range(2)]
    answers: list[dict[str, Any]] = [result.get(timeout=90) for result in results]
    assert all(answer["followed"] for answer in answers)
    return answers[number % 2]
