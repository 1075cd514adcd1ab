import pytest

from vecferry.adapters.memory.embedder import MemoryEmbedder, MemoryEmbedders, MemoryModelLists
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import NotFound, Retryable
from vecferry.ports import Purpose, Refused

OLD = ModelCard("acme", "old", "openai", 64)
NEW = ModelCard("acme", "new", "openai", 64)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_texts_that_share_words_are_near_and_others_are_not():
    embedder = MemoryEmbedder(OLD)
    query = embedder.embed_query("reset the password", timeout_s=1)
    near, far = embedder.embed_documents(
        ["how to reset the password", "annual leave policy"], purpose=Purpose.WRITE, timeout_s=1
    ).vectors
    assert cosine(query, near) > 0.5 > abs(cosine(query, far))


def test_two_models_of_one_length_have_unrelated_vectors():
    old, new = (MemoryEmbedder(card).embed_query("reset the password", timeout_s=1) for card in (OLD, NEW))
    assert abs(cosine(old, new)) < 0.4
    assert cosine(old, old) == pytest.approx(1, abs=1e-5)


def test_refused_texts_are_refused_alone_and_everything_is_counted():
    embedder = MemoryEmbedder(OLD, refuses={"bad"})
    answer = embedder.embed_documents(["good text", "bad"], purpose=Purpose.BACKFILL, timeout_s=1)
    assert isinstance(answer.vectors[1], Refused)
    assert not isinstance(answer.vectors[0], Refused)
    assert (embedder.calls, embedder.documents, embedder.tokens, answer.tokens) == (1, 2, 3, 3)


def test_the_hook_may_raise_before_anything_is_counted():
    def down(method, texts):
        raise Retryable("down")

    embedder = MemoryEmbedder(OLD, before=down)
    with pytest.raises(Retryable):
        embedder.embed_query("x", timeout_s=1)
    assert embedder.calls == 0


def test_one_embedder_per_space_and_who_pays_is_remembered():
    embedders = MemoryEmbedders(OLD, NEW)
    assert embedders.of(OLD.space, migration_id="m1") is embedders["old"]
    assert embedders.migrations == ["m1"]
    with pytest.raises(NotFound, match="not in the catalogue"):
        embedders["other"]


def test_the_model_list_says_gone_or_unreachable():
    lists = MemoryModelLists()
    assert lists.listed(OLD) is not None
    lists.removed.add("old")
    assert lists.listed(OLD) is None
    lists.unreachable = True
    with pytest.raises(Retryable):
        lists.listed(OLD)


def test_a_text_over_the_limit_does_not_fit_and_is_cut_to_it():
    embedder = MemoryEmbedder(ModelCard("acme", "short", "openai", 8, max_tokens=2))
    assert (embedder.fits("one two"), embedder.fits("one two three")) == (True, False)
    assert embedder.truncate("one two three") == "one two"
    assert embedder.count_tokens("one two three") == (3, "words")
