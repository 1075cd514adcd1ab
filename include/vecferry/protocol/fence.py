"""Rule 7: an owner stops by itself before anybody else may act on its row."""

from __future__ import annotations

from collections.abc import Callable

from vecferry.errors import UnknownOutcome
from vecferry.ports import Clock


class Fenced(UnknownOutcome):
    """The owner's time on its rows is over: it sends nothing more, leaves the rows and acknowledges nothing."""


class Fence:
    """A deadline on the owner's monotonic clock, checked before each send and before acknowledging.

    Without it: the janitor finishes the row, the paused owner wakes up and writes an old value over a newer one.
    """

    def __init__(self, clock: Clock, deadline: float, *, also: Callable[[], bool] | None = None) -> None:
        self._clock = clock
        self._also = also
        self.deadline = deadline

    @property
    def remaining_s(self) -> float:
        return self.deadline - self._clock.monotonic()

    def check(self) -> None:
        """Raises ``Fenced`` once the deadline or the router's lease has passed."""
        if self.remaining_s <= 0:
            raise Fenced("the time to finish this write is over", next_action="The janitor brings the shadow up to date.")
        if self._also is not None and not self._also():
            raise Fenced("the router's lease has expired", next_action="Check that the ledger can be reached.")
