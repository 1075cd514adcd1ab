"""One model of one provider, with everything that a call needs around the bare request."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from vecferry.adapters.embedders import tokens as token_counts
from vecferry.adapters.embedders.api import Answer, Api, Rejected
from vecferry.adapters.embedders.batching import Sent, embed_in_requests
from vecferry.adapters.embedders.checking import checked
from vecferry.adapters.embedders.deadline import Deadline
from vecferry.adapters.embedders.limiting import Limiter
from vecferry.adapters.embedders.per_process import PerProcess
from vecferry.adapters.embedders.retrying import retried
from vecferry.adapters.embedders.spending import Spending
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.fingerprint import Witness, witness_of
from vecferry.domain.request_limits import RequestLimits, request_limits
from vecferry.errors import BadInput, Retryable
from vecferry.ports import Clock, Embedded, Purpose, Refused
from vecferry.protocol.same_model import Reference, changed, confirmed, unknown

CHECK_TIMEOUT_S = 15.0
CHECK_TEXT = "Return the value of the given object as a new list."
"""Ordinary words: a model fitted on somebody's own texts has no vector for strange ones."""


class ProviderEmbedder:
    """Each request: room at the limiter → money reserved → sent → billed → checked; that repeated while time is left.

    Where ``reference`` gives a fingerprint, each request for documents carries one of its texts more, whose vector must be as
    it was; queries are as they are.
    """

    def __init__(
        self,
        card: ModelCard,
        api: Api,
        *,
        limiter: PerProcess[Limiter],
        spending: PerProcess[Spending],
        clock: Clock,
        reference: Reference = unknown,
    ) -> None:
        self._card = card
        self._api = api
        self._limiter = limiter
        self._spending = spending
        self._clock = clock
        self.reference = reference

    def held_against(self, reference: Reference) -> ProviderEmbedder:
        """The same one, with its connections, limiter and books, and another fingerprint."""
        other = copy(self)
        other.reference = reference
        return other

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
        witness = witness_of(self.reference()) if texts else None
        limits = request_limits(self._card)
        return embed_in_requests(
            texts,
            limits if witness is None else limits.beside(self._tokens_of(witness.text)),
            self._tokens_of,
            lambda some: self._documents(some, witness, limits, purpose, deadline),
            where=self._api.where,
        )

    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]:
        try:
            sent = self._send([text], None, Purpose.QUERY, Deadline(self._clock, timeout_s))
        except Rejected as rejected:
            raise self._no_vector(str(rejected)) from rejected
        (vector,) = sent.vectors
        if isinstance(vector, Refused):
            raise self._no_vector(vector.reason)
        return vector

    def check(self) -> None:
        self.embed_query(CHECK_TEXT, timeout_s=CHECK_TIMEOUT_S)

    def close(self) -> None:
        self._api.close()

    def flush(self) -> None:
        """Books what queries have cost so far."""
        self._spending().flush()

    @property
    def _room(self) -> int:
        """Tokens for the text itself; on the OpenAI API the task is a prefix, and takes its part."""
        prefix = self._card.document_task if self._card.api == "openai" else ""
        return self._card.max_tokens - (self._tokens_of(prefix) if prefix else 0)

    def _documents(
        self, texts: Sequence[str], witness: Witness | None, limits: RequestLimits, purpose: Purpose, deadline: Deadline
    ) -> Sent:
        """One request. Two where text and witness do not go together, by the catalogue or because the provider says so: a
        refusal of both is none of the text."""
        if witness is None or self._go_together([*texts, witness.text], limits):
            try:
                return self._send(texts, witness, purpose, deadline)
            except Rejected:
                if witness is None or len(texts) > 1:
                    raise
        sent = self._send(texts, None, purpose, deadline)
        return Sent(sent.vectors, sent.tokens + self._afterwards(witness, purpose, deadline))

    def _go_together(self, texts: Sequence[str], limits: RequestLimits) -> bool:
        return len(texts) <= limits.inputs and sum(self._tokens_of(text) for text in texts) <= limits.tokens

    def _afterwards(self, witness: Witness, purpose: Purpose, deadline: Deadline) -> int:
        """Asks the witness alone, right after what it is to vouch for; its tokens."""
        try:
            return self._send([], witness, purpose, deadline).tokens
        except Rejected as rejected:
            raise changed("a refusal", where=self._api.where) from rejected

    def _send(self, texts: Sequence[str], witness: Witness | None, purpose: Purpose, deadline: Deadline) -> Sent:
        asked = list(texts) if witness is None else [*texts, witness.text]
        estimate = sum(self._tokens_of(text) for text in asked)
        return retried(lambda: self._attempt(asked, witness, purpose, deadline, estimate), deadline)

    def _attempt(
        self, asked: Sequence[str], witness: Witness | None, purpose: Purpose, deadline: Deadline, estimate: int
    ) -> Sent:
        self._limiter().acquire(purpose, tokens=estimate, inputs=len(asked), deadline=deadline)
        with self._spending().sending(purpose, estimate) as bill:
            answer = self._request(asked, self._time_left_s(deadline), query=purpose is Purpose.QUERY)
            bill.tokens = estimate if answer.tokens is None else answer.tokens
            self._limiter().answered(purpose, estimated=estimate, billed=bill.tokens, said=answer.rate)
            vectors = checked(self._card, answer, len(asked), where=self._api.where)
            if witness is not None:
                vectors = confirmed(witness, vectors, where=self._api.where)
            return Sent(vectors, bill.tokens)

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
