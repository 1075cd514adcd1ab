"""A put that is written to both collections, beside the same put by the vendor's client, pre-embedded, turn about."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.ports import Ledger
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.quantiles import quantile, took_ms
from vecferry.sandbox.bench.world import Servers

_OBJECTS, _PUTS = 2_000, 1_000
_SLACK_MS = 2.0


def measure(servers: Servers) -> Iterator[Figure]:
    with servers.migration(_OBJECTS) as world:
        world.dual_writing()
        router, native = world.router(), world.ports.store.native(world.name)
        plain: list[float] = []
        dual: list[float] = []
        commits: list[float] = []
        revisions = itertools.count(1)
        for number in range(_PUTS):
            given, new = world.document(number, next(revisions)), world.document(number, next(revisions))
            plain.append(took_ms(partial(_put_plain, native, given)))
            dual.append(took_ms(partial(router.put, new.uuid, dict(new.properties), vector=new.vectors[UNNAMED])))
            commits.append(_commit_ms(world.ports.ledger, world.migration.id))
        router.flush(60)
    added, commit = quantile(dual, 0.99) - quantile(plain, 0.99), quantile(commits, 0.99)
    said = (
        f"p99 {quantile(dual, 0.99):.1f} beside {quantile(plain, 0.99):.1f} ms by the client; a ledger commit {commit:.1f} ms"
    )
    yield Figure("what a dual-written put adds, p99", added, commit + _SLACK_MS, "ms", said)
    middle = quantile(dual, 0.5) - quantile(plain, 0.5)
    said = (
        f"p50 {quantile(dual, 0.5):.1f} beside {quantile(plain, 0.5):.1f} ms; a ledger commit {quantile(commits, 0.5):.1f} ms"
    )
    yield Figure("what a dual-written put adds, p50", middle, quantile(commits, 0.5) + _SLACK_MS, "ms", said)


def _put_plain(native: Any, given: StoredObject) -> None:
    native.data.replace(uuid=given.uuid, properties=dict(given.properties), vector=list(given.vectors[UNNAMED]))


def _commit_ms(ledger: Ledger, migration_id: str) -> float:
    """One journal row of a key that nobody has, by the same road that the writer takes."""
    rows: list[JournalRow] = []

    def commit() -> None:
        rows.extend(ledger.open_rows(migration_id, [str(uuid.uuid4())], tenant=None, owner="bench", kind=RowKind.WRITE))

    spent = took_ms(commit)
    ledger.close_rows(rows)
    return spent
