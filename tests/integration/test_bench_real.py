"""Each measure once, tiny: that it measures what it says. What it finds at this size on a busy machine says nothing."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer
from vecferry.sandbox.bench import async_indexing, growing, killed_worker, live_searches, parity_speed
from vecferry.sandbox.bench.world import Servers
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def servers(weaviate_server: WeaviateServer, postgres_server: PostgresServer) -> Servers:
    return Servers(weaviate_server, postgres_server, itertools.count(90_000))


def test_parity_is_measured_with_and_without_vectors(servers: Servers) -> None:
    hashes, whole = parity_speed.measure(servers, objects=700)
    assert (hashes.unit, hashes.least, whole.least) == ("objects/s", 10_000, 3_000)
    assert hashes.value
    assert whole.value


def test_a_backfill_in_a_process_of_its_own_says_how_long_it_took_and_what_memory_it_had(servers: Servers) -> None:
    pair = growing.pair(servers, 600)
    assert (pair.bare.objects, pair.ours.objects) == (600, 600)
    assert 30 < pair.ours.peak_mb < 1_000
    assert pair.ours.seconds > 0


def test_a_killed_worker_pays_again_for_no_more_than_its_pages_in_flight(servers: Servers) -> None:
    (figure,) = killed_worker.measure(servers, objects=2_000, kills=2)
    assert figure.kept, figure
    assert "of 2,000 after 2 kills; without one 0" in figure.beside


def test_live_searches_are_measured_beside_a_backfill_that_is_under_way(servers: Servers) -> None:
    (figure,) = live_searches.measure(servers, objects=2_500, alone_s=2, beside_s=2)
    assert figure.value
    assert figure.limit == 1.5


def test_asynchronous_indexing_has_a_server_of_its_own(servers: Servers) -> None:
    (figure,) = async_indexing.measure(servers, objects=500)
    assert figure.value
    assert figure.least == 0.6


def test_an_interrupt_leaves_no_server_behind() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user must get there
        command = [sys.executable, "-m", "vecferry.sandbox.bench", "--only", "search"]
        bench = subprocess.Popen(
            command, env={**os.environ, "TMPDIR": folder}, stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            wait_until(lambda: len(_processes(folder)) >= 4, awaited="both servers", deadline_s=180)
            bench.send_signal(signal.SIGINT)
            assert bench.wait(120) == 130
            wait_until(lambda: not _processes(folder), awaited="the end of all that it started", deadline_s=30)
        finally:
            bench.kill()
            bench.wait()


def _processes(folder: str) -> list[int]:
    """Those whose files are in the folder: the bench itself, the servers, their guardians."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"TMPDIR={folder}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
