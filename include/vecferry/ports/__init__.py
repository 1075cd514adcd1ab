"""What the product needs from the world, as Protocols: small enough to fake by hand (adapters/memory has the fakes)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from vecferry.domain.catalogue import Catalogue
from vecferry.domain.gates import Gates
from vecferry.domain.in_line import InLine
from vecferry.domain.timing import Timings
from vecferry.ports.clock import Clock
from vecferry.ports.ledger import (
    CapacityLedger,
    ChunkLedger,
    Event,
    JournalLedger,
    Ledger,
    MigrationLedger,
    PinLedger,
    RecordLedger,
    RoutingLedger,
    Spend,
)
from vecferry.ports.providers import Embedded, Embedder, Embedders, ListedModel, ModelLists, NoticeFeed, Purpose, Refused
from vecferry.ports.store import Page, SearchHit, SearchQuery, VectorStore

__all__ = [
    "CapacityLedger",
    "ChunkLedger",
    "Clock",
    "Embedded",
    "Embedder",
    "Embedders",
    "Event",
    "JournalLedger",
    "Ledger",
    "ListedModel",
    "MigrationLedger",
    "ModelLists",
    "NoticeFeed",
    "Page",
    "PinLedger",
    "Ports",
    "Purpose",
    "RecordLedger",
    "Refused",
    "RoutingLedger",
    "SearchHit",
    "SearchQuery",
    "Spend",
    "VectorStore",
]


@dataclass(frozen=True)
class Ports:
    """The outside world as one process sees it; made in ``bootstrap`` only. Steps take what they need from it."""

    ledger: Ledger
    store: VectorStore
    embedders: Embedders
    model_lists: ModelLists
    notice_feed: NoticeFeed
    catalogue: Catalogue
    clock: Clock
    timings: Timings
    gates: Gates
    executor: Callable[[int], Executor] = InLine
    """Makes what runs up to that many calls at once: threads in production, nothing at once where every turn is listed."""
