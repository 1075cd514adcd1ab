"""The sandbox's provider through the vendors' own SDKs, over HTTP on a loopback port."""

import base64
import contextlib
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cohere
import httpx
import numpy as np
import openai
import pytest
from cohere.core.api_error import ApiError

from vecferry.sandbox.corpus import build, load_corpus, texts_of
from vecferry.sandbox.models import CHAR, HASH, WORD, load_models
from vecferry.sandbox.provider import ProviderState, running

KEY = "sandbox-key-one"
OTHER_KEY = "sandbox-key-two"
TEXTS = ["send a request", "validate a model", "a client that keeps cookies"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    built = build(tmp_path_factory.mktemp("corpus"), documents=150, queries=10, packages=("httpx", "pydantic"))
    return load_models(texts_of(load_corpus(built.corpus)))


@pytest.fixture(scope="module")
def address(models):
    with running(ProviderState(models, keys=(KEY, OTHER_KEY))) as address:
        yield address


@pytest.fixture
def control(address):
    """The sandbox's own routes, with nothing switched on and nothing counted before and after."""

    def clear(client):
        for route in ("/_faults", "/_limits", "/_notices", "/_usage"):
            client.delete(route).raise_for_status()

    with httpx.Client(base_url=address.url, timeout=10) as client:
        clear(client)
        yield client
        clear(client)


@pytest.fixture
def ask_openai(address, control):
    with openai.OpenAI(base_url=address.openai_url, api_key=KEY, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def ask_cohere(address, control):
    return cohere.ClientV2(api_key=KEY, base_url=address.cohere_url, timeout=10)


def embed_cohere(client, texts=TEXTS, model=WORD, input_type="search_document", **more):
    # The SDK retries by itself unless it is told not to, request by request.
    return client.embed(
        model=model,
        texts=texts,
        input_type=input_type,
        request_options={"max_retries": 0},
        **{"embedding_types": ["float"], **more},
    )


def vectors_of(answer):
    if hasattr(answer, "data"):
        return np.array([item.embedding for item in answer.data], dtype=np.float32)
    return np.array(answer.embeddings.float_, dtype=np.float32)


def close(one, other):
    return one.shape == other.shape and np.allclose(one, other, atol=1e-6)


# --- OpenAI -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", [openai.NOT_GIVEN, "float", "base64"])
def test_openai_embeddings_equal_the_models_own(ask_openai, models, encoding):
    answer = ask_openai.embeddings.create(model=WORD, input=TEXTS, encoding_format=encoding)
    if encoding == "base64":
        got = np.array([np.frombuffer(base64.b64decode(item.embedding), "<f4") for item in answer.data])
    else:
        got = vectors_of(answer)
    assert close(got, models[WORD].embed(TEXTS))
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert answer.model == WORD
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == sum(len(text) // 4 for text in TEXTS)


def test_one_string_and_equal_strings_are_answered(ask_openai, models):
    one = ask_openai.embeddings.create(model=CHAR, input="send a request")
    twice = ask_openai.embeddings.create(model=CHAR, input=["send a request"] * 2)
    expected = models[CHAR].embed(["send a request"])
    assert close(vectors_of(one), expected)
    assert close(vectors_of(twice), np.vstack([expected, expected]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"input": []}, "non-empty"),
        ({"input": ["fine", ""]}, r"input\[1\]' cannot be an empty string"),
        ({"input": ["x"] * 2049}, "maximum array length is 2048"),
        ({"input": ["x" * 4 * 8193]}, "maximum context length is 8192"),
        ({"input": ["x" * 4 * 8000] * 38}, "max 300000 tokens per request"),
        ({"input": [[1, 2, 3]]}, "token arrays are not supported"),
        ({"input": "x", "dimensions": 128}, "cannot be shortened to 128"),
    ],
)
def test_openai_refuses_what_can_never_succeed(ask_openai, wrong, message):
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        ask_openai.embeddings.create(model=WORD, **wrong)
    assert caught.value.type in ("invalid_request_error", "max_tokens_per_request")


def test_the_greatest_request_is_answered(ask_openai):
    answer = ask_openai.embeddings.create(model=HASH, input=["x" * 400] * 2048, dimensions=384)
    assert vectors_of(answer).shape == (2048, 384)


def test_an_unknown_model_is_not_found_in_openais_words(ask_openai):
    with pytest.raises(openai.NotFoundError, match="no-such-model") as caught:
        ask_openai.embeddings.create(model="no-such-model", input="x")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        ask_openai.models.retrieve("no-such-model")


def test_a_wrong_key_is_refused_by_both(address, control):
    with pytest.raises(openai.AuthenticationError) as caught:
        openai.OpenAI(base_url=address.openai_url, api_key="wrong", max_retries=0).embeddings.create(model=WORD, input="x")
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(cohere.UnauthorizedError):
        embed_cohere(cohere.ClientV2(api_key="wrong", base_url=address.cohere_url))
    assert control.get("/v1/models").status_code == 401
    assert control.get("/_usage").json()["by_status"] == {"401": 2}


def test_a_body_that_is_no_json_is_a_bad_request(control):
    for body in ("{", "[1]"):
        answer = control.post("/v1/embeddings", content=body, headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 400
        assert "JSON" in answer.json()["error"]["message"]


# --- Cohere -----------------------------------------------------------------------------------------------------------


def test_cohere_embeddings_equal_the_models_own(ask_cohere, models):
    answer = embed_cohere(ask_cohere)
    assert close(vectors_of(answer), models[WORD].embed(TEXTS))
    assert answer.meta.billed_units.input_tokens == sum(len(text) // 4 for text in TEXTS)
    assert answer.texts == TEXTS


def test_cohere_gives_base64_when_asked(ask_cohere, models):
    answer = embed_cohere(ask_cohere, embedding_types=["base64"])
    got = np.array([np.frombuffer(base64.b64decode(item), "<f4") for item in answer.embeddings.base64])
    assert close(got, models[WORD].embed(TEXTS))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"texts": ["x"] * 97}, "at most 96"),
        ({"texts": [""]}, "empty string"),
        ({"texts": ["x" * 4 * 8193], "truncate": "NONE"}, "more than 8192"),
        ({"input_type": "passage"}, "input_type is required"),
        ({"embedding_types": ["int8"]}, "not served"),
        ({"output_dimension": 256}, "output_dimension"),
    ],
)
def test_cohere_refuses_what_can_never_succeed(ask_cohere, wrong, message):
    with pytest.raises(cohere.BadRequestError) as caught:
        embed_cohere(ask_cohere, **wrong)
    assert message in caught.value.body["message"]


