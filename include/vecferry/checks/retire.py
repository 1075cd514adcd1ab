"""The pin's collection after the flip: one space, all stamps."""

from __future__ import annotations

from vecferry.checks.expectations import expectation_classes, run_suite
from vecferry.checks.verdict_of import verdict_of
from vecferry.domain.lifecycle import Migration
from vecferry.domain.objects import STAMP_MODEL
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports
from vecferry.steps.sampling import tenants_of

_COLUMNS = ("tenant", "model", "objects", "in_collection")


def judge(ports: Ports, migration: Migration) -> Verdict:
    """A row per model found; writers that bypass the Router leave no stamps, so a few may be missing."""
    gxe = expectation_classes()

    pin = ports.ledger.pin(migration.pin)
    rows = []
    for tenant in tenants_of(ports.store, pin.collection):
        count = ports.store.count(pin.collection, tenant=tenant)
        found = ports.store.stamp_counts(pin.collection, STAMP_MODEL, tenant=tenant)
        rows += [{"tenant": tenant or "", "model": m, "objects": n, "in_collection": count} for m, n in found.items()]
    expectations = [
        gxe.ExpectColumnValuesToBeUnique(column="tenant"),
        gxe.ExpectColumnValuesToBeInSet(column="model", value_set=[pin.space.id]),
        gxe.ExpectColumnValuesToBeBetween(column="objects", min_value=1),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="in_collection", column_B="objects", or_equal=True),
    ]
    expected = max(1, len(tenants_of(ports.store, migration.spec.shadow)))
    result = run_suite("retire", rows, expectations, expected_rows=expected, columns=_COLUMNS, key="model")
    return verdict_of("retire", result, collection=pin.collection)
