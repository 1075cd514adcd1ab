"""The provider's embedding addresses over plain HTTP: OpenAI's and Cohere's form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

_BATCH = 96
Kind = Literal["search_document", "search_query"]


@dataclass(frozen=True)
class Model:
    """``api`` is ``openai`` or ``cohere``; ``base_url`` as the SDKs take it."""

    name: str
    api: str
    base_url: str
    api_key: str

    def embed(self, texts: Sequence[str], *, kind: Kind = "search_document") -> list[list[float]]:
        """In order; ``kind`` says what for, to a provider that asks."""
        # Certificates are loaded for nothing, and slowly, where there is no TLS.
        with httpx.Client(timeout=120, trust_env=False, verify=self.base_url.startswith("https:")) as http:
            vectors: list[list[float]] = []
            for start in range(0, len(texts), _BATCH):
                vectors += self._batch(http, texts[start : start + _BATCH], kind)
        return vectors

    def _batch(self, http: httpx.Client, texts: Sequence[str], kind: Kind) -> list[list[float]]:
        if self.api == "openai":
            rows = self._post(http, "/embeddings", {"model": self.name, "input": list(texts), "encoding_format": "float"})[
                "data"
            ]
            return [row["embedding"] for row in sorted(rows, key=lambda row: row["index"])]
        asked = {"model": self.name, "texts": list(texts), "input_type": kind, "embedding_types": ["float"]}
        return list(self._post(http, "/v2/embed", asked)["embeddings"]["float"])

    def _post(self, http: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = http.post(self.base_url.rstrip("/") + path, json=body, headers={"Authorization": f"Bearer {self.api_key}"})
        if answer.is_error:
            raise RuntimeError(f"{self.name}: the provider answered {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())
