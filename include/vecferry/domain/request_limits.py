"""What one request to a provider may hold."""

from __future__ import annotations

from dataclasses import dataclass

from vecferry.domain.catalogue import ModelCard

REQUEST_SHARE = 150
"""A request is at most one part in so many of a minute: what remains of a minute and is too small for a request is lost."""


@dataclass(frozen=True)
class RequestLimits:
    inputs: int
    tokens: int

    def beside(self, tokens: int) -> RequestLimits:
        """What is left for the others where one text of ``tokens`` goes along; never nothing: a text may go alone."""
        return RequestLimits(max(1, self.inputs - 1), max(1, self.tokens - tokens))


def request_limits(card: ModelCard) -> RequestLimits:
    """The provider's limits, and a small part of a minute. Not so small a part that the requests would run out before the
    tokens."""
    inputs, tokens = card.inputs_per_request, card.tokens_per_request
    if card.inputs_per_minute:
        inputs = max(1, min(inputs, _part(card.inputs_per_minute, card.requests_per_minute)))
    if card.tokens_per_minute:
        tokens = max(1, min(tokens, _part(card.tokens_per_minute, card.requests_per_minute)))
    return RequestLimits(inputs, tokens)


def _part(per_minute: int, requests_per_minute: int | None) -> int:
    return max(per_minute // REQUEST_SHARE, 2 * per_minute // requests_per_minute if requests_per_minute else 0)
