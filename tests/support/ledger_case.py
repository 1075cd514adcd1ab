"""One ledger under test, with the means to let time pass and to go behind its back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar

import sqlalchemy

from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.adapters.memory.clock import ManualClock
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.domain.lifecycle import FORWARD, PROTOCOL_VERSION, Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Lease, Mode
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.ports import Ledger

T = TypeVar("T")

OLD = EmbeddingSpace("sandbox", "sandbox-word-1", 384)
NEW = EmbeddingSpace("sandbox", "sandbox-char-2", 384)
RECIPE = TextRecipe(("title", "body"))
PIN = Pin("Docs", "Docs_v1", OLD, RECIPE)
NEW_PIN = Pin("Docs", "Docs_v2", NEW, RECIPE)


class By(TypedDict):
    who: str
    why: str


WHO: By = {"who": "tester", "why": "a test"}


def planned(migration_id: str = "m1", *, shadow: str = "Docs_v2", pin: Pin = PIN) -> Migration:
    return Migration(migration_id, pin.name, Phase.PLANNED, 1, ShadowSpec(pin.collection, shadow, RECIPE, NEW), pin.space)


def lease(
    router_id: str = "r1",
    *,
    acknowledged: int = 1,
    lease_s: float = 10.0,
    pin: str = "Docs",
    speaks: int = PROTOCOL_VERSION,
) -> Lease:
    return Lease(router_id, pin, datetime(2000, 1, 1, tzinfo=UTC), lease_s, acknowledged, speaks, "host:1")


@dataclass
class LedgerCase:
    """``kind`` is memory, sqlite or postgresql."""

    kind: str
    url: str
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self._others: list[Ledger] = []
        self.ledger: Ledger = MemoryLedger(self.clock) if self.kind == "memory" else open_ledger(self.url, clock=self.clock)

    def another(self) -> Ledger:
        """As another process would have it."""
        if self.kind == "memory":
            return self.ledger
        self._others.append(open_ledger(self.url, clock=self.clock))
        return self._others[-1]

    def advance(self, seconds: float) -> None:
        """PostgreSQL's clock cannot be moved, so everything in the database becomes older."""
        self.clock.advance(seconds)
        if self.kind == "postgresql":
            age = f"interval '{seconds} seconds'"
            self.sql(f"UPDATE routers SET expires_at = expires_at - {age}, dismissed_at = dismissed_at - {age}", as_owner=True)
            self.sql(f"UPDATE journal SET opened_at = opened_at - {age}")
            self.sql(f"UPDATE capacity SET began_at = began_at - {age}")

    def sql(self, statement: str, *, as_owner: bool = False) -> list[Any]:
        """On a plain connection of its own, with the foreign keys that every client should ask for; ``as_owner`` of the
        (PostgreSQL) database without its triggers."""
        engine = sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            if self.kind == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            if as_owner:
                connection.exec_driver_sql("SET session_replication_role = replica")
            result = connection.exec_driver_sql(statement)
            return list(result) if result.returns_rows else []

    def close(self) -> None:
        for ledger in (self.ledger, *self._others):
            ledger.close()

    # a migration, moved along to where a test begins

    def pinned(self) -> Pin:
        self.ledger.save_pin(PIN, **WHO)
        return PIN

    def at(self, phase: Phase, *, percent: int = 100, protocol: int = PROTOCOL_VERSION) -> Migration:
        """A pin and its migration, dual-writing from ``dual_writing`` on."""
        self.pinned()
        migration = self.ledger.start_migration(replace(planned(), protocol_version=protocol), **WHO)
        for step in FORWARD[1 : FORWARD.index(phase) + 1]:
            migration = self.ledger.move(migration, step, **WHO, routing=_routing(step, percent))
        return migration

    def frozen(self) -> tuple[Migration, int]:
        """Serving 100%, and the version of its freeze."""
        migration = self.at(Phase.SERVING)
        return migration, self.ledger.publish(migration, Mode.FREEZE, 100, **WHO).version


def _routing(step: Phase, percent: int) -> tuple[Mode, int] | None:
    return {Phase.DUAL_WRITING: (Mode.DUAL, 0), Phase.SERVING: (Mode.DUAL, percent)}.get(step)


def at_once(*calls: Callable[[], T]) -> list[T | Exception]:
    """Runs the calls in threads that start together; each one's answer, or what it raised."""
    start, answers = threading.Barrier(len(calls)), [None] * len(calls)
    threads = [threading.Thread(target=_answer, args=(call, start, answers, place)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive(), "a call did not return within 30 s"
    return answers  # type: ignore[return-value]


def _answer(call: Callable[[], Any], start: threading.Barrier, answers: list[Any], place: int) -> None:
    start.wait()
    try:
        answers[place] = call()
    except Exception as error:
        answers[place] = error


def kinds(answers: Sequence[Any]) -> list[str]:
    """The names of the answers' types, sorted."""
    return sorted(type(answer).__name__ for answer in answers)
