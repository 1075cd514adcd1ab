"""The real SDKs against a loopback server."""

import gc
import logging
import os
import socket
import time
import traceback
import warnings
from dataclasses import replace

import pytest

from tests.support.fake_provider import FakeProvider, Reply
from vecferry.adapters.embedders.credentials import Credentials
from vecferry.adapters.embedders.embedders import ProviderEmbedders, card_of
from vecferry.adapters.embedders.model_lists import ProviderModelLists
from vecferry.adapters.memory.clock import ManualClock
from vecferry.adapters.memory.ledger import MemoryLedger
from vecferry.adapters.system_clock import SystemClock
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.errors import BadInput, NeedsPerson, Paused, Retryable
from vecferry.ports import Purpose, Refused, Spend

APIS = ("openai", "cohere")
TEXTS = ["how to reset it", "annual leave", "three words here"]


@pytest.fixture
def provider():
    with FakeProvider() as server:
        yield server


@pytest.fixture(params=APIS)
def api(request):
    return request.param


def embedder(provider, api, *, environment=None, **card):
    card = provider.card(api, **card)
    credentials = Credentials(provider.environment(**(environment or {})))
    return ProviderEmbedders(Catalogue((card,)), None, credentials, SystemClock()).of(card.space)


def documents(some, texts=TEXTS, timeout_s=5.0):
    return some.embed_documents(texts, purpose=Purpose.BACKFILL, timeout_s=timeout_s)


def test_documents_come_back_in_order_with_the_billed_tokens(provider, api):
    some = embedder(provider, api)
    answer = documents(some)
    one_by_one = [documents(some, [text]).vectors[0] for text in TEXTS]
    for together, alone in zip(answer.vectors, one_by_one, strict=True):
        assert together == pytest.approx(alone, abs=1e-6)
    assert answer.tokens == 9


def test_a_query_is_one_request_and_check_is_one_too(provider, api):
    some = embedder(provider, api)
    assert len(some.embed_query("reset", timeout_s=5)) == 32
    some.check()
    assert len(provider.requests) == 2


def test_cohere_is_told_what_the_text_is_for_and_never_to_truncate(provider):
    some = embedder(provider, "cohere", query_task="classification", sends_dimensions=True)
    documents(some)
    some.embed_query("q", timeout_s=5)
    (path, first), (_, second) = provider.requests
    assert path == "/cohere/v2/embed"
    assert (first["input_type"], first["truncate"], first["output_dimension"]) == ("search_document", "NONE", 32)
    assert second["input_type"] == "classification"


def test_openai_puts_the_task_before_the_text_and_sends_dimensions_only_if_the_card_says_so(provider):
    documents(embedder(provider, "openai", document_task="passage: "), ["a"])
    documents(embedder(provider, "openai", sends_dimensions=True), ["a"])
    (path, first), (_, second) = provider.requests
    assert path == "/openai/v1/embeddings"
    assert first["input"] == ["passage: a"]
    assert "dimensions" not in first
    assert second["dimensions"] == 32


def test_texts_are_split_by_the_inputs_of_a_request(provider, api):
    documents(embedder(provider, api, inputs_per_request=2), ["a", "b", "c", "d", "e"])
    assert [len(body.get("input") or body["texts"]) for _, body in provider.requests] == [2, 2, 1]


def test_a_request_that_is_too_large_is_halved(provider, api):
    provider.max_inputs = 2
    answer = documents(embedder(provider, api), ["a", "b", "c", "d"])
    assert not any(isinstance(vector, Refused) for vector in answer.vectors)


def test_one_refused_text_is_found_and_the_others_are_not_touched(provider, api):
    provider.refused = {"bad"}
    answer = documents(embedder(provider, api), [f"text {i}" for i in range(9)] + ["bad"])
    assert answer.vectors[9] == Refused("this text is against the policy")
    assert sum(isinstance(vector, Refused) for vector in answer.vectors) == 1


