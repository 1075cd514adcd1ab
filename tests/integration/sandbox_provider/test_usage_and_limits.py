"""What both APIs share: addresses, keys, counted usage and limits a minute."""

import time
from concurrent.futures import ThreadPoolExecutor

import cohere
import openai
import pytest

from tests.integration.sandbox_provider.asking import KEY, OTHER_KEY, TEXTS, close, embed_cohere, vectors_of
from vecferry.sandbox.models import CHAR, HASH, WORD


def test_weaviates_modules_find_both_apis_without_a_prefix(address, control, models):
    expected = models[WORD].embed(TEXTS)
    bare = openai.OpenAI(base_url=f"{address.url}/v1", api_key=KEY, max_retries=0)
    assert close(vectors_of(bare.embeddings.create(model=WORD, input=TEXTS)), expected)
    assert {model.id for model in bare.models.list()} == {WORD, CHAR, HASH}
    also = cohere.ClientV2(api_key=KEY, base_url=address.url)
    assert close(vectors_of(embed_cohere(also)), expected)
    assert {model.name for model in also.models.list().models} == {WORD, CHAR, HASH}


def test_a_wrong_key_is_refused_by_both(address, control):
    with pytest.raises(openai.AuthenticationError) as caught:
        openai.OpenAI(base_url=address.openai_url, api_key="wrong", max_retries=0).embeddings.create(model=WORD, input="x")
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(cohere.UnauthorizedError):
        embed_cohere(cohere.ClientV2(api_key="wrong", base_url=address.cohere_url))
    assert control.get("/v1/models").status_code == 401
    assert control.get("/_usage").json()["by_status"] == {"401": 2}


def test_every_request_is_counted_by_model_input_type_and_key(address, control, ask_openai, ask_cohere):
    ask_openai.embeddings.create(model=WORD, input=["12345678"] * 3)
    embed_cohere(ask_cohere, ["12345678"], CHAR, "search_query")
    embed_cohere(ask_cohere, ["12345678"] * 2, CHAR, "search_document")
    with pytest.raises(openai.BadRequestError):
        openai.OpenAI(base_url=address.openai_url, api_key=OTHER_KEY, max_retries=0).embeddings.create(model=WORD, input="")
    usage = control.get("/_usage").json()
    assert usage["total"] == {"requests": 4, "failed": 1, "inputs": 6, "tokens": 12}
    assert usage["by_model"][WORD] == {"requests": 1, "failed": 0, "inputs": 3, "tokens": 6}
    assert usage["by_model_and_input_type"][CHAR]["search_query"]["inputs"] == 1
    assert usage["by_input_type"]["search_document"]["tokens"] == 4
    assert usage["by_key"]["san…-one"]["requests"] == 3
    assert usage["by_key"]["san…-two"]["failed"] == 1
    assert usage["by_status"] == {"200": 3, "400": 1}
    assert KEY not in control.get("/_usage").text


def test_each_request_is_kept_with_its_texts_only_when_somebody_asked_for_it(control, ask_openai):
    ask_openai.embeddings.create(model=WORD, input="before")
    assert control.post("/_requests", json={"kept": True}).json() == {"kept": True}
    ask_openai.embeddings.create(model=WORD, input=["one", "two"])
    control.post("/_faults", json={"kind": "status"}).raise_for_status()
    with pytest.raises(openai.APIStatusError):
        ask_openai.embeddings.create(model=CHAR, input="refused")
    control.post("/_requests", json={"kept": False}).raise_for_status()
    answered, refused = control.get("/_requests").json()
    assert (answered["model"], answered["texts"], answered["billed"]) == (WORD, ["one", "two"], True)
    assert (refused["model"], refused["status"], refused["billed"]) == (CHAR, 500, False)
    control.delete("/_usage").raise_for_status()
    assert control.get("/_requests").json() == []


def test_concurrent_requests_are_all_answered_and_counted(control, ask_openai, models):
    def ask(n):
        return vectors_of(ask_openai.embeddings.create(model=WORD, input=[f"text {n}", "shared"]))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(40)))
    for n, got in enumerate(answers):
        assert close(got, models[WORD].embed([f"text {n}", "shared"]))
    assert control.get("/_usage").json()["total"]["inputs"] == 80


def test_over_the_limit_is_429_with_retry_after_for_that_key_and_model_only(address, control, ask_openai, ask_cohere):
    control.post("/_limits", json={"model": WORD, "requests_per_minute": 2}).raise_for_status()
    answer = ask_openai.embeddings.with_raw_response.create(model=WORD, input="x")
    assert answer.headers["x-ratelimit-limit-requests"] == "2"
    assert answer.headers["x-ratelimit-remaining-requests"] == "1"
    embed_cohere(ask_cohere)  # the same account: both APIs draw on one limit
    with pytest.raises(openai.RateLimitError) as caught:
        ask_openai.embeddings.create(model=WORD, input="x")
    assert 29 <= int(caught.value.response.headers["retry-after"]) <= 30
    assert caught.value.code == "rate_limit_exceeded"
    with pytest.raises(cohere.TooManyRequestsError) as refused:
        embed_cohere(ask_cohere)
    assert int(refused.value.headers["retry-after"]) <= 30
    ask_openai.embeddings.create(model=CHAR, input="x")
    openai.OpenAI(base_url=address.openai_url, api_key=OTHER_KEY, max_retries=0).embeddings.create(model=WORD, input="x")


def test_waiting_as_long_as_retry_after_says_is_enough(control, ask_openai):
    control.post("/_limits", json={"requests_per_minute": 60, "burst_s": 1}).raise_for_status()
    ask_openai.embeddings.create(model=WORD, input="x")
    with pytest.raises(openai.RateLimitError) as caught:
        ask_openai.embeddings.create(model=WORD, input="x")
    time.sleep(int(caught.value.response.headers["retry-after"]))
    ask_openai.embeddings.create(model=WORD, input="x")


@pytest.mark.parametrize(
    ("limit", "texts"),
    [({"tokens_per_minute": 10}, ["x" * 24]), ({"inputs_per_minute": 10}, ["x"] * 6)],
)
def test_tokens_and_inputs_a_minute_are_limited_too(control, ask_openai, limit, texts):
    control.post("/_limits", json=limit).raise_for_status()
    ask_openai.embeddings.create(model=WORD, input=texts)
    with pytest.raises(openai.RateLimitError, match="per minute"):
        ask_openai.embeddings.create(model=WORD, input=texts)
    assert control.get("/_usage").json()["total"]["inputs"] == len(texts)


def test_more_in_one_request_than_the_limit_ever_holds_says_so(control, ask_openai):
    control.post("/_limits", json={"inputs_per_minute": 10}).raise_for_status()
    with pytest.raises(openai.RateLimitError, match="11 inputs in one request, and 10 fit"):
        ask_openai.embeddings.create(model=WORD, input=["x"] * 11)
