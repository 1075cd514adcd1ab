"""The deterministic scheduler: holds every actor at its next request, and does what it is told, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import Any

from tests.faults.explorer.actors import Actor, current_actor
from tests.faults.explorer.requests import Ghost, Kind, Request, Wait
from vecferry.adapters.memory.clock import ManualClock
from vecferry.errors import Retryable, UnknownOutcome, VecferryError

MOMENT_S = 0.001


class ParkingClock(ManualClock):
    """Who sleeps waits for the engine to let the time pass."""

    def sleep(self, seconds: float) -> None:
        actor = current_actor()
        if actor is None:
            self.advance(seconds)
        else:
            actor.park(Wait("sleep", until_s=self.monotonic() + seconds))


class Engine:
    """Actors, ghosts and the clock. ``after_effect`` sees each effect of a write; ``poll`` is what live routers do as time
    passes, at least every ``poll_s`` seconds. With ``remembers``, ``Actor.seen`` stands for all answers it had."""

    def __init__(self, clock: ParkingClock, *, quarantine_s: float, poll_s: float) -> None:
        self.clock = clock
        self.actors: dict[str, Actor] = {}
        self.ghosts: dict[str, Ghost] = {}
        self.stopped: set[str] = set()
        self.dead: set[str] = set()
        self.step = 0
        self.remembers = False
        self.poll: Callable[[], None] = lambda: None
        self.after_effect: Callable[[Request], None] = lambda request: None
        self._quarantine_s = quarantine_s
        self._poll_s = poll_s
        self._sent = 0

    @property
    def now_s(self) -> float:
        return self.clock.monotonic()

    def moment(self) -> int:
        """A number that only grows: before and after, for the history."""
        self.step += 1
        return self.step

    def actor(self, name: str, work: Callable[[], Any], *, process: str = "", endless: bool = False) -> Actor:
        made = Actor(self, name, process or name, work, endless=endless)
        self.actors[name] = made
        return made

    # --- what the ports and the actors themselves call

    def request(self, name: str, where: str, kind: Kind, effect: Callable[[], Any]) -> Any:
        """One call at a port; the explorer's own are carried out at once."""
        actor = current_actor()
        if actor is None or actor.undisturbed:
            return effect()
        request = Request(name, where, kind, effect, self.now_s, operation=actor.operation)
        actor.park(request)
        if not request.landed:
            self._land(request)
        if kind is not Kind.READ:
            actor.park(request)
        if self.remembers:
            actor.seen = hash((actor.seen, name, _digest(request)))
        return request.answered()

    def _land(self, request: Request) -> None:
        request.land()
        self.after_effect(request)

    # --- what a schedule can say

    def can_run(self, actor: Actor) -> bool:
        if actor.ended or actor.process in self.stopped or actor.name in self.stopped:
            return False
        at = actor.at
        return not isinstance(at, Wait) or at.until_s < inf or at.ready()

    def must_wait(self, actor: Actor) -> bool:
        """Running it means that time passes first."""
        at = actor.at
        return isinstance(at, Wait) and not at.ready() and at.until_s > self.now_s

    def run(self, actor: Actor) -> None:
        """To its next point; who sleeps sleeps to the end of it."""
        if self.must_wait(actor):
            assert isinstance(actor.at, Wait)
            self.pass_time(actor.at.until_s - self.now_s)
        self._go_on(actor)

    def crash(self, process: str) -> None:
        """The whole process is gone; what its threads have not sent is never sent."""
        for actor in self.actors.values():
            if actor.process == process and not actor.ended:
                if actor.operation is not None:
                    actor.operation.ends(self.moment())
                actor.crash()
        self.stopped.discard(process)
        self.dead.add(process)

    def crash_in_flight(self, actor: Actor) -> None:
        self._let_go(actor)
        self.crash(actor.process)

    def time_out(self, actor: Actor) -> None:
        """No answer: the request never arrived, or (past its effect) the answer was lost."""
        request = actor.at
        assert isinstance(request, Request)
        actor.seen = hash((actor.seen, request.name, "timed out"))
        self._go_on(actor, _no_answer(request))

    def time_out_in_flight(self, actor: Actor) -> None:
        self._let_go(actor)
        self.time_out(actor)

    def land(self, name: str) -> None:
        ghost = self.ghosts.pop(name)
        self._land(ghost.request)
        if ghost.request.operation is not None:
            ghost.request.operation.ends(self.moment())

    def stop(self, process: str) -> None:
        self.stopped.add(process)

    def wake(self, process: str) -> None:
        self.stopped.discard(process)

    def pass_time(self, seconds: float) -> None:
        """Live routers poll meanwhile, and what is on its way takes effect when it must."""
        end_s = self.now_s + seconds + MOMENT_S
        while self.now_s < end_s:
            next_s = min(end_s, self.now_s + self._poll_s, *self._due())
            self.clock.advance(max(0.0, next_s - self.now_s))
            self._land_what_is_due()
            self.poll()

    def close(self) -> None:
        for actor in self.actors.values():
            if not actor.ended:
                actor.crash()

    # --- inside

    def _go_on(self, actor: Actor, order: BaseException | None = None) -> None:
        self.step += 1
        actor.go_on(order)

    def _let_go(self, actor: Actor) -> None:
        request = actor.at
        assert isinstance(request, Request)
        self._sent += 1
        # The sender keeps its own, which will never be answered; the copy on the wire is another.
        sent = Request(request.name, request.where, request.kind, request.effect, request.sent_s, operation=request.operation)
        ghost = Ghost(f"{actor.name}'s {request.label}", sent, request.sent_s + self._quarantine_s)
        while ghost.name in self.ghosts:
            ghost.name += "'"
        self.ghosts[ghost.name] = ghost

    def _due(self) -> Iterator[float]:
        yield from (ghost.due_s for ghost in self.ghosts.values())
        yield from (request.sent_s + self._quarantine_s for request in self._on_the_wire())

    def _land_what_is_due(self) -> None:
        for name in [name for name, ghost in self.ghosts.items() if ghost.due_s <= self.now_s]:
            self.land(name)
        for request in self._on_the_wire():
            if request.sent_s + self._quarantine_s <= self.now_s:
                self._land(request)

    def _on_the_wire(self) -> list[Request]:
        """A pause between check and send counts inside Q: who is parked at a write has sent it."""
        parked = [actor.at for actor in self.actors.values() if isinstance(actor.at, Request) and not actor.ended]
        return [request for request in parked if request.kind is Kind.DATA and not request.landed]


def _no_answer(request: Request) -> VecferryError:
    """As the adapters translate it: a read may be tried again, a write is unclear."""
    kind = UnknownOutcome if request.kind.writes else Retryable
    return kind("no answer in time", where=request.where)


def _digest(request: Request) -> int:
    return hash(repr(request.answer if request.refusal is None else request.refusal))
