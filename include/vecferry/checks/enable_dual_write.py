"""A dual-written sample, read back: stamps, dimensions, hashes."""

from __future__ import annotations

from vecferry.checks.expectations import run_suite
from vecferry.checks.objects import COLUMNS, expectations, object_rows
from vecferry.checks.verdict_of import verdict_of
from vecferry.domain.lifecycle import Migration
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports
from vecferry.steps.enable_dual_write import SAMPLE
from vecferry.steps.sampling import count_all, spread_keys


def judge(ports: Ports, migration: Migration) -> Verdict:
    spec = migration.spec
    in_live = count_all(ports.store, spec.live)
    keys = spread_keys(ports.store, spec.shadow, 4 * SAMPLE)
    rows = object_rows(ports, migration, keys)
    least = max(1, min(SAMPLE, in_live) // 2)  # an application may delete what was sampled
    result = run_suite(
        "enable_dual_write", rows, expectations(migration), expected_rows=None, min_rows=least, columns=COLUMNS, key="key"
    )
    return verdict_of("enable_dual_write", result)
