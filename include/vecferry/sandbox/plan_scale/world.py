"""A migration over simulated objects, dual-writing and nothing copied, on a real ledger: what the measurements begin with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.memory.embedder import MemoryModelLists
from vecferry.adapters.system_clock import SystemClock
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.gates import Gates
from vecferry.domain.lifecycle import Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.request import MigrationRequest
from vecferry.domain.timing import Timings
from vecferry.ports import Ports
from vecferry.sandbox.plan_scale.id_space import IdSpace
from vecferry.sandbox.plan_scale.instant_provider import InstantEmbedders
from vecferry.sandbox.plan_scale.simulated_store import DIMENSIONS, LIVE, SimulatedStore
from vecferry.steps import stage_runner

PATIENT = Timings(
    write_timeout_s=60, delta_s=60, quarantine_s=70, row_deadline_s=240, takeover_s=320, lease_s=30, idle_lease_s=3600
)
"""A busy machine must not time a page out."""
_OLD = ModelCard("simulated", "old", "openai", DIMENSIONS)


class _NoNotices:
    def rows(self) -> list[Mapping[str, Any]]:
        return []


@dataclass
class SimulatedWorld:
    """``plan_s`` is what the plan took, preflight, sample and estimates together."""

    ports: Ports
    store: SimulatedStore
    embedders: InstantEmbedders
    migration_id: str
    plan_s: float

    @property
    def requests(self) -> int:
        """To the new model, so far."""
        return self.embedders.apis[self.ports.ledger.migration(self.migration_id).spec.space.id].requests

    def close(self) -> None:
        self.ports.ledger.close()


def dual_writing(ledger_url: str, ids: IdSpace, card: ModelCard, *, tokens: int) -> SimulatedWorld:
    """``card``: its limits make the requests; ``tokens`` of each object's text."""
    clock = SystemClock()
    ledger = open_ledger(ledger_url, clock=clock)
    store = SimulatedStore(ids, tokens)
    new = replace(card, dimensions=DIMENSIONS)
    embedders = InstantEmbedders((_OLD, new), ledger, clock)
    ports = Ports(
        ledger=ledger,
        store=store,
        embedders=embedders,
        model_lists=MemoryModelLists(),
        notice_feed=_NoNotices(),
        catalogue=embedders.catalogue,
        clock=clock,
        timings=PATIENT,
        gates=Gates(),
        executor=ThreadPoolExecutor,
    )
    ledger.save_pin(Pin(LIVE, LIVE, _OLD.space, TextRecipe(("body",))), who="plan-scale", why="a simulation")
    began = time.perf_counter()
    request = MigrationRequest(collection=LIVE, to_model=new.space.id, soak_minutes=0, budget_usd=1e9)
    migration_id = str(stage_runner.act("plan", ports, request)["migration_id"])
    plan_s = time.perf_counter() - began
    stage_runner.act("create_shadow", ports, migration_id)
    ledger.move(ledger.migration(migration_id), Phase.SHADOW_CREATED, who="plan-scale", why="a simulation")
    stage_runner.act("enable_dual_write", ports, migration_id)
    return SimulatedWorld(ports, store, embedders, migration_id, plan_s)
