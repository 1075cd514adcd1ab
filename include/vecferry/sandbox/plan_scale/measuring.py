"""The planner and the ledger at the size that is asked for: what they take, on every database that is here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.request_limits import RequestLimits, request_limits
from vecferry.errors import BadInput
from vecferry.sandbox.plan_scale.id_space import KINDS
from vecferry.sandbox.plan_scale.ledger_growth import Growth, grown
from vecferry.sandbox.plan_scale.planning import Planned, planned
from vecferry.sandbox.plan_scale.world import SimulatedWorld, dual_writing
from vecferry.sandbox.postgres_server import PostgresServer

PLANNING_S = 10.0
LEDGER_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Measured:
    """``growth`` by model, on each database; planned on the first of them."""

    objects: int
    planned: tuple[Planned, ...]
    growth: dict[str, tuple[Growth, ...]]

    def ledger_bytes(self) -> int:
        """The largest of all, at ``objects``."""
        return max(one.bytes_at(self.objects) for each in self.growth.values() for one in each)

    def planning_s(self) -> float:
        """The slowest, without what the simulated store took to make its ids up."""
        return max(one.seconds - one.store_s for one in self.planned)

    def too_much(self) -> list[str]:
        """What is over its limit."""
        found = []
        if self.planning_s() > PLANNING_S:
            found.append(f"planning took {self.planning_s():.1f} s, the limit is {PLANNING_S:.0f} s")
        if self.ledger_bytes() > LEDGER_BYTES:
            found.append(f"the ledger is of {self.ledger_bytes() / 1e6:,.0f} MB, the limit is {LEDGER_BYTES / 1e6:,.0f} MB")
        return found

    def as_dict(self) -> dict[str, Any]:
        return {
            "objects": self.objects,
            "planning_s": self.planning_s(),
            "ledger_bytes": self.ledger_bytes(),
            "planned": [asdict(one) for one in self.planned],
            "growth": {model: [asdict(one) for one in each] for model, each in self.growth.items()},
        }


def measured(cards: Sequence[ModelCard], objects: int, *, tokens: int, pages: int, postgres: bool = True) -> Measured:
    """Of each kind of ids the planner, of each model the ledger; ``pages`` are copied on each database."""
    with _databases(postgres=postgres) as databases:
        found = tuple(_planned(databases.fresh(0), name, objects, cards[0], tokens) for name in KINDS)
        of_limits: dict[RequestLimits, tuple[Growth, ...]] = {}
        for card in cards:  # the ledger is the same for models whose requests are
            if request_limits(card) not in of_limits:
                each = (_grown(databases.fresh(kind), objects, card, tokens, pages) for kind in range(databases.kinds))
                of_limits[request_limits(card)] = tuple(each)
    growth = {card.space.id: of_limits[request_limits(card)] for card in cards}
    return Measured(objects, found, growth)


def _planned(url: str, name: str, objects: int, card: ModelCard, tokens: int) -> Planned:
    ids = KINDS[name](objects)
    with _closing(dual_writing(url, ids, card, tokens=tokens)) as world:
        return planned(world, name, ids)


def _grown(url: str, objects: int, card: ModelCard, tokens: int, pages: int) -> Growth:
    """Sequential ids: of all, they cost the simulated store least."""
    with _closing(dual_writing(url, KINDS["sequential"](objects), card, tokens=tokens)) as world:
        return grown(world, url, pages=pages)


@contextmanager
def _closing(world: SimulatedWorld) -> Iterator[SimulatedWorld]:
    try:
        yield world
    finally:
        world.close()


class _Databases:
    def __init__(self, folder: Path, server: PostgresServer | None) -> None:
        self._folder = folder
        self._server = server
        self._number = 0
        self.kinds = 1 if server is None else 2

    def fresh(self, kind: int) -> str:
        """An empty one: 0 is SQLite, 1 PostgreSQL."""
        self._number += 1
        if kind and self._server is not None:
            return self._server.fresh_database()
        return f"sqlite:///{self._folder / f'{self._number}.db'}"


@contextmanager
def _databases(*, postgres: bool) -> Iterator[_Databases]:
    """Without PostgreSQL's server on this machine, SQLite alone."""
    with tempfile.TemporaryDirectory(prefix="vecferry-plan-scale-") as folder:
        try:
            server = PostgresServer() if postgres else None
        except BadInput:
            server = None
        if server is None:
            yield _Databases(Path(folder), None)
        else:
            with server:
                yield _Databases(Path(folder), server)
