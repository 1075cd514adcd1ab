"""Rows about objects: what the shadow holds, read back and compared with live, one row an object."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vecferry.checks.expectations import expectation_classes
from vecferry.domain.lifecycle import Migration
from vecferry.domain.objects import STAMP_CONTENT_HASH, STAMP_MODEL, STAMP_SKIPPED, STAMP_VERSION, StoredObject
from vecferry.domain.shadow import differences
from vecferry.domain.sweeping import native_change
from vecferry.ports import Ports
from vecferry.steps import sweep

_PAGE = 500
_LOOK_AGAIN_S = 0.25
_FOLLOWED_AT_MOST = 5
Key = tuple[str | None, str]


def object_rows(ports: Ports, migration: Migration, keys: Sequence[Key]) -> list[dict[str, Any]]:
    """A row per key that live has.

    What differs is looked at again until no journal row covers it twice in a row, as long as the janitor may need after an
    owner's crash (T + 2δ): a router or a copier that died just before must not fail the gate. What was written natively since
    the last sweep is followed first, where the migration sweeps: an object that stays wrong though it was followed fails.
    """
    deadline = ports.clock.monotonic() + ports.timings.takeover_s + 2 * ports.timings.delta_s + ports.timings.poll_s
    rows: dict[Key, dict[str, Any]] = {}
    pending, uncovered, followed = list(keys), set[Key](), Counter[Key]()
    while True:
        covered = _covered(ports, migration, pending)
        rows |= _look(ports, migration, pending)
        pending = [key for key in pending if key in rows and rows[key]["differences"]]
        before, uncovered = uncovered, set(pending) - covered - _covered(ports, migration, pending)
        native = [key for key in sorted(uncovered, key=str) if _is_native(migration, rows[key], followed[key])]
        if (not native and set(pending) <= before & uncovered) or ports.clock.monotonic() >= deadline:
            break
        sweep.follow(ports, migration, native)
        followed.update(native)
        ports.clock.sleep(_LOOK_AGAIN_S)
    return [row for row in rows.values() if row["live"]]


def _is_native(migration: Migration, row: Mapping[str, Any], followed: int) -> bool:
    """A native writer may write it again while it is followed, but hardly every time."""
    why = [kind for kind in row["differences"].split(", ") if kind]
    return migration.sweeps and followed < _FOLLOWED_AT_MOST and native_change(why) is not None


def expectations(migration: Migration) -> list[Any]:
    """Present, of the right space, of the right length, finite and of unit norm, hashes equal, each object once."""
    gxe = expectation_classes()

    spec = migration.spec
    return [
        gxe.ExpectColumnValuesToBeUnique(column="key"),
        gxe.ExpectColumnValuesToBeInSet(column="present", value_set=[True]),
        gxe.ExpectColumnValuesToBeInSet(column="model", value_set=[spec.space.id]),
        gxe.ExpectColumnValuesToBeInSet(column="version", value_set=[spec.space.version]),
        gxe.ExpectColumnValuesToBeInSet(column="dimensions", value_set=[spec.space.dimensions]),
        gxe.ExpectColumnValuesToBeBetween(column="norm", min_value=_norm(migration)[0], max_value=_norm(migration)[1]),
        gxe.ExpectColumnValuesToMatchRegex(column="content_hash", regex="^[0-9a-f]{64}$"),
        gxe.ExpectColumnValuesToBeInSet(column="differences", value_set=[""]),
    ]


COLUMNS = ("key", "live", "present", "model", "version", "dimensions", "norm", "content_hash", "differences")


def _norm(migration: Migration) -> tuple[float, float]:
    """Any vector but zero, or of unit length where the space says so."""
    return (0.99, 1.01) if migration.spec.space.normalised else (1e-9, 1e9)


def _look(ports: Ports, migration: Migration, keys: Sequence[Key]) -> dict[Key, dict[str, Any]]:
    spec = migration.spec
    rows: dict[Key, dict[str, Any]] = {}
    for tenant, page in _pages(keys):
        live = ports.store.read(spec.live, page, tenant=tenant, vectors=spec.read_of(spec.live))
        shadow = ports.store.read(spec.shadow, page, tenant=tenant)
        for key in page:
            rows[(tenant, key)] = _row(migration, key, live.get(key), shadow.get(key))
    return rows


def _row(migration: Migration, key: str, live: StoredObject | None, shadow: StoredObject | None) -> dict[str, Any]:
    spec = migration.spec
    vector = shadow.vectors.get(spec.vector_name) if shadow else None
    skipped = shadow.stamp(STAMP_SKIPPED) if shadow and vector is None else None
    return {
        "key": key,
        "live": live is not None,
        "present": shadow is not None,
        "model": shadow.stamp(STAMP_MODEL) if shadow else None,
        "version": (shadow.stamp(STAMP_VERSION) or "") if shadow else None,
        # an object that is vectorless with its reason is complete: f is total
        "dimensions": spec.space.dimensions if skipped else len(vector or ()),
        "norm": 1.0 if skipped else math.sqrt(sum(x * x for x in vector or ())),
        "content_hash": shadow.stamp(STAMP_CONTENT_HASH) if shadow else None,
        "differences": ", ".join(differences(spec, live, shadow)),
    }


def _pages(keys: Sequence[Key]) -> Iterable[tuple[str | None, list[str]]]:
    for tenant in dict.fromkeys(tenant for tenant, _ in keys):
        own = [key for t, key in keys if t == tenant]
        yield from ((tenant, own[i : i + _PAGE]) for i in range(0, len(own), _PAGE))


def _covered(ports: Ports, migration: Migration, keys: Sequence[Key]) -> set[Key]:
    """Those with a journal row right now."""
    found = [(tenant, ports.ledger.covered(migration.id, page, tenant=tenant)) for tenant, page in _pages(keys)]
    return {(tenant, key) for tenant, page in found for key in page}
