"""A pin in the middle of a migration that nobody ran, so that both arms exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vecferry.adapters.memory.embedder import MemoryEmbedders
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.adapters.memory.store import MemoryStore
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.lifecycle import FORWARD, Migration, Phase
from vecferry.domain.objects import StoredObject
from vecferry.domain.pins import Pin, SearchProfile
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode
from vecferry.domain.schema import shadow_schema
from vecferry.domain.shadow import ShadowSpec

LIVE_MODEL = ModelCard("fake", "live-model", "openai", 64)
SHADOW_MODEL = ModelCard("fake", "shadow-model", "openai", 64)
_WHO = "vecferry.testing"


class OpenStore(MemoryStore):
    """As a server with auto-schema: the first object that has a property declares it."""

    def _store(self, collection: str, obj: StoredObject) -> None:
        self._declare(collection, [obj])
        super()._store(collection, obj)

    def _store_all(
        self, collection: str, objects: Sequence[StoredObject], unchecked_references: bool = False
    ) -> dict[str, str]:
        self._declare(collection, objects)
        return super()._store_all(collection, objects, unchecked_references)

    def _declare(self, collection: str, objects: Sequence[StoredObject]) -> None:
        declared = self._of(collection).schema["properties"]
        known = {prop["name"] for prop in declared}
        declared += [{"name": name} for name in sorted({name for obj in objects for name in obj.properties} - known)]


def pin_named(name: str, text: Sequence[str], profile: SearchProfile) -> Pin:
    return Pin(name, name, LIVE_MODEL.space, TextRecipe(tuple(text)), profile)


def make_collections(store: MemoryStore, spec: ShadowSpec, tenants: Sequence[str]) -> None:
    live: dict[str, Any] = {"class": spec.live, "vectorizer": "none", "vectorIndexType": "hnsw", "properties": []}
    live["multiTenancyConfig"] = {"enabled": bool(tenants)}
    for schema in (live, shadow_schema(live, spec)):
        store.create(schema)
        if tenants:
            store.add_tenants(schema["class"], dict.fromkeys(tenants, "ACTIVE"))


def spec_of(pin: Pin) -> ShadowSpec:
    return ShadowSpec(pin.collection, f"{pin.collection}_shadow", pin.recipe, SHADOW_MODEL.space)


def serve(ledger: MemoryLedger, pin: Pin, spec: ShadowSpec, percent: int) -> Migration:
    """Walks a migration to ``serving`` along the only road there is."""
    ledger.save_pin(pin, who=_WHO, why="made up")
    planned = Migration("made-up", pin.name, Phase.PLANNED, 0, spec, pin.space)
    migration = ledger.start_migration(planned, who=_WHO, why="made up")
    for phase in FORWARD[1 : FORWARD.index(Phase.SERVING)]:
        routing = (Mode.DUAL, 0) if phase is Phase.DUAL_WRITING else None
        migration = ledger.move(migration, phase, who=_WHO, why="made up", routing=routing)
    return set_percent(ledger, migration, percent)


def set_percent(ledger: MemoryLedger, migration: Migration, percent: int) -> Migration:
    return ledger.move(migration, Phase.SERVING, who=_WHO, why="made up", routing=(Mode.DUAL, percent))


def make_embedders() -> MemoryEmbedders:
    return MemoryEmbedders(LIVE_MODEL, SHADOW_MODEL)
