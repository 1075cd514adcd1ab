"""A migration just before its backfill, at any dimensions, and the plain scripts that it is measured beside."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self
from zlib import crc32

import numpy as np

from vecferry.adapters.memory.embedder import MemoryEmbedder
from vecferry.bootstrap import close_ports
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.chunks import LAST
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.request import MigrationRequest
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.domain.timing import Timings
from vecferry.ports import Embedded, Embedder, Ports, Purpose
from vecferry.sandbox.bench.world import Servers, connect
from vecferry.steps import backfill, stage_runner

PATIENT = Timings(
    write_timeout_s=60, delta_s=60, quarantine_s=70, row_deadline_s=240, takeover_s=320, lease_s=30, idle_lease_s=3600
)
"""A busy machine must not time a page out: what is measured is the speed of what succeeds."""
_PROPERTIES = [
    {"name": "body", "dataType": ["text"]},
    {"name": "title", "dataType": ["text"]},
    {"name": "views", "dataType": ["int"]},
]
_BATCH = 250
_VECTORS = 1_000
_WORDS = [
    "the",
    "of",
    "a",
    "store",
    "index",
    "vector",
    "shard",
    "query",
    "model",
    "object",
    "page",
    "batch",
    "ledger",
    "writer",
    "reader",
    "copy",
    "key",
    "range",
    "text",
]


class LatentEmbedder(MemoryEmbedder):
    """A text has one of many random vectors; a request takes ``latency_s``, and several may be under way."""

    def __init__(self, card: ModelCard, latency_s: float) -> None:
        super().__init__(card)
        self._latency_s = latency_s

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded:
        for start in range(0, len(texts), self.card.inputs_per_request):
            self.embed_request(texts[start : start + self.card.inputs_per_request])
        return Embedded(tuple(vector_of(self.card, text) for text in texts), 0)

    def embed_request(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """As one request of a plain script."""
        if self._latency_s:
            time.sleep(self._latency_s)
        return [vector_of(self.card, text) for text in texts]


def vector_of(card: ModelCard, text: str) -> tuple[float, ...]:
    """One of 1,000, drawn beforehand: that takes no part in what is measured."""
    return _drawn(card)[crc32(text.encode()) % _VECTORS]


_DRAWN: dict[str, list[tuple[float, ...]]] = {}


def _drawn(card: ModelCard) -> list[tuple[float, ...]]:
    if card.space.id not in _DRAWN:
        drawn = np.random.default_rng(crc32(card.space.id.encode())).normal(size=(_VECTORS, card.dimensions))
        units = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        _DRAWN[card.space.id] = [tuple(unit.tolist()) for unit in units]
    return _DRAWN[card.space.id]


class _Embedders:
    def __init__(self, dimensions: int, latency_s: float) -> None:
        cards = [ModelCard("bench", name, "openai", dimensions, source="bench") for name in ("old", "new")]
        self.catalogue = Catalogue(tuple(cards))
        self.made = {card.space.id: LatentEmbedder(card, latency_s) for card in cards}

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> Embedder:
        return self.made[space.id]


@dataclass(frozen=True)
class Took:
    objects: int
    seconds: float

    @property
    def per_s(self) -> float:
        return self.objects / self.seconds


class BeforeBackfill:
    """``objects`` of ``dimensions`` in a live collection, dual-writing, nothing copied. ``latency_s`` of a request."""

    def __init__(self, servers: Servers, name: str, objects: int, dimensions: int, *, latency_s: float = 0.0) -> None:
        self.name = name
        self.objects = objects
        self._embedders = _Embedders(dimensions, latency_s)
        self._addresses = (servers.postgres.fresh_database(), (servers.weaviate.http_url, servers.weaviate.grpc_address))
        self._opened = ExitStack()
        self.ports = self._connected()
        self._create(name)
        for start in range(0, objects, _BATCH):
            written = [self._document(number, "old") for number in range(start, min(objects, start + _BATCH))]
            self.ports.store.put_batch(name, written, timeout_s=60)
        old = self._embedders.catalogue.card("old")
        self.ports.ledger.save_pin(Pin(name, name, old.space, TextRecipe(("body",))), who="bench", why="bench")
        self._id = self._dual_writing()

    def backfill(self, workers: int) -> Took:
        """As Airflow's tasks do it: the chunks are planned, then each worker takes the next."""
        chunks = backfill.plan_chunks(self.ports, self._id)
        places = [{key: chunk[key] for key in ("start", "end", "tenant")} for chunk in chunks]
        everyone = [self._connected() for _ in range(workers)]
        for ports in everyone:
            ports.store.count(self.name)  # the vendor's client is imported on nobody's time

        def work(number: int) -> int:
            return sum(backfill.run_chunk(everyone[number], self._id, **place)["rows"] for place in places[number::workers])

        copied, seconds = _timed(work, workers)
        assert copied == self.objects == self.ports.store.count(self._shadow), "not all were copied"
        return Took(copied, seconds)

    def bare_loop(self, workers: int) -> Took:
        """``insert_many`` by the vendor's client; objects and vectors are there already."""
        target = self._create(f"{self.name}Bare")
        ready = [self._native(self._document(number, "new")) for number in range(self.objects)]
        batches = [ready[start : start + _BATCH] for start in range(0, len(ready), _BATCH)]

        def work(number: int) -> int:
            handle = self.ports.store.native(target)
            return sum(len(handle.data.insert_many(batch).uuids) for batch in batches[number::workers])

        self.ports.store.native(target)
        return self._checked(target, *_timed(work, workers))

    def plain_script(self) -> Took:
        """iterator → embed → batch, as it stands in many a blog post."""
        target = self._create(f"{self.name}Script")
        embedder = self._embedders.made[self._embedders.catalogue.card("new").space.id]

        def work(_: int) -> int:
            source, sink, done = self.ports.store.native(self.name), self.ports.store.native(target), 0
            for batch in _batches(source.iterator(), embedder.card.inputs_per_request):
                vectors = embedder.embed_request([obj.properties["body"] for obj in batch])
                made = [_data_object(str(o.uuid), o.properties, v) for o, v in zip(batch, vectors, strict=True)]
                done += len(sink.data.insert_many(made).uuids)
            return done

        return self._checked(target, *_timed(work, 1))

    def close(self) -> None:
        for name in (f"{self.name}Bare", f"{self.name}Script", self._shadow, self.name):
            if name in self.ports.store.collections():
                self.ports.store.drop(name)
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def _shadow(self) -> str:
        return self.ports.ledger.migration(self._id).spec.shadow

    def _connected(self) -> Ports:
        ledger_url, weaviate = self._addresses
        ports = connect(ledger_url, weaviate, PATIENT)
        self._opened.callback(close_ports, ports)
        return replace(ports, embedders=self._embedders, catalogue=self._embedders.catalogue, executor=ThreadPoolExecutor)

    def _create(self, name: str) -> str:
        index = {"vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "cosine"}}
        self.ports.store.create({"class": name, "vectorizer": "none", "properties": _PROPERTIES, **index})
        return name

    def _dual_writing(self) -> str:
        request = MigrationRequest(collection=self.name, to_model="bench/new", soak_minutes=0)
        migration_id = str(stage_runner.act("plan", self.ports, request)["migration_id"])
        stage_runner.act("create_shadow", self.ports, migration_id)
        ledger = self.ports.ledger
        ledger.move(ledger.migration(migration_id), Phase.SHADOW_CREATED, who="bench", why="bench")
        stage_runner.act("enable_dual_write", self.ports, migration_id)
        shadow = ledger.migration(migration_id).spec.shadow
        sampled = self.ports.store.keys(shadow, after="", until=LAST, limit=1_000)
        self.ports.store.delete_batch(shadow, sampled, timeout_s=60)  # enable_dual_write's sample: all are the backfill's
        return migration_id

    def _document(self, number: int, model: str) -> StoredObject:
        drawn = np.random.default_rng(number).integers(0, len(_WORDS), size=40)
        body = f"{number} " + " ".join(_WORDS[place] for place in drawn)
        properties = {"body": body, "title": f"title {number}", "views": number}
        vector = vector_of(self._embedders.catalogue.card(model), body)
        return StoredObject(str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), properties, {UNNAMED: vector})

    def _native(self, obj: StoredObject) -> Any:
        return _data_object(obj.uuid, obj.properties, obj.vectors[UNNAMED])

    def _checked(self, target: str, copied: int, seconds: float) -> Took:
        assert copied == self.objects == self.ports.store.count(target), "not all were copied"
        return Took(copied, seconds)


def _data_object(key: str, properties: Any, vector: Sequence[float]) -> Any:
    from weaviate.classes.data import DataObject

    return DataObject(properties=dict(properties), uuid=key, vector=list(vector))


def _batches(source: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in source:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _timed(work: Callable[[int], int], workers: int) -> tuple[int, float]:
    with ThreadPoolExecutor(workers) as pool:
        started = time.perf_counter()
        done = sum(pool.map(work, range(workers)))
        return done, time.perf_counter() - started
