"""The lifecycle on a real Weaviate and the sandbox's provider, by both SDKs, with an application on it all the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import weaviate
from openai import OpenAI

from vecferry import settings
from vecferry.bootstrap import close_ports, connect_ports, connect_router
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.request import MigrationRequest
from vecferry.domain.stages import BY_NAME
from vecferry.errors import NeedsPerson
from vecferry.ports import Ports
from vecferry.sandbox.checker.inspection import Side, inspect
from vecferry.sandbox.checker.provider_rest import Model
from vecferry.sandbox.checker.weaviate_rest import WeaviateRest
from vecferry.sandbox.demo.documents import Documents, gather
from vecferry.sandbox.demo.fill import fill
from vecferry.sandbox.demo.folder import DemoFolder, taken
from vecferry.sandbox.demo.models_file import write_models
from vecferry.sandbox.models import CHAR, HASH, WORD
from vecferry.sandbox.provider import Address, provider_state, running
from vecferry.sandbox.traffic.application import Application, Load
from vecferry.sandbox.traffic.control import Control, Wish
from vecferry.sandbox.traffic.history import History
from vecferry.sandbox.traffic.writer import partitions
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.steps import backfill, pin, reopen, roll_back, stage_runner, verify_parity

LIVE = "LifecycleReal"
ROAD = ("create_shadow", "enable_dual_write", "backfill", "verify_parity", "validate_golden_set")
PERCENTS = ("cut_over_5", "cut_over_25", "cut_over_100")
# Whether a canary is judged rightly is other tests' matter: here tests and servers share two cores, and latencies say little.
GATES = Gates(canary_min_queries=15, canary_latency_slack_ms=2_000, canary_golden_queries=60, canary_golden_margin=0.2)
pytestmark = pytest.mark.timeout(300)


@dataclass
class World:
    ports: Ports
    folder: DemoFolder
    documents: Documents
    provider: Address
    weaviate: WeaviateServer
    control: Control
    settings: dict[str, Any]

    def inspect(self, migration_id: str, *, both: bool) -> dict[str, Any]:
        spec, live = self.ports.ledger.migration(migration_id).spec, self.ports.ledger.pin(LIVE)
        old = Side(LIVE, Model(WORD, "openai", self.provider.openai_url, "k"))
        new = Side(spec.shadow, Model(spec.space.model, "cohere", self.provider.cohere_url, "k"))
        authority = old if live.collection == LIVE else new
        weaviate = WeaviateRest(self.weaviate.http_url)
        try:
            return inspect(
                weaviate,
                authority,
                new if both else None,
                corpus=self.folder.corpus,
                history=self.folder.history,
                recipe=self.documents.recipe,
            )
        finally:
            weaviate.close()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Address]]:
    root = tmp_path_factory.mktemp("lifecycle")
    with taken(root / "fitted") as folder:
        gather(folder, None, None, documents=400, queries=200)
        with running(provider_state(folder.corpus, folder.cache)) as address:
            yield root, address


@pytest.fixture
def world(provider: tuple[Path, Address], weaviate_server: WeaviateServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    root, address = provider
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("CO_API_KEY", "k")
    with taken(root / "demo") as folder:
        documents = gather(folder, None, None, documents=400, queries=200)
        write_models(folder.models, address)
        given = {
            "ledger_url": f"sqlite:///{folder.ledger}",
            "weaviate_url": weaviate_server.http_url,
            "weaviate_grpc": weaviate_server.grpc_address,
            "models": folder.models,
            "gates": GATES,
        }
        with _filled(weaviate_server, address, documents):
            ports = connect_ports(settings.load(**given))
            yield World(ports, folder, documents, address, weaviate_server, Control(folder.control), given)
            for migration in ports.ledger.migrations(LIVE):
                ports.store.drop(migration.spec.shadow)
            close_ports(ports)


@contextmanager
def _filled(server: WeaviateServer, provider: Address, documents: Documents) -> Iterator[None]:
    with weaviate.connect_to_local(host="127.0.0.1", port=server.http_port, grpc_port=server.grpc_port) as client:
        openai = OpenAI(api_key="k", base_url=provider.openai_url)
        fill(client, openai, documents, lambda done, total: None, LIVE)
        yield
        client.collections.delete(LIVE)


@contextmanager
def application(world: World) -> Iterator[None]:
    """In threads of this process; an error that is no answer of the Router's fails the test."""
    golden = world.documents.golden
    parts = partitions(world.documents.rows, {key for row in golden for key in row["relevant"]}, 2)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with connect_router(LIVE, **world.settings) as router, History(world.folder.history) as history:
                Application(
                    router,
                    history,
                    world.control,
                    queries=[row["query"] for row in golden],
                    parts=parts,
                    text="body",
                    load=Load(queries_per_s=40, writes_per_s=6, searchers=2),
                ).run()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: failed or world.control.reported().get("writes"), awaited="the first write", deadline_s=30)
    try:
        yield
    finally:
        world.control.ask(Wish.STOP)
        thread.join(60)
    assert not failed, failed


