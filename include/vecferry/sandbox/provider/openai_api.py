"""OpenAI's side: ``/v1/embeddings`` and ``/v1/models``, with its limits, errors and usage fields.

Token arrays as input are refused, truthfully: the sandbox's models read text and have no tokeniser.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from vecferry.sandbox.models import DIMENSIONS
from vecferry.sandbox.provider.refusal import Refusal
from vecferry.sandbox.provider.request import MAX_TOKENS_PER_INPUT, EmbedRequest, tokens_of
from vecferry.sandbox.provider.state import ProviderState

MAX_INPUTS = 2048
MAX_TOKENS_PER_REQUEST = 300_000
CREATED = 1_760_000_000  # Unix seconds; a constant, so that two lists compare equal


def read(state: ProviderState, body: dict[str, Any], key: str) -> EmbedRequest:
    model = state.known(body.get("model"))
    if body.get("encoding_format", "float") not in ("float", "base64", None):
        raise Refusal(400, "`encoding_format` must be `float` or `base64`.", param="encoding_format")
    if body.get("dimensions", DIMENSIONS) not in (DIMENSIONS, None):
        raise Refusal(
            400,
            f"`{model}` has {DIMENSIONS} dimensions and cannot be shortened to {body['dimensions']!r}.",
            param="dimensions",
        )
    texts = _texts(body.get("input"))
    asked = EmbedRequest("openai", model, texts, None, key)
    if asked.tokens > MAX_TOKENS_PER_REQUEST:
        message = f"Requested {asked.tokens} tokens, max {MAX_TOKENS_PER_REQUEST} tokens per request."
        raise Refusal(400, message, kind="max_tokens_per_request", code="max_tokens_per_request")
    return asked


def rendered(asked: EmbedRequest, body: dict[str, Any], indices: list[int], vectors: list[np.ndarray]) -> dict[str, Any]:
    encoded = _as_base64 if body.get("encoding_format") == "base64" else _as_list
    return {
        "object": "list",
        "model": asked.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": encoded(vector)}
            for index, vector in zip(indices, vectors, strict=True)
        ],
        "usage": {"prompt_tokens": asked.tokens, "total_tokens": asked.tokens},
    }


def error(refusal: Refusal) -> dict[str, Any]:
    return {
        "error": {
            "message": refusal.message,
            "type": refusal.kind,
            "param": refusal.param,
            "code": refusal.code,
        }
    }


def model_entry(state: ProviderState, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": "vecferry-sandbox",
        "shutdown_date": state.notices.listing(name).shutdown_date,
    }


def model_list(state: ProviderState) -> dict[str, Any]:
    return {"object": "list", "data": [model_entry(state, name) for name in state.models]}


def _texts(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise _bad_input("'$.input' must be a string or a non-empty array of strings.")
    if len(texts) > MAX_INPUTS:
        raise _bad_input(f"'$.input' has {len(texts)} items; the maximum array length is {MAX_INPUTS}.")
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            raise _bad_input(f"'$.input[{at}]' is no string; token arrays are not supported here, send the text.")
        if not text:
            raise _bad_input(f"'$.input[{at}]' cannot be an empty string.")
        if tokens_of(text) > MAX_TOKENS_PER_INPUT:
            raise _bad_input(
                f"This model's maximum context length is {MAX_TOKENS_PER_INPUT} tokens, however you requested "
                f"{tokens_of(text)} tokens in '$.input[{at}]'. Please reduce your prompt."
            )
    return texts


def _bad_input(message: str) -> Refusal:
    return Refusal(400, f"Invalid input: {message}", param="input")


def _as_list(vector: np.ndarray) -> list[float]:
    return list(vector.tolist())


def _as_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
