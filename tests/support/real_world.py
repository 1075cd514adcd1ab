"""A pin with a migration on a real Weaviate, a loopback provider for both models, and what processes need to connect."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.fake_provider import FakeProvider
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode
from vecferry.domain.shadow import ShadowSpec
from vecferry.ports import Ports
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.settings import Settings
from vecferry.steps import stage_runner

PIN = "Forks"
ROOT = Path(__file__).parents[2]
RECIPE = TextRecipe(("body",))
_MODEL = """
[[model]]
provider = "{name}"
model = "small"
api = "{name}"
base_url = "{url}"
dimensions = 32
max_tokens = 8192
inputs_per_request = 96
source = "a test"
"""


@contextmanager
def real_environment(server: WeaviateServer, folder: Path) -> Iterator[dict[str, str]]:
    """What a process needs to connect; the ledger is a SQLite file in ``folder`` that nobody has made yet."""
    with FakeProvider() as provider:
        urls = {"openai": f"{provider.url}/openai/v1", "cohere": f"{provider.url}/cohere"}
        (folder / "models.toml").write_text("".join(_MODEL.format(name=name, url=url) for name, url in urls.items()))
        yield {
            "VECFERRY_LEDGER_URL": f"sqlite:///{folder / 'ledger.db'}",
            "VECFERRY_WEAVIATE_URL": server.http_url,
            "VECFERRY_WEAVIATE_GRPC": server.grpc_address,
            "VECFERRY_MODELS": str(folder / "models.toml"),
            **provider.environment(),
        }


@dataclass
class RealWorld:
    """``environment`` is for child processes, whose working folder is the project's."""

    ports: Ports
    migration: Migration
    folder: Path
    environment: dict[str, str]

    def holders(self) -> dict[str, int]:
        """Router → process, of all leases."""
        return {lease.router_id: int(lease.where.rpartition(":")[2]) for lease in self.ports.ledger.leases(PIN)[0]}

    def both_hold(self, keys: list[str]) -> bool:
        spec = self.migration.spec
        return all(len(self.ports.store.read(collection, keys)) == len(keys) for collection in (spec.live, spec.shadow))


@contextmanager
def dual_writing_world(environment: dict[str, str], folder: Path) -> Iterator[RealWorld]:
    """``environment`` is this process's too; the collections go with the world."""
    live = f"Forks{uuid.uuid4().hex[:8]}"
    ports = connect_ports(Settings())
    create_live(ports, live)
    old = ports.catalogue.card("openai/small").space
    ports.ledger.save_pin(Pin(PIN, live, old, RECIPE), who="test", why="test")
    yield RealWorld(ports, dual_writing(ports, live), folder, os.environ | environment | {"PYTHONPATH": str(ROOT)})
    for collection in (live, f"{live}_v2"):
        ports.store.drop(collection)
    close_ports(ports)


def create_live(ports: Ports, live: str) -> None:
    ports.store.create({"class": live, "vectorizer": "none", "properties": [{"name": "body", "dataType": ["text"]}]})


def dual_writing(ports: Ports, live: str) -> Migration:
    old, new = (ports.catalogue.card(f"{name}/small").space for name in ("openai", "cohere"))
    planned = Migration("m1", PIN, Phase.PLANNED, 1, ShadowSpec(live, f"{live}_v2", RECIPE, new), old)
    started = ports.ledger.start_migration(planned, who="test", why="test")
    stage_runner.act("create_shadow", ports, started.id)
    created = ports.ledger.move(started, Phase.SHADOW_CREATED, who="test", why="test")
    return ports.ledger.move(created, Phase.DUAL_WRITING, who="test", why="test", routing=(Mode.DUAL, 0))
