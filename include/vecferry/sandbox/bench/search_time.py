"""A search by the Router, at 25% on the shadow, beside the same vector searched by the vendor's client, turn about."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from vecferry.ports import Embedder
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.quantiles import quantile, took_ms
from vecferry.sandbox.bench.world import Servers
from vecferry.sandbox.bench.zero_cost import OLD

_OBJECTS, _SEARCHES, _LIMIT = 2_000, 2_000, 10


def measure(servers: Servers) -> Iterator[Figure]:
    with servers.migration(_OBJECTS) as world:
        world.dual_writing().serving(25)
        router = world.router()
        embedder, native = world.ports.embedders.of(OLD.space), world.ports.store.native(world.name)
        direct: list[float] = []
        routed: list[float] = []
        for number in range(_SEARCHES):
            text = f"query {number}"
            direct.append(took_ms(partial(_ask, native, embedder, text)))
            routed.append(took_ms(partial(router.search, text, key=text, limit=_LIMIT)))
    ratio = quantile(routed, 0.5) / quantile(direct, 0.5)
    said = f"p50 {quantile(routed, 0.5):.2f} beside {quantile(direct, 0.5):.2f} ms by the client, zero-cost embedder"
    yield Figure("a routed search ÷ a direct one, p50", ratio, 1.03, "×", said)


def _ask(native: Any, embedder: Embedder, text: str) -> object:
    return native.query.near_vector(list(embedder.embed_query(text, timeout_s=1)), limit=_LIMIT)
