"""One request to a provider: what is sent, what comes back, and the two outcomes that ``vecferry.errors`` has no name for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vecferry.adapters.embedders.rate_headers import RateHeaders
from vecferry.errors import Retryable


@dataclass(frozen=True)
class Answer:
    """Unchecked. ``tokens`` as billed and ``rate`` as limited, ``None`` where the server does not say."""

    vectors: Sequence[Sequence[float]]
    tokens: int | None
    rate: RateHeaders | None = None


class Api(Protocol):
    """One model behind one SDK. ``where`` names model and server in errors, never a secret."""

    @property
    def where(self) -> str: ...
    def send(self, texts: Sequence[str], *, query: bool, timeout_s: float) -> Answer:
        """Exactly one HTTP request. Raises translated errors, ``Rejected`` or ``MaybeBilled``."""

    def close(self) -> None:
        """Its connections; a later ``send`` opens new ones."""


class Rejected(Exception):
    """The provider refuses the *content* of this request: too large in sum, or one of its texts. Halving finds out."""


class MaybeBilled(Retryable):
    """No usable answer, but the provider may have done the work: whoever counts money counts it as spent."""
