"""A process that is killed at one of its effects: before it, after it, in the middle of it, or with it still on the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from tests.faults.crash.billing import BilledEmbedders, Meter
from tests.faults.scheduler import Crash, Ghost
from vecferry.ports import Ports

_LEDGER_READS = """pin pins migration active_migration migrations rows journal_counts oldest_row_age_s covered snapshot leases
    observations routings chunks verdicts events spend golden measurements notices close"""
_STORE_READS = """collections schema tenants shards aliases modules alive count keys read page indexed index_queue search
    stamp_counts native close"""
READS: Mapping[str, frozenset[str]] = {
    "ledger": frozenset(_LEDGER_READS.split()),
    "store": frozenset(_STORE_READS.split()),
    "provider": frozenset(),
}
"""What changes nothing. Everything else that a port has is an effect, so that a new method is one without being named here."""


class When(StrEnum):
    """Relative to the effect that the process dies at."""

    BEFORE = "before"
    AFTER = "after"
    MIDDLE = "middle"
    """Only the first half of a batch landed."""
    LATE = "late"
    """The process dies with its request on the wire, and it lands when a new process has run the step again."""


@dataclass(frozen=True)
class Effect:
    """``batch``: how many objects it carries, for requests to the store that carry several."""

    number: int
    port: str
    name: str
    batch: int = 0

    @property
    def whens(self) -> list[When]:
        """Ledger calls are transactions, and a provider's answer is one; only a store's batch can land by halves."""
        sure = [When.BEFORE, When.AFTER]
        if self.port == "store":
            sure.append(When.LATE)
        return [*sure, When.MIDDLE] if self.batch > 1 else sure


@dataclass(frozen=True)
class Kill:
    number: int
    when: When


class Process:
    """``ports`` are the world's as this process has them. Once dead, no call of it does anything, whatever is cleaning up."""

    def __init__(self, ports: Ports, meter: Meter, kill: Kill | None, *, close: Callable[[], None]) -> None:
        self.effects: list[Effect] = []
        self.ghost: Ghost | None = None
        self.dead = False
        self._kill = kill
        self._close = close
        self._lock = threading.Lock()
        ledger: Any = _Port(ports.ledger, "ledger", self)
        clock: Any = _Clock(ports.clock, self)
        self._embedders = BilledEmbedders(ledger, clock, meter, lambda send: partial(self._call, "provider", "send", send))
        store: Any = _Port(ports.store, "store", self)
        self.ports = replace(ports, ledger=ledger, store=store, clock=clock, embedders=self._embedders)

    def run(self, step: Callable[[Ports], Any]) -> Any:
        """To the end; what queries have cost is booked by then, as at the end of any process."""
        try:
            answer = step(self.ports)
            self._embedders.flush()
            return answer
        finally:
            self._embedders.forget()
            self._close()

    def refuse_if_dead(self) -> None:
        if self.dead:
            raise Crash("the process is gone")

    def _call(self, port: str, name: str, method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        self.refuse_if_dead()
        if name in READS[port]:
            return method(*given, **named)
        with self._lock:
            effect = Effect(len(self.effects) + 1, port, name, _batch(given) if port == "store" else 0)
            self.effects.append(effect)
        if self._kill is not None and self._kill.number == effect.number:
            self._die(self._kill.when, method, given, named)
        answer = method(*given, **named)
        self.refuse_if_dead()
        return answer

    def _die(self, when: When, method: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]) -> None:
        self.dead = True
        if when is When.AFTER:
            method(*given, **named)
        elif when is When.MIDDLE:
            method(*map(_first_half, given), **named)
        elif when is When.LATE:
            self.ghost = Ghost(partial(method, *given, **named))
        self.refuse_if_dead()


class _Port:
    """Every method of a port, as calls of this process."""

    def __init__(self, target: Any, port: str, process: Process) -> None:
        self._target = target
        self._port = port
        self._process = process

    def __getattr__(self, name: str) -> Any:
        return partial(self._process._call, self._port, name, getattr(self._target, name))


class _Clock:
    """The dead do not sleep."""

    def __init__(self, clock: Any, process: Process) -> None:
        self._clock = clock
        self._process = process
        self.monotonic, self.now = clock.monotonic, clock.now

    def sleep(self, seconds: float) -> None:
        self._process.refuse_if_dead()
        self._clock.sleep(seconds)


def _batch(given: Sequence[Any]) -> int:
    """The second argument of the store's batch calls is what they carry."""
    carried = given[1] if len(given) > 1 else None
    return len(carried) if isinstance(carried, list | tuple | dict) else 0


def _first_half(argument: Any) -> Any:
    if isinstance(argument, list | tuple):
        return argument[: len(argument) // 2]
    if isinstance(argument, dict):
        return dict(list(argument.items())[: len(argument) // 2])
    return argument
