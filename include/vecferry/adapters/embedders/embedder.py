"""One model of one provider, with everything that a call needs around the bare request."""

from __future__ import annotations

from collections.abc import Sequence

from vecferry.adapters.embedders import tokens as token_counts
from vecferry.adapters.embedders.api import Answer, Api, Rejected
from vecferry.adapters.embedders.batching import Sent, embed_in_requests
from vecferry.adapters.embedders.checking import checked
from vecferry.adapters.embedders.deadline import Deadline
from vecferry.adapters.embedders.limiting import Limiter, request_limits
from vecferry.adapters.embedders.per_process import PerProcess
from vecferry.adapters.embedders.retrying import retried
from vecferry.adapters.embedders.spending import Spending
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import BadInput, Retryable
from vecferry.ports import Clock, Embedded, Purpose, Refused

CHECK_TIMEOUT_S = 15.0
CHECK_TEXT = "Return the value of the given object as a new list."
"""Ordinary words: a model fitted on somebody's own texts has no vector for strange ones."""


class ProviderEmbedder:
    """Each request: room at the limiter → money reserved → sent → billed → checked; that repeated while time is left."""

    def __init__(
        self, card: ModelCard, api: Api, *, limiter: PerProcess[Limiter], spending: PerProcess[Spending], clock: Clock
    ) -> None:
        self._card = card
        self._api = api
        self._limiter = limiter
        self._spending = spending
        self._clock = clock

    @property
    def card(self) -> ModelCard:
        return self._card

    def count_tokens(self, text: str) -> tuple[int, str]:
        return token_counts.count(text, self._card.model)

    def fits(self, text: str) -> bool:
        return self._tokens_of(text) <= self._room

    def truncate(self, text: str) -> str:
        return token_counts.truncate(text, self._room, self._card.model)

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded:
        deadline = Deadline(self._clock, timeout_s)
        return embed_in_requests(
            texts,
            request_limits(self._card),
            self._tokens_of,
            lambda some: self._send(some, purpose, deadline, query=False),
            where=self._api.where,
        )

    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]:
        try:
            sent = self._send([text], Purpose.QUERY, Deadline(self._clock, timeout_s), query=True)
        except Rejected as rejected:
            raise self._no_vector(str(rejected)) from rejected
        (vector,) = sent.vectors
        if isinstance(vector, Refused):
            raise self._no_vector(vector.reason)
        return vector

    def check(self) -> None:
        self.embed_query(CHECK_TEXT, timeout_s=CHECK_TIMEOUT_S)

    def flush(self) -> None:
        """Books what queries have cost so far."""
        self._spending().flush()

    @property
    def _room(self) -> int:
        """Tokens for the text itself; on the OpenAI API the task is a prefix, and takes its part."""
        prefix = self._card.document_task if self._card.api == "openai" else ""
        return self._card.max_tokens - (self._tokens_of(prefix) if prefix else 0)

    def _send(self, texts: Sequence[str], purpose: Purpose, deadline: Deadline, *, query: bool) -> Sent:
        estimate = sum(self._tokens_of(text) for text in texts)
        return retried(lambda: self._attempt(texts, purpose, deadline, estimate, query=query), deadline)

    def _attempt(self, texts: Sequence[str], purpose: Purpose, deadline: Deadline, estimate: int, *, query: bool) -> Sent:
        self._limiter().acquire(purpose, tokens=estimate, inputs=len(texts), deadline=deadline)
        with self._spending().sending(purpose, estimate) as bill:
            answer = self._request(texts, self._time_left_s(deadline), query=query)
            bill.tokens = estimate if answer.tokens is None else answer.tokens
            return Sent(checked(self._card, answer, len(texts), where=self._api.where), bill.tokens)

    def _request(self, texts: Sequence[str], timeout_s: float, *, query: bool) -> Answer:
        try:
            return self._api.send(texts, query=query, timeout_s=timeout_s)
        except Retryable as error:
            if error.retry_after_s is not None:
                self._limiter().hold(error.retry_after_s)
            raise

    def _time_left_s(self, deadline: Deadline) -> float:
        left_s = deadline.left_s()
        if left_s <= 0:
            raise Retryable(
                f"the {deadline.timeout_s:g} s of this call were over before anything was sent",
                where=self._api.where,
                next_action="Try again later, or allow more time.",
            )
        return left_s

    def _tokens_of(self, text: str) -> int:
        return token_counts.count(text, self._card.model).tokens

    def _no_vector(self, reason: str) -> BadInput:
        return BadInput(
            f"there is no vector for this query: {reason}", where=self._api.where, next_action="Ask with other words."
        )
