"""The ledger's answer to "what is in there?"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vecferry.domain.objects import UNNAMED
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.spaces import EmbeddingSpace


@dataclass(frozen=True)
class SearchProfile:
    """How the application searches; gates judge *this*, not a bare vector search.

    ``alpha`` weighs the vector part of a hybrid search, 0 (keywords only) to 1.
    """

    kind: Literal["vector", "hybrid"] = "vector"
    alpha: float = 0.7
    fusion: Literal["ranked", "relative_score"] = "relative_score"
    query_properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pin:
    """Logical name → live collection, its space, text recipe, search profile, alias, connection ids.

    ``stamped``: the collection was a shadow once, so that every object carries stamps, and writers go on stamping.
    """

    name: str
    collection: str
    space: EmbeddingSpace
    recipe: TextRecipe
    profile: SearchProfile = SearchProfile()
    vector_name: str = UNNAMED
    alias: str | None = None
    connections: dict[str, str] = field(default_factory=dict)
    fingerprint: tuple[tuple[float, ...], ...] = ()
    stamped: bool = False
