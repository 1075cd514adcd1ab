"""``python -m vecferry.sandbox.bench [--json] [--only NAME]``: exit 1 if a limit is passed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial

from vecferry.sandbox.bench import (
    backfill_speed,
    dag_imports,
    demo_time,
    limit_share,
    put_time,
    rollback_seen,
    route_time,
    router_memory,
    search_time,
    write_hold,
)
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.world import Servers, servers

ALONE: dict[str, Callable[[], Iterator[Figure]]] = {
    "route": route_time.measure,
    "memory": router_memory.measure,
    "dags": dag_imports.measure,
    "demo": demo_time.measure,
}
ON_SERVERS: dict[str, Callable[[Servers], Iterator[Figure]]] = {
    "search": search_time.measure,
    "put": put_time.measure,
    "rollback": rollback_seen.measure,
    "hold": write_hold.measure,
    "backfill": backfill_speed.measure,
    "limits": limit_share.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser("python -m vecferry.sandbox.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each figure")
    parser.add_argument("--only", action="append", choices=[*ALONE, *ON_SERVERS], help="may be given several times")
    given = parser.parse_args()
    chosen = given.only or [*ALONE, *ON_SERVERS]
    kept = [_show(figure, as_json=given.json) for name in ALONE if name in chosen for figure in ALONE[name]()]
    if set(chosen) & set(ON_SERVERS):
        with servers() as running:
            measures = [partial(ON_SERVERS[name], running) for name in ON_SERVERS if name in chosen]
            kept += [_show(figure, as_json=given.json) for measure in measures for figure in measure()]
    return 0 if all(kept) else 1


def _show(figure: Figure, *, as_json: bool) -> bool:
    if as_json:
        print(json.dumps(figure.as_dict(), ensure_ascii=False), flush=True)
        return figure.kept
    value = "–" if figure.value is None else f"{figure.value:.2f} {figure.unit}"
    verdict = "" if figure.kept else "  OVER THE LIMIT"
    print(f"{figure.name:42} {value:>12}  limit {figure.limit:.3g} {figure.unit}  ({figure.beside}){verdict}", flush=True)
    return figure.kept


if __name__ == "__main__":
    sys.exit(main())
