"""The shipped fakes with the engine at every call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.faults.explorer.engine import Engine
from tests.faults.explorer.requests import Kind
from vecferry.adapters.memory.embedder import MemoryEmbedders
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.adapters.memory.store import MemoryStore

_DATA = frozenset({"put", "merge", "delete", "put_batch", "delete_batch"})
_SCHEMA = frozenset({"create", "drop", "set_description", "set_read_only", "add_tenants", "set_alias"})
_STATEMENTS = frozenset(
    {
        *("save_pin", "start_migration", "move", "publish", "set_paused", "save_plan", "undo_freeze", "flip"),
        *("open_rows", "close_rows", "claim_rows", "register", "renew", "deregister", "observe"),
        *("plan_chunks", "claim_chunk", "checkpoint", "reopen_chunks", "record_verdict", "record_event"),
    }
)
_STALE = frozenset({"snapshot"})


class ScheduledStore:
    """A ``VectorStore``; ``sides`` names collections in points: ``L``, ``S``."""

    def __init__(self, store: MemoryStore, engine: Engine, sides: Mapping[str, str]) -> None:
        self._store = store
        self._engine = engine
        self._sides = sides

    def native(self, collection: str, *, tenant: str | None = None) -> Any:
        return self._store.native(collection, tenant=tenant)

    def alive(self) -> bool:
        return True

    def incarnations(self) -> dict[str, str]:
        return {}  # no server restarts here

    def __getattr__(self, name: str) -> Any:
        kind = Kind.DATA if name in _DATA else Kind.TRANSACTION if name in _SCHEMA else Kind.READ
        made = _scheduled(self._engine, name, kind, getattr(self._store, name), self._where)
        self.__dict__[name] = made
        return made

    def _where(self, given: tuple[Any, ...]) -> str:
        first = given[0] if given else ""
        collection = first if isinstance(first, str) else first.get("class", "")
        return self._sides.get(collection, collection)


class ScheduledLedger:
    """A ``Ledger``."""

    def __init__(self, ledger: MemoryLedger, engine: Engine) -> None:
        self._ledger = ledger
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        kind = Kind.TRANSACTION if name in _STATEMENTS else Kind.STALE if name in _STALE else Kind.READ
        made = _scheduled(self._engine, name, kind, getattr(self._ledger, name), lambda given: "ledger")
        self.__dict__[name] = made
        return made


def schedule_embedders(embedders: MemoryEmbedders, engine: Engine, sides: Mapping[str, str]) -> None:
    """A provider's call has no effect that anybody else sees: it is late, or lost."""
    for model, side in sides.items():
        embedders[model].before = lambda method, texts, side=side: engine.request(method, side, Kind.READ, lambda: None)


def _scheduled(
    engine: Engine, name: str, kind: Kind, method: Callable[..., Any], where: Callable[[tuple[Any, ...]], str]
) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        return engine.request(name, where(given), kind, lambda: method(*given, **named))

    return call
