"""What is known of embedding models: limits, prices, lifecycle dates, and where that is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Literal

from vecferry.domain.spaces import Distance, EmbeddingSpace
from vecferry.errors import BadInput, NotFound

Api = Literal["openai", "cohere"]


@dataclass(frozen=True)
class ModelCard:
    """One model of one provider. Limits are per minute or per request; prices in US dollars per million tokens.

    ``base_url`` and ``api_key_env`` are for servers of one's own; empty means the provider's usual ones.
    """

    provider: str
    model: str
    api: Api
    dimensions: int
    max_tokens: int = 8192
    inputs_per_request: int = 96
    tokens_per_request: int = 300_000
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    inputs_per_minute: int | None = None
    usd_per_million_tokens: float = 0.0
    price_date: date | None = None
    distance: Distance = "cosine"
    normalised: bool = True
    version: str = ""
    family: str = ""
    document_task: str = ""
    query_task: str = ""
    deprecated_on: date | None = None
    shutdown_on: date | None = None
    replacement: str = ""
    base_url: str = ""
    api_key_env: str = ""
    sends_dimensions: bool = False
    source: str = ""

    @property
    def space(self) -> EmbeddingSpace:
        return EmbeddingSpace(
            self.provider,
            self.model,
            self.dimensions,
            self.distance,
            self.normalised,
            self.version,
            self.document_task,
            self.query_task,
            self.family,
        )

    def cost_usd(self, tokens: int) -> float:
        return tokens * self.usd_per_million_tokens / 1_000_000


@dataclass(frozen=True)
class Catalogue:
    cards: tuple[ModelCard, ...]

    def card(self, name: str) -> ModelCard:
        """By ``model``, ``provider/model`` or a space's id; an unknown name says how to add it."""
        found = [c for c in self.cards if name in (c.model, f"{c.provider}/{c.model}", c.space.id)]
        if not found:
            known = [c.model for c in self.cards]
            near = get_close_matches(name.split("@")[0].split("/")[-1], known, n=3) or known[:8]
            raise NotFound(
                f"model {name!r} is not in the catalogue, so its dimensions are unknown",
                where="catalogue",
                next_action=f"Known ones like it: {', '.join(near)}. To add it, put a [[model]] entry with provider, model, "
                "api and dimensions into the file that VECFERRY_MODELS names.",
            )
        if len(found) > 1:
            raise BadInput(
                f"model {name!r} is ambiguous: {', '.join(c.space.id for c in found)}",
                where="catalogue",
                next_action="Write provider/model, or the whole space id.",
            )
        return found[0]
