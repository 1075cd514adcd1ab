"""Splits texts into requests, and finds the one text that a provider refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from vecferry.adapters.embedders.api import Rejected
from vecferry.adapters.embedders.checking import Vectors
from vecferry.domain.request_limits import RequestLimits
from vecferry.errors import BadInput
from vecferry.ports import Embedded, Refused

SUSPICIOUS = 8
"""So many texts refused without exception mean that not the texts are the problem."""


@dataclass(frozen=True)
class Sent:
    vectors: Vectors
    tokens: int


Send = Callable[[Sequence[str]], Sent]


def requests_of(texts: Sequence[str], limits: RequestLimits, count: Callable[[str], int]) -> Iterator[list[str]]:
    """Runs of texts within both limits, in order; a text larger than a whole request goes alone."""
    run: list[str] = []
    size = 0
    for text in texts:
        tokens = count(text)
        if run and (len(run) >= limits.inputs or size + tokens > limits.tokens):
            yield run
            run, size = [], 0
        run.append(text)
        size += tokens
    if run:
        yield run


def embed_in_requests(
    texts: Sequence[str], limits: RequestLimits, count: Callable[[str], int], send: Send, *, where: str
) -> Embedded:
    """All texts, in order, by as few requests as the limits allow; refused ones as ``Refused``.

    Raises ``BadInput`` if ``SUSPICIOUS`` or more texts are all refused: then the request itself is wrong, and taking the
    refusals for an answer would leave a whole collection without vectors.
    """
    parts = [_send_halving(run, send) for run in requests_of(texts, limits, count)]
    vectors = tuple(vector for part in parts for vector in part.vectors)
    refused = [vector for vector in vectors if isinstance(vector, Refused)]
    if len(refused) == len(vectors) >= SUSPICIOUS:
        raise BadInput(
            f"every one of {len(refused)} texts was refused: {refused[0].reason}",
            where=where,
            next_action="Read the provider's words: it is more likely the request or the model than all of the texts.",
        )
    return Embedded(vectors, sum(part.tokens for part in parts))


def _send_halving(texts: Sequence[str], send: Send) -> Sent:
    """Whatever the provider dislikes about a request, too much in sum or one text, halving isolates in log₂ n steps."""
    try:
        return send(texts)
    except Rejected as rejected:
        if len(texts) == 1:
            return Sent((Refused(str(rejected)),), 0)
    middle = len(texts) // 2
    left, right = _send_halving(texts[:middle], send), _send_halving(texts[middle:], send)
    return Sent(left.vectors + right.vectors, left.tokens + right.tokens)
