"""One look at one or both collections, as a table of counts with examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .contents import defects, own
from .expectation import replay
from .provider_rest import Model
from .reading import read_lines
from .vectors import not_found_by_index, of_another_space
from .weaviate_rest import WeaviateRest

_EXAMPLES = 5


@dataclass(frozen=True)
class Side:
    """A collection and the model that its vectors must be of."""

    collection: str
    model: Model


def inspect(
    weaviate: WeaviateRest, authority: Side, other: Side | None, *, corpus: Path, history: Path, recipe: Sequence[str]
) -> dict[str, Any]:
    """``authority`` is what the application's history is held against; ``other``, if given, must hold the same objects.

    Nobody may write meanwhile. Counts by name, and under ``examples`` up to five uuids for each that is not 0.
    """
    objects = {side.collection: list(weaviate.objects(side.collection)) for side in (authority, other) if side}
    stored = _by_uuid(objects[authority.collection])
    found: dict[str, list[str]] = asdict(defects(replay(read_lines(corpus), read_lines(history)), stored))
    found["mixed"], found["unindexed"] = [], []
    for side in (authority, other):
        if side:
            found["mixed"] += of_another_space(objects[side.collection], recipe, side.model)
            found["unindexed"] += not_found_by_index(weaviate, side.collection, objects[side.collection])
    if other:
        found["parity"] = different(stored, _by_uuid(objects[other.collection]))
    return {
        "objects": {name: len(rows) for name, rows in objects.items()},
        **{name: len(uuids) for name, uuids in found.items()},
        "examples": {name: sorted(uuids)[:_EXAMPLES] for name, uuids in found.items() if uuids},
    }


def different(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Uuids that only one side has, or whose properties differ; stamps do not count."""
    missing = one.keys() ^ other.keys()
    unequal = [uuid for uuid in one.keys() & other.keys() if own(one[uuid]) != own(other[uuid])]
    return [*missing, *unequal]


def _by_uuid(objects: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {str(stored["id"]): stored["properties"] for stored in objects}
