"""Each fault that can be switched on, as the SDKs see it."""

import time

import cohere
import httpx
import numpy as np
import openai
import pytest
from cohere.core.api_error import ApiError

from tests.integration.sandbox_provider.asking import KEY, TEXTS, close, embed_cohere, switch_on, vectors_of
from vecferry.sandbox.models import CHAR, HASH, WORD


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
