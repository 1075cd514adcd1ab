"""Nobody is inside SQLite while this process forks.

SQLite guards what a process knows of its files with locks of its own, in C. One that another thread holds at the moment of a
fork is held in the child for ever: its first connection to that file would never open.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_QUIET_WITHIN_S = 2.0
"""A fork waits no longer. What is inside for longer waits for another process, and then holds none of these locks."""


class ForkGate:
    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._closed = False

    @contextmanager
    def passage(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._closed, _QUIET_WITHIN_S)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Returns when nobody is inside, or after a while all the same."""
        if self._changed.acquire(timeout=_QUIET_WITHIN_S):
            try:
                self._closed = True
                self._changed.wait_for(lambda: not self._inside, _QUIET_WITHIN_S)
            finally:
                self._changed.release()

    def open(self) -> None:
        """Whoever cannot be woken now finds it open when their wait ends."""
        self._closed = False
        if self._changed.acquire(timeout=_QUIET_WITHIN_S):
            try:
                self._changed.notify_all()
            finally:
                self._changed.release()
