"""A page's texts are embedded before its rows are opened: the rows' deadline is for writing, not for a provider's queue.

Without it: a provider that says "wait a minute", or a busy machine, takes longer than ``T_live``; the page is fenced after it
was paid for, and paid for again, for as long as the provider is slow.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from vecferry.domain.shadow import ShadowSpec, differences
from vecferry.ports import Embedded, Embedder, Purpose, Refused, VectorStore
from vecferry.protocol.vectors import vectors_for

if TYPE_CHECKING:
    from vecferry.domain.catalogue import ModelCard

_TIMEOUT_S = 120.0


class EmbeddedAhead:
    """An embedder that knows some answers already, by the exact text; what it does not know it asks for."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, tuple[float, ...] | Refused] = {}
        self.tokens = 0

    @property
    def card(self) -> ModelCard:
        return self._embedder.card

    def count_tokens(self, text: str) -> tuple[int, str]:
        return self._embedder.count_tokens(text)

    def fits(self, text: str) -> bool:
        return self._embedder.fits(text)

    def truncate(self, text: str) -> str:
        return self._embedder.truncate(text)

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded:
        """``tokens`` are of what had to be asked for now."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        tokens = 0
        if new:
            answer = self._embedder.embed_documents(new, purpose=purpose, timeout_s=timeout_s)
            self._known |= dict(zip(new, answer.vectors, strict=True))
            tokens = answer.tokens
        self.tokens += tokens
        return Embedded(tuple(self._known[text] for text in texts), tokens)

    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]:
        return self._embedder.embed_query(text, timeout_s=timeout_s)

    def check(self) -> None:
        self._embedder.check()


def embed_ahead(
    store: VectorStore,
    spec: ShadowSpec,
    embedder: Embedder,
    keys: Sequence[str],
    *,
    tenant: str | None,
    reinsert: Collection[str] = (),
) -> EmbeddedAhead:
    """Knows what these keys need as of now. Only a saving: reconcile reads again under its rows, and asks for what changed."""
    ahead = EmbeddedAhead(embedder)
    live = store.read(spec.live, keys, tenant=tenant)
    if not live:
        return ahead
    shadow = store.read(spec.shadow, keys, tenant=tenant)
    wanted = [obj for key, obj in live.items() if key in reinsert or differences(spec, obj, shadow.get(key))]
    kept = {key: obj for key, obj in shadow.items() if key not in reinsert}
    vectors_for(spec, ahead, wanted, kept, purpose=Purpose.BACKFILL, timeout_s=_TIMEOUT_S)
    return ahead
