"""What is promised, measured on this machine, each figure beside what it is compared to."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from vecferry.sandbox.bench import (
    async_indexing,
    backfill_speed,
    dag_imports,
    demo_time,
    growing,
    killed_worker,
    limit_share,
    live_searches,
    machine,
    parity_speed,
    put_time,
    rollback_seen,
    route_time,
    router_memory,
    search_time,
    table,
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
    "async": async_indexing.measure,
    "grow": growing.measure,
    "killed": killed_worker.measure,
    "live": live_searches.measure,
    "parity": parity_speed.measure,
    "limits": limit_share.measure,
}
LARGE: dict[str, Callable[[Servers], Iterator[Figure]]] = {"grow": growing.measure_large}

EXAMPLES = """\
examples:
  make bench                                       all but what needs a million objects: half an hour
  make bench ARGS="--only parity --only limits"    some of it
  make bench ARGS="--markdown bench.md"            with a table to paste into docs/benchmarks.md
  make bench-large                                 a million objects: an hour or two

Exit code 0: every figure reaches what it must; 1: one falls short, or could not be measured; 130: interrupted.
Figures are of this machine as busy as it is: leave it alone meanwhile. Servers that it started end with it.
"""

Measure = Callable[[], Iterator[Figure]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # the latter is ignored by what a script starts in the background
        signal.signal(number, _as_interrupt)
    with ExitStack() as opened:
        measures = _large(opened) if given.large else _usual(opened)
        chosen = {name: measure for name, measure in measures.items() if name in (given.only or measures)}
        if not chosen:
            parser.error(f"--large measures {', '.join(measures)}; the others are measured without it")
        return run(chosen, as_json=given.json, to=given.markdown)


def run(measures: dict[str, Measure], *, as_json: bool = False, to: Path | None = None) -> int:
    """Prints each figure as it comes; one that cannot be measured does not keep the others from it."""
    began, load, about = datetime.now(UTC), machine.load(), machine.about()  # by its end the commit may be another
    figures: list[Figure] = []
    if not as_json:
        print(table.HEAD, flush=True)
    interrupted = False
    try:
        for figure in _each(measures):
            figures.append(figure)
            print(table.line(figure, as_json=as_json), flush=True)
    except KeyboardInterrupt:
        interrupted = True
    if to is not None:
        to.write_text(table.markdown(figures, _when(began, load, interrupted) | about), encoding="utf-8")
    if not as_json:
        print(f"{table.summary(figures)}{'; interrupted' if interrupted else ''}", flush=True)
    if interrupted:
        return 130
    return 0 if figures and all(figure.kept for figure in figures) else 1


def _each(measures: dict[str, Measure]) -> Iterator[Figure]:
    for name, measure in measures.items():
        try:
            yield from measure()
        except Exception as error:  # hours of other figures must not be lost by it
            yield Figure.failed(name, error)


def _usual(opened: ExitStack) -> dict[str, Measure]:
    return {**ALONE, **_on_servers(opened, ON_SERVERS)}


def _large(opened: ExitStack) -> dict[str, Measure]:
    return _on_servers(opened, LARGE)


def _on_servers(opened: ExitStack, measures: dict[str, Callable[[Servers], Iterator[Figure]]]) -> dict[str, Measure]:
    @cache
    def running() -> Servers:
        """Started when the first figure asks for them."""
        return opened.enter_context(servers())

    def on_servers(measure: Callable[[Servers], Iterator[Figure]]) -> Measure:
        return lambda: measure(running())

    return {name: on_servers(measure) for name, measure in measures.items()}


def _when(began: datetime, load: str, interrupted: bool) -> dict[str, str]:
    took_s = (datetime.now(UTC) - began).total_seconds()
    when = f"{began:%Y-%m-%d %H:%M} UTC, {took_s / 60:.0f} minutes{', interrupted' if interrupted else ''}"
    return {"measured": when, "load": f"{load} before, {machine.load()} after"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m vecferry.sandbox.bench",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON for each figure")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table with machine, date and versions there")
    parser.add_argument("--large", action="store_true", help="what needs a million objects, and nothing else")
    names = [*ALONE, *ON_SERVERS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}; repeatable")
    return parser


def _as_interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
