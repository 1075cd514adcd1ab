"""One collection of the memory store: its raw schema, its tenants and their objects."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vecferry.domain.object_ids import canonical_uuid
from vecferry.domain.objects import UNNAMED, StoredObject, Vector
from vecferry.domain.server_text import server_rules, settings_of
from vecferry.errors import BadInput

ServerModel = Callable[[str, str], Vector]
"""What a server-side vectorizer asks: model and text → vector."""

READY, READ_ONLY = "READY", "READONLY"
ACTIVE, INACTIVE_STATES = "ACTIVE", frozenset({"INACTIVE", "COLD", "OFFLOADED", "FROZEN"})
WAKEABLE = frozenset({"INACTIVE", "COLD"})
"""By a read or a write, where the collection is set so."""
_SINGLE_SHARD = "shard0"


@dataclass
class Shard:
    """The objects of one tenant (or of the whole collection). ``unindexed`` are stored, and found by no vector search."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    unindexed: set[str] = field(default_factory=set)
    status: str = READY


class MemoryCollection:
    """Not thread-safe by itself: the store holds its lock around every call."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema: dict[str, Any] = copy.deepcopy(dict(schema))
        self.name: str = self.schema["class"]
        self.tenants: dict[str, str] = {}
        self.shards: dict[str, Shard] = {} if self.multi_tenant else {_SINGLE_SHARD: Shard()}

    @property
    def multi_tenant(self) -> bool:
        return bool(self.schema.get("multiTenancyConfig", {}).get("enabled"))

    def add_tenants(self, tenants: Mapping[str, str]) -> None:
        if not self.multi_tenant:
            raise BadInput("multi-tenancy is not enabled", where=self.name, next_action="Leave the tenants out.")
        for name, status in tenants.items():
            self.tenants.setdefault(name, status)
            self.shards.setdefault(name, Shard())

    def set_tenants(self, tenants: Mapping[str, str]) -> None:
        for name, status in tenants.items():
            if name not in self.tenants:
                raise BadInput(f"tenant not found: {name!r}", where=self.name, next_action="Add it first.")
            self.tenants[name] = status

    def remove_tenants(self, tenants: Iterable[str]) -> None:
        for name in tenants:
            self.tenants.pop(name, None)
            self.shards.pop(name, None)

    def add_property(self, definition: Mapping[str, Any]) -> None:
        properties = self.schema.setdefault("properties", [])
        if any(known["name"] == definition["name"] for known in properties):
            raise BadInput(
                f"class {self.name!r}: conflict for property {definition['name']!r}: already in use",
                where=self.name,
                next_action="Choose another name.",
            )
        properties.append(copy.deepcopy(dict(definition)))

    def shard(self, tenant: str | None) -> Shard:
        if reason := self._why_no_shard(tenant):
            raise BadInput(reason, where=self.name, next_action="Ask for a tenant that exists and is active.")
        return self.shards[_SINGLE_SHARD if tenant is None else tenant]

    def distance(self, vector_name: str) -> str:
        config = self.schema if vector_name == UNNAMED else self.schema.get("vectorConfig", {}).get(vector_name, {})
        return str(config.get("vectorIndexConfig", {}).get("distance") or "cosine")

    def why_refused(self, obj: StoredObject) -> str | None:
        """As the server with its auto-schema off: every property and vector must be declared, lengths must agree."""
        if reason := self._why_no_shard(obj.tenant):
            return reason
        declared = {p["name"] for p in self.schema.get("properties", ())}
        unknown = sorted(set(obj.properties) - declared)
        if unknown:
            return f"no such prop with name {unknown[0]!r} found in class {self.name!r}"
        for name, vector in obj.vectors.items():
            if name not in self._vector_names():
                return f"collection {self.name} does not have the vector {name!r}"
            if not all(math.isfinite(x) for x in vector):
                return f"vector {name!r} is not finite"
            if (length := self._length(name)) not in (None, len(vector)):
                return f"vector lengths don't match: {length} vs {len(vector)}"
        return None

    def set_vectorizer(self, vector_name: str, settings: Mapping[str, Any]) -> None:
        module, before = settings_of(self.schema, vector_name)
        if module is None:
            raise BadInput("the server vectorizes nothing here", where=self.name, next_action="See its schema.")
        own = {module: {**before, **settings}}
        if vector_name:
            self.schema["vectorConfig"][vector_name]["vectorizer"] = own
        else:
            self.schema["moduleConfig"] = {**self.schema.get("moduleConfig", {}), **own}

    def vectorized(self, obj: StoredObject, model: ServerModel | None) -> StoredObject:
        """With the vectors that the server itself gives to an object that comes without them."""
        found = dict(obj.vectors)
        for name in self._vector_names() - set(found) if model else ():
            rules = server_rules(self.schema, name)
            text = rules[1].text_of(rules[0], obj.properties) if rules else ""
            if model and text.strip():
                found[name] = model(str(settings_of(self.schema, name)[1].get("model", "")), text)
        return replace(obj, vectors=found)

    def beacons(self, obj: StoredObject) -> list[tuple[str, str, str]]:
        """(property, collection, id) of each reference; a beacon without a collection means the property's first."""
        targets = {prop["name"]: (prop.get("dataType") or [""])[0] for prop in self.schema.get("properties", ())}
        return [
            (name, *_target(beacon["beacon"], target))
            for name, target in targets.items()
            if target[:1].isupper()
            for beacon in obj.properties.get(name) or ()
        ]

    def store(self, obj: StoredObject) -> None:
        """An upsert that replaces all, vectors included; nulls are not kept."""
        shard = self.shard(obj.tenant)
        uuid = canonical_uuid(obj.uuid)
        properties = copy.deepcopy({k: v for k, v in obj.properties.items() if v is not None})
        vectors = {name: _as_float32(vector) for name, vector in obj.vectors.items()}
        before = shard.objects.get(uuid)
        # The server leaves its index alone where the vector is the one it has: an identical put heals nothing.
        if before is None or before.vectors != vectors:
            shard.unindexed.discard(uuid)
        shard.objects[uuid] = StoredObject(uuid, properties, vectors, obj.tenant)

    def remove(self, uuids: Iterable[str], tenant: str | None) -> None:
        shard = self.shard(tenant)
        for uuid in map(canonical_uuid, uuids):
            shard.objects.pop(uuid, None)
            shard.unindexed.discard(uuid)

    def searchable(self, vector_name: str, tenant: str | None) -> list[StoredObject]:
        shard = self.shard(tenant)
        return [o for u, o in shard.objects.items() if vector_name in o.vectors and u not in shard.unindexed]

    def _why_no_shard(self, tenant: str | None) -> str | None:
        if self.multi_tenant != (tenant is not None):
            given = "enabled, but request was without tenant" if self.multi_tenant else "disabled, but request was with tenant"
            return f"class {self.name} has multi-tenancy {given}"
        if tenant is not None and tenant not in self.shards:
            return f"tenant not found: {tenant!r}"
        if (
            tenant is not None
            and self.tenants[tenant] in WAKEABLE
            and self.schema["multiTenancyConfig"].get("autoTenantActivation")
        ):
            self.tenants[tenant] = ACTIVE
        if tenant is not None and self.tenants[tenant] in INACTIVE_STATES:
            return f"tenant not active: {tenant!r}"
        return None

    def _vector_names(self) -> set[str]:
        named = set(self.schema.get("vectorConfig") or ())
        return named | {UNNAMED} if not named or "vectorizer" in self.schema else named

    def _length(self, vector_name: str) -> int | None:
        for shard in self.shards.values():
            for obj in shard.objects.values():
                if vector_name in obj.vectors:
                    return len(obj.vectors[vector_name])
        return None


def _as_float32(vector: Vector) -> tuple[float, ...]:
    return tuple(np.asarray(vector, dtype=np.float32).tolist())


def _target(beacon: str, collection: str) -> tuple[str, str]:
    *_, last_but_one, uuid = beacon.split("/")
    return (collection if last_but_one == "localhost" else last_but_one), uuid
