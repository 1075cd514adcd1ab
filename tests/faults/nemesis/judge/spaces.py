"""The provider's own word on what is like what: the similarity of a query and a text in a space, each embedded once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vecferry.sandbox.checker.provider_rest import Kind, Model


class Similarities:
    """Cosines in one model's space. ``learn`` asks the provider for what it does not know yet."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._vectors: dict[Kind, dict[str, np.ndarray]] = {"search_query": {}, "search_document": {}}

    def learn(self, queries: Iterable[str], texts: Iterable[str]) -> None:
        self._learn("search_query", queries)
        self._learn("search_document", texts)

    def of(self, query: str, text: str) -> float:
        return float(self._vectors["search_query"][query] @ self._vectors["search_document"][text])

    def _learn(self, kind: Kind, texts: Iterable[str]) -> None:
        known = self._vectors[kind]
        missing = sorted({text for text in texts if text not in known})
        if missing:
            for text, vector in zip(missing, self.model.embed(missing, kind=kind), strict=True):
                array = np.asarray(vector, dtype=np.float64)
                known[text] = array / (float(np.linalg.norm(array)) or 1.0)
