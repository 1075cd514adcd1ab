"""Embed the fingerprint's texts: at pin time, and again to see whether the model changed under its name."""

from __future__ import annotations

from vecferry.domain.fingerprint import TEXTS, Fingerprint
from vecferry.ports import Embedder, Purpose, Refused


def take(embedder: Embedder, *, timeout_s: float) -> Fingerprint:
    """The vectors of ``TEXTS``; an empty one for a text that the model has no vector for."""
    answer = embedder.embed_documents(TEXTS, purpose=Purpose.JUDGE, timeout_s=timeout_s)
    return tuple(() if isinstance(vector, Refused) else vector for vector in answer.vectors)
