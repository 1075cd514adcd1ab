"""The sandbox's embedding models: scikit-learn on the corpus, small enough to fit anywhere, real enough to differ.

=================  ====================================================================  ==================
model              what it is                                                            what it is for
=================  ====================================================================  ==================
sandbox-word-1     latent semantic analysis of words (sublinear tf, in ≥ 2 texts)         the model that ends
sandbox-char-2     the same of character 3–5-grams within words, 40,000 of them           its better successor
sandbox-hash-bad   signed hashing of words, no weights                                    must not pass
=================  ====================================================================  ==================

All give 384 dimensions, float32, length 1, and each is turned by a rotation of its own: equal in shape and alike in
scale, but of three spaces, so a vector of one says nothing in another (as with real models of one length).

A twentieth of every vector is drawn from a hash of its text. So texts that a model cannot tell apart still differ by
more than any tolerance for "the same embedding" (cosine 0.9975 against 0.999), texts of unknown words have a direction,
and both are the same in every process.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import sklearn
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from vecferry.errors import BadInput
from vecferry.sandbox.term_counts import CHARACTERS, WORDS, Analyser, choose_terms, count_terms

DIMENSIONS = 384
WORD, CHAR, HASH = "sandbox-word-1", "sandbox-char-2", "sandbox-hash-bad"
MODELS = (WORD, CHAR, HASH)
OWN_PART = 0.05
FIT_TEXTS = 5000  # a bigger corpus is fitted on this many of its texts, so that fitting stays within seconds
SHAPE = 1  # raise it when vectors change: old caches are then fitted anew


class Model(Protocol):
    @property
    def name(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Float32 array (texts × 384), each row of length 1; any text has one, the empty text too."""


@dataclass(frozen=True)
class LatentSemanticModel:
    """tf-idf weighted term counts, projected to 384 dimensions.

    ``projection`` is terms × 384. A corpus of fewer than 385 texts has fewer latent dimensions; ``padding``
    (missing × 384) then takes a hashing of the words, so that every text still gets 384.
    """

    name: str
    analyser: Analyser
    vocabulary: dict[str, int]
    idf: np.ndarray
    projection: np.ndarray
    padding: np.ndarray

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        counts = count_terms(texts, self.analyser, self.vocabulary)
        counts.data = (np.log(counts.data) + 1) * self.idf[counts.indices]
        vectors = _unit(np.asarray(counts @ self.projection, dtype=np.float32))
        if len(self.padding):
            vectors = _unit(vectors + _hashed_words(texts, len(self.padding)) @ self.padding)
        return _with_own_part(vectors, self.name, texts)


@dataclass(frozen=True)
class HashingModel:
    name: str
    rotation: np.ndarray

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return _with_own_part(_hashed_words(texts, DIMENSIONS) @ self.rotation, self.name, texts)


def load_models(texts: Sequence[str], cache: Path | str | None = None) -> dict[str, Model]:
    """The three models fitted on ``texts``, by name: some 10 s for 5,000 texts, under 1 s when found in ``cache``.

    The cache's key is the texts and the versions that the numbers depend on; models of other texts lie beside it.
    """
    if not any(text.strip() for text in texts):
        raise BadInput(
            "there is no text to fit the sandbox's models on",
            where="corpus",
            next_action="Give a corpus whose objects have text properties.",
        )
    key = _key(texts)
    return {
        WORD: _fitted(WORD, WORDS, 2, 200_000, texts, cache, key),
        CHAR: _fitted(CHAR, CHARACTERS, 2, 40_000, texts, cache, key),
        HASH: HashingModel(HASH, _rotation(HASH)),
    }


def _fitted(
    name: str,
    analyser: Analyser,
    min_documents: int,
    most: int,
    texts: Sequence[str],
    cache: Path | str | None,
    key: str,
) -> LatentSemanticModel:
    stored = Path(cache) / f"{name}-{key}.npz" if cache else None
    if stored and stored.exists():
        with np.load(stored, allow_pickle=False) as arrays:
            terms = str(arrays["terms"]).splitlines()
            return _model(name, analyser, terms, arrays["idf"], arrays["projection"], arrays["padding"])
    if len(texts) > FIT_TEXTS:
        texts = [texts[i] for i in np.random.default_rng(0).choice(len(texts), FIT_TEXTS, replace=False)]
    terms, counts = choose_terms(texts, analyser, min_documents=min_documents, most=most)
    idf, projection, padding = _fit(name, counts)
    if stored:
        _store(stored, terms="\n".join(terms), idf=idf, projection=projection, padding=padding)
    return _model(name, analyser, terms, idf, projection, padding)


def _model(
    name: str, analyser: Analyser, terms: list[str], idf: np.ndarray, projection: np.ndarray, padding: np.ndarray
) -> LatentSemanticModel:
    return LatentSemanticModel(name, analyser, {term: i for i, term in enumerate(terms)}, idf, projection, padding)


def _fit(name: str, counts: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(idf, projection, padding). Two power iterations: more cost seconds and, measured, gain no retrieval quality."""
    rotation = _rotation(name)
    if not counts.shape[1]:  # texts of single letters have no words
        return np.zeros(0, dtype=np.float32), np.zeros((0, DIMENSIONS), dtype=np.float32), rotation
    weighting = TfidfTransformer(sublinear_tf=True)
    weighted = weighting.fit_transform(counts)
    latent = min(DIMENSIONS, min(weighted.shape) - 1)
    idf = weighting.idf_.astype(np.float32)
    if latent < 1:
        return idf, np.zeros((counts.shape[1], DIMENSIONS), dtype=np.float32), rotation
    components = TruncatedSVD(latent, n_iter=2, random_state=0).fit(weighted).components_
    return idf, np.ascontiguousarray(components.T.astype(np.float32) @ rotation[:latent]), rotation[latent:]


def _hashed_words(texts: Sequence[str], width: int) -> np.ndarray:
    hashed = HashingVectorizer(n_features=width, alternate_sign=True).transform(texts)
    return np.asarray(hashed.toarray(), dtype=np.float32)


def _with_own_part(vectors: np.ndarray, name: str, texts: Sequence[str]) -> np.ndarray:
    own = np.array([direction_of(f"{name}\0{text}") for text in texts], dtype=np.float32).reshape(-1, DIMENSIONS)
    return _unit(vectors + OWN_PART * own)


def direction_of(text: str) -> np.ndarray:
    """A direction drawn from the text's hash: length 1, the same in every process, near-orthogonal to any other."""
    direction: np.ndarray = np.random.default_rng(_seed(text)).standard_normal(DIMENSIONS, dtype=np.float32)
    direction /= np.linalg.norm(direction)
    return direction


def _rotation(name: str) -> np.ndarray:
    """An orthogonal matrix, 384 × 384, drawn from the name."""
    drawn = np.random.default_rng(_seed(f"rotation\0{name}")).standard_normal((DIMENSIONS, DIMENSIONS))
    return np.linalg.qr(drawn)[0].astype(np.float32)


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), "big")


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _key(texts: Sequence[str]) -> str:
    digest = hashlib.sha256(f"{SHAPE} sklearn {sklearn.__version__} numpy {np.__version__}".encode())
    for text in texts:
        digest.update(b"\0" + text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def _store(path: Path, **arrays: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Named by process and moved into place: two providers that start together never read half a file.
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial.npz")
    np.savez(partial, **arrays)
    partial.replace(path)
