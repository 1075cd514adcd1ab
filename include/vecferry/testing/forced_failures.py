"""Failures on demand, at the ports, so that the real Router does with them what it does in production."""

from __future__ import annotations

from collections.abc import Sequence

from vecferry.adapters.memory.store import Call
from vecferry.errors import NotWritten, Retryable, UnknownOutcome, VecferryError

_WRITES = frozenset({"put", "merge", "delete", "put_batch", "delete_batch"})


class ForcedFailures:
    """Each is used up by the first call that it strikes; ``live`` is the collection whose writes they strike."""

    def __init__(self, live: str) -> None:
        self._live = live
        self._write: VecferryError | None = None
        self._landed = False
        self._shadow: Retryable | None = None

    def next_write(self, error: VecferryError, *, landed: bool = False) -> None:
        self._write, self._landed = error, landed

    def next_shadow_query(self) -> None:
        self._shadow = Retryable("forced by force_fallback", where="FakeRouter", next_action="Nothing: the test wanted it.")

    def before_store(self, name: str, collection: str, call: Call) -> None:
        """The memory store's hook: a write that lands all the same has its effect, and no answer."""
        if name in _WRITES and collection == self._live and self._write is not None:
            if self._landed:
                call.effect()
            self.raise_for_write()

    def raise_for_write(self) -> None:
        error, self._write = self._write, None
        if error is not None:
            raise error

    def before_shadow_embedder(self, method: str, texts: Sequence[str]) -> None:
        if method == "embed_query" and self._shadow is not None:
            error, self._shadow = self._shadow, None
            raise error


def unknown_outcome() -> UnknownOutcome:
    return UnknownOutcome(
        "forced by force_unknown_outcome", where="FakeRouter", next_action="Read the object before you decide."
    )


def not_written() -> NotWritten:
    return NotWritten("forced by force_not_written", where="FakeRouter", next_action="Try again.")
