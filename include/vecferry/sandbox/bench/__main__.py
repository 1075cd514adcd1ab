"""``python -m vecferry.sandbox.bench [--json]``: exit 1 if a limit is passed."""

from __future__ import annotations

import json
import sys

from vecferry.sandbox.bench import dag_imports, demo_time, route_time, router_memory


def main() -> int:
    kept = True
    for measured in (route_time, router_memory, dag_imports, demo_time):
        for figure in measured.measure():
            kept = kept and figure.kept
            if "--json" in sys.argv:
                print(json.dumps(figure.as_dict(), ensure_ascii=False))
                continue
            value = "–" if figure.value is None else f"{figure.value:.2f} {figure.unit}"
            verdict = "" if figure.kept else "  OVER THE LIMIT"
            print(f"{figure.name:42} {value:>12}  limit {figure.limit:g} {figure.unit}  ({figure.beside}){verdict}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
