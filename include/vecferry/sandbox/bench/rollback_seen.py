"""From the write that rolls back to the moment at which each of 100 Routers, in four processes, routes by it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.domain.timing import Timings
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.quantiles import quantile
from vecferry.sandbox.bench.world import Migrating, Servers, router_of

_PROCESSES, _ROUTERS, _TIMES = 4, 25, 3
_LOOK_S = 0.005
_PATIENCE_S = 120.0


def measure(servers: Servers) -> Iterator[Figure]:
    with servers.migration(50) as world:
        world.dual_writing().serving(25)
        seen = [late for _ in range(_TIMES) for late in _once(world)]
    said = (
        f"{len(seen)} sightings by {_PROCESSES * _ROUTERS} routers; median {quantile(seen, 0.5):.2f} s, worst {max(seen):.2f} s"
    )
    yield Figure("a rollback is seen by 100 routers, p99", quantile(seen, 0.99), 1.0, "s", said)


def _once(world: Migrating) -> list[float]:
    command = [sys.executable, "-m", __name__, world.name, world.ledger_url, *world.weaviate, str(_ROUTERS)]
    watchers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_PROCESSES)]
    try:
        for watcher in watchers:
            assert watcher.stdout is not None
            assert watcher.stdout.readline() == "watching\n", "a process of routers did not come up"
        before = time.time()
        world.ports.ledger.move(world.migration, Phase.ROLLED_BACK, who="bench", why="bench", routing=(Mode.DUAL, 0))
        seen = [at - before for watcher in watchers for at in json.loads(watcher.communicate(timeout=_PATIENCE_S)[0])]
    finally:
        for watcher in watchers:
            watcher.kill()
            watcher.wait()
    world.ports.ledger.move(world.migration, Phase.SERVING, who="bench", why="bench", routing=(Mode.DUAL, 25))
    return seen


def main(arguments: Sequence[str] | None = None) -> None:
    """One process of routers: says when each routes by 0%."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("pin", "ledger_url", "weaviate_url", "weaviate_grpc"):
        parser.add_argument(name)
    parser.add_argument("routers", type=int)
    given = parser.parse_args(arguments)
    weaviate = (given.weaviate_url, given.weaviate_grpc)
    routers = [router_of(given.pin, given.ledger_url, weaviate, Timings()) for _ in range(given.routers)]
    first = routers[0].route("anybody").version
    seen: dict[int, float] = {}
    print("watching", flush=True)
    deadline = time.monotonic() + _PATIENCE_S
    while len(seen) < len(routers) and time.monotonic() < deadline:
        for number, router in enumerate(routers):
            if number not in seen and router.route("anybody").version > first:
                seen[number] = time.time()
        time.sleep(_LOOK_S)
    print(json.dumps(list(seen.values())), flush=True)
    closing = [threading.Thread(target=router.close) for router in routers]
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join()


if __name__ == "__main__":
    main()
