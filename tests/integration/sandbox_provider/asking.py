"""What the tests of the sandbox's provider ask it, through the vendors' own SDKs."""

import numpy as np

from vecferry.sandbox.models import WORD

KEY = "sandbox-key-one"
OTHER_KEY = "sandbox-key-two"
TEXTS = ["send a request", "validate a model", "a client that keeps cookies"]


def embed_cohere(client, texts=TEXTS, model=WORD, input_type="search_document", **more):
    # The SDK retries by itself unless it is told not to, request by request.
    return client.embed(
        model=model,
        texts=texts,
        input_type=input_type,
        request_options={"max_retries": 0},
        **{"embedding_types": ["float"], **more},
    )


def vectors_of(answer):
    if hasattr(answer, "data"):
        return np.array([item.embedding for item in answer.data], dtype=np.float32)
    return np.array(answer.embeddings.float_, dtype=np.float32)


def close(one, other):
    return one.shape == other.shape and np.allclose(one, other, atol=1e-6)


def switch_on(control, kind, **settings):
    control.post("/_faults", json={"kind": kind, **settings}).raise_for_status()
