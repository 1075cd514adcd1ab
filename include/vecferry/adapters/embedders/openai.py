"""OpenAI's embedding API, and every server that speaks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vecferry.adapters.embedders.api import Answer
from vecferry.adapters.embedders.credentials import Credential
from vecferry.adapters.embedders.per_process import PerProcess
from vecferry.adapters.embedders.rate_headers import rate_headers
from vecferry.adapters.embedders.translating import Failure, Place, no_answer, refused_by, retry_after_s
from vecferry.adapters.embedders.transport import answered, timeout_within, transport_failure
from vecferry.domain.catalogue import ModelCard

if TYPE_CHECKING:
    from openai import OpenAI


class OpenAIApi:
    """``document_task`` and ``query_task`` are put before the texts: this API has no other place for them."""

    def __init__(self, card: ModelCard, credential: Credential) -> None:
        self._card = card
        self._place = Place(card.space.id, card.model, credential)
        self._client = PerProcess(lambda: connect(credential))

    @property
    def where(self) -> str:
        return self._place.where

    def send(self, texts: Sequence[str], *, query: bool, timeout_s: float) -> Answer:
        prefix = self._card.query_task if query else self._card.document_task
        options: dict[str, Any] = {"dimensions": self._card.dimensions} if self._card.sends_dimensions else {}

        def ask() -> Answer:
            response = self._client().embeddings.with_raw_response.create(
                model=self._card.model,
                input=[prefix + text for text in texts],
                timeout=timeout_of(timeout_s),
                **options,
            )
            return _answer(response.parse(), response.headers)

        return answered(ask, translated, self._place)

    def close(self) -> None:
        client = self._client.taken()
        if client is not None:
            client.close()


def connect(credential: Credential) -> OpenAI:
    from openai import OpenAI

    return OpenAI(api_key=credential.api_key.get_secret_value(), base_url=credential.base_url, max_retries=0)


def timeout_of(timeout_s: float) -> Any:
    import httpx2

    return timeout_within(timeout_s, httpx2)


def _answer(response: Any, headers: Any) -> Answer:
    # The specification allows any order; the index says which is which.
    data = sorted(response.data, key=lambda item: item.index)
    usage = getattr(response, "usage", None)
    rate = rate_headers({name.lower(): value for name, value in headers.items()})
    return Answer([item.embedding for item in data], getattr(usage, "total_tokens", None), rate)


def translated(error: Exception, place: Place) -> Exception:
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return refused_by(_failure(error), place)
    cause = error.__cause__ or error  # the SDK wraps what its transport raises
    failure = transport_failure(cause, place, httpx2)
    return failure or no_answer(f"the answer cannot be read ({type(error).__name__}: {cause})", place)


def _failure(error: Any) -> Failure:
    headers = {name.lower(): value for name, value in error.response.headers.items()}
    body = error.body if isinstance(error.body, dict) else {}
    message = str(body.get("message") or error.message)
    return Failure(error.status_code, message, error.code or "", error.param or "", retry_after_s(headers))
