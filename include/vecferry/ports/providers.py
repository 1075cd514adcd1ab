"""Embedding, and what providers tell of their models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.pins import Pin
from vecferry.domain.spaces import EmbeddingSpace


class Purpose(StrEnum):
    """Who asks, in order of priority at the limiter."""

    QUERY = "query"
    WRITE = "write"
    BACKFILL = "backfill"
    JUDGE = "judge"


@dataclass(frozen=True)
class Refused:
    """The provider refuses this one text for good (``reason`` is its own words)."""

    reason: str


@dataclass(frozen=True)
class Embedded:
    """Answers in the order of the texts; ``tokens`` as the provider billed them."""

    vectors: tuple[tuple[float, ...] | Refused, ...]
    tokens: int


class Embedder(Protocol):
    """One model of one provider. Every answer is checked: count, dimensions, finite, norm. SDK retries are off.

    Raises ``Retryable`` (with ``retry_after_s`` where said), ``Paused`` on quota or budget, ``BadInput`` for a wrong key
    or model. Splits what exceeds the model's inputs or tokens per request.
    """

    @property
    def card(self) -> ModelCard: ...
    def count_tokens(self, text: str) -> tuple[int, str]:
        """Tokens, and how they were counted: ``tiktoken``, or ``characters/4`` for an estimate."""

    def fits(self, text: str) -> bool:
        """Whether the text is within the model's ``max_tokens``."""

    def truncate(self, text: str) -> str:
        """The text, cut to ``max_tokens``; unchanged if it fits."""

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded: ...
    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]: ...
    def check(self) -> None:
        """One cheap call that proves key, model and dimensions; raises as the embedding calls do."""


class Embedders(Protocol):
    """Embedders by space; one per space and process, so that they share their limiter."""

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> Embedder:
        """``migration_id`` names who pays (budget and spend rows); without it the spend is the pin's own.

        ``witnessed``: each request for documents carries a text of the fingerprint (the pin's, if it is of this space, else
        the migration's) and raises ``ModelChanged`` where the model answers otherwise. Without a fingerprint: nothing more is
        sent. Only who takes fingerprints turns it off.
        """


@dataclass(frozen=True)
class ListedModel:
    """A model as its provider lists it; ``None`` where the list does not say."""

    provider: str
    model: str
    deprecated: bool | None = None
    shutdown_on: str | None = None


class ModelLists(Protocol):
    """The providers' own model lists (OpenAI ``shutdown_date``, Cohere ``is_deprecated``)."""

    def listed(self, card: ModelCard) -> ListedModel | None:
        """``None`` if the provider no longer lists it. Raises ``Retryable`` when the list cannot be had."""


class NoticeFeed(Protocol):
    """A notices file or URL in the deprecations.info form; raises ``Retryable`` or ``BadInput`` naming the row."""

    def rows(self) -> list[Mapping[str, Any]]: ...
