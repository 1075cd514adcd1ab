"""What the providers' own model lists say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vecferry.adapters.embedders import cohere, openai
from vecferry.adapters.embedders.credentials import Credential, Credentials
from vecferry.adapters.embedders.translating import Place
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import BadInput, Retryable
from vecferry.ports import ListedModel

TIMEOUT_S = 15.0


class ProviderModelLists:
    """Asked without a retry: whoever watches lists asks again by itself."""

    def __init__(self, credentials: Credentials, *, timeout_s: float = TIMEOUT_S) -> None:
        self._credentials = credentials
        self._timeout_s = timeout_s

    def listed(self, card: ModelCard) -> ListedModel | None:
        """From the whole list, not by the model's own address: a server without lists answers 404 there, and "this server
        has no lists" must not be read as "the model is gone"."""
        credential = self._credentials.of(card)
        ask = _cohere_models if card.api == "cohere" else _openai_models
        models = ask(credential, Place(card.space.id, card.model, credential), self._timeout_s)
        said = models.get(card.model)
        return None if said is None else ListedModel(card.provider, card.model, *said)


Says = dict[str, tuple[bool | None, str | None]]
"""By model: deprecated, shutdown date."""


def _openai_models(credential: Credential, place: Place, timeout_s: float) -> Says:
    def ask() -> Says:
        with openai.connect(credential) as client:
            listed = client.models.list(timeout=openai.timeout_of(timeout_s))
            dates = {model.id: getattr(model, "shutdown_date", None) for model in listed}
        return {name: (True if date else None, date) for name, date in dates.items()}

    return _asked(ask, lambda error: openai.translated(error, place), place)


def _cohere_models(credential: Credential, place: Place, timeout_s: float) -> Says:
    def ask() -> Says:
        page: str | None = None
        found: Says = {}
        options = cohere.request_options(timeout_s)
        with cohere.connect(credential) as client:
            while True:
                answer = client.models.list(page_size=1000, page_token=page, request_options=options)
                found |= {model.name or "": (model.is_deprecated, None) for model in answer.models}
                page = answer.next_page_token
                if not page:
                    return found

    return _asked(ask, lambda error: cohere.translated(error, place), place)


def _asked(ask: Callable[[], Says], translated: Callable[[Exception], Any], place: Place) -> Says:
    try:
        return ask()
    except Exception as error:
        failure = translated(error)
    if isinstance(failure, BadInput) and "API key" in failure.what:
        raise failure
    raise Retryable(
        f"the model list cannot be had: {getattr(failure, 'what', failure)}",
        where=place.where,
        next_action="Nothing is concluded from its absence; try again later.",
    )
