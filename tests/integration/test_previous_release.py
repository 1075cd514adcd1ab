"""Rule 18: a router of the release before goes on, in its own process, while the ledger is upgraded and this one migrates."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.real_world import PIN, ROOT, dual_writing, real_environment
from vecferry.adapters.ledger.schema_version import SHIPPED, upgrade
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.domain.shadow import differences
from vecferry.ports import Ports
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.settings import Settings
from vecferry.steps import backfill, retire, verify_parity

FIRST_OF_THIS_RELEASE = "include/vecferry/adapters/ledger/migrations/versions/0002_protocol.py"
"""What was added by the first commit after the release before."""
pytestmark = pytest.mark.timeout(300)


def _git(*words: str) -> bytes:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"no history here to take the release before from: git {words[0]}: {done.stderr.decode().strip()[:200]}")
    return done.stdout


@pytest.fixture(scope="session")
def previous_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder to put first on ``PYTHONPATH``."""
    added = _git("log", "--diff-filter=A", "--format=%H", "--", FIRST_OF_THIS_RELEASE).decode().split()
    if not added:
        pytest.skip(f"no history here to take the release before from: nothing added {FIRST_OF_THIS_RELEASE}")
    folder = tmp_path_factory.mktemp("previous-release")
    with tarfile.open(fileobj=io.BytesIO(_git("archive", f"{added[-1]}~1", "include/vecferry"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "include"


class PreviousRouter:
    """Its process; each act is answered by a line."""

    def __init__(self, release: Path, environment: dict[str, str], collection: str, log: Path) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "support" / "previous_release_router.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=log.parent,
                env={**os.environ, **environment, "PYTHONPATH": str(release)},
            )
        self.connected = self._answer({"pin": PIN, "collection": collection})

    def does(self, act: str, **given: str) -> dict[str, Any]:
        return self._answer({"act": act} | given)

    def acknowledged(self, act: str, **given: str) -> None:
        answer = self.does(act, **given)
        assert answer.get("acknowledged") == [given["key"]], answer

    def stop(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(60)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _answer(self, line: dict[str, str]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        assert said, self._log.read_text()[-3_000:]
        answer: dict[str, Any] = json.loads(said)
        return answer


@pytest.fixture
def environment(weaviate_server: WeaviateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    with real_environment(weaviate_server, tmp_path) as made:
        for name, value in made.items():
            monkeypatch.setenv(name, value)
        yield made


def _key(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"previous-{number}"))


def _acknowledged_by_all(ports: Ports) -> bool:
    version = ports.ledger.snapshot(PIN).routing.version
    return all(lease.acknowledged_version >= version for lease in ports.ledger.leases(PIN)[0])


def test_it_writes_and_searches_through_a_whole_migration(
    previous_release: Path, weaviate_server: WeaviateServer, environment: dict[str, str], tmp_path: Path
) -> None:
    from vecferry.adapters.weaviate.store import WeaviateStore

    live = f"Previous{uuid.uuid4().hex[:8]}"
    store = WeaviateStore(weaviate_server.http_url, weaviate_server.grpc_address)
    store.create({"class": live, "vectorizer": "none", "properties": [{"name": "body", "dataType": ["text"]}]})
    old = PreviousRouter(previous_release, environment, live, tmp_path / "previous.log")
    try:
        assert str(previous_release) in old.connected["from"], old.connected
        wanted = {number: f"text {number}" for number in range(12)}
        for number, body in wanted.items():
            old.acknowledged("put", key=_key(number), body=body)
        before, after = upgrade(environment["VECFERRY_LEDGER_URL"])
        assert before == "0001"
        assert after == SHIPPED.head
        _migrate_under_it(old, wanted, live)
        assert old.stop() == 0
    finally:
        old.kill()
        for collection in (live, f"{live}_v2"):
            store.drop(collection)
        store.close()


def _migrate_under_it(old: PreviousRouter, wanted: dict[int, str], live: str) -> None:
    ports = connect_ports(Settings())
    migration = dual_writing(ports, live)
    wait_until(lambda: _acknowledged_by_all(ports), awaited="dual-write, acknowledged", deadline_s=60)
    _changes(old, wanted, 100)
    backfill.run_all(ports, migration.id)
    _changes(old, wanted, 200)
    wait_until(lambda: not any(ports.ledger.journal_counts(migration.id).values()), awaited="an empty journal", deadline_s=90)
    migration = ports.ledger.move(migration, Phase.BACKFILLED, who="test", why="test")
    verify_parity.act(ports, migration.id)
    _same_on_both(ports, migration.spec, wanted)
    for phase in (Phase.VERIFIED, Phase.VALIDATED, Phase.SERVING):
        routing = (Mode.DUAL, 100) if phase is Phase.SERVING else None
        migration = ports.ledger.move(migration, phase, who="test", why="test", routing=routing)
    wait_until(lambda: old.does("search", body="text 3").get("arm") == "shadow", awaited="the shadow's answer", deadline_s=60)
    assert _key(3) in old.does("search", body="text 3")["found"]
    _changes(old, wanted, 300)
    wait_until(lambda: not any(ports.ledger.journal_counts(migration.id).values()), awaited="an empty journal", deadline_s=90)
    _same_on_both(ports, migration.spec, wanted)
    retire.act(ports, migration.id)
    old.acknowledged("put", key=_key(999), body="after the flip")
    assert _key(999) in ports.store.read(migration.spec.shadow, [_key(999)])
    assert not ports.store.read(live, [_key(999)]), "nothing writes the old collection any more"
    close_ports(ports)


def _changes(old: PreviousRouter, wanted: dict[int, str], first: int) -> None:
    """New ones, one that changes and one that goes."""
    for number in range(first, first + 4):
        wanted[number] = f"text {number}"
        old.acknowledged("put", key=_key(number), body=wanted[number])
    wanted[first] = "another text"
    old.acknowledged("update", key=_key(first), body=wanted[first])
    del wanted[first + 1]
    old.acknowledged("delete", key=_key(first + 1))


def _same_on_both(ports: Ports, spec: Any, wanted: dict[int, str]) -> None:
    keys = [_key(number) for number in (*wanted, 101, 201, 301)]
    lives, shadows = (ports.store.read(collection, keys) for collection in (spec.live, spec.shadow))
    assert {key: obj.properties["body"] for key, obj in lives.items()} == {_key(n): body for n, body in wanted.items()}
    assert {key: differences(spec, lives.get(key), shadows.get(key)) for key in keys} == {key: [] for key in keys}
