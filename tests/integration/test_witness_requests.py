"""What a request that carries a witness holds, and what becomes of it where the provider refuses."""

from __future__ import annotations

import pytest

from tests.support.fake_provider import FakeProvider, Reply
from vecferry.adapters.embedders.credentials import Credentials
from vecferry.adapters.embedders.embedder import ProviderEmbedder
from vecferry.adapters.embedders.embedders import ProviderEmbedders
from vecferry.adapters.memory.clock import ManualClock
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.adapters.system_clock import SystemClock
from vecferry.domain.catalogue import Catalogue
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.errors import ModelChanged
from vecferry.ports import Purpose, Refused
from vecferry.steps import fingerprint

FOX = "The quick brown fox jumps over the lazy dog."


@pytest.fixture
def provider():
    with FakeProvider() as server:
        yield server


@pytest.fixture(params=["openai", "cohere"])
def api(request):
    return request.param


def witnessed(provider, api, **card) -> tuple[ProviderEmbedder, MemoryLedger]:
    made = provider.card(api, **card)
    ledger = MemoryLedger(ManualClock())
    embedders = ProviderEmbedders(Catalogue((made,)), ledger, Credentials(provider.environment()), SystemClock())
    taken = fingerprint.take(embedders.of(made.space), timeout_s=20)
    pin = Pin("Docs", "Docs", made.space, TextRecipe(("text",)), fingerprint=taken)
    provider.requests.clear()
    return embedders.of(made.space, pin=pin), ledger


def documents(some, texts):
    return some.embed_documents(texts, purpose=Purpose.BACKFILL, timeout_s=20)


def asked(provider) -> list[list[str]]:
    return [body.get("input") or body["texts"] for _, body in provider.requests]


def test_each_request_carries_it_last_and_within_the_inputs_of_a_request(provider, api):
    some, ledger = witnessed(provider, api, inputs_per_request=3)
    answer = documents(some, ["a", "b", "c", "d", "e"])
    assert asked(provider) == [["a", "b", FOX], ["c", "d", FOX], ["e", FOX]]
    assert len(answer.vectors) == 5
    assert answer.tokens == ledger.spend(pin="Docs").tokens == 5 + 3 * 9


def test_the_tokens_of_a_request_have_room_for_it(provider):
    some, _ = witnessed(provider, "openai", tokens_per_request=31)
    documents(some, ["x" * 40, "y" * 40, "z" * 100])  # 10, 10 and 25 by estimate, beside the witness's 11
    assert asked(provider) == [["x" * 40, "y" * 40, FOX], ["z" * 100], [FOX]]


def test_a_server_that_takes_one_text_a_request_is_asked_afterwards(provider, api):
    some, _ = witnessed(provider, api, inputs_per_request=1)
    assert len(documents(some, ["a", "b"]).vectors) == 2
    assert asked(provider) == [["a"], [FOX], ["b"], [FOX]]


def test_a_server_that_refuses_both_together_refuses_neither_text(provider, api):
    some, _ = witnessed(provider, api)
    provider.max_inputs = 1
    assert not any(isinstance(vector, Refused) for vector in documents(some, ["a", "b"]).vectors)


def test_one_refused_text_is_found_and_every_other_answer_has_its_own_witness(provider, api):
    some, _ = witnessed(provider, api)
    provider.refused = {"bad"}
    answer = documents(some, ["a", "b", "c", "bad"])
    assert [isinstance(vector, Refused) for vector in answer.vectors] == [False, False, False, True]
    assert asked(provider) == [
        ["a", "b", "c", "bad", FOX],
        ["a", "b", FOX],
        ["c", "bad", FOX],
        ["c", FOX],
        ["bad", FOX],
        ["bad"],
    ]


def test_a_provider_that_refuses_the_witness_gets_nothing_stored(provider, api):
    some, _ = witnessed(provider, api)
    provider.refused = {FOX}
    with pytest.raises(ModelChanged, match=r"\(a refusal for a fixed text\)"):
        documents(some, ["a"])


def test_the_answer_afterwards_must_be_right_as_well(provider, api):
    some, _ = witnessed(provider, api, inputs_per_request=1)
    provider.script.extend([Reply(), *[Reply(value=(1 / 32) ** 0.5)] * 3])
    with pytest.raises(ModelChanged):
        documents(some, ["a"])
    assert asked(provider) == [["a"], [FOX], [FOX], [FOX]]


def test_a_pin_that_was_taken_anew_is_held_against_its_new_fingerprint(provider, api):
    made = provider.card(api)
    embedders = ProviderEmbedders(Catalogue((made,)), None, Credentials(provider.environment()), SystemClock())
    taken = fingerprint.take(embedders.of(made.space), timeout_s=20)
    backwards = tuple(tuple(-x for x in vector) for vector in taken)
    pins = [Pin("Docs", "Docs", made.space, TextRecipe(("text",)), fingerprint=one) for one in (backwards, taken)]
    with pytest.raises(ModelChanged, match=r"cosine -1\.0000"):
        documents(embedders.of(made.space, pin=pins[0]), ["a"])
    assert len(documents(embedders.of(made.space, pin=pins[1]), ["a"]).vectors) == 1
