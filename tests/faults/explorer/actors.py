"""One process's thread of work, as a greenlet that runs only while the engine waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from tests.faults.explorer.requests import Request, Wait
from tests.faults.scheduler import Crash

if TYPE_CHECKING:
    from tests.faults.explorer.engine import Engine


class Actor:
    """``process`` names what a crash takes with it; ``at`` is where it is parked (``None``: not begun, or ended).

    ``undisturbed``: its requests are carried out at once, for what a scenario needs and does not explore.
    """

    def __init__(self, engine: Engine, name: str, process: str, work: Callable[[], Any], *, endless: bool) -> None:
        self.engine = engine
        self.name = name
        self.process = process
        self.endless = endless
        self.at: Request | Wait | None = None
        self.operation: Any = None
        self.began = self.ended = self.crashed = self.undisturbed = self.reliable = False
        self.error: BaseException | None = None
        self.seen: int = 0
        self.minted = 0
        self._work = work
        self._greenlet = _ActorGreenlet(self._live)
        self._greenlet.actor = self

    @property
    def label(self) -> str:
        if self.ended:
            return "end"
        return self.at.label if self.at else "start"

    @property
    def waiting(self) -> bool:
        return isinstance(self.at, Wait)

    def go_on(self, order: BaseException | None = None) -> None:
        """Until it is parked again or has ended; with ``order`` it meets that exception where it is parked."""
        self.began = True
        if order is None:
            self._greenlet.switch()
        else:
            self._greenlet.throw(order)
        if self._greenlet.dead:
            self.ended, self.at = True, None

    def crash(self) -> None:
        self.crashed = True
        if not self.began:
            self.ended = True
        if not self.ended:
            self.go_on(Crash(self.name))

    def park(self, at: Request | Wait) -> None:
        if self.crashed:
            raise Crash(self.name)
        self.at = at
        self._greenlet.parent.switch()
        if self.crashed:
            raise Crash(self.name)

    def _live(self) -> None:
        try:
            self._work()
        except Crash:
            pass
        except BaseException as error:
            self.error = error


class _ActorGreenlet(greenlet):
    actor: Actor


def current_actor() -> Actor | None:
    """Who runs; ``None`` for the explorer itself."""
    return getattr(getcurrent(), "actor", None)