def test_cohere_requires_an_input_type(control):
    answer = control.post("/v2/embed", json={"model": WORD, "texts": ["x"]}, headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 400
    assert "input_type is required" in answer.json()["message"]


def test_cohere_cuts_long_texts_at_the_end_that_it_is_told_to(ask_cohere, models):
    long = "start " + "x " * 40_000 + " end"
    for truncate, kept in (("END", long[: 8192 * 4]), ("START", long[-8192 * 4 :])):
        answer = embed_cohere(ask_cohere, [long], truncate=truncate)
        assert close(vectors_of(answer), models[WORD].embed([kept]))
        assert answer.meta.billed_units.input_tokens == 8192


def test_cohere_does_not_know_an_unknown_model(ask_cohere):
    with pytest.raises(cohere.NotFoundError):
        embed_cohere(ask_cohere, model="no-such-model")


# --- base paths, usage, limits ----------------------------------------------------------------------------------------


def test_weaviates_modules_find_both_apis_without_a_prefix(address, control, models):
    expected = models[WORD].embed(TEXTS)
    bare = openai.OpenAI(base_url=f"{address.url}/v1", api_key=KEY, max_retries=0)
    assert close(vectors_of(bare.embeddings.create(model=WORD, input=TEXTS)), expected)
    assert {model.id for model in bare.models.list()} == {WORD, CHAR, HASH}
    also = cohere.ClientV2(api_key=KEY, base_url=address.url)
    assert close(vectors_of(embed_cohere(also)), expected)
    assert {model.name for model in also.models.list().models} == {WORD, CHAR, HASH}


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


# --- model lists and notices ------------------------------------------------------------------------------------------


def test_a_notice_stands_in_the_feed_and_in_both_model_lists(control, ask_openai, ask_cohere):
    assert ask_openai.models.retrieve(WORD).shutdown_date is None
    assert ask_cohere.models.get(WORD).is_deprecated is False
    control.post(
        "/_notices",
        json={"model_id": WORD, "shutdown_date": "2027-03-31", "replacement_models": [CHAR], "url": "https://docs.invalid/"},
    ).raise_for_status()
    (notice,) = control.get("/notices.json").json()
    assert (notice["model_id"], notice["shutdown_date"]) == (WORD, "2027-03-31")
    assert notice["replacement_models"] == [CHAR]
    assert notice["announcement_date"]
    assert notice["content_hash"]
    assert ask_openai.models.retrieve(WORD).shutdown_date == "2027-03-31"
    assert {model.id: model.shutdown_date for model in ask_openai.models.list()}[CHAR] is None
    assert ask_cohere.models.get(WORD).is_deprecated is True
    assert {model.name: model.is_deprecated for model in ask_cohere.models.list().models}[CHAR] is False


def test_the_feed_and_the_model_lists_can_disagree(control, ask_openai, ask_cohere):
    notice = {"model_id": WORD, "shutdown_date": "2027-03-31", "in_model_list": False}
    control.post("/_notices", json=notice).raise_for_status()
    assert ask_openai.models.retrieve(WORD).shutdown_date is None
    control.delete("/_notices")
    control.post("/_notices", json={**notice, "in_model_list": True, "in_feed": False}).raise_for_status()
    assert control.get("/notices.json").json() == []
    assert ask_openai.models.retrieve(WORD).shutdown_date == "2027-03-31"
    control.post(f"/_models/{WORD}", json={"shutdown_date": None}).raise_for_status()
    assert ask_openai.models.retrieve(WORD).shutdown_date is None
    assert ask_cohere.models.get(WORD).is_deprecated is True


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/_notices", {"shutdown_date": "2027-03-31"}),
        ("/_notices", {"model_id": WORD, "shutdown_date": "soon"}),
        ("/_notices", {"model_id": WORD, "ends": "2027-03-31"}),
        ("/_models/no-such-model", {"shutdown_date": "2027-03-31"}),
        (f"/_models/{WORD}", {"ends": "2027-03-31"}),
        ("/_limits", {"rpm": 3}),
        ("/_limits", {"requests_per_minute": 0}),
        ("/_limits", {"requests_per_minute": "many"}),
        ("/_limits", {"model": "no-such-model", "requests_per_minute": 3}),
        ("/_faults", {"kind": "gremlins"}),
        ("/_faults", {"kind": "nan", "cosine": 0.5}),
        ("/_faults", {"kind": "status", "status": 200}),
        ("/_faults", {"kind": "status", "rate": 30}),
        ("/_faults", {"kind": "foreign_space", "space": "no-such-model"}),
        ("/_faults", [{"kind": "nan"}, {"kind": "gremlins"}]),
        ("/_faults", 7),
    ],
)
def test_a_switch_that_is_not_understood_is_refused_and_changes_nothing(control, route, body):
    answer = control.post(route, json=body)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["message"]
    assert control.get("/_faults").json() == []
    assert control.get("/_limits").json() == {}
    assert control.get("/_notices").json() == []


