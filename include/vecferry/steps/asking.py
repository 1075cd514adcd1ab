"""Ask golden queries: one arm by the pin's search profile, as the application would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from vecferry.domain.golden import GoldenQuery, GoldenSet, query_of
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import BadInput, Retryable
from vecferry.ports import Ports, SearchQuery
from vecferry.steps.retrieval_metrics import CUTOFF, Run

_AT_ONCE = 4
_TIMEOUT_S = 20.0
Ask = Callable[[GoldenQuery], list[tuple[str, float]]]
Progress = Callable[[int, int], None]


def golden_of(ports: Ports, pin: str, *, of: Callable[[str | None], bool] = lambda tenant: True) -> GoldenSet:
    """The pin's golden set from the ledger: the queries ``of`` these tenants."""
    rows = ports.ledger.golden(pin)
    if not rows:
        raise BadInput(
            "the pin has no golden set",
            where=pin,
            next_action=f"Run: vecferry golden import FILE --pin {pin}",
        )
    queries = [query_of(row, f"golden set of {pin}") for row in rows]
    asked = tuple(query for query in queries if of(query.tenant))
    if not asked:
        raise BadInput(
            f"none of the {len(queries)} golden queries asks a tenant that is on trial",
            where=pin,
            next_action=f"Add some of these tenants: vecferry golden import FILE --pin {pin}",
        )
    return GoldenSet(asked)


def ask_arm(ports: Ports, pin: Pin, collection: str, space: EmbeddingSpace, *, migration_id: str | None) -> Ask:
    embedder = ports.embedders.of(space, pin=pin, migration_id=migration_id)

    def ask(query: GoldenQuery) -> list[tuple[str, float]]:
        vector = embedder.embed_query(query.query, timeout_s=_TIMEOUT_S)
        wanted = SearchQuery(
            query.query, vector, pin.profile, pin.vector_name, CUTOFF, filters=query.filters, tenant=query.tenant
        )
        return [(hit.uuid, hit.score) for hit in ports.store.search(collection, wanted, timeout_s=_TIMEOUT_S)]

    return ask


def ask_all(queries: Sequence[GoldenQuery], ask: Ask, progress: Progress | None = None) -> Run:
    """query_id → ranked answers; a query that fails in passing is unanswered, which counts as zero and is counted."""
    run: dict[str, list[tuple[str, float]]] = {}

    def one(query: GoldenQuery) -> list[tuple[str, float]]:
        try:
            return ask(query)
        except Retryable:
            return []

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for number, (query, answer) in enumerate(zip(queries, pool.map(one, queries), strict=True), start=1):
            run[query.query_id] = answer
            if progress is not None:
                progress(number, len(queries))
    return run
