"""What a discard must leave to the application: live as it stood before the shadow was dropped, noted in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from vecferry.domain.lifecycle import Migration
from vecferry.domain.objects import StoredObject, canonical_json, content_hash
from vecferry.ports import Ports
from vecferry.steps.sampling import spread_keys, tenants_of

STAGE = "discard"
SAMPLE = 100
Row = Mapping[str, Any]


def note(ports: Ports, migration: Migration) -> None:
    """Once: a later run must not take what an earlier one left for what there was."""
    if not noted(ports, migration):
        rows = [*_settings(ports, migration), *_counts(ports, migration), *_sample(ports, migration)]
        ports.ledger.save_measurements(migration.id, STAGE, rows)


def noted(ports: Ports, migration: Migration) -> list[Row]:
    """``kind`` is ``schema`` (setting, value), ``count`` (tenant, objects) or ``sample`` (tenant, uuid, vector, content)."""
    return ports.ledger.measurements(migration.id, STAGE)


def settings_of(schema: Mapping[str, Any]) -> dict[str, str]:
    """Setting → value, both in words; each property is one, whatever its place."""
    plain = {name: canonical_json(value) for name, value in schema.items() if name != "properties"}
    return plain | {f"property {prop['name']}": canonical_json(prop) for prop in schema.get("properties") or ()}


def vector_told(migration: Migration, obj: StoredObject) -> str:
    """The migrated vector in words; one that has no length at all is told as it is."""
    vector = obj.vectors.get(migration.spec.vector_name)
    return "no vector" if vector is None else f"{len(vector)} dimensions"


def content_of(migration: Migration, obj: StoredObject) -> str:
    return content_hash(obj, migration.spec.carried)


def _settings(ports: Ports, migration: Migration) -> Iterator[Row]:
    for name, value in sorted(settings_of(ports.store.schema(migration.spec.live)).items()):
        yield {"kind": "schema", "setting": name, "value": value}


def _counts(ports: Ports, migration: Migration) -> Iterator[Row]:
    for tenant in tenants_of(ports.store, migration.spec.live):
        objects = ports.store.count(migration.spec.live, tenant=tenant)
        yield {"kind": "count", "tenant": tenant, "objects": objects}


def _sample(ports: Ports, migration: Migration) -> Iterator[Row]:
    """What was deleted since its key was found is none of the sample."""
    live = migration.spec.live
    for tenant, keys in groupby(spread_keys(ports.store, live, SAMPLE), key=lambda found: found[0]):
        for uuid, obj in ports.store.read(live, [key for _, key in keys], tenant=tenant).items():
            vector, content = vector_told(migration, obj), content_of(migration, obj)
            yield {"kind": "sample", "tenant": tenant, "uuid": uuid, "vector": vector, "content": content}
