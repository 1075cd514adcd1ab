"""How long the last whole demo took; the demo writes it down itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from vecferry.sandbox.bench.figure import Figure

_TIMES = Path(".vecferry/demo/elapsed.json")


def measure() -> Iterator[Figure]:
    if not _TIMES.exists():
        yield Figure("make demo ARGS=--exit", None, 300, "s", "not run yet: make demo ARGS=--exit")
        return
    last = json.loads(_TIMES.read_text())
    yield Figure(
        "make demo ARGS=--exit",
        last["elapsed_s"],
        300,
        "s",
        f"the last one, {last['documents']:,} documents; of it {last['ready_s']:.0f} s until everything ran",
    )