def _pinned(world: World) -> None:
    space = world.ports.catalogue.card(WORD).space
    pin.act(world.ports, Pin(LIVE, LIVE, space, TextRecipe(world.documents.recipe)), who="test", why="test")
    world.ports.ledger.save_golden(LIVE, world.documents.golden)


def _planned(world: World, model: str = CHAR) -> str:
    request = MigrationRequest(LIVE, f"cohere/{model}", soak_minutes=0, approvals=False, who="test", why="test")
    _stage(world, "check_deprecation", request)
    return str(_stage(world, "plan", request)["migration_id"])


def _stage(world: World, stage: str, subject: Any) -> dict[str, Any]:
    summary = stage_runner.act(stage, world.ports, subject)
    _ready(world, stage, subject)
    verdict = stage_runner.check(stage, world.ports, subject)
    assert verdict.passes, verdict.reason
    return summary


def _ready(world: World, stage: str, subject: Any) -> None:
    answer = stage_runner.ready(stage, world.ports, subject)
    deadline = time.monotonic() + 60
    while not answer.done:
        assert time.monotonic() < deadline, f"{stage} waits for {answer.waiting_for}"
        time.sleep(0.2)
        answer = stage_runner.ready(stage, world.ports, subject)


def _nothing_wrong(found: dict[str, Any]) -> None:
    assert found["examples"] == {}, found
    assert all(count > 300 for count in found["objects"].values())


def test_there_and_back_and_there_with_every_step_run_twice(world: World) -> None:
    _pinned(world)
    with application(world):
        migration_id = _planned(world)
        for stage in (*ROAD, *PERCENTS[:2]):
            _stage(world, stage, migration_id)
            _stage(world, stage, migration_id)
        roll_back.act(world.ports, migration_id, who="test", why="to show that it can")
        with pytest.raises(NeedsPerson, match="rolled back"):
            stage_runner.act("cut_over_25", world.ports, migration_id)
        verify_parity.act(world.ports, migration_id)
        reopen.act(world.ports, migration_id, who="test", why="verified")
        for stage in PERCENTS:
            _stage(world, stage, migration_id)
        world.control.ask_and_wait(Wish.PAUSE_WRITES)
        _nothing_wrong(world.inspect(migration_id, both=True))
        world.control.ask_and_wait(Wish.RUN)
        _stage(world, "retire", migration_id)
        _stage(world, "retire", migration_id)
        for stage in ("backfill", "verify_parity", "cut_over_25"):
            stage_runner.act(stage, world.ports, migration_id)  # after retire: succeeds, and changes nothing
        written = world.control.reported()["writes"]
        wait_until(lambda: world.control.reported()["writes"] > written, awaited="a write after retire", deadline_s=20)
    _nothing_wrong(world.inspect(migration_id, both=False))
    assert world.ports.ledger.migration(migration_id).phase is Phase.RETIRED
    assert world.control.reported()["queries_failed"] == world.control.reported()["writes_unknown"] == 0