# --- faults -----------------------------------------------------------------------------------------------------------


def switch_on(control, kind, **settings):
    control.post("/_faults", json={"kind": kind, **settings}).raise_for_status()


def test_a_status_fault_is_each_sdks_own_error(control, ask_openai, ask_cohere):
    switch_on(control, "status", status=503, retry_after_s=7, message="overloaded")
    with pytest.raises(openai.InternalServerError, match="overloaded") as caught:
        ask_openai.embeddings.create(model=WORD, input="x")
    assert (caught.value.status_code, caught.value.response.headers["retry-after"]) == (503, "7")
    with pytest.raises(ApiError) as refused:
        embed_cohere(ask_cohere)
    assert refused.value.status_code == 503
    control.delete("/_faults")
    ask_openai.embeddings.create(model=WORD, input="x")
    assert control.get("/_usage").json()["by_status"] == {"503": 2, "200": 1}


def test_a_rate_is_met_and_repeats_with_its_seed(control, ask_openai):
    def run():
        switch_on(control, "status", rate=0.3, seed=5)
        struck = []
        for _ in range(40):
            try:
                ask_openai.embeddings.create(model=WORD, input="x")
                struck.append(False)
            except openai.InternalServerError:
                struck.append(True)
        control.delete("/_faults")
        return struck

    first = run()
    assert 5 <= sum(first) <= 20
    assert run() == first


def test_a_fault_strikes_only_what_it_is_aimed_at_and_as_often_as_it_is_told(control, ask_openai, ask_cohere):
    switch_on(control, "status", model=WORD, input_type="search_query", times=1)
    ask_openai.embeddings.create(model=WORD, input="x")
    embed_cohere(ask_cohere, input_type="search_document")
    embed_cohere(ask_cohere, model=CHAR, input_type="search_query")
    with pytest.raises(ApiError):
        embed_cohere(ask_cohere, input_type="search_query")
    embed_cohere(ask_cohere, input_type="search_query")
    (fault,) = control.get("/_faults").json()
    assert fault["struck"] == 1
    assert control.delete(f"/_faults/{fault['id']}").json() == {"cleared": 1}


