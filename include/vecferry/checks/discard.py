"""After a discard: live is what the application expects, in count, schema and sample, and nothing of the migration is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from vecferry.checks.expectations import expectation_classes, run_suite
from vecferry.checks.verdict_of import verdict_of
from vecferry.domain.lifecycle import Migration
from vecferry.domain.objects import StoredObject
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports
from vecferry.steps.create_shadow import is_ours
from vecferry.steps.live_before import STAGE, content_of, noted, settings_of, vector_told

_COLUMNS = ("asked", "expected", "found", "holds")
_OF_THE_LEDGER_AND_SERVER = 5
"""Rows beside those that were noted: shadow, aliases, routing, shards, and the sample as a whole."""
_FEW = 5
_ABSENT = "absent"
Row = dict[str, Any]


def judge(ports: Ports, migration: Migration) -> Verdict:
    """A row for each thing that was noted before the drop, and for what the migration must have taken with it."""
    gxe = expectation_classes()

    before = noted(ports, migration)
    there = migration.spec.live in ports.store.collections()
    objects = _objects(ports, migration, before) if there else {}
    rows = [
        *_settings(settings_of(ports.store.schema(migration.spec.live)) if there else {}, before),
        *(_count(ports, migration, row, there=there) for row in before if row["kind"] == "count"),
        *_sample(ports, migration, before, objects),
        *_nothing_is_left(ports, migration, there=there),
    ]
    expectations = [
        gxe.ExpectColumnValuesToBeUnique(column="asked"),
        gxe.ExpectColumnValuesToBeInSet(column="holds", value_set=[True]),
    ]
    expected = max(1, len(before)) + _OF_THE_LEDGER_AND_SERVER  # what noted nothing can vouch for nothing
    result = run_suite(STAGE, rows, expectations, expected_rows=expected, columns=_COLUMNS, key="asked")
    return verdict_of(STAGE, result, collection=migration.spec.live)


def at_least(before: int) -> int:
    """Of so many objects: applications go on deleting and changing some while a discard waits."""
    return min(before, max(1, before * 9 // 10 - _FEW))


def _row(asked: str, expected: object, found: object, *, holds: bool | None = None) -> Row:
    told, seen = str(expected), str(found)
    return {"asked": asked, "expected": told, "found": seen, "holds": told == seen if holds is None else holds}


def _settings(now: Mapping[str, str], before: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """What the application has added since is its own matter."""
    for row in before:
        if row["kind"] == "schema":
            yield _row(f"schema: {row['setting']}", row["value"], now.get(row["setting"], _ABSENT))


def _count(ports: Ports, migration: Migration, row: Mapping[str, Any], *, there: bool) -> Row:
    found = ports.store.count(migration.spec.live, tenant=row["tenant"]) if there else 0
    least = at_least(row["objects"])
    return _row(_of_tenant("count", row), f"{least:,} or more of {row['objects']:,}", found, holds=found >= least)


def _sample(
    ports: Ports,
    migration: Migration,
    before: Sequence[Mapping[str, Any]],
    objects: Mapping[tuple[str | None, str], StoredObject],
) -> Iterator[Row]:
    """What is there has a vector as before, or one of the pin's space; most of it says what it said."""
    usual = f"{ports.ledger.pin(migration.pin).space.dimensions} dimensions"
    sample = [row for row in before if row["kind"] == "sample"]
    same = 0
    for row in sample:
        obj = objects.get((row["tenant"], row["uuid"]))
        vector = _ABSENT if obj is None else vector_told(migration, obj)
        same += obj is not None and content_of(migration, obj) == row["content"]
        holds = vector in (_ABSENT, row["vector"], usual)
        yield _row(f"{_of_tenant('object', row)} {row['uuid']}", row["vector"], vector, holds=holds)
    least = at_least(len(sample))
    yield _row("sample: unchanged objects", f"{least} or more of {len(sample)}", same, holds=same >= least)


def _nothing_is_left(ports: Ports, migration: Migration, *, there: bool) -> Iterator[Row]:
    """Of the routing the migration's own last version: another migration may be under way by now."""
    spec, store = migration.spec, ports.store
    stands = spec.shadow in store.collections() and is_ours(store.schema(spec.shadow), migration)
    yield _row("shadow", _ABSENT, "still there" if stands else _ABSENT)
    aliases = sorted(alias for alias, collection in store.aliases().items() if collection == spec.shadow)
    yield _row("aliases of the shadow", "none", ", ".join(aliases) or "none")
    routing = max((r for r in ports.ledger.routings(migration.pin) if r.migration_id == migration.id), key=lambda r: r.version)
    found = f"{routing.mode}, {routing.percent}% to the shadow, authority {routing.authority}"
    yield _row("routing", f"live_only, 0% to the shadow, authority {spec.live}", found)
    closed = sorted(shard for shard, status in store.shards(spec.live).items() if status == "READONLY") if there else []
    yield _row("read-only shards", "none", ", ".join(closed) or "none")


def _objects(
    ports: Ports, migration: Migration, before: Sequence[Mapping[str, Any]]
) -> dict[tuple[str | None, str], StoredObject]:
    sample = [row for row in before if row["kind"] == "sample"]
    found: dict[tuple[str | None, str], StoredObject] = {}
    for tenant, rows in groupby(sample, key=lambda row: row["tenant"]):
        read = ports.store.read(migration.spec.live, [row["uuid"] for row in rows], tenant=tenant)
        found |= {(tenant, uuid): obj for uuid, obj in read.items()}
    return found


def _of_tenant(what: str, row: Mapping[str, Any]) -> str:
    return f"{what} of tenant {row['tenant']}:" if row["tenant"] else f"{what}:"
