"""One of something per process: sockets, locks and threads must not be shared with a forked parent."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Made on first use in each process. Takes no lock: one held during a fork would stay locked in the child.

    Two threads that are first at once may both make one; all use the same one afterwards.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[int, T] = {}

    def __call__(self) -> T:
        pid = os.getpid()
        if pid not in self._made:
            self._made.setdefault(pid, self._make())
        return self._made[pid]

    def taken(self) -> T | None:
        """This process's, if it has made one; the next call makes another."""
        return self._made.pop(os.getpid(), None)
