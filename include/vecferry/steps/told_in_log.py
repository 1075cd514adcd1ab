"""How far long work is, for who reads a task's log: every half minute, with the pace and what is left."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property

from vecferry.ports import Clock

EVERY_S = 30.0
_log = logging.getLogger(__name__)


class ToldInLog:
    """``what`` is done to so many objects, ``before`` of them by an earlier attempt; ``total`` is asked for once, if the work
    takes so long that something is told at all."""

    def __init__(self, clock: Clock, what: str, total: Callable[[], int] | None = None, *, before: int = 0) -> None:
        self._clock = clock
        self._what = what
        self._ask_total = total
        self._before = before
        self._began_s = clock.monotonic()
        self._next_s = self._began_s + EVERY_S

    def __call__(self, done: int) -> None:
        now_s = self._clock.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + EVERY_S
        per_s = (done - self._before) / max(now_s - self._began_s, 0.001)
        _log.info("%s: %s objects, %.0f a second%s", self._what, f"{done:,}", per_s, self._left(done, per_s))

    def _left(self, done: int, per_s: float) -> str:
        if self._total is None or not per_s:
            return ""
        return f"; of about {self._total:,}, {max(0.0, self._total - done) / per_s / 60:.1f} minutes left"

    @cached_property
    def _total(self) -> int | None:
        return self._ask_total() if self._ask_total is not None else None