def test_quota_is_told_from_rate_by_its_code_and_has_no_retry_after(control, ask_openai, ask_cohere):
    switch_on(control, "quota")
    with pytest.raises(openai.RateLimitError) as caught:
        ask_openai.embeddings.create(model=WORD, input="x")
    assert caught.value.code == "insufficient_quota"
    assert "retry-after" not in caught.value.response.headers
    with pytest.raises(cohere.TooManyRequestsError):
        embed_cohere(ask_cohere)


def test_a_rate_limit_fault_says_how_long_to_wait(control, ask_openai):
    switch_on(control, "rate_limit", retry_after_s=90)
    with pytest.raises(openai.RateLimitError) as caught:
        ask_openai.embeddings.create(model=WORD, input="x")
    assert caught.value.response.headers["retry-after"] == "90"


def test_a_late_answer_is_right(control, ask_openai, models):
    switch_on(control, "latency", seconds=0.4)
    began_s = time.monotonic()
    answer = ask_openai.embeddings.create(model=WORD, input=TEXTS)
    assert time.monotonic() - began_s >= 0.4
    assert close(vectors_of(answer), models[WORD].embed(TEXTS))


def test_a_caller_that_gives_up_on_a_hanging_request_is_billed_all_the_same(control, ask_openai):
    switch_on(control, "hang", seconds=30)
    with pytest.raises(openai.APITimeoutError):
        ask_openai.with_options(timeout=0.3).embeddings.create(model=WORD, input=["12345678"])
    end_s = time.monotonic() + 5
    while not (total := control.get("/_usage").json()["total"])["requests"] and time.monotonic() < end_s:
        time.sleep(0.05)
    assert total == {"requests": 1, "failed": 1, "inputs": 1, "tokens": 2}


@pytest.mark.parametrize("fault", [{"kind": "disconnect"}, {"kind": "hang", "seconds": 0.1}])
def test_a_connection_closed_on_the_answer_is_a_connection_error(control, ask_openai, ask_cohere, fault):
    switch_on(control, **fault)
    with pytest.raises(openai.APIConnectionError):
        ask_openai.embeddings.create(model=WORD, input=TEXTS)
    with pytest.raises(httpx.RemoteProtocolError):
        embed_cohere(ask_cohere)
    assert control.get("/_usage").json()["by_status"] == {"0": 2}
    assert control.get("/_usage").json()["total"]["inputs"] == 6


def test_json_cut_in_half_is_no_json(control, ask_openai, ask_cohere):
    switch_on(control, "truncated")
    answer = control.post("/v1/embeddings", json={"model": WORD, "input": "x"}, headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r".+"):
        answer.json()
    with pytest.raises(Exception, match=r".+"):
        ask_openai.embeddings.create(model=WORD, input=TEXTS)
    with pytest.raises(ApiError):
        embed_cohere(ask_cohere)


@pytest.mark.parametrize(
    ("fault", "shape"),
    [
        ({"kind": "wrong_count"}, (2, 384)),
        ({"kind": "wrong_count", "delta": 2}, (5, 384)),
        ({"kind": "wrong_count", "delta": -3}, (0,)),
        ({"kind": "wrong_dimensions"}, (3, 383)),
        ({"kind": "wrong_dimensions", "dimensions": 768}, (3, 768)),
    ],
)
def test_answers_of_the_wrong_shape(control, ask_cohere, fault, shape):
    switch_on(control, **fault)
    assert vectors_of(embed_cohere(ask_cohere)).shape == shape


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_a_nan_is_sent_in_both_encodings(control, ask_openai, encoding):
    switch_on(control, "nan")
    create = ask_openai.embeddings.create
    answer = create(model=WORD, input=TEXTS, **({} if encoding == "base64" else {"encoding_format": "float"}))
    assert np.isnan(vectors_of(answer)).sum() == 1


def test_vectors_of_the_wrong_length_are_zero_or_scaled(control, ask_openai):
    switch_on(control, "zero", times=1)
    lengths = np.linalg.norm(vectors_of(ask_openai.embeddings.create(model=WORD, input=TEXTS)), axis=1)
    assert np.allclose(lengths, [0, 1, 1], atol=1e-5)
    switch_on(control, "scaled", factor=3)
    lengths = np.linalg.norm(vectors_of(ask_openai.embeddings.create(model=WORD, input=TEXTS)), axis=1)
    assert np.allclose(lengths, 3, atol=1e-5)


