"""A backfill in a process of its own, as a task of Airflow has it.

``python -m vecferry.sandbox.bench.copier '{"ledger_url": …}'`` copies all of a migration, and prints how long it took and the
most memory that its process ever held.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vecferry.adapters.embedders.credentials import Credentials
from vecferry.adapters.embedders.embedders import ProviderEmbedders
from vecferry.bootstrap import close_ports
from vecferry.domain.catalogue import Catalogue
from vecferry.ports import Ports
from vecferry.sandbox.bench.backfill_world import PATIENT
from vecferry.sandbox.bench.mixed_vectors import MixedEmbedders, bench_card
from vecferry.sandbox.bench.world import Migrating, Took, connect
from vecferry.sandbox.processes import ChildProcess
from vecferry.steps import backfill


@dataclass(frozen=True)
class Job:
    """``provider_url``: whom to ask for vectors; empty makes them up in the process."""

    ledger_url: str
    weaviate: tuple[str, str]
    migration_id: str
    dimensions: int
    provider_url: str = ""

    def ports(self) -> Ports:
        """A provider must answer as ``MixedEmbedders`` would."""
        made = connect(self.ledger_url, self.weaviate, PATIENT, MixedEmbedders(self.dimensions))
        if not self.provider_url:
            return made
        catalogue = Catalogue((bench_card("new", self.dimensions, base_url=self.provider_url),))
        embedders = ProviderEmbedders(catalogue, made.ledger, Credentials({}), made.clock)
        return replace(made, embedders=embedders, catalogue=catalogue)


@dataclass(frozen=True)
class Copied(Took):
    """``peak_mb``: the most that the process had in memory, of all that it did."""

    peak_mb: float


class Copier(ChildProcess):
    """``log`` is for its output alone."""

    def __init__(self, job: Job, log: Path) -> None:
        command = [sys.executable, "-m", __spec__.name, json.dumps(asdict(job))]
        super().__init__("a backfill", command, log=log)

    def copied(self, deadline_s: float) -> Copied:
        """When it is done; raises ``NeedsPerson`` with its last words if it ended otherwise."""
        if self.wait_exit(deadline_s) != 0:
            raise self._failure(f"ended with exit code {self.exit_code}")
        answers = [line for line in self.log_tail(1_000).splitlines() if line.startswith("{")]  # a library may have had its say
        return Copied(**json.loads(answers[-1]))


def job_of(world: Migrating, dimensions: int, *, provider_url: str = "") -> Job:
    return Job(world.ledger_url, world.weaviate, world.migration.id, dimensions, provider_url)


def copy(job: Job) -> Copied:
    ports = job.ports()
    ports.store.count(ports.ledger.migration(job.migration_id).spec.live)  # the vendor's client is imported on nobody's time
    started = time.perf_counter()
    rows = backfill.run_all(ports, job.migration_id)["rows"]
    seconds = time.perf_counter() - started
    close_ports(ports)
    return Copied(rows, seconds, _peak_mb())


def _peak_mb() -> float:
    """The kernel's high-water mark of this very program: what an ancestor held does not count, as it does in ``ru_maxrss``."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(asdict(copy(Job(**given | {"weaviate": tuple(given["weaviate"])})))), flush=True)
