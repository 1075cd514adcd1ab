"""Cohere's side: ``/v2/embed`` and ``/v1/models``, with its limits, errors and billed units.

``input_type`` is required and counted, and changes no vector: the sandbox's models embed queries as they embed documents.
"""

from __future__ import annotations

import base64
import uuid
from typing import Any

import numpy as np

from vecferry.sandbox.models import DIMENSIONS
from vecferry.sandbox.provider.refusal import Refusal
from vecferry.sandbox.provider.request import MAX_TOKENS_PER_INPUT, EmbedRequest, tokens_of
from vecferry.sandbox.provider.state import ProviderState

MAX_TEXTS = 96
INPUT_TYPES = ("search_document", "search_query", "classification", "clustering")
EMBEDDING_TYPES = ("float", "base64")
TRUNCATE = ("NONE", "START", "END")


def read(state: ProviderState, body: dict[str, Any], key: str) -> EmbedRequest:
    model = state.known(body.get("model"))
    input_type = body.get("input_type")
    if input_type not in INPUT_TYPES:
        raise Refusal(400, f"invalid request: input_type is required, one of {', '.join(INPUT_TYPES)}.")
    if body.get("output_dimension", DIMENSIONS) not in (DIMENSIONS, None):
        raise Refusal(400, f"invalid request: output_dimension must be {DIMENSIONS} for {model}.")
    unknown = [kind for kind in _types(body) if kind not in EMBEDDING_TYPES]
    if unknown:
        raise Refusal(400, f"invalid request: embedding_types {unknown} are not served; {', '.join(EMBEDDING_TYPES)} are.")
    if body.get("images") or body.get("inputs"):
        raise Refusal(400, "invalid request: this provider embeds texts only.")
    limit = _limit(body.get("max_tokens"))
    texts = _texts(body.get("texts"), body.get("truncate") or "END", limit)
    return EmbedRequest("cohere", model, texts, input_type, key)


def rendered(asked: EmbedRequest, body: dict[str, Any], indices: list[int], vectors: list[np.ndarray]) -> dict[str, Any]:
    embeddings: dict[str, list[Any]] = {}
    if "float" in _types(body):
        embeddings["float"] = [vector.tolist() for vector in vectors]
    if "base64" in _types(body):
        embeddings["base64"] = [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in vectors]
    return {
        "id": str(uuid.uuid4()),
        "response_type": "embeddings_by_type",
        "texts": asked.texts,
        "embeddings": embeddings,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": asked.tokens}},
    }


def error(refusal: Refusal) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "message": refusal.message}


def model_entry(state: ProviderState, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "is_deprecated": state.notices.listing(name).is_deprecated,
        "endpoints": ["embed"],
        "finetuned": False,
        "context_length": MAX_TOKENS_PER_INPUT,
        "default_endpoints": [],
    }


def model_list(state: ProviderState) -> dict[str, Any]:
    return {"models": [model_entry(state, name) for name in state.models]}


def _types(body: dict[str, Any]) -> list[str]:
    given = body.get("embedding_types") or ["float"]
    return given if isinstance(given, list) else [given]


def _limit(given: object) -> int:
    if given is None:
        return MAX_TOKENS_PER_INPUT
    if not isinstance(given, int) or given < 1:
        raise Refusal(400, f"invalid request: max_tokens must be a whole number above 0, not {given!r}.")
    return min(given, MAX_TOKENS_PER_INPUT)


def _texts(given: object, truncate: object, limit: int) -> list[str]:
    if truncate not in TRUNCATE:
        raise Refusal(400, f"invalid request: truncate must be one of {', '.join(TRUNCATE)}.")
    if not isinstance(given, list) or not given or not all(isinstance(text, str) for text in given):
        raise Refusal(400, "invalid request: texts must be a non-empty list of strings.")
    if len(given) > MAX_TEXTS:
        raise Refusal(400, f"invalid request: total number of texts must be at most {MAX_TEXTS}, got {len(given)}.")
    if "" in given:
        raise Refusal(400, f"invalid request: texts[{given.index('')}] is an empty string.")
    return [_cut(text, truncate, limit, at) for at, text in enumerate(given)]


def _cut(text: str, truncate: object, limit: int, at: int) -> str:
    if tokens_of(text) <= limit:
        return text
    if truncate == "NONE":
        raise Refusal(400, f"invalid request: texts[{at}] has {tokens_of(text)} tokens, more than {limit}; set truncate.")
    return text[-limit * 4 :] if truncate == "START" else text[: limit * 4]
