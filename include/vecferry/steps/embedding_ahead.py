"""A page's texts are embedded before its rows are opened: the rows' deadline is for writing, not for a provider's queue.

Without it: a provider that says "wait a minute", or a busy machine, takes longer than ``T_live``; the page is fenced after it
was paid for, and paid for again, for as long as the provider is slow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Executor
from threading import Lock
from typing import TYPE_CHECKING

from vecferry.domain.shadow import ShadowSpec, differences
from vecferry.ports import Embedded, Embedder, Purpose, Refused
from vecferry.protocol.reconcile import ReadAhead
from vecferry.protocol.vectors import vectors_for
from vecferry.steps.remembered_vectors import RememberedVectors

if TYPE_CHECKING:
    from vecferry.domain.catalogue import ModelCard

_TIMEOUT_S = 120.0
_REQUESTS_AT_ONCE = 4


class EmbeddedAhead:
    """An embedder that knows some answers already, by the exact text; what it does not know it asks for.

    ``remembered`` outlives it: what an earlier page of the same chunk was told.
    """

    def __init__(self, embedder: Embedder, remembered: RememberedVectors | None = None) -> None:
        self._embedder = embedder
        self._remembered = remembered
        self._known: dict[str, tuple[float, ...] | Refused] = {}
        self._lock = Lock()
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
        new = self._unknown(texts)
        tokens = 0
        if new:
            answer = self._embedder.embed_documents(new, purpose=purpose, timeout_s=timeout_s)
            tokens = answer.tokens
            with self._lock:
                self._known.update(zip(new, answer.vectors, strict=True))
                self.tokens += tokens
            self._remember(zip(new, answer.vectors, strict=True))
        return Embedded(tuple(self._known[text] for text in texts), tokens)

    def _unknown(self, texts: Sequence[str]) -> list[str]:
        """In order, each once."""
        unknown = [text for text in dict.fromkeys(texts) if text not in self._known]
        if self._remembered is None:
            return unknown
        told = {text: vector for text in unknown if (vector := self._remembered.get(text)) is not None}
        with self._lock:
            self._known.update(told)
        return [text for text in unknown if text not in told]

    def _remember(self, answers: Iterable[tuple[str, tuple[float, ...] | Refused]]) -> None:
        for text, vector in answers:
            if self._remembered is not None and not isinstance(vector, Refused):
                self._remembered.put(text, vector)

    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]:
        return self._embedder.embed_query(text, timeout_s=timeout_s)

    def check(self) -> None:
        self._embedder.check()


class _SeveralRequests(EmbeddedAhead):
    """Sends the requests that the model's limit of inputs makes of many texts side by side. What was answered is known, even
    if another of them failed."""

    def __init__(self, embedder: Embedder, executor: Callable[[int], Executor]) -> None:
        super().__init__(embedder)
        self._executor = executor

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded:
        most = self.card.inputs_per_request
        new = self._unknown(texts)
        if len(new) <= most:
            return super().embed_documents(texts, purpose=purpose, timeout_s=timeout_s)
        ask = super().embed_documents
        before = self.tokens
        with self._executor(_REQUESTS_AT_ONCE) as executor:
            requests = [new[start : start + most] for start in range(0, len(new), most)]
            sent = [executor.submit(ask, some, purpose=purpose, timeout_s=timeout_s) for some in requests]
        for request in sent:
            request.result()
        return Embedded(tuple(self._known[text] for text in texts), self.tokens - before)


def embed_ahead(
    spec: ShadowSpec,
    embedder: Embedder,
    read: ReadAhead,
    *,
    executor: Callable[[int], Executor],
    reinsert: Collection[str] = (),
) -> EmbeddedAhead:
    """Knows what these objects need as they were read. Only a saving: reconcile looks again under its rows, and asks for what
    changed."""
    ahead = _SeveralRequests(embedder, executor)
    wanted = [obj for key, obj in read.live.items() if key in reinsert or differences(spec, obj, read.shadow.get(key))]
    kept = {key: obj for key, obj in read.shadow.items() if key not in reinsert}
    vectors_for(spec, ahead, wanted, kept, purpose=Purpose.BACKFILL, timeout_s=_TIMEOUT_S)
    return ahead