def test_a_backfill_that_is_interrupted_goes_on_where_it_was(world: World) -> None:
    _pinned(world)
    migration_id = _planned(world)
    for stage in ROAD[:2]:
        _stage(world, stage, migration_id)

    def interrupt(chunk: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill.run_all(world.ports, migration_id, interrupt)
    (chunk,) = world.ports.ledger.chunks(migration_id)
    assert 0 < chunk.rows_in < len(world.documents.rows)
    _stage(world, "backfill", migration_id)
    (chunk,) = world.ports.ledger.chunks(migration_id)
    assert chunk.rows_in == chunk.rows_out == len(world.documents.rows)
    world.folder.history.touch()
    _nothing_wrong(world.inspect(migration_id, both=True))


def test_the_checker_sees_what_is_broken_on_purpose_in_a_real_collection(world: World) -> None:
    """Its counts of a sound collection mean something only because of this."""
    _pinned(world)
    migration_id = _planned(world)
    for stage in ROAD[:3]:
        _stage(world, stage, migration_id)
    world.folder.history.touch()
    first, second, third = (row["uuid"] for row in world.documents.rows[:3])
    shadow = world.ports.ledger.migration(migration_id).spec.shadow
    with weaviate.connect_to_local(
        host="127.0.0.1", port=world.weaviate.http_port, grpc_port=world.weaviate.grpc_port
    ) as client:
        live, copy = client.collections.use(LIVE), client.collections.use(shadow)
        foreign = live.query.fetch_object_by_id(first, include_vector=True)
        copy.data.update(uuid=first, properties={}, vector=foreign.vector["default"])  # the old model's vector: same length
        live.data.delete_by_id(second)
        live.data.update(uuid=third, properties={"body": "bypassed the router"})
    found = world.inspect(migration_id, both=True)
    assert (found["lost"], found["parity"]) == (2, 2)
    assert first in found["examples"]["mixed"]


def test_one_vector_in_a_hundred_of_another_model_is_found_counted_and_named(world: World) -> None:
    """Put in by hand under the right stamps, of the right length: nothing but embedding again tells them apart."""
    _pinned(world)
    migration_id = _planned(world)
    for stage in ROAD[:3]:
        _stage(world, stage, migration_id)
    odd = {row["uuid"] for row in world.documents.rows[:4]}
    assert len(odd) == len(world.documents.rows) // 100
    shadow = world.ports.ledger.migration(migration_id).spec.shadow
    with weaviate.connect_to_local(
        host="127.0.0.1", port=world.weaviate.http_port, grpc_port=world.weaviate.grpc_port
    ) as client:
        live, copy = client.collections.use(LIVE), client.collections.use(shadow)
        for key in odd:
            of_old, of_new = (
                side.query.fetch_object_by_id(key, include_vector=True).vector["default"] for side in (live, copy)
            )
            live.data.update(uuid=key, properties={}, vector=of_new)
            copy.data.update(uuid=key, properties={}, vector=of_old)
    code, said = _command(world, "verify", LIVE, "--sample", "all", "--json")
    evidence = said["evidence"]
    assert (code, evidence["kinds"], evidence["foreign"]) == (1, {"foreign vector": 4}, 4)
    assert {example.partition(":")[0] for example in evidence["examples"]} == odd
    code, said = _command(world, "doctor", LIVE, "--sample", "all", "--fail-on", "vectors", "--json")
    (vectors,) = [finding for finding in said["findings"] if finding["looked_at"] == "vectors"]
    assert code == 1
    assert "4 of 400" in vectors["what"]
    assert all(key in str(vectors) for key in odd)


def _command(world: World, *arguments: str) -> tuple[int, dict[str, Any]]:
    """``vecferry …`` as a process: exit code, and what it said on standard output."""
    given = {name: str(value) for name, value in world.settings.items() if name != "gates"}
    env = os.environ | {f"VECFERRY_{name.upper()}": value for name, value in given.items()}
    ended = subprocess.run(
        [sys.executable, "-m", "vecferry.cli", *arguments], env=env, capture_output=True, text=True, check=False
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def test_a_model_that_is_clearly_worse_stops_at_the_golden_set(world: World) -> None:
    _pinned(world)
    migration_id = _planned(world, HASH)
    for stage in ROAD[:4]:
        _stage(world, stage, migration_id)
    stage_runner.act("validate_golden_set", world.ports, migration_id)
    verdict = stage_runner.check("validate_golden_set", world.ports, migration_id)
    assert verdict.outcome == "FAIL", verdict.reason
    assert world.ports.ledger.migration(migration_id).phase is BY_NAME["verify_parity"].gives
