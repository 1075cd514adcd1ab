"""Stands in for ``threading`` inside the router, so that who waits for a lock is parked and not stuck."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.explorer.actors import current_actor
from tests.faults.explorer.requests import Wait

_PLACES = ("membership", "operations", "reconcile_queue", "results")


class WouldBlock(Exception):
    """The explorer itself met a lock that a parked actor holds."""


class Lock:
    """Held over port calls by the product, so a second actor must be able to wait for it."""

    def __init__(self) -> None:
        self.held = False

    def __enter__(self) -> None:
        while self.held:
            actor = current_actor()
            if actor is None:
                raise WouldBlock
            actor.park(Wait("lock", ready=lambda: not self.held))
        self.held = True

    def __exit__(self, *exc: object) -> None:
        self.held = False


class Condition:
    """Nobody is parked inside a critical section but in ``wait_for``, so there is nothing else to guard."""

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        actor = current_actor()
        if predicate() or actor is None:
            return predicate()
        until_s = actor.engine.now_s + timeout if timeout is not None else float("inf")
        actor.park(Wait("wait", ready=predicate, until_s=until_s))
        return predicate()

    def notify(self) -> None: ...

    def notify_all(self) -> None: ...


class Event:
    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def wait(self, timeout: float | None = None) -> bool:
        return Condition().wait_for(lambda: self._set, timeout)


_SHIM: Any = SimpleNamespace(Lock=Lock, Condition=Condition, Event=Event)


class Ids:
    """Each actor's ids are numbered by itself: two runs of one schedule are the same, and so are two orders that commute."""

    def __init__(self) -> None:
        self.outside = 0

    def uuid4(self) -> uuid.UUID:
        actor = current_actor()
        if actor is None:
            self.outside += 1
            return uuid.uuid5(uuid.NAMESPACE_OID, f"nobody {self.outside}")
        actor.minted += 1
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{actor.name} {actor.minted}")


@contextmanager
def deterministic() -> Iterator[None]:
    """One run: the product's own code, unchanged, without locks that would stop the only thread, and without chance."""
    with pytest.MonkeyPatch.context() as patch:
        for place in _PLACES:
            patch.setattr(f"vecferry.router.{place}.threading", _SHIM)
        patch.setattr(uuid, "uuid4", Ids().uuid4)
        yield
