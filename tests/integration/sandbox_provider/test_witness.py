"""The product's own embedder over HTTP: a model that changes under its name, and back, between two gates."""

from __future__ import annotations

import numpy as np
import pytest

from tests.integration.sandbox_provider.asking import KEY, TEXTS, switch_on
from vecferry.adapters.embedders.credentials import Credentials
from vecferry.adapters.embedders.embedder import ProviderEmbedder
from vecferry.adapters.embedders.embedders import ProviderEmbedders
from vecferry.adapters.memory.clock import ManualClock
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.adapters.system_clock import SystemClock
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.errors import ModelChanged
from vecferry.ports import Purpose
from vecferry.sandbox.models import CHAR
from vecferry.steps import fingerprint

FOX = "The quick brown fox jumps over the lazy dog."


class Pinned:
    """One model behind one API, whose fingerprint was taken when it was pinned; the ledger keeps the books."""

    def __init__(self, address, api: str) -> None:
        self.card = ModelCard(api, CHAR, api, 384, usd_per_million_tokens=1_000_000.0)
        self.ledger = MemoryLedger(ManualClock())
        urls = {"OPENAI_BASE_URL": address.openai_url, "CO_API_URL": address.cohere_url}
        credentials = Credentials({"OPENAI_API_KEY": KEY, "CO_API_KEY": KEY, **urls})
        self._embedders = ProviderEmbedders(Catalogue((self.card,)), self.ledger, credentials, SystemClock())
        taken = fingerprint.take(self._embedders.of(self.card.space), timeout_s=20)
        self.pin = Pin("Docs", "Docs", self.card.space, TextRecipe(("text",)), fingerprint=taken)

    @property
    def embedder(self) -> ProviderEmbedder:
        return self._embedders.of(self.card.space, pin=self.pin)

    def documents(self, texts=TEXTS):
        return self.embedder.embed_documents(texts, purpose=Purpose.BACKFILL, timeout_s=20)


@pytest.fixture(params=["openai", "cohere"])
def pinned(request, address, control):
    made = Pinned(address, request.param)
    control.delete("/_usage").raise_for_status()
    return made


def right(models):
    return models[CHAR].embed(TEXTS)


def test_a_model_that_answers_as_before_is_believed_and_its_witness_is_billed(pinned, control, models):
    answer = pinned.documents()
    assert np.allclose(np.array(answer.vectors), right(models), atol=1e-6)
    usage = control.get("/_usage").json()["total"]
    assert usage["requests"] == 1
    assert answer.tokens == usage["tokens"] == pinned.ledger.spend(pin="Docs").tokens
    without = pinned._embedders.of(pinned.card.space, witnessed=False)
    alone = without.embed_documents(TEXTS, purpose=Purpose.JUDGE, timeout_s=20).tokens
    assert 0 < answer.tokens - alone <= 20


def test_a_change_of_a_moment_costs_a_second_request_and_nothing_else(pinned, control, models):
    switch_on(control, "silent_change", times=1)
    assert np.allclose(np.array(pinned.documents().vectors), right(models), atol=1e-6)
    usage = control.get("/_usage").json()["total"]
    assert usage["requests"] == 2
    assert pinned.ledger.spend(pin="Docs").tokens == usage["tokens"]


def test_a_change_that_lasts_is_named_after_three_paid_attempts(pinned, control):
    switch_on(control, "silent_change", cosine=0.93)
    with pytest.raises(ModelChanged, match=r"\(cosine 0\.93\d\d for a fixed text\)") as caught:
        pinned.documents()
    assert caught.value.where.startswith(f"{pinned.card.space.id} at http://")
    usage = control.get("/_usage").json()["total"]
    assert usage["requests"] == 3
    assert pinned.ledger.spend(pin="Docs").tokens == usage["tokens"]


@pytest.mark.parametrize("settings", [{}, {"space": "sandbox-word-1"}])
def test_vectors_of_another_space_are_never_handed_on(pinned, control, settings):
    switch_on(control, "foreign_space", **settings)
    with pytest.raises(ModelChanged):
        pinned.documents(["one text"])


def test_cohere_answers_in_the_wrong_order_are_noticed(address, control, models):
    """It has no index to tell by: each object would get its neighbour's vector."""
    pinned = Pinned(address, "cohere")
    switch_on(control, "shuffled", times=1)
    assert np.allclose(np.array(pinned.documents().vectors), right(models), atol=1e-6)


def test_a_query_is_one_text_as_before(pinned, control):
    alone = pinned._embedders.of(pinned.card.space).embed_query(FOX, timeout_s=20)
    first = control.get("/_usage").json()["total"]["tokens"]
    assert pinned.embedder.embed_query(FOX, timeout_s=20) == alone
    assert control.get("/_usage").json()["total"]["tokens"] == 2 * first
