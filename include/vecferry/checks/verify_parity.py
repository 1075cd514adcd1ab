"""Per object, read back from both sides: present, model, version, dimensions, norm, hashes, unique."""

from __future__ import annotations

from vecferry.checks.expectations import run_suite
from vecferry.checks.objects import COLUMNS, Key, expectations, object_rows
from vecferry.checks.verdict_of import verdict_of
from vecferry.domain.lifecycle import Migration
from vecferry.domain.mixing import sample_to_find
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports
from vecferry.steps.sampling import count_all, every_key, spread_keys

ALL_UP_TO = 10_000
SAMPLE = sample_to_find(0.001)


def judge(ports: Ports, migration: Migration) -> Verdict:
    """Every object of a small collection, a sample of a large one; the scan before has seen all of them."""
    before = count_all(ports.store, migration.spec.live)
    keys = _keys(ports, migration, before)
    rows = object_rows(ports, migration, keys)
    expected = before if before <= ALL_UP_TO else SAMPLE
    # the application writes all the while: the count guards against nothing and far too few, the rows against each
    moved = max(25, expected // 50)
    result = run_suite(
        "verify_parity",
        rows,
        expectations(migration),
        expected_rows=None,
        min_rows=max(1, expected - moved),
        columns=COLUMNS,
        key="key",
    )
    return verdict_of("verify_parity", result, counted_before=before)


def _keys(ports: Ports, migration: Migration, count: int) -> list[Key]:
    if count > ALL_UP_TO:
        return spread_keys(ports.store, migration.spec.live, SAMPLE)
    return list(every_key(ports.store, migration.spec.live))
