"""Cohere's embedding API, version 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vecferry.adapters.embedders.api import Answer
from vecferry.adapters.embedders.credentials import Credential
from vecferry.adapters.embedders.per_process import PerProcess
from vecferry.adapters.embedders.translating import Failure, Place, no_answer, refused_by, retry_after_s
from vecferry.adapters.embedders.transport import answered, timeout_within, transport_failure
from vecferry.domain.catalogue import ModelCard

if TYPE_CHECKING:
    from cohere import ClientV2


class CohereApi:
    """``document_task`` and ``query_task`` are sent as ``input_type``, which the API requires."""

    def __init__(self, card: ModelCard, credential: Credential) -> None:
        self._card = card
        self._place = Place(card.space.id, card.model, credential)
        self._client = PerProcess(lambda: connect(credential))

    @property
    def where(self) -> str:
        return self._place.where

    def send(self, texts: Sequence[str], *, query: bool, timeout_s: float) -> Answer:
        card = self._card
        task = card.query_task or "search_query" if query else card.document_task or "search_document"
        options: dict[str, Any] = {"output_dimension": card.dimensions} if card.sends_dimensions else {}

        def ask() -> Answer:
            response = self._client().embed(
                model=card.model,
                texts=list(texts),
                input_type=task,
                embedding_types=["float"],
                # The server would cut texts silently; what is over the limit is the caller's to decide.
                truncate="NONE",
                request_options=request_options(timeout_s),
                **options,
            )
            return _answer(response)

        return answered(ask, translated, self._place)

    def close(self) -> None:
        client = self._client.taken()
        if client is not None:
            with client:  # the SDK closes it at the end of such a block, and in no other way
                pass


def connect(credential: Credential) -> ClientV2:
    from cohere import ClientV2

    return ClientV2(credential.api_key.get_secret_value(), base_url=credential.base_url, max_retries=0)


def request_options(timeout_s: float) -> Any:
    import httpx

    return {"max_retries": 0, "timeout": timeout_within(timeout_s, httpx)}


def _answer(response: Any) -> Answer:
    billed = getattr(getattr(response, "meta", None), "billed_units", None)
    tokens = getattr(billed, "input_tokens", None)
    return Answer(response.embeddings.float_, None if tokens is None else int(tokens))


def translated(error: Exception, place: Place) -> Exception:
    import httpx
    from cohere.core.api_error import ApiError

    if isinstance(error, ApiError) and (error.status_code or 0) >= 400:
        return refused_by(_failure(error), place)
    return transport_failure(error, place, httpx) or no_answer(f"the answer cannot be read ({type(error).__name__})", place)


def _failure(error: Any) -> Failure:
    headers = {str(name).lower(): value for name, value in (error.headers or {}).items()}
    body = error.body if isinstance(error.body, dict) else {"message": error.body}
    message = str(body.get("message") or body.get("detail") or "")
    return Failure(error.status_code, message, str(body.get("code") or ""), "", retry_after_s(headers))
