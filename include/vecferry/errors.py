"""Every failure that vecferry names: classed by what the reader may do next.

Each error says *what* happened, *where* (the object, collection or model) and the *next action*. Vendor errors are
translated into these once, at the adapter, with the cause chained.
"""

from __future__ import annotations


class VecferryError(Exception):
    """What went wrong, where, and what to do next."""

    def __init__(self, what: str, *, where: str = "", next_action: str = "") -> None:
        self.what = what
        self.where = where
        self.next_action = next_action
        super().__init__(what, where, next_action)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.next_action}" if self.next_action else text

    def as_dict(self) -> dict[str, str]:
        return {"error": type(self).__name__, "what": self.what, "where": self.where, "next": self.next_action}


class Retryable(VecferryError):
    """The same call may succeed later: a timeout, a 429, a server that restarts."""

    def __init__(self, what: str, *, where: str = "", next_action: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(what, where=where, next_action=next_action)
        self.retry_after_s = retry_after_s


class NotYet(Retryable):
    """Nothing was begun and nobody is held; what stands in the way ends by itself, within ``retry_after_s``."""


class ModelChanged(Retryable):
    """The model answers otherwise than it did in the beginning under the same name, so that its answer was thrown away."""


class Paused(VecferryError):
    """The migration stands still on purpose (budget, quota, operator) until somebody says go on."""


class NeedsRollback(VecferryError):
    """Users are worse off on the shadow: go back to live."""


class NeedsPerson(VecferryError):
    """Nothing automatic is safe here; the message says what to decide."""


class LedgerRestored(NeedsPerson):
    """The ledger has forgotten what this process, or a collection, knows of it: it was restored from a backup."""


class BadInput(VecferryError):
    """The request can never succeed as it stands."""


class ModelGone(BadInput):
    """The provider does not know the model: it ended, or the name was never right."""


class NotWritten(VecferryError):
    """The write certainly did not happen and will not happen later."""


class UnknownOutcome(VecferryError):
    """The write may have happened, or may still happen, up to ``Q`` seconds after it was sent. Read before deciding."""


class NotFound(BadInput):
    """The named thing does not exist; the message lists those that do."""


class Conflict(VecferryError):
    """Somebody else changed the row first (compare-and-set lost): read again, then decide."""
