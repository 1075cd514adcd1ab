"""Runs actors one at a time, each parked at a port call, so that a test lists the interleaving and it never varies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vecferry.errors import UnknownOutcome

_PATIENCE_S = 20.0
_local = threading.local()


class Crash(BaseException):
    """The process is gone: no ``except VecferryError`` and no clean-up of the product may stop it."""


class ScheduleError(Exception):
    """The schedule itself is impossible; never to be taken for a broken rule."""


@dataclass(frozen=True)
class Point:
    """One call at a port: ``put_batch S`` before its effect, ``put_batch S done`` between effect and answer."""

    name: str
    where: str = ""
    done: bool = False
    effect: Callable[[], Any] | None = None

    def matches(self, until: str) -> bool:
        wanted = until.split()
        if (wanted[-1] == "done") != self.done:
            return False
        return [self.name, self.where][: len(wanted) - self.done] == [word for word in wanted if word != "done"]


class Ghost:
    """A request that left its sender and has not landed yet."""

    def __init__(self, effect: Callable[[], Any]) -> None:
        self.land = effect


class Actor:
    """One process: a thread that runs only while the scheduler waits for it."""

    def __init__(self, name: str, work: Callable[[], Any]) -> None:
        self.name = name
        self.at: Point | None = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.ended = False
        self._work = work
        self._until: str | None = None
        self._order: BaseException | None = None
        self._crashed = False
        self._turn = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, name=f"actor-{name}", daemon=True)

    def advance(self, until: str | None, order: BaseException | None = None) -> None:
        """Runs it on until it is parked at ``until``, or has ended."""
        if self.ended:
            raise ScheduleError(f"{self.name} has ended")
        self._until, self._order = until, order
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._turn.release()
        if not self._stopped.acquire(timeout=_PATIENCE_S):
            raise ScheduleError(f"{self.name} neither reached {until} nor ended within {_PATIENCE_S} s")

    def arrive(self, point: Point) -> None:
        if self._crashed:
            raise Crash(self.name)
        if self._until is None or not point.matches(self._until):
            return
        self.at = point
        self._stopped.release()
        self._turn.acquire()
        self.at = None
        if self._order is not None:
            self._crashed = isinstance(self._order, Crash)
            raise self._order

    def _live(self) -> None:
        _local.actor = self
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error
        self.ended = True
        self._stopped.release()


class Scheduler:
    """``run("W0", until="put_batch S")``, ``crash``, ``time_out``; calls from the test's own thread are never parked."""

    def __init__(self) -> None:
        self._actors: dict[str, Actor] = {}

    def actor(self, name: str, work: Callable[[], Any]) -> None:
        self._actors[name] = Actor(name, work)

    def arrive(self, point: Point) -> None:
        """What the hooks of the fakes call."""
        actor: Actor | None = getattr(_local, "actor", None)
        if actor is not None:
            actor.arrive(point)

    def run(self, name: str, *, until: str | None = None) -> Any:
        """To the point, which must be reached; without one to the end, whose answer is returned or error raised."""
        actor = self._actors[name]
        actor.advance(until)
        if actor.ended and actor.error is not None:
            raise actor.error
        if actor.ended and until is not None:
            raise ScheduleError(f"{name} ended before {until} with {actor.result!r}")
        return actor.result

    def run_out(self, name: str, *, until: str | None = None) -> BaseException | None:
        """To the end (or to ``until``, if it gets there); its error is returned, not raised."""
        actor = self._actors[name]
        actor.advance(until)
        return actor.error

    def time_out(self, name: str) -> Ghost:
        """Its call is not answered, and it runs on to the end knowing that; what it sent may land later."""
        ghost = self._sent(name)
        self._actors[name].advance(None, UnknownOutcome("no answer in time"))
        return ghost

    def crash(self, name: str) -> None:
        """It never makes the call that it is parked at."""
        if not self._actors[name].ended:
            self._actors[name].advance(None, Crash(name))

    def crash_in_flight(self, name: str) -> Ghost:
        """It dies with its call on the wire."""
        ghost = self._sent(name)
        self.crash(name)
        return ghost

    def error_of(self, name: str) -> BaseException | None:
        return self._actors[name].error

    def ended(self, name: str) -> bool:
        return self._actors[name].ended

    def close(self) -> None:
        """Ends who is still parked."""
        for actor in self._actors.values():
            if actor.at is not None:
                actor.advance(None, Crash(actor.name))

    def _sent(self, name: str) -> Ghost:
        point = self._actors[name].at
        if point is None or point.done or point.effect is None:
            raise ScheduleError(f"{name} is not about to send anything")
        return Ghost(point.effect)
