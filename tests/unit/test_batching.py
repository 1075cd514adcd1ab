import random

import pytest

from vecferry.adapters.embedders.api import Rejected
from vecferry.adapters.embedders.batching import Sent, embed_in_requests, requests_of
from vecferry.domain.request_limits import RequestLimits
from vecferry.errors import BadInput, Retryable
from vecferry.ports import Refused


class Server:
    """Vector = the text's number; refuses ``bad`` texts, and requests of more than ``most`` texts."""

    def __init__(self, bad=(), most=100):
        self.bad, self.most, self.sizes = set(bad), most, []

    def __call__(self, texts):
        self.sizes.append(len(texts))
        if len(texts) > self.most:
            raise Rejected("too large")
        if self.bad & set(texts):
            raise Rejected("against the policy")
        return Sent(tuple((float(text),) for text in texts), len(texts))


def embed(texts, server, inputs=100, tokens=10_000):
    return embed_in_requests(texts, RequestLimits(inputs, tokens), len, server, where="a model")


def numbers(count):
    return [str(i) for i in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_requests_keep_the_order_and_both_limits(seed):
    rng = random.Random(seed)
    texts = ["x" * rng.randint(1, 30) for _ in range(rng.randint(0, 60))]
    runs = list(requests_of(texts, RequestLimits(7, 40), len))
    assert [text for run in runs for text in run] == texts
    assert all(len(run) <= 7 and (len(run) == 1 or sum(map(len, run)) <= 40) for run in runs)


def test_a_text_larger_than_a_whole_request_goes_alone():
    assert list(requests_of(["a", "b" * 99, "c"], RequestLimits(10, 40), len)) == [["a"], ["b" * 99], ["c"]]


def test_answers_are_in_order_and_tokens_add_up():
    answer = embed(numbers(25), Server(), inputs=10)
    assert answer.vectors == tuple((float(i),) for i in range(25))
    assert answer.tokens == 25


def test_too_large_a_request_is_halved_until_it_passes():
    server = Server(most=3)
    assert len(embed(numbers(8), server).vectors) == 8
    assert server.sizes == [8, 4, 2, 2, 4, 2, 2]


def test_one_refused_text_costs_a_few_requests_and_no_other_text():
    server = Server(bad={"77"})
    vectors = embed(numbers(96), server).vectors
    assert vectors[77] == Refused("against the policy")
    assert [v for i, v in enumerate(vectors) if i != 77] == [(float(i),) for i in range(96) if i != 77]
    assert len(server.sizes) <= 15


def test_eight_refusals_without_an_exception_are_not_the_texts_fault():
    with pytest.raises(BadInput, match="every one of 8 texts was refused: against the policy"):
        embed(numbers(8), Server(bad=numbers(8)))
    assert embed(numbers(7), Server(bad=numbers(7))).vectors == (Refused("against the policy"),) * 7
    assert isinstance(embed(numbers(9), Server(bad=numbers(8))).vectors[8], tuple)


def test_other_failures_pass_through_and_nothing_is_split():
    def down(texts):
        calls.append(len(texts))
        raise Retryable("down")

    calls = []
    with pytest.raises(Retryable):
        embed(numbers(8), down)
    assert calls == [8]


def test_no_texts_are_no_request():
    server = Server()
    assert embed([], server).vectors == ()
    assert server.sizes == []
