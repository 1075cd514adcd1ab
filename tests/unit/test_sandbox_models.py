"""The sandbox's models: the same everywhere, of length 1, of three spaces, and with a vector for every text."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from vecferry.errors import BadInput
from vecferry.sandbox.corpus import build, load_corpus, texts_of
from vecferry.sandbox.models import CHAR, HASH, MODELS, WORD, load_models
from vecferry.sandbox.term_counts import CHARACTERS, WORDS, choose_terms, count_terms

TINY = ["the cat sat on the mat", "a dog ran in the park", "the park has a cat", "mats and dogs and parks"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    built = build(folder, documents=450, queries=10, packages=("fastapi", "weaviate", "httpx"))
    return texts_of(load_corpus(built.corpus))


@pytest.fixture(scope="module")
def models(texts):
    return load_models(texts)


@pytest.mark.parametrize("name", MODELS)
def test_any_text_has_a_finite_vector_of_length_1(models, texts, name):
    odd = ["", " ", "zzqqxx wwvvkk", "日本語", "\x00", "🚢" * 50, "a", "\ud800"]
    vectors = models[name].embed([*texts, *odd])
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts) + len(odd), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_texts_vector_does_not_depend_on_its_batch(models, texts, name):
    together = models[name].embed(texts[:20])
    apart = np.vstack([models[name].embed([text]) for text in texts[:20]])
    assert np.allclose(together, apart, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_different_texts_differ_by_more_than_the_fingerprints_tolerance(models, texts, name):
    alike = ["object 17 version 1", "object 17 version 2", "Object 17 version 1", "zzqqxx", "zzqqxy", ""]
    vectors = models[name].embed([*texts, *alike])
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0)
    assert cosines.max() < 0.999


def test_the_models_are_of_different_spaces(models, texts):
    vectors = {name: models[name].embed(texts) for name in MODELS}
    for one, other in ((WORD, CHAR), (WORD, HASH), (CHAR, HASH)):
        assert abs(np.mean(np.sum(vectors[one] * vectors[other], axis=1))) < 0.1


@pytest.mark.parametrize("name", [WORD, CHAR])
def test_a_fitted_model_finds_a_document_by_its_own_words(models, texts, name):
    documents = models[name].embed(texts)
    queries = models[name].embed([" ".join(text.split()[:40]) for text in texts])
    found = (queries @ documents.T).argmax(axis=1) == np.arange(len(texts))
    assert found.mean() > 0.6


def test_a_tiny_corpus_still_gives_384_dimensions_and_finds_its_texts():
    models = load_models(TINY)
    for name in MODELS:
        vectors = models[name].embed([*TINY, "cat on a mat"])
        assert vectors.shape == (5, 384)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert (vectors[:4] @ vectors[4]).argmax() == 0


@pytest.mark.parametrize("texts", [["alone in the world"], ["a", "b"], ["x" * 20, "y"]])
def test_degenerate_corpora_give_vectors_too(texts):
    for name, model in load_models(texts).items():
        assert np.allclose(np.linalg.norm(model.embed(texts), axis=1), 1, atol=1e-5), name


def test_a_corpus_without_text_is_refused():
    with pytest.raises(BadInput, match="no text"):
        load_models(["", " "])


@pytest.mark.parametrize("corpus", [TINY, ["a", "b"]])
def test_models_from_the_cache_give_the_same_vectors(tmp_path, corpus):
    fitted, stored = load_models(corpus, tmp_path), load_models(corpus, tmp_path)
    for name in MODELS:
        assert np.array_equal(fitted[name].embed(TINY), stored[name].embed(TINY))


def test_another_corpus_is_not_answered_from_the_cache(tmp_path):
    load_models(TINY, tmp_path)
    other = load_models(TINY[:3], tmp_path)[WORD]
    assert np.array_equal(other.embed(TINY), load_models(TINY[:3])[WORD].embed(TINY))


def test_another_process_fits_the_same_models():
    script = (
        "import sys; from vecferry.sandbox.models import load_models\n"
        f"texts = {TINY!r}\n"
        "for model in load_models(texts).values(): sys.stdout.buffer.write(model.embed(texts).tobytes())"
    )
    # Hash randomisation differs between the two: an order taken from a set would show.
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=120).stdout
    here = b"".join(model.embed(TINY).tobytes() for model in load_models(TINY).values())
    assert np.allclose(np.frombuffer(there, np.float32), np.frombuffer(here, np.float32), atol=1e-6)


@pytest.mark.parametrize(
    ("analyser", "reference"),
    [(WORDS, CountVectorizer()), (CHARACTERS, CountVectorizer(analyzer="char_wb", ngram_range=(3, 5)))],
)
def test_terms_are_counted_as_scikit_learn_counts_them(texts, analyser, reference):
    expected = reference.fit_transform(texts[:50])
    terms, chosen = choose_terms(texts[:50], analyser, min_documents=1, most=10**6)
    assert terms == sorted(reference.vocabulary_)
    counted = count_terms(texts[:50], analyser, {term: i for i, term in enumerate(terms)})
    assert abs(counted - expected).nnz == 0
    assert abs(chosen - expected).nnz == 0
