"""How long ``retire`` holds writes: the slowest put around the freeze of three Routers that write all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count

from vecferry.router import Router
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.quantiles import quantile
from vecferry.sandbox.bench.world import Migrating, Servers
from vecferry.steps import retire

_RETIREMENTS, _ROUTERS, _OBJECTS = 10, 3, 50
_SETTLED_S = 1.0


def measure(servers: Servers) -> Iterator[Figure]:
    held: list[float] = []
    usual: list[float] = []
    for _ in range(_RETIREMENTS):
        with servers.migration(_OBJECTS) as world:
            before, during = _retire_once(world)
            usual += before
            held += during
    said = (
        f"the slowest put of each of {_ROUTERS} routers in {_RETIREMENTS} retirements, median {quantile(held, 0.5):.3f} s; "
        f"before the freeze a put takes {quantile(usual, 0.5):.3f} s"
    )
    yield Figure("retire holds a write, p99", quantile(held, 0.99), 1.0, "s", said)


def _retire_once(world: Migrating) -> tuple[list[float], list[float]]:
    world.dual_writing().serving(100)
    routers, stop = [world.router() for _ in range(_ROUTERS)], threading.Event()
    puts: list[list[tuple[float, float]]] = [[] for _ in routers]
    threads = [
        threading.Thread(target=_write_on, args=(world, router, number, puts[number], stop))
        for number, router in enumerate(routers)
    ]
    for thread in threads:
        thread.start()
    time.sleep(_SETTLED_S)
    began = time.monotonic()
    retire.act(world.ports, world.migration.id)
    time.sleep(_SETTLED_S)
    stop.set()
    for thread in threads:
        thread.join()
    usual = [took for own in puts for ended, took in own if ended < began]
    return usual, [max(took for ended, took in own if ended >= began) for own in puts]


def _write_on(world: Migrating, router: Router, number: int, puts: list[tuple[float, float]], stop: threading.Event) -> None:
    for revision in count(1):
        if stop.is_set():
            return
        document = world.document(number, revision)
        started = time.monotonic()
        router.put(document.uuid, dict(document.properties))
        ended = time.monotonic()
        puts.append((ended, ended - started))
        time.sleep(0.02)
