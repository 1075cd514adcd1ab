"""The coordinate system that a vector lives in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Distance = Literal["cosine", "dot", "l2-squared"]


@dataclass(frozen=True)
class EmbeddingSpace:
    """Two vectors may be compared only if they are of the same space; equal length proves nothing.

    ``dimensions`` is the vectors' length; ``document_task`` and ``query_task`` are what the provider is told about the
    text (Cohere's ``input_type``, or a prefix); ``family`` names models that the catalogue says share one space.
    """

    provider: str
    model: str
    dimensions: int
    distance: Distance = "cosine"
    normalised: bool = True
    version: str = ""
    document_task: str = ""
    query_task: str = ""
    family: str = ""

    @property
    def id(self) -> str:
        """For example ``openai/text-embedding-3-small@1536``."""
        return f"{self.provider}/{self.model}@{self.dimensions}"

    def same_as(self, other: EmbeddingSpace) -> bool:
        """The same coordinates: everything equal, or one family at equal length and distance."""
        if self == other:
            return True
        shared_family = bool(self.family) and self.family == other.family
        return shared_family and (self.dimensions, self.distance) == (other.dimensions, other.distance)
