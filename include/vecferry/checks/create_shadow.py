"""The shadow's schema, a row per setting: equal but for what must differ."""

from __future__ import annotations

from vecferry.checks.expectations import expectation_classes, run_suite
from vecferry.checks.verdict_of import verdict_of
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.schema import schema_differences
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports

_COLUMNS = ("setting", "live", "shadow", "allowed", "why")


def judge(ports: Ports, migration: Migration) -> Verdict:
    gxe = expectation_classes()

    spec = migration.spec
    live = ports.store.schema(spec.live)
    vectorizing = migration.phase is Phase.RETIRED  # a vectorizer that was kept is held until then
    found = schema_differences(live, ports.store.schema(spec.shadow), spec, vectorizing=vectorizing)
    rows = [dict(row) for row in found]
    for row in rows:
        row["live"], row["shadow"] = str(row["live"]), str(row["shadow"])
    expectations = [
        gxe.ExpectColumnValuesToBeUnique(column="setting"),
        gxe.ExpectColumnValuesToBeInSet(column="allowed", value_set=[True]),
    ]
    least = 3 + len(live.get("properties") or [])
    result = run_suite("create_shadow", rows, expectations, expected_rows=None, min_rows=least, columns=_COLUMNS, key="setting")
    return verdict_of("create_shadow", result)
