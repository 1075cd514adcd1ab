"""Cohere's API as the sandbox's provider speaks it."""

import base64

import cohere
import numpy as np
import pytest

from tests.integration.sandbox_provider.asking import KEY, TEXTS, close, embed_cohere, vectors_of
from vecferry.sandbox.models import WORD


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
