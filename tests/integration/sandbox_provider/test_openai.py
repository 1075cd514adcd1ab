"""OpenAI's API as the sandbox's provider speaks it."""

import base64

import numpy as np
import openai
import pytest

from tests.integration.sandbox_provider.asking import KEY, TEXTS, close, vectors_of
from vecferry.sandbox.models import CHAR, HASH, WORD


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


def test_a_body_that_is_no_json_is_a_bad_request(control):
    for body in ("{", "[1]"):
        answer = control.post("/v1/embeddings", content=body, headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 400
        assert "JSON" in answer.json()["error"]["message"]
