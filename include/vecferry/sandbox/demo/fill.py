"""Fills ``Docs`` as an application without vecferry would have: OpenAI's SDK for the vectors, Weaviate's client to store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import weaviate
from openai import OpenAI
from weaviate.classes.data import DataObject

from vecferry.errors import BadInput, Retryable
from vecferry.sandbox.demo.documents import Documents
from vecferry.sandbox.models import WORD

COLLECTION = "Docs"
_BATCH = 250
Progress = Callable[[int, int], None]


def fill(
    client: weaviate.WeaviateClient, openai: OpenAI, documents: Documents, progress: Progress, collection: str = COLLECTION
) -> None:
    """One batch is embedded while the one before is stored."""
    client.collections.create_from_dict(schema_of(documents.rows, collection))
    done = 0
    with ThreadPoolExecutor(2) as pool:
        for rows, vectors in zip(
            _batches(documents.rows), pool.map(_embedder(openai, documents), _batches(documents.rows)), strict=True
        ):
            _store(client, collection, rows, vectors)
            done += len(rows)
            progress(done, len(documents.rows))


def schema_of(rows: Sequence[Mapping[str, Any]], collection: str) -> dict[str, Any]:
    types: dict[str, str] = {}
    for row in rows:
        types = {**{name: _type_of(name, value) for name, value in row["properties"].items() if value is not None}, **types}
    return {
        "class": collection,
        "description": "what the demo's application searches",
        "vectorizer": "none",
        "vectorIndexType": "hnsw",
        "vectorIndexConfig": {"distance": "cosine"},
        "properties": [{"name": name, "dataType": [kind]} for name, kind in types.items()],
    }


def _type_of(name: str, value: Any) -> str:
    kinds: dict[type, str] = {str: "text", bool: "boolean", int: "number", float: "number"}
    if type(value) in kinds:
        return kinds[type(value)]
    if isinstance(value, list) and value and all(type(item) in kinds for item in value):
        return f"{kinds[type(value[0])]}[]"
    raise BadInput(
        f"property {name!r} is {value!r}",
        where="corpus",
        next_action="The demo takes texts, numbers, booleans and lists of them.",
    )


def _embedder(openai: OpenAI, documents: Documents) -> Callable[[Sequence[Mapping[str, Any]]], list[list[float] | None]]:
    def embed(rows: Sequence[Mapping[str, Any]]) -> list[list[float] | None]:
        texts = [_text(row["properties"], documents.recipe) for row in rows]
        asked = [text for text in texts if text]
        answer = iter(openai.embeddings.create(model=WORD, input=asked).data if asked else ())
        return [next(answer).embedding if text else None for text in texts]

    return embed


def _text(properties: Mapping[str, Any], recipe: Sequence[str]) -> str:
    return "\n".join(text for name in recipe if (text := properties.get(name) or "").strip()).strip()


def _store(
    client: weaviate.WeaviateClient, collection: str, rows: Sequence[Mapping[str, Any]], vectors: Sequence[list[float] | None]
) -> None:
    objects = [
        DataObject(properties=dict(row["properties"]), uuid=row["uuid"], vector=vector)
        for row, vector in zip(rows, vectors, strict=True)
    ]
    answer = client.collections.use(collection).data.insert_many(objects)
    if answer.has_errors:
        first = next(iter(answer.errors.values()))
        raise Retryable(f"{len(answer.errors)} objects were refused: {first.message}", where=collection)


def _batches(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    return (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))