def test_all_texts_refused_is_no_answer(provider, api):
    provider.refused = {f"bad {i}" for i in range(8)}
    with pytest.raises(BadInput, match="every one of 8 texts was refused: this text is against the policy"):
        documents(embedder(provider, api), sorted(provider.refused))


@pytest.mark.parametrize(("api", "key_name"), [("openai", "OPENAI_API_KEY"), ("cohere", "CO_API_KEY")])
def test_a_wrong_key_is_named_and_never_shown(provider, api, key_name, caplog):
    caplog.set_level(logging.DEBUG)
    some = embedder(provider, api, environment={key_name: "sk-very-secret"})
    with pytest.raises(BadInput) as caught:
        some.check()
    path = "/openai/v1" if api == "openai" else "/cohere"
    assert str(caught.value) == (
        f"{api}/small@32 at {provider.url}{path}: the provider refuses the API key (HTTP 401). Put a valid key into {key_name}."
    )
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__) + caplog.text
    assert "sk-very-secret" not in shown
    assert len(provider.requests) == 1


def test_a_missing_key_is_said_before_anything_is_sent(provider, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-from-here")
    with pytest.raises(BadInput) as caught:
        embedder(provider, "openai", environment={"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""})
    assert str(caught.value) == "openai/small@32: no API key: OPENAI_API_KEY is not set. Set OPENAI_API_KEY."


def test_an_unknown_model_is_named(provider, api):
    with pytest.raises(BadInput) as caught:
        embedder(provider, api, model="smal").check()
    assert caught.value.what == "the provider does not know the model 'smal', or this account may not use it"
    assert len(provider.requests) == 1


def test_wrong_dimensions_in_the_catalogue_name_both_numbers_and_the_cure(provider, api):
    with pytest.raises(BadInput) as caught:
        embedder(provider, api, dimensions=48).check()
    assert caught.value.what == "the catalogue says 48 dimensions, the model answers with 32"
    assert caught.value.next_action == (f"Set dimensions = 32 for {api}/small in the file that VECFERRY_MODELS names.")
    assert len(provider.requests) == 1


def test_a_provider_that_is_down_is_named_by_its_address(provider, api):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
    some = embedder(provider, api, environment={"OPENAI_BASE_URL": url, "CO_API_URL": url})
    began = time.monotonic()
    with pytest.raises(Retryable, match="the server cannot be reached") as caught:
        documents(some, timeout_s=1.0)
    assert caught.value.where == f"{api}/small@32 at {url}"
    assert time.monotonic() - began < 1.5


def test_an_address_that_is_none_is_bad_input(provider, api):
    some = embedder(provider, api, environment={"OPENAI_BASE_URL": "localhost:1", "CO_API_URL": "localhost:1"})
    with pytest.raises(BadInput, match="this is no usable address"):
        documents(some, timeout_s=1.0)


def test_retry_after_is_honoured_whole(provider, api):
    provider.script.append(Reply(429, {"error": {"message": "slow down"}, "message": "slow down"}, {"Retry-After": "1"}))
    answer = documents(embedder(provider, api))
    assert len(answer.vectors) == 3
    first, second = provider.arrived
    assert 1.0 <= second - first < 2.0


def test_a_retry_after_beyond_the_time_left_is_not_waited_for(provider, api):
    provider.script.append(Reply(429, {"error": {"message": "slow down"}, "message": "slow down"}, {"Retry-After": "3600"}))
    began = time.monotonic()
    with pytest.raises(Retryable) as caught:
        documents(embedder(provider, api))
    assert caught.value.retry_after_s == 3600
    assert caught.value.what == "the provider limits the rate (HTTP 429) and asks to wait 3600 s: slow down"
    assert time.monotonic() - began < 60  # and not an hour
    assert len(provider.requests) == 1


def test_after_a_retry_after_backfill_holds_still_and_queries_do_not(provider, api):
    some = embedder(provider, api)
    provider.script.append(Reply(429, {"error": {"message": "slow"}, "message": "slow"}, {"Retry-After": "3600"}))
    with pytest.raises(Retryable):
        documents(some)
    with pytest.raises(Retryable):
        documents(some)
    assert len(provider.requests) == 1
    some.embed_query("still served", timeout_s=2)


def test_a_used_up_quota_pauses_and_is_not_tried_again(provider):
    body = {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}
    provider.script.append(Reply(429, body))
    with pytest.raises(Paused) as caught:
        documents(embedder(provider, "openai"))
    assert caught.value.what == "the account's quota is used up (HTTP 429): You exceeded your current quota"
    assert caught.value.next_action == "Raise it with the provider, then go on with: vecferry unpause."
    assert len(provider.requests) == 1


def test_coheres_monthly_limit_pauses(provider):
    provider.script.append(Reply(429, {"message": "a Trial key is limited to 1000 API calls / month"}))
    with pytest.raises(Paused):
        documents(embedder(provider, "cohere"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Reply(lose=1), "the answer has 2 vectors for 3 texts"),
        (Reply(value=float("nan")), "3 of 3 vectors hold NaN or infinity"),
        (Reply(body="{not what was asked"), "the answer cannot be read"),
        (Reply(body={"data": []}), "the answer"),
        (Reply(cut=40), "the connection broke before the answer was complete|the answer cannot be read"),
    ],
)
def test_an_unusable_answer_is_tried_again_three_times_and_then_named(provider, api, fault, said):
    some = embedder(provider, api)
    provider.script.extend([fault] * 3)
    with pytest.raises(Retryable, match=said):
        documents(some, timeout_s=20)
    assert len(provider.requests) == 3
    assert len(documents(some).vectors) == 3


def test_vectors_that_are_not_normalised_are_for_a_person(provider, api):
    provider.script.append(Reply(value=1.0))
    with pytest.raises(NeedsPerson, match=r"one has the norm 5\.657"):
        documents(embedder(provider, api))


def test_a_vector_of_zeros_is_that_texts_refusal(provider, api):
    provider.script.extend([Reply(value=0.0), Reply(value=0.0)])
    some = embedder(provider, api)
    assert all(isinstance(vector, Refused) for vector in documents(some).vectors)
    with pytest.raises(BadInput, match="there is no vector for this query"):
        some.embed_query("unknown words", timeout_s=5)


def test_server_errors_are_retried_by_us_alone(provider, api):
    provider.script.extend([Reply(503, {"message": "restarting"})] * 2)
    assert len(documents(embedder(provider, api)).vectors) == 3
    assert len(provider.requests) == 3


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_the_sdks_do_not_retry(provider, api, status):
    provider.script.extend([Reply(status, {"message": "boom"})] * 3)
    with pytest.raises(Retryable, match=f"HTTP {status}"):
        embedder(provider, api)._api.send(["one request"], query=False, timeout_s=5)
    assert len(provider.requests) == 1


def test_a_silent_server_costs_no_more_than_the_timeout(provider, api):
    provider.script.extend([Reply(delay_s=3.0)] * 5)
    some = embedder(provider, api)
    some._api._client()  # The SDKs' import time is not the server's.
    began = time.monotonic()
    with pytest.raises(Retryable, match="no answer in time"):
        documents(some, timeout_s=0.5)
    assert time.monotonic() - began < 1.0


def test_a_fork_gets_its_own_connections_and_limiter(provider, api):
    some = embedder(provider, api)
    documents(some)
    parents = (some._api._client(), some._limiter())
    child = os.fork()
    if child == 0:
        served = len(some.embed_query("from the child", timeout_s=5)) == 32
        own = some._api._client() is not parents[0] and some._limiter() is not parents[1]
        os._exit(0 if served and own else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(some.embed_query("from the parent", timeout_s=5)) == 32
    assert (some._api._client(), some._limiter()) == parents


def test_spend_is_booked_on_the_pin(provider, api):
    card = provider.card(api, usd_per_million_tokens=1_000_000.0)
    ledger = MemoryLedger(ManualClock())
    embedders = ProviderEmbedders(Catalogue((card,)), ledger, Credentials(provider.environment()), SystemClock())
    some = embedders.of(card.space, pin=Pin("Docs", "Docs", card.space, TextRecipe(("text",))))
    documents(some)
    assert ledger.spend(pin="Docs") == Spend(tokens=9, cost_usd=9.0, requests=1)
    some.embed_query("two words", timeout_s=5)
    embedders.close()
    assert ledger.spend(pin="Docs") == Spend(tokens=11, cost_usd=11.0, requests=2)


def test_one_embedder_per_space_and_payer_and_one_limiter_for_all_of_them(provider, api):
    card = provider.card(api)
    embedders = ProviderEmbedders(Catalogue((card,)), None, Credentials(provider.environment()), SystemClock())
    assert embedders.of(card.space) is embedders.of(card.space)
    assert embedders.of(card.space, pin=Pin("Docs", "Docs", card.space, TextRecipe(("t",)))) is not embedders.of(card.space)
    limiters = {some._limiter() for some in embedders._embedders.values()}
    assert len(limiters) == 1


def test_a_shorter_space_is_asked_of_a_model_that_can_shorten_and_refused_of_others(provider):
    card = provider.card(dimensions=64, sends_dimensions=True)
    assert card_of(Catalogue((card,)), replace(card.space, dimensions=32)).dimensions == 32
    with pytest.raises(BadInput, match="128 dimensions are asked of a model that has 64 by the catalogue"):
        card_of(Catalogue((card,)), replace(card.space, dimensions=128))
    with pytest.raises(BadInput, match="32 dimensions are asked"):
        card_of(Catalogue((replace(card, sends_dimensions=False),)), replace(card.space, dimensions=32))


def test_a_strangers_server_is_not_sent_the_openai_key():
    values = {"OPENAI_API_KEY": "sk-openai", "MY_KEY": "mine"}
    own = ModelCard("acme", "m", "openai", 8, base_url="http://127.0.0.1:1/v1")
    keys = [Credentials(values).of(card).api_key.get_secret_value() for card in (own, replace(own, api_key_env="MY_KEY"))]
    assert keys == ["unused", "mine"]


def test_the_key_is_in_no_repr(provider, api):
    some = embedder(provider, api, environment={"OPENAI_API_KEY": "sk-very-secret", "CO_API_KEY": "sk-very-secret"})
    assert "sk-very-secret" not in repr(vars(some._api)) + repr(some)


def lists(provider):
    return ProviderModelLists(Credentials(provider.environment()), timeout_s=5)


def test_openais_list_tells_the_shutdown_date(provider):
    provider.models = {"small": {"shutdown_date": "2027-01-04"}, "new": {}}
    said = lists(provider).listed(provider.card())
    assert (said.deprecated, said.shutdown_on) == (True, "2027-01-04")
    assert lists(provider).listed(provider.card(model="new")).deprecated is None


def test_coheres_list_tells_what_is_deprecated(provider):
    provider.models = {"small": {"is_deprecated": True}, "new": {"is_deprecated": False}}
    assert lists(provider).listed(provider.card("cohere")).deprecated is True
    assert lists(provider).listed(provider.card("cohere", model="new")).deprecated is False


def test_no_connection_is_left_open(provider, api):
    """A command that ends with an open socket says so on stderr, under Python's own warnings."""
    gc.collect()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        lists(provider).listed(provider.card(api))
        card = provider.card(api)
        made = ProviderEmbedders(Catalogue((card,)), None, Credentials(provider.environment()), SystemClock())
        made.of(card.space).embed_documents(TEXTS, purpose=Purpose.JUDGE, timeout_s=5)
        made.close()
        made.of(card.space).embed_documents(TEXTS, purpose=Purpose.JUDGE, timeout_s=5)  # it opens them again
        made.close()
        del made
        gc.collect()
    assert [str(one.message) for one in said if one.category is ResourceWarning] == []


def test_a_model_missing_in_the_list_is_gone_and_a_missing_list_is_not(provider, api):
    assert lists(provider).listed(provider.card(api, model="gone")) is None
    provider.lists = False
    with pytest.raises(Retryable, match="the model list cannot be had"):
        lists(provider).listed(provider.card(api))
