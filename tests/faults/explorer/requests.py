"""What an actor can be parked at: a request at a port, or a wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import Any

from vecferry.errors import VecferryError


class Kind(Enum):
    """What may happen to a request on its way."""

    READ = auto()
    """No effect: it can be late, or lost."""
    STALE = auto()
    """A read whose answer is used without another request in between, so that its age matters."""
    TRANSACTION = auto()
    """A statement of the ledger: its sender may wait for as long as it likes before sending; the ledger checks again."""
    DATA = auto()
    """A write to the store, checked before it is sent and never after: it takes effect at most Q after the check."""

    @property
    def writes(self) -> bool:
        return self in (Kind.TRANSACTION, Kind.DATA)


@dataclass(eq=False)
class Request:
    """``put_batch S`` before its effect, ``put_batch S done`` between effect and answer. ``sent_s`` is the explorer's clock."""

    name: str
    where: str
    kind: Kind
    effect: Callable[[], Any]
    sent_s: float
    landed: bool = False
    answer: Any = None
    refusal: VecferryError | None = None
    operation: Any = None

    @property
    def label(self) -> str:
        return f"{self.name} {self.where}" + (" done" if self.landed else "")

    def land(self) -> None:
        """Takes effect, now."""
        self.landed = True
        try:
            self.answer = self.effect()
        except VecferryError as error:
            self.refusal = error

    def answered(self) -> Any:
        if self.refusal is not None:
            raise self.refusal
        return self.answer


@dataclass(eq=False)
class Wait:
    """Nothing on the way: the actor goes on when ``ready()`` holds, or when the clock has reached ``until_s``."""

    label: str
    ready: Callable[[], bool] = lambda: False
    until_s: float = inf


@dataclass(eq=False)
class Ghost:
    """A request that has left its sender, which no longer waits for it; it takes effect at ``due_s`` at the latest."""

    name: str
    request: Request
    due_s: float