def test_shuffled_vectors_can_be_put_right_by_openais_index(control, ask_openai, models):
    switch_on(control, "shuffled")
    answer = ask_openai.embeddings.create(model=WORD, input=TEXTS)
    expected = models[WORD].embed(TEXTS)
    assert not close(vectors_of(answer), expected)
    answer.data.sort(key=lambda item: item.index)
    assert close(vectors_of(answer), expected)


def test_foreign_vectors_pass_every_check_but_quality(control, ask_cohere, models):
    switch_on(control, "foreign_space", model=CHAR, input_type="search_query")
    own = models[CHAR].embed(TEXTS)
    foreign = vectors_of(embed_cohere(ask_cohere, model=CHAR, input_type="search_query"))
    assert foreign.shape == own.shape
    assert np.allclose(np.linalg.norm(foreign, axis=1), 1, atol=1e-5)
    assert np.abs(np.sum(foreign * own, axis=1)).max() < 0.3
    assert close(vectors_of(embed_cohere(ask_cohere, model=CHAR, input_type="search_query")), foreign)
    assert close(vectors_of(embed_cohere(ask_cohere, model=CHAR)), own)


def test_a_foreign_space_can_be_another_models(control, ask_openai, models):
    switch_on(control, "foreign_space", model=CHAR, space=HASH)
    answer = ask_openai.embeddings.create(model=CHAR, input=TEXTS)
    assert answer.model == CHAR
    assert close(vectors_of(answer), models[HASH].embed(TEXTS))


def test_a_silent_change_moves_every_vector_to_the_cosine_it_is_told(control, ask_cohere, models):
    switch_on(control, "silent_change", input_type="search_document")
    moved = vectors_of(embed_cohere(ask_cohere))
    own = models[WORD].embed(TEXTS)
    assert np.allclose(np.sum(moved * own, axis=1), 0.93, atol=1e-4)
    assert np.allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)
    assert close(vectors_of(embed_cohere(ask_cohere)), moved)
    assert close(vectors_of(embed_cohere(ask_cohere, input_type="search_query")), own)


# --- starting and stopping --------------------------------------------------------------------------------------------


def test_the_provider_stops_with_a_request_hanging(models):
    with running(ProviderState(models)) as address:
        httpx.post(f"{address.url}/_faults", json={"kind": "hang", "seconds": 60}).raise_for_status()

        def hang():
            with contextlib.suppress(httpx.HTTPError):
                httpx.post(f"{address.url}/v1/embeddings", json={"model": WORD, "input": "x"}, timeout=30)

        asking = threading.Thread(target=hang)
        asking.start()
        end_s = time.monotonic() + 5
        while not httpx.get(f"{address.url}/_faults").json()[0]["struck"] and time.monotonic() < end_s:
            time.sleep(0.02)
        began_s = time.monotonic()
    asking.join(10)
    assert not asking.is_alive()
    assert time.monotonic() - began_s < 10
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address.url}/_health")


def test_the_command_serves_on_a_free_port_and_says_where(tmp_path):
    corpus = tmp_path / "docs.jsonl"
    corpus.write_text(
        "".join(
            f'{{"uuid": "00000000-0000-0000-0000-{n:012d}", "properties": {{"body": "text number {n} of some"}}}}\n'
            for n in range(5)
        )
    )
    command = [sys.executable, "-m", "vecferry.sandbox", "provider", "--corpus", corpus, "--cache", tmp_path / "cache"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            settings = dict(process.stdout.readline().strip().split("=", 1) for _ in range(3))
            answer = httpx.post(f"{settings['OPENAI_BASE_URL']}/embeddings", json={"model": WORD, "input": "text"})
            assert len(answer.json()["data"][0]["embedding"]) == 384
            assert settings["CO_API_URL"].endswith("/cohere")
            assert httpx.get(settings["VECFERRY_NOTICES"]).json() == []
        finally:
            process.terminate()
            process.wait(20)


def test_a_taken_port_and_a_bad_corpus_end_the_command_with_what_to_do(tmp_path):
    corpus = tmp_path / "docs.jsonl"
    corpus.write_text('{"uuid": "x"}\n')
    command = [sys.executable, "-m", "vecferry.sandbox", "provider", "--corpus", corpus, "--cache", tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=140)
    assert ended.returncode == 2
    assert f"{corpus}:1" in ended.stderr
    corpus.write_text('{"uuid": "00000000-0000-0000-0000-000000000001", "properties": {"body": "some text"}}\n')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run([*command, "--port", port], capture_output=True, text=True, timeout=140)
    assert ended.returncode == 2
    assert "Use --port 0" in ended.stderr
